"""Two answers to the same question, compared for every account: ours, and that of SQL written by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow

from forestall.engine.detect.history import History
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import DayOfEvaluations, to_epoch
from forestall.engine.score.queries import ROLES, TRUTHS_AT_ONCE


def by_hand(history: History, evaluator: Evaluator, day: date, back: int, file: Path) -> pyarrow.Table:
    """The answer of a file of SQL about one day; it looks so many days back."""
    with history.reading(evaluator.rulebook.catalogue, day - timedelta(days=back), day) as connection:
        return connection.sql(file.read_text().replace("$today", str(to_epoch(day)))).to_arrow_table()


def differences(ours: DayOfEvaluations, theirs: pyarrow.Table, evaluator: Evaluator) -> list[str]:
    """Where the two part: score, tier, roles, the truth of each condition. Empty when they say the same.

    `theirs` has the roles under the names of their metrics, and the conditions as `trigger inactivity when`.
    """
    compared = {"score": ("ours.score", "theirs.score"), "tier": ("ours.tier", "theirs.tier")}
    for role in ROLES:
        if metric := getattr(evaluator.rulebook.catalogue.roles, role):
            compared[role] = (f"ours.{role}", f'theirs."{metric}"')
    for (what, name, part), number in evaluator.conditions.index.items():
        flag = f'theirs."{what} {name} {part.split()[0]}"'
        truth = f"CASE WHEN {flag} THEN 2 WHEN NOT {flag} THEN 0 ELSE 1 END"
        compared[f"{what} {name} {part}"] = (our_truth(number), truth)
    counted = ", ".join(f'count(*) FILTER (here AND there AND {mine} IS DISTINCT FROM {other}) AS "{name}"'
                        for name, (mine, other) in compared.items())
    with duckdb.connect() as connection:
        connection.register("our_rows", ours._table)       # a million accounts are not made into objects
        connection.register("their_rows", theirs)
        found = connection.sql(f"""
            SELECT abs(count(here) - {len(ours)}) + abs(count(there) - {theirs.num_rows}) AS "accounts named twice",
              count(*) FILTER (there IS NULL) AS "accounts that only we have",
              count(*) FILTER (here IS NULL) AS "accounts that only they have", {counted}
            FROM (SELECT *, true AS here FROM our_rows) AS ours
            FULL JOIN (SELECT *, true AS there FROM their_rows) AS theirs ON ours.account = theirs.account""")
        return [f"{name}: {count:,}" for name, count in zip(found.columns, found.fetchall()[0], strict=True) if count]


def our_truth(number: int) -> str:
    """A condition in a table of ours as 2, 1 (unknown), 0: two bits of an integer that holds several."""
    return f"((ours.truths{number // TRUTHS_AT_ONCE} >> {2 * (number % TRUTHS_AT_ONCE)}) & 3)"
