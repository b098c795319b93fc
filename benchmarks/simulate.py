"""A year of 100,000 accounts under two sets of twenty triggers, with plays and courtesies: what simulating it takes."""

from __future__ import annotations

import shutil
import sys
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from fifteen_metrics import LAST_DAY, write_history
from figures import HERE, ROOT, Figures, apart, main, memory_of_all, timed

from forestall.engine.detect.history import History, quiet
from forestall.engine.model.people import Destination, Directory, Person
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.rulebook.loader import load
from forestall.engine.runtime import import_history, open_project
from forestall.engine.score.engine import DuckDb
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.simulate.compared import compare
from forestall.engine.simulate.sides import Asked, Side
from forestall.engine.simulate.together import Evaluators

RULES = HERE / "twenty_triggers"
OTHER = {      # what the candidate says in another way
    "threshold": ("triggers.yaml", "drop(score, days=7) >= 15", "drop(score, days=7) >= 12"),
    "weight": ("weights.yaml", "weight: 30", "weight: 35"),
}


def measure(figures: Figures, folder: Path, accounts: int = 100_000, days: int = 365, demo_days: int = 30) -> bool:
    """Both rulebooks day by day: one with another threshold, one with another weight; beside bare evaluation."""
    seconds, rows = timed(lambda: apart(write_history, folder / "whole", accounts, days))
    figures.seconds(f"made-up history of {accounts:,} accounts and {days} days ({rows:,} rows), written once", seconds)
    for what, change in OTHER.items():
        apart(write_candidate, folder / what, *change)
        bare = apart(evaluated, folder, what, days)
        took, told, gigabytes, decided = apart(simulated, folder, what, days)
        figures.seconds(f"another {what}: only the columns of both evaluated", bare)
        figures.seconds(f"another {what}: both rulebooks simulated, with alerts, plays and courtesies", took,
                        90 if accounts >= 100_000 else None)      # the target is one of that size
        figures.ratio("ratio of the two", took / bare, at_most=3)
        figures.add("most memory at one time, of all processes", f"{gigabytes:.1f} GB", "under 2 GB", gigabytes < 2)
        for name, count in told.items():
            figures.add(f"{name}, base → candidate", count)
        figures.add("account-days decided a second, of both rulebooks", f"{decided / took:,.0f}")
    if demo_days:
        seconds = apart(demo, folder / "demo", demo_days)
        figures.seconds(f"the demo: `compare` over its last {demo_days} days, with a base", seconds, 30)
    return True


def write_candidate(folder: Path, file: str, before: str, after: str) -> None:
    """The rules with one thing said in another way."""
    shutil.copytree(RULES, folder)
    text = (RULES / file).read_text(encoding="utf-8")
    assert before in text
    (folder / file).write_text(text.replace(before, after), encoding="utf-8")


def rulebooks(folder: Path, what: str) -> tuple[Rulebook, Rulebook]:
    """Base and candidate."""
    return load(RULES, None), load(folder / what, None)


def directory() -> Directory:
    """The two hundred CSMs of the made-up accounts."""
    people = {name: Person(name, name.title(), f"{name}@example.com", f"U{name}")
              for name in (f"csm{number}" for number in range(200))}
    return Directory(people, {"crm": Destination("crm", "webhook", "https://crm.example.com")})


def evaluated(folder: Path, what: str, days: int) -> float:
    """How long the bare evaluation takes: every column that the days of both are decided from, and nothing decided."""
    both, history = Evaluators(*rulebooks(folder, what), DuckDb()), History(folder / "whole")
    first = LAST_DAY - timedelta(days=days - 1)
    sides = [both.candidate] if both.shared or both.base is None else [both.base, both.candidate]
    return sum(timed(partial(evaluate_alone, side, history, first))[0] for side in sides)


def evaluate_alone(side: Evaluator, history: History, first: date) -> None:
    """One side; its rows are let go as they come."""
    for _ in side._changed(history, first, LAST_DAY, quiet):
        pass


def simulated(folder: Path, what: str, days: int) -> tuple[float, dict[str, str], float, int]:
    """How long a comparison of both takes, what they came to, the most memory at one time of all processes, and the
    account-days that were decided."""
    base, candidate = rulebooks(folder, what)
    asked = Asked(LAST_DAY - timedelta(days=days - 1), LAST_DAY)
    with memory_of_all() as memory:
        seconds, compared = timed(lambda: compare(Side("base", base), Side("candidate", candidate), directory(),
                                                  History(folder / "whole"), asked))
    assert compared.base is not None
    sides = compared.base.days, compared.candidate.days
    told = {name: " → ".join(f"{sum(side.total(count).values()):,}" for side in sides)
            for name, count in (("alerts opened", "opened"), ("deliveries", "deliveries"))}
    return (seconds, told, memory[0], sum(day.accounts for side in sides for day in side.days))


def demo(folder: Path, days: int) -> float:
    """How long a comparison takes on the demo, with its history at hand."""
    shutil.copytree(ROOT / "examples" / "courses", folder, ignore=shutil.ignore_patterns(".forestall", "deliveries"))
    project = open_project(folder)
    import_history(project)
    project = open_project(folder)
    last = project.history.last_arrival()
    assert last is not None
    side = Side("the demo", project.rulebook)
    return timed(lambda: compare(side, side, project.directory, project.history,
                                 Asked(last - timedelta(days=days - 1), last)))[0]


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
