"""Where an evaluation runs: an engine holds the view `history` over some days and answers queries about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from typing import Protocol

import duckdb
import pyarrow

from forestall.engine.detect.history import History
from forestall.engine.model.catalogue import Catalogue


class Reading(Protocol):
    """Some days of a history, as the view `history`: see the head of `language/columnar.py` and `latest.py`."""

    def lend(self, name: str, table: pyarrow.Table) -> None:
        """Let queries read this table under a name."""

    def rows(self, statement: str) -> pyarrow.Table:
        """The answer to a query."""


class Engine(Protocol):
    """A database engine. `dialect` is its name in Ibis."""

    @property
    def dialect(self) -> str:
        """What queries are compiled to."""

    def reading(self, history: History, catalogue: Catalogue, first: date, last: date,
                accounts: Iterable[str] | None = None) -> AbstractContextManager[Reading]:
        """The days from `first` through `last`, of all accounts or of these. HistoryError when a file is damaged."""


class DuckDb:
    """In this process, on every core: what Forestall runs on unless the settings say otherwise."""

    dialect = "duckdb"

    @contextmanager
    def reading(self, history: History, catalogue: Catalogue, first: date, last: date,
                accounts: Iterable[str] | None = None) -> Iterator[Reading]:
        """See `Engine`."""
        with history.reading(catalogue, first, last, accounts) as connection:
            yield _DuckDbReading(connection)


class _DuckDbReading:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def lend(self, name: str, table: pyarrow.Table) -> None:
        self._connection.register(name, table)

    def rows(self, statement: str) -> pyarrow.Table:
        return self._connection.sql(statement).to_arrow_table()
