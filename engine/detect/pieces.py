"""Long stretches of the history, some accounts at a time and in order: memory stays flat, and every core has work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import local

import duckdb
import pyarrow

ROWS_AT_ONCE = 1_000_000

Between = tuple[str, str]      # the first account and the last
NOBODY = ("", "")


def between(accounts: list[str], days: int) -> list[Between]:
    """Accounts in order → stretches of them with a million rows each, if every account has all the days."""
    if not accounts:
        return [NOBODY]
    at_once = max(1, ROWS_AT_ONCE // max(1, days))
    return [(accounts[start], accounts[min(start + at_once, len(accounts)) - 1])
            for start in range(0, len(accounts), at_once)]


def answers(connection: duckdb.DuckDBPyConnection, stretches: list[Between], view: Callable[[Between], str],
            statement: str, progress: Callable[[int], None]) -> Iterator[pyarrow.Table]:
    """The answer to a query for one stretch after the other, in their order, worked out on every core.

    `view` is the statement that makes the temporary view `history` of a stretch. A query over sorted rows streams on
    one core, so several run at a time.
    """
    connection.execute("SET threads = 1")      # of the engine's own; each stretch has a thread of ours
    mine = local()

    def answer(stretch: Between) -> pyarrow.Table:
        if not hasattr(mine, "cursor"):
            mine.cursor = connection.cursor()
        mine.cursor.execute(view(stretch))
        return mine.cursor.sql(statement).to_arrow_table()

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for done, table in enumerate(pool.map(answer, stretches), 1):
            progress(done)
            yield table
