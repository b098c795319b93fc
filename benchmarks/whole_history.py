"""A whole year of 100,000 accounts: eight triggers with look-backs, beside the same windows in SQL written by hand."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow
import yaml
from fifteen_metrics import LAST_DAY, write_history
from figures import HERE, Figures, apart, in_turns, main, most_memory, timed

from forestall.engine.detect.history import History
from forestall.engine.rulebook.loader import load
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import to_epoch

RULES = HERE / "eight_triggers"


def measure(figures: Figures, folder: Path, accounts: int = 100_000, days: int = 365, runs: int = 3,
            some: int = 20_000) -> bool:
    """Every day of a year: ours beside SQL written by hand and beside the floor; more triggers; one window more."""
    seconds, rows = timed(lambda: apart(write_history, folder / "whole", accounts, days))
    figures.seconds(f"made-up history of {accounts:,} accounts and {days} days ({rows:,} rows), written once", seconds)
    first = LAST_DAY - timedelta(days=days - 1)
    history, evaluator = History(folder / "whole"), Evaluator(load(RULES, None))
    (ours, found), (theirs, table), (floor, _) = in_turns(
        runs, lambda: evaluator.changed(history, first, LAST_DAY),
        lambda: by_hand(history, evaluator, first, "whole_history.sql"),
        lambda: by_hand(history, evaluator, first, "whole_history_floor.sql"))
    figures.seconds(f"eight triggers and a score on every day (median of {runs})", ours)
    figures.seconds(f"the same in SQL written by hand, `lag` and ROWS (median of {runs})", theirs)
    figures.seconds(f"the floor: the same without any look-back, only counted (median of {runs})", floor)
    figures.ratio("ratio to SQL by hand", ours / theirs, 1.25)
    figures.ratio("ratio to the floor", ours / floor, 5.4)
    figures.ratio("SQL by hand to the floor", theirs / floor)
    figures.add("rows that came back", f"{found.num_rows:,}")
    gigabytes = apart(memory_of_ours, folder / "whole", days)
    figures.add("most memory: ours, in a process of its own", f"{gigabytes:.1f} GB", "under 2 GB", gigabytes < 2)
    theirs = apart(memory_by_hand, folder / "whole", days)
    figures.add("most memory: by hand, in a process of its own", f"{theirs:.1f} GB")
    same = figures.same("rows, tiers, roles and truths of both", differences(found, table))
    del found, table
    more(figures, folder, some, days, runs)
    return same


def by_hand(history: History, evaluator: Evaluator, first: date, file: str) -> pyarrow.Table:
    """The answer of a file of SQL over every day from `first`."""
    begin = to_epoch(first)
    with history.reading(evaluator.rulebook.catalogue, first - timedelta(days=70), LAST_DAY) as connection:
        return connection.sql((HERE / file).read_text().replace("$first", str(begin))).to_arrow_table()


def differences(ours: pyarrow.Table, theirs: pyarrow.Table) -> list[str]:
    """How many rows only one of the two has."""
    columns = {"account": "account", "day": "day", "tier": "tier", "clear_of": "clear_of", "gone": "gone",
               "name": "account_name", "csm": "csm", "revenue": "mrr", "renewal": "renewal_date", "truths0": "truths"}
    with duckdb.connect() as connection:
        connection.register("ours", ours)
        connection.register("theirs", theirs)
        mine, others = ", ".join(columns), ", ".join(columns.values())
        found = {"rows that only we have": f"SELECT {mine} FROM ours EXCEPT SELECT {others} FROM theirs",
                 "rows that only they have": f"SELECT {others} FROM theirs EXCEPT SELECT {mine} FROM ours"}
        counts = {name: connection.sql(f"SELECT count(*) FROM ({query})").fetchall()[0][0]
                  for name, query in found.items()}
    return [f"{name}: {count:,}" for name, count in counts.items() if count]


def more(figures: Figures, folder: Path, accounts: int, days: int, runs: int) -> None:
    """From 10 to 200 triggers over the same windows, and one window more."""
    apart(write_history, folder / "some", accounts, days)
    history, first = History(folder / "some"), LAST_DAY - timedelta(days=days - 1)
    eight = yaml.safe_load((RULES / "triggers.yaml").read_text())["triggers"]
    sets: dict[str, Mapping[str, str]] = {
        "ten": variants(10), "many": variants(200), "eight": {name: one["when"] for name, one in eight.items()}}
    sets["wider"] = {**sets["eight"], "one_more": "average(seats_active, days=21) >= 4"}
    evaluators = {name: Evaluator(load(write_rules(folder / name, conditions), None))
                  for name, conditions in sets.items()}
    for one in evaluators.values():      # what is compiled once is not what is compared
        one.changed(history, LAST_DAY, LAST_DAY)
    (ten, _), (many, _), (narrow, _), (wide, _), (floor, _) = in_turns(
        runs, *(lambda one=evaluators[name]: one.changed(history, first, LAST_DAY) for name in sets),
        lambda: by_hand(history, evaluators["eight"], first, "whole_history_floor.sql"))
    figures.seconds(f"10 triggers, {accounts:,} accounts (median of {runs})", ten)
    figures.seconds("200 triggers over the same windows", many)
    figures.ratio("ratio of 200 triggers to 10", many / ten, 5.0)
    figures.seconds("one distinct window more (the average of 21 days)", max(wide - narrow, 0.0))
    figures.ratio("that as a share of the floor", max(wide - narrow, 0.0) / floor, 1.0)


def variants(count: int) -> Mapping[str, str]:
    """So many triggers over the windows of the eight, no two alike."""
    forms = ("drop(score, days=7) >= {0} and score < {1}", "{0} <= days_since_last_activity <= {1}",
             "held(logins_7d < 2, weeks=3) and mrr >= {0}", "seats_total >= 5 and seats_active / seats_total <= {2}",
             "errors_7d >= {0} and errors_7d >= 3 * usual(errors_7d, days=56)",
             "drop_percent(logins_14d, days=14) >= {1} and average(logins_14d, days=28) >= {0}",
             "minimum(tickets_open, days=7) >= {0}",
             "key_feature_uses_14d <= {2} * maximum(key_feature_uses_14d, days=28) and known_for(days=28)")
    return {f"trigger_{number:03d}": forms[number % 8].format(2 + number // 8, 30 + number // 8, 0.2 + number / 1000)
            for number in range(count)}


def write_rules(folder: Path, triggers: Mapping[str, str]) -> Path:
    """The rules of `eight_triggers/` with these triggers in the place of the eight."""
    from compile_rules import write_rules as write

    write(folder, dict(triggers))
    return folder


def memory_of_ours(folder: Path, days: int) -> float:
    Evaluator(load(RULES, None)).changed(History(folder), LAST_DAY - timedelta(days=days - 1), LAST_DAY)
    return most_memory()


def memory_by_hand(folder: Path, days: int) -> float:
    by_hand(History(folder), Evaluator(load(RULES, None)), LAST_DAY - timedelta(days=days - 1), "whole_history.sql")
    return most_memory()


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
