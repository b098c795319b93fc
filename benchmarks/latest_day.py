"""The latest day of 1,000,000 accounts with 90 days of history, beside the same evaluation in SQL written by hand."""

from __future__ import annotations

import sys
from pathlib import Path

from answers import by_hand, differences
from fifteen_metrics import LAST_DAY, write_history
from figures import HERE, Figures, apart, in_turns, main, most_memory, timed

from forestall.engine.detect.history import History
from forestall.engine.rulebook.loader import load
from forestall.engine.score.evaluate import Evaluator

RULES = HERE / "eight_triggers"
BACK = 62      # the look-back of `usual(errors_7d, days=56)`


def measure(figures: Figures, folder: Path, accounts: int = 1_000_000, days: int = 90, runs: int = 5) -> bool:
    """The latest day of many accounts: ours beside SQL written by hand."""
    seconds, rows = timed(lambda: apart(write_history, folder, accounts, days))
    figures.seconds(f"made-up history of {accounts:,} accounts and {days} days ({rows:,} rows), written once", seconds)
    history, evaluator = History(folder), Evaluator(load(RULES, None))
    first, _ = timed(lambda: evaluator.evaluate(history, LAST_DAY, LAST_DAY))
    figures.seconds("the first evaluation, in which the rules are compiled", first)
    (ours, found), (theirs, table) = in_turns(
        runs, lambda: evaluator.evaluate(history, LAST_DAY, LAST_DAY),
        lambda: by_hand(history, evaluator, LAST_DAY, BACK, HERE / "latest_day.sql"))
    figures.seconds(f"evaluation of the last day, eight triggers and a score (median of {runs})", ours)
    figures.seconds(f"the same in SQL written by hand (median of {runs})", theirs)
    figures.ratio("ratio", ours / theirs, at_most=1.5)
    figures.add("most memory: ours, in a process of its own", f"{apart(memory_of_ours, folder):.1f} GB")
    figures.add("most memory: by hand, in a process of its own", f"{apart(memory_by_hand, folder):.1f} GB")
    return figures.same("scores, tiers, roles and truths of both, every account",
                        differences(found.on(LAST_DAY), table, evaluator))


def memory_of_ours(folder: Path) -> float:
    Evaluator(load(RULES, None)).evaluate(History(folder), LAST_DAY, LAST_DAY)
    return most_memory()


def memory_by_hand(folder: Path) -> float:
    by_hand(History(folder), Evaluator(load(RULES, None)), LAST_DAY, BACK, HERE / "latest_day.sql")
    return most_memory()


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
