"""A pass over 100,000 accounts with 90 days of history, beside the same evaluation in SQL written by hand."""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

from answers import by_hand, differences
from figures import HERE, ROOT, Figures, in_turns, main, most_memory, timed
from made_up import LAST_DAY, Size, write_history

from forestall.engine.detect.history import History
from forestall.engine.intervene.day import decide_day
from forestall.engine.model.people import Directory
from forestall.engine.model.state import State
from forestall.engine.rulebook.loader import load
from forestall.engine.score.evaluate import Evaluator

BACK = 34      # the look-back of `usual(logins_14d, days=28)`


def measure(figures: Figures, folder: Path, accounts: int = 100_000, days: int = 90, runs: int = 5) -> bool:
    """The latest day under the default rulebook: ours beside SQL written by hand, and what is decided upon it."""
    seconds, rows = timed(lambda: write_history(folder, Size(accounts, days)))
    figures.seconds(f"made-up history of {accounts:,} accounts and {days} days ({rows:,} rows), written once", seconds)
    history, evaluator = History(folder), Evaluator(load(ROOT / "rules", None))
    first, _ = timed(lambda: evaluator.evaluate(history, LAST_DAY, LAST_DAY))
    (ours, found), (theirs, table) = in_turns(
        runs, lambda: evaluator.evaluate(history, LAST_DAY, LAST_DAY),
        lambda: by_hand(history, evaluator, LAST_DAY, BACK, HERE / "by_hand.sql"))
    figures.seconds(f"evaluation of the last day, default rulebook (median of {runs})", ours)
    figures.seconds(f"the same in SQL written by hand (median of {runs})", theirs)
    figures.ratio("ratio", ours / theirs, at_most=2.0)
    figures.seconds("the first evaluation, in which the rules are compiled", first)
    same = figures.same("scores, tiers, roles and truths of both", differences(found.on(LAST_DAY), table, evaluator))
    decisions(figures, history, evaluator)
    figures.add("most memory used so far", f"{most_memory():.1f} GB")
    return same


def decisions(figures: Figures, history: History, evaluator: Evaluator) -> None:
    """Alerts and plays of two days: the first is the first sight of every account."""
    state = State()
    days = {LAST_DAY - timedelta(days=1): "the first day decided, on which every account is new: alerts and plays",
            LAST_DAY: "the day after it decided: alerts and plays"}
    for day, what in days.items():
        evaluations = evaluator.evaluate(history, day, day).on(day)
        seconds, decided = timed(partial(
            decide_day, evaluator.rulebook, evaluator.conditions, Directory({}, {}), state, evaluations))
        figures.seconds(what, seconds)
        state = state.after(decided.decisions)


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
