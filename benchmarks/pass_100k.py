"""A pass over 100,000 accounts with 90 days of history, beside the same evaluation in SQL written by hand.

`python benchmarks/pass_100k.py` prints the table; with `--write` it also puts it into benchmarks/README.md. It ends
with exit code 1 when the two do not give the same answer, never because a figure is poor.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import duckdb
import pyarrow
from made_up import LAST_DAY, Size, write_history

from forestall.engine.detect.history import History
from forestall.engine.intervene.day import decide_day
from forestall.engine.model.expression import Truth
from forestall.engine.model.people import Directory
from forestall.engine.model.state import State
from forestall.engine.rulebook.loader import load
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.evaluate import DayOfEvaluations, Evaluations, Evaluator, from_epoch, to_epoch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
ROLES = {"name": "account_name", "contact": "contact_email", "csm": "csm", "executive": "executive_owner",
         "revenue": "mrr", "renewal": "renewal_date", "opted_out": "email_opt_out"}


@dataclass
class Figures:
    """What was measured: (what, seconds, target or "")."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, figure: str, target: str = "", met: bool | None = None) -> None:
        verdict = "" if met is None else "met" if met else "**not met**"
        self.lines.append((what, figure, target, verdict))
        print(f"{what:<84}{figure:>16}  {target:<12}{verdict}", flush=True)


def timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    answer = work()
    return time.perf_counter() - start, answer


def by_hand(history: History, evaluator: Evaluator) -> pyarrow.Table:
    connection = history.open_days(evaluator.rulebook.catalogue, LAST_DAY - timedelta(days=34), LAST_DAY)
    try:
        query = (HERE / "by_hand.sql").read_text().replace("$today", str(to_epoch(LAST_DAY)))
        return connection.sql(query).to_arrow_table()
    finally:
        connection.close()


def differences(ours: DayOfEvaluations, theirs: pyarrow.Table, conditions: Conditions) -> list[str]:
    """Where the two answers part; empty when they say the same."""
    columns = [f"{what} {name} {part.split()[0]}" for what, name, part in conditions.index]
    counts: Counter[str] = Counter()
    rows = {row["account"]: row for row in theirs.to_pylist()}
    for account in ours.take(list(range(len(ours)))):
        row = rows.pop(account.account, None)
        if row is None:
            counts["accounts that only we have"] += 1
            continue
        counts.update(name for name in ("score", "tier") if getattr(account, name) != row[name])
        counts.update(role for role, metric in ROLES.items() if getattr(account, role) != said(role, row[metric]))
        counts.update(column for index, column in enumerate(columns)
                      if account.truth(index) != (Truth.UNKNOWN if row[column] is None else 2 * row[column]))
    counts["accounts that only they have"] += len(rows)
    return [f"{name}: {count:,}" for name, count in counts.items() if count]


def said(role: str, value: object) -> object:
    """A value of the table as an AccountDay has it."""
    return from_epoch(value) if role == "renewal" and isinstance(value, int) else value


def evaluation(figures: Figures, folder: Path, size: Size, runs: int) -> bool:
    """Measure both ways in turns; False when their answers differ."""
    seconds, rows = timed(lambda: write_history(folder, size))
    assert isinstance(rows, int)
    figures.add(f"made-up history of {size.accounts:,} accounts and {size.days} days ({rows:,} rows), written once",
                f"{seconds:.1f} s")
    history, rulebook = History(folder), load(ROOT / "rules", None)
    evaluator = Evaluator(rulebook)
    first, _ = timed(lambda: evaluator.evaluate(history, LAST_DAY, LAST_DAY))
    by_hand(history, evaluator)
    ours, theirs = [], []
    for _ in range(runs):
        seconds, found = timed(lambda: evaluator.evaluate(history, LAST_DAY, LAST_DAY))
        assert isinstance(found, Evaluations)
        ours.append(seconds)
        seconds, table = timed(lambda: by_hand(history, evaluator))
        theirs.append(seconds)
    assert isinstance(table, pyarrow.Table)
    ratio = median(ours) / median(theirs)
    figures.add(f"evaluation of the last day, default rulebook (median of {runs})", f"{median(ours):.2f} s")
    figures.add(f"the same in SQL written by hand (median of {runs})", f"{median(theirs):.2f} s")
    figures.add("ratio", f"{ratio:.1f}", "at most 2.0", ratio <= 2.0)
    figures.add("the first evaluation, in which the rules are compiled", f"{first:.2f} s")
    parted = differences(found.on(LAST_DAY), table, evaluator.conditions)
    figures.add("scores, tiers, roles and truths of both", "the same" if not parted else "**different**")
    for line in parted:
        print("  differs:", line)
    state = State()
    days = {LAST_DAY - timedelta(days=1): "the first day decided, on which every account is new: alerts and plays",
            LAST_DAY: "the day after it decided: alerts and plays"}
    for day, what in days.items():
        evaluations = evaluator.evaluate(history, day, day).on(day)
        start = time.perf_counter()
        decided = decide_day(rulebook, evaluator.conditions, Directory({}, {}), state, evaluations)
        figures.add(what, f"{time.perf_counter() - start:.2f} s")
        state = state.after(decided.decisions)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform != "darwin" else 2**30)
    figures.add("most memory used so far", f"{memory:.1f} GB")
    return not parted


def commands(figures: Figures, runs: int = 7) -> None:
    """The commands that must answer at once: wall time of whole processes."""
    for arguments in (["--help"], ["check"]):
        measured = [timed(lambda arguments=arguments: forestall(*arguments))[0] for _ in range(runs)]
        best = median(measured)
        figures.add(f"`forestall {' '.join(arguments)}` in this repository (median of {runs})", f"{best:.2f} s",
                    "under 0.5 s", best < 0.5)


def demo(figures: Figures, folder: Path) -> None:
    """The steps of `make demo`."""
    shutil.copytree(ROOT / "examples" / "courses", folder, ignore=shutil.ignore_patterns(".forestall", "deliveries"))
    steps = [
        ("history import", ["history", "import"]),
        ("run, fifteen days one by one", ["run", "--day", "2014-12-03", "--until", "2014-12-17", "--send"]),
        ("run, the last day again", ["run", "--day", "2014-12-17", "--send"])]
    total = 0.0
    for name, arguments in steps:
        seconds, _ = timed(lambda arguments=arguments: forestall(*arguments, "--project", str(folder)))
        total += seconds
        figures.add(f"`make demo`: {name}", f"{seconds:.1f} s")
    figures.add("`make demo`: all steps", f"{total:.1f} s", "under 60 s", total < 60)


def forestall(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "forestall.engine.cli", *arguments], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{os.cpu_count()} cores, {memory:.0f} GB of memory, {platform.system()} on {platform.machine()}, "
            f"Python {platform.python_version()}, DuckDB {duckdb.__version__}")


def write(figures: Figures) -> None:
    """Replace the table in benchmarks/README.md."""
    rows = [f"Measured on {datetime.now(UTC).date()}: {machine()}.", "", "| what | figure | target | |",
            "|---|---:|---|---|", *(f"| {' | '.join(line)} |" for line in figures.lines), ""]
    page = HERE / "README.md"
    text = page.read_text(encoding="utf-8")
    head, tail = text[:text.index(BEGIN) + len(BEGIN)], text[text.index(END):]
    page.write_text(head + "\n".join(rows) + tail, encoding="utf-8")


def arguments() -> Mapping[str, int | bool]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=Size().accounts)
    parser.add_argument("--days", type=int, default=Size().days)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only-evaluation", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    return vars(parser.parse_args())


def main() -> int:
    chosen = arguments()
    figures = Figures()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="forestall-bench-") as place:
        size = Size(int(chosen["accounts"]), int(chosen["days"]))
        same = evaluation(figures, Path(place) / "history", size, int(chosen["runs"]))
        if not chosen["only_evaluation"]:
            commands(figures)
            demo(figures, Path(place) / "demo")
    if chosen["write"]:
        write(figures)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
