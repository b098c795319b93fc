"""Where an evaluation runs: an engine holds the view `history` over some days and answers queries about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from typing import Protocol

import duckdb
import pyarrow

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.model.catalogue import Catalogue


class Reading(Protocol):
    """Some days of a history, as the view `history`: see the head of `language/columnar.py` and `latest.py`."""

    def lend(self, name: str, table: pyarrow.Table) -> None:
        """Let queries read this table under a name."""

    def rows(self, statement: str) -> pyarrow.Table:
        """The answer to a query."""


class Engine(Protocol):
    """A database engine."""

    @property
    def dialect(self) -> str:
        """Its name in Ibis: what queries are compiled to."""

    @property
    def in_order(self) -> bool:
        """Whether `answers` reads its rows sorted by account and day, and keeps their order."""

    @property
    def far(self) -> bool:
        """Whether the history is elsewhere, so that only rows with something to say should come back."""

    def start(self) -> None:
        """Make ready, before other work is done. UsageError when it cannot run here."""

    def reading(self, history: History, catalogue: Catalogue, first: date, last: date,
                accounts: Iterable[str] | None = None) -> AbstractContextManager[Reading]:
        """The days from `first` through `last`, of all accounts or of these. HistoryError when a file is damaged."""

    def answers(self, history: History, catalogue: Catalogue, first: date, last: date, statement: str,
                progress: Progress = quiet) -> Iterator[pyarrow.Table]:
        """The answer to one query over many days, in as many tables as suits the engine."""


class DuckDb:
    """In this process, on every core: what Forestall runs on unless the settings say otherwise."""

    dialect = "duckdb"
    in_order = True
    far = False

    def start(self) -> None:
        """Nothing to do."""

    @contextmanager
    def reading(self, history: History, catalogue: Catalogue, first: date, last: date,
                accounts: Iterable[str] | None = None) -> Iterator[Reading]:
        """See `Engine`."""
        with history.reading(catalogue, first, last, accounts) as connection:
            yield _DuckDbReading(connection)

    def answers(self, history: History, catalogue: Catalogue, first: date, last: date, statement: str,
                progress: Progress = quiet) -> Iterator[pyarrow.Table]:
        """See `Engine`."""
        return history.answers(catalogue, first, last, statement, progress)


class _DuckDbReading:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def lend(self, name: str, table: pyarrow.Table) -> None:
        self._connection.register(name, table)

    def rows(self, statement: str) -> pyarrow.Table:
        return self._connection.sql(statement).to_arrow_table()
