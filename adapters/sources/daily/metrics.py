"""Declared metrics, checked against the catalogue, and the rows per account and day that a log gives for them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from forestall.adapters.sources.daily.checked import SETTINGS_FILE, did_you_mean, problems
from forestall.adapters.sources.daily.clock import starts
from forestall.adapters.sources.daily.declared import Daily, furthest_window, look_back
from forestall.adapters.sources.daily.facts import Facts, write_facts
from forestall.adapters.sources.daily.intake import Intake, Taken, columns_of, number, text
from forestall.adapters.sources.daily.log import NAME, Log, Wanted
from forestall.adapters.sources.daily.rows import Rows
from forestall.adapters.sources.tables import EARLIEST, tomorrow
from forestall.adapters.sources.text.declared import BEFORE
from forestall.adapters.sources.text.log import TextLog
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Location, Problem, Severity, SourceError

if TYPE_CHECKING:
    import duckdb
    import pyarrow

MEMORY = "1GB"        # for DuckDB; what is more goes to a temporary file
MOST_THREADS = 4      # each of them needs its share of the memory


class DailyMetrics:
    """What a source of this name makes of its log. Building it opens nothing.

    SourceError at once for whatever is declared wrongly: a metric that the catalogue does not have, of another kind
    than its measure gives, a measure without its column, and so on.
    """

    def __init__(self, source: str, daily: Daily, metrics: Mapping[str, Metric]) -> None:
        wrong = problems(source, daily, metrics)
        if wrong:
            raise SourceError(wrong)
        self._source = source
        self._daily = daily
        self._metrics = metrics
        self._columns = columns_of(daily)
        self._zone = ZoneInfo(daily.time_zone or "UTC")
        self.noticed: tuple[Problem, ...] = ()      # at the last reading

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the log that the declaration uses, beside `account` and `at`."""
        return self._columns.wanted()

    def supplies(self) -> tuple[str, ...]:
        """The declared metrics, in the order of the catalogue; needs no look into the log."""
        return tuple(name for name in self._metrics if name in self._daily.metrics)

    def snapshots(self, log: Log, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        """The rows of days from `since` through `until`, in tables of at most BATCH_ROWS, as `Source.snapshots` says.

        Asks `log` once, for as far back as the declaration looks. What the row of a day says does not depend on
        `since`. Memory is bounded: what is large is put into a temporary file.
        """
        self.noticed = ()
        back = look_back(self._daily)
        first = since - timedelta(days=back) if since is not None and back is not None else None
        with tempfile.TemporaryDirectory(prefix="forestall-") as folder, _database(Path(folder)) as connection:
            intake = Intake(connection, self._source, self._columns, self._zone, first, until)
            asked = TextLog(log, self._daily.text) if self._daily.text is not None else log
            for table in asked(self._wanted(first, until)):
                with self._room():
                    intake.take(table)
            with self._room():
                intake.forget_repeats()
                self.noticed = (*self._left_out(intake.taken, until), *self._never_came(connection, first))
                yield from self._rows(connection, since, until)

    def _wanted(self, first: date | None, until: date | None) -> Wanted:
        begins = None if first is None else starts(datetime.combine(first, time()), self._zone)
        ends = None if until is None else starts(datetime.combine(until + timedelta(days=1), time()), self._zone)
        return Wanted(self.columns, begins, ends)

    def _rows(self, connection: duckdb.DuckDBPyConnection, since: date | None, until: date | None
              ) -> Iterator[pyarrow.Table]:
        ((begins, last),) = connection.execute("SELECT min(day), max(day) FROM log").fetchall()
        if last is None:
            return
        if until is not None:
            last = min(last, number(until))
        if not self._daily.today:
            last = min(last, number(datetime.now(self._zone).date()) - 1)
        start = begins if since is None else max(begins, number(since))
        if start > last:
            return
        facts = Facts(self._columns)
        rows = Rows(self._daily.metrics, self._metrics, facts, self._daily.forget_after)
        write_facts(connection, facts, start, last, furthest_window(self._daily))
        yield from rows.tables(connection, start, last)

    def _left_out(self, taken: Taken, until: date | None) -> Iterator[Problem]:
        # of a past day, what came after it is nothing to be told of
        if taken.later and taken.latest is not None and until is not None and taken.latest > max(until, tomorrow()):
            yield self._noticed("future-rows", f"leaves out {taken.later:,} of its rows: they are of days to come, "
                                f"through {taken.latest}.", "Correct the clock that they come from.")
        if taken.older:
            yield self._noticed("far-past", f"leaves out {taken.older:,} of its rows: they are of days before "
                                f"{EARLIEST}, from {taken.oldest} on.", "Correct the clock that they come from.")

    def _never_came(self, connection: duckdb.DuckDBPyConnection, first: date | None) -> Iterator[Problem]:
        """What the declaration names and the log never had: only a look at all of it can tell."""
        columns = {**self._columns.texts, **self._columns.numbers}
        counts = "".join(f", count({name})" for name in columns.values())
        ((rows, *found),) = connection.execute(f"SELECT count(*){counts} FROM log").fetchall()
        if first is not None or not rows:
            return
        for column, count in zip(columns, found, strict=True):
            if not count:
                yield self._noticed("empty-column", f"has nothing in {column}, which `metrics` names.",
                                    "Correct the name, or name the column that holds it.")
        for column, name in self._columns.texts.items():
            if not column.startswith(BEFORE):      # what words are about may well never come
                yield from self._values_that_never_came(connection, column, name)

    def _values_that_never_came(self, connection: duckdb.DuckDBPyConnection, column: str, kept: str
                                ) -> Iterator[Problem]:
        declared = {value: name for name, metric in self._daily.metrics.items() for value in (
            *metric.where.get(column, ()), *((*metric.events, *metric.until) if column == NAME else ()))}
        asked = ", ".join(map(text, declared))
        came = {row[0] for row in connection.execute(
            f"SELECT DISTINCT {kept} FROM log WHERE {kept} IN ({asked})").fetchall()} if declared else set()
        if came == declared.keys():
            return
        there = [row[0] for row in connection.execute(
            f"SELECT {kept} FROM log WHERE {kept} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1000"
        ).fetchall()]
        for value in (value for value in declared if there and value not in came):
            which = f", which `metrics` names for {declared[value]}."
            cure = did_you_mean(value, there) or f"It has: {', '.join(there[:8])}."
            if column == NAME:
                yield self._noticed("unknown-event", f"has no event called {value}{which}", cure)
            else:
                yield self._noticed("unknown-value", f"never has {column}: {value}{which}", cure)

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Turns what a full disk causes into a sentence; what is a mistake of ours stays one."""
        import duckdb

        try:
            yield
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            said = str(error).splitlines()[0][:120]
            raise SourceError([Problem(
                Location(SETTINGS_FILE), "no-room", f"the log of the source {self._source} cannot be counted ({said}).",
                f"Make room on the disk of {tempfile.gettempdir()}, or name another with TMPDIR.")]) from None

    def _noticed(self, code: str, said: str, cure: str) -> Problem:
        return Problem(Location(SETTINGS_FILE), code, f"the log of the source {self._source} {said}", cure,
                       Severity.WARNING)


class _database:
    """A database in a folder that is thrown away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        self._connection = duckdb.connect(str(self._folder / "log.db"), config={
            "temp_directory": str(self._folder / "spilled"), "memory_limit": MEMORY,
            "threads": min(os.cpu_count() or 1, MOST_THREADS)})
        self._connection.execute("SET enable_progress_bar = false")
        return self._connection

    def __exit__(self, *_error: object) -> None:
        self._connection.close()
