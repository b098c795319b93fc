"""The history as a table of a warehouse, for everybody who reads a history. Nothing of it is kept here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow

from forestall.engine.detect.history import History, Progress, connect, days_digest, quiet
from forestall.engine.detect.in_place import HistoryInPlace
from forestall.engine.detect.manifest import Manifest
from forestall.engine.detect.said import Said
from forestall.engine.language.statement import quoted
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.decision_log import DayRead
from forestall.engine.model.warehouse import Warehouse
from forestall.engine.warehouse import checks, view
from forestall.engine.warehouse.client import Asking, Client


class Reading:
    """Some days of the table as the view `history`, with tables that we lend."""

    def __init__(self, asking: Asking, query: str, lent: Mapping[str, pyarrow.Table]) -> None:
        self._asking, self._views, self._lent = asking, {"history": query}, dict(lent)

    def lend(self, name: str, table: pyarrow.Table) -> None:
        """Let queries read this table under a name."""
        self._lent[name] = table

    def rows(self, statement: str) -> pyarrow.Table:
        """The answer to a query."""
        return self._asking.rows(statement, self._views, self._lent)


class TableHistory(HistoryInPlace):
    """Whatever is asked becomes a query of the warehouse. What it answers with is as small as the question allows."""

    def __init__(self, root: Path, warehouse: Warehouse, client: Client, gone_after: int) -> None:
        self.root, self.warehouse, self.client, self.gone_after = root, warehouse, client, gone_after
        self._scratch = None
        self._sound: list[tuple[date, date]] = []      # stretches of days that were looked through already

    @property
    def name(self) -> str:
        """See `HistoryInPlace`."""
        return self.warehouse.name

    @cached_property
    def table(self) -> view.Table:
        """The table and its columns, as the warehouse says. WarehouseError when it is not what forestall.yaml says."""
        name = ".".join(quoted(self.warehouse.table, self.client.dialect))
        with self.client.asking() as asking:
            found = asking.rows(f"SELECT * FROM {name} LIMIT 0", {}, {}).schema
        table = view.Table(self.warehouse, dict(zip(found.names, found.types, strict=True)), self.client.dialect)
        checks.columns(table)
        return table

    @cached_property
    def _span(self) -> tuple[date | None, date | None]:
        with self.client.asking() as asking:
            row = asking.rows(checks.span(self.table), {}, {}).to_pylist()[0]
        return row["first"], row["last"]

    # -- what a history is ---------------------------------------------------------------------------------------------

    def scratch(self, folder: Path) -> History:
        """Nothing is written, so there is nothing to throw away."""
        return self

    def publish(self) -> None:
        """Nothing was staged."""

    def knows(self, source: str) -> bool:
        """No source ever says anything."""
        return False

    @property
    def manifest(self) -> Manifest:
        """No files, and the days that there are."""
        return Manifest(first=self.first, through=self.through)

    @property
    def first(self) -> date | None:
        """The first day that has rows."""
        return self._span[0]

    @property
    def through(self) -> date | None:
        """The last day that has rows."""
        return self._span[1]

    @property
    def empty(self) -> bool:
        """Whether the table has no rows."""
        return self.through is None

    def last_arrival(self) -> date | None:
        """The same: whoever keeps the table has said it all."""
        return self.through

    def build_days(self, catalogue: Catalogue, gone_after: int, through: date, progress: Progress = quiet) -> None:
        """Nothing is built; but a table of days that does not hold `through` yet must not be decided by."""
        for known in ("_span", "table"):      # days, and columns, come in while a service runs
            self.__dict__.pop(known, None)
        self._sound.clear()
        checks.holds(self.table, self.first, self.through, through)

    # -- reading -------------------------------------------------------------------------------------------------------

    @contextmanager
    def in_place(self, catalogue: Catalogue, first: date, last: date,
                 accounts: Iterable[str] | None = None) -> Iterator[Reading]:
        """The view `history` in the warehouse itself. WarehouseError where its days are not what they must be."""
        checks.kinds(self.table, catalogue)
        lent = {} if accounts is None else {
            "chosen": pyarrow.table({"account": pyarrow.array(list(accounts), pyarrow.string())})}
        with self.client.asking() as asking:
            if not any(begin <= first and last <= end for begin, end in self._sound):
                checks.consecutive(self.table, asking, first, last, lent)
                if accounts is None:
                    self._sound.append((first, last))
            query = view.history(self.table, catalogue, self.gone_after, first, last, chosen=accounts is not None)
            yield Reading(asking, query, lent)

    def open_days(self, catalogue: Catalogue, first: date, last: date,
                  accounts: Iterable[str] | None = None) -> duckdb.DuckDBPyConnection:
        """The rows themselves, here: for one account, or few."""
        with self.in_place(catalogue, first, last, accounts) as reading:
            rows = reading.rows("SELECT * FROM history")
        connection = connect()
        connection.register("history", rows)
        return connection

    @contextmanager
    def reading(self, catalogue: Catalogue, first: date, last: date,
                accounts: Iterable[str] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """The same for as long as it is used."""
        connection = self.open_days(catalogue, first, last, accounts)
        try:
            yield connection
        finally:
            connection.close()

    def said(self, catalogue: Catalogue, account: str, by: date) -> dict[str, Said]:
        """Metric → the last day on which the table has a value for it, at most as old as it may be carried."""
        since = by - timedelta(days=catalogue.longest_carry())
        with self.client.asking() as asking:
            lent = {"chosen": pyarrow.table({"account": pyarrow.array([account], pyarrow.string())})}
            row = asking.rows(checks.said(self.table, catalogue, since, by), {}, lent).to_pylist()[0]
        return {name: Said(view.from_number(day), self.name) for name, day in row.items() if day is not None}

    def known(self, catalogue: Catalogue, metrics: list[str], days: list[date]) -> dict[date, dict[str, int]]:
        """Day → metric → for how many accounts it is known; counted in the warehouse."""
        if not metrics:
            return {}
        numbers = ", ".join(str(view.number_of(day)) for day in days)
        counts = "".join(f", count({quoted((name,), self.client.dialect)[0]})" for name in metrics)
        with self.in_place(catalogue, min(days), max(days)) as reading:
            found = reading.rows(f"SELECT day{counts} FROM history WHERE day IN ({numbers}) GROUP BY day")
        columns = [column.to_pylist() for column in found.columns]
        return {view.from_number(day): dict(zip(metrics, counted, strict=True))
                for day, *counted in zip(*columns, strict=True)}

    def spoken(self, first: date, last: date) -> dict[str, list[date]]:
        """The days from `first` through `last` of which the table has any row."""
        with self.client.asking() as asking:
            found = asking.rows(checks.days(self.table, first, last), {}, {})
        return {self.name: sorted(view.from_number(day) for day in found["day"].to_pylist())} if found.num_rows else {}

    def last_named(self, account: str) -> date | None:
        """The last day on which the table has a row of this account."""
        with self.client.asking() as asking:
            lent = {"chosen": pyarrow.table({"account": pyarrow.array([account], pyarrow.string())})}
            found: date | None = asking.rows(checks.span(self.table, chosen=True), {}, lent).to_pylist()[0]["last"]
        return found

    # -- what only this one is asked -----------------------------------------------------------------------------------

    def supplies(self, catalogue: Catalogue) -> tuple[str, ...]:
        """See `HistoryInPlace`."""
        return self.table.supplies(catalogue)

    def day_read(self, catalogue: Catalogue, gone_after: int, day: date) -> DayRead:
        """Counts, least and largest values and sums: what is not the same in them is not the same day."""
        with self.in_place(catalogue, day, day) as reading:
            row = reading.rows(checks.in_short(catalogue, self.client.dialect,
                                               view.number_of(day) - gone_after)).to_pylist()[0]
        told = [f"{value:.9g}" if isinstance(value, float) else value for value in row.values()]
        basis = (days_digest(catalogue, gone_after), told)
        return DayRead(row["accounts"] or 0, hashlib.sha256(repr(basis).encode()).hexdigest()[:16])

