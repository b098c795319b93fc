"""An HTTP API as a source: fetch what is new, then say what the records mean."""

from __future__ import annotations

import difflib
import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from forestall.adapters.sources.daily.declared import Daily
from forestall.adapters.sources.daily.metrics import DailyMetrics
from forestall.adapters.sources.http.described import ID, Api, Happening, HttpSettings
from forestall.adapters.sources.http.reading import check_paths, fields_of
from forestall.adapters.sources.http.troubles import Place, Progress, quiet, setting_error
from forestall.adapters.sources.text.declared import is_of_text
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Location, Problem, Severity, SourceError

if TYPE_CHECKING:
    import duckdb
    import pyarrow

    from forestall.adapters.sources.daily.log import Wanted
    from forestall.adapters.sources.http.kept import Kept

MOST_NOTICES = 20
NOT_FETCHED = ("auth", "timeout", "retries", "patience", "rate", "hosts", "unencrypted")      # of what is fetched


class HttpSource:
    """Fetches everything that is new, keeps it, and only then says anything."""

    Settings = HttpSettings
    supplies_at_once = True
    keeps = True

    def __init__(self, name: str, settings: HttpSettings, metrics: Mapping[str, Metric], folder: Path,
                 keep: Path | None = None) -> None:
        del folder
        self.name = name
        self.noticed: tuple[Problem, ...] = ()
        self.progress: Progress = quiet
        self._settings, self._metrics, self._keep = settings, metrics, keep
        self._columns = self._wanted_columns()
        daily = settings.daily
        if daily is not None and not daily.time_zone:
            daily = replace(daily, time_zone=settings.time_zone)
        self._daily = DailyMetrics(name, daily, metrics) if daily else None
        if daily is not None:
            self._check_log(daily)
        if self._daily and (both := [one for one in self._daily.supplies() if one in self._columns]):
            raise setting_error("http-settings", f"`daily` of the source {name} and its rows both give {both[0]}.",
                                "Only one of them may: take it out of the other one.")
        try:
            self._zone = ZoneInfo(settings.time_zone or "UTC")
        except (OSError, ValueError):
            raise setting_error("http-settings", f"`time_zone` of the source {name} is not known: "
                                f"{settings.time_zone}.", "Write it like Europe/Berlin.") from None

    def supplies(self) -> tuple[str, ...]:
        """The metrics that the settings name; asks nobody."""
        check_paths(self.name, self._settings)
        daily = self._daily.supplies() if self._daily else ()
        return tuple(name for name in self._metrics if name in self._columns or name in daily)

    def snapshots(self, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        """Rows of days from `since` through `until`, when all that is needed has been fetched. SourceError if not."""
        from forestall.adapters.sources.http.asking import Asker
        from forestall.adapters.sources.http.fetching import Fetcher
        from forestall.adapters.sources.http.kept import Kept

        check_paths(self.name, self._settings)
        self.noticed = ()
        asker = Asker(self.name, self._settings)
        try:
            with closing(Kept(self._keep, _mark(self._settings))) as kept, closing(asker):
                Fetcher(self.name, self._settings, asker, kept, datetime.now(UTC), self.progress).bring_up_to_date()
                yield from self._said(kept, since, until)
            if self._daily is not None:
                self.noticed += self._daily.noticed
        except (sqlite3.Error, OSError) as error:
            raise SourceError([*Place(self.name).fault(
                "http-keep", f"what was fetched cannot be kept ({error}).",
                "Check the rights and the free space of the folder of the engine's records.").problems]) from None

    def _said(self, kept: Kept, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        import duckdb

        from forestall.adapters.sources.http.tabulated import tables

        place = Place(self.name)
        try:
            with tables(kept, self._settings.resources, self._zone.key) as connection:
                self._count_strays(connection)
                if self._daily is None:
                    yield from self._rows(connection, since, until)
                elif not self._settings.rows and not self._settings.query:
                    yield from self._daily.snapshots(lambda wanted: self._log(connection, wanted), since, until)
                else:
                    yield from self._both(connection, since, until)
        except duckdb.Error as error:
            said = str(error).splitlines()[0][:200]
            raise place.fault("http-query", f"the query does not work ({said}).",
                                "Correct `query` of this source.") from None

    def _rows(self, connection: duckdb.DuckDBPyConnection, since: date | None, until: date | None,
              beside: str = "") -> Iterator[pyarrow.Table]:
        """Rows of the records or of the query; `beside` is a table with more columns for the same accounts and days."""
        from forestall.adapters.sources.http.tabulated import BATCH_ROWS, ToCome, closed, literal, quoted, typed

        settings, last = self._settings, until or datetime.now(self._zone).date()
        connection.execute(f"CREATE TABLE asked AS SELECT DATE {literal(str(since or date(1970, 1, 1)))} AS since, "
                           f"DATE {literal(str(last))} AS until")
        query = settings.query.rstrip().rstrip(";") if settings.query else self._query_of_rows(connection, until)
        closed(connection)
        self._judged(connection)
        columns = "".join(f", {quoted(column)} AS {quoted(name)}" for name, column in self._columns.items())
        if settings.query:
            query = f"SELECT account, as_of{columns} FROM ({query}\n)"
        if beside:
            query = f"SELECT * FROM ({query}) FULL JOIN {beside} USING (account, as_of)"
        metrics = [metric for name, metric in self._metrics.items() if name in self.supplies()]
        batches = connection.sql(query).to_arrow_reader(BATCH_ROWS)
        to_come = ToCome()
        yield from typed(batches, metrics, since, until, Place(self.name), to_come)
        if to_come.first is not None:
            self.noticed += (Problem(Location(self.name), "future-rows", f"{to_come.rows:,} of its rows are of days to "
                                     f"come, from {to_come.first} on, and are left out.",
                                     "Correct the day there, or let them wait until then.", Severity.WARNING),)

    def _query_of_rows(self, connection: duckdb.DuckDBPyConnection, until: date | None) -> str:
        from forestall.adapters.sources.http.tabulated import RECORD, query_of_rows, quoted

        rows = self._settings.rows
        assert rows is not None
        today = datetime.now(self._zone).date()
        if until is not None and today - until == timedelta(days=1):
            today = until                     # the day asked for ends later where the project is
        wanted = {name: (column, self._metrics[name]) for name, column in self._columns.items()}
        query = query_of_rows(rows, self._settings.resources[rows.of], wanted, today)
        twice = connection.execute(
            f"SELECT account, as_of, min({quoted(RECORD)}), max({quoted(RECORD)}) FROM ({query}) "
            "GROUP BY ALL HAVING count(*) > 1 ORDER BY account, as_of LIMIT 1").fetchall()
        for account, day, one, other in twice:
            raise Place(self.name).fault(
                "http-record", f"record {one} and record {other} both speak of {account} on {day}.",
                "Only one record may say what an account is on a day: use `query` to put several together.")
        return query

    def _both(self, connection: duckdb.DuckDBPyConnection, since: date | None,
              until: date | None) -> Iterator[pyarrow.Table]:
        """One row for what the rows and the log say of an account on a day."""
        from forestall.adapters.sources.cells import arrow_type

        assert self._daily is not None
        import pyarrow as pa

        schema = pa.schema([("account", pa.string()), ("as_of", pa.date32()), *(
            (name, arrow_type(self._metrics[name].kind)) for name in self._daily.supplies())])
        connection.register("piece", schema.empty_table())
        connection.execute('CREATE TABLE "of the log" AS FROM piece')
        for table in self._daily.snapshots(lambda wanted: self._log(connection, wanted), since, until):
            connection.register("piece", table)
            connection.execute('INSERT INTO "of the log" BY NAME FROM piece')
        connection.unregister("piece")
        yield from self._rows(connection, since, until, beside='"of the log"')

    def _log(self, connection: duckdb.DuckDBPyConnection, wanted: Wanted) -> Iterator[pyarrow.Table]:
        """The happenings of all declared resources, with every column that their records have."""
        import pyarrow as pa

        from forestall.adapters.sources.http.tabulated import BATCH_ROWS, account_of, literal, quoted

        for number, one in enumerate(self._settings.log):
            there = self._columns_of_log(one)
            account, source = account_of(one)
            name = f"r.{quoted(one.name_in)}" if one.name_in else literal(one.name or one.of)
            columns = [f"{account} AS account", f"r.{quoted(one.at)} AS at"]
            for column in dict.fromkeys(column.split(".")[0] for column in wanted.columns):
                if column == "name":
                    columns.append(f"{name} AS name")
                elif column == "id":
                    columns.append(f"'{number}:' || r.id AS id")
                else:
                    value = f"r.{quoted(column)}" if column in there else "NULL::VARCHAR"
                    columns.append(f"{value} AS {quoted(column)}")
            select = f"SELECT {', '.join(columns)} FROM {source} WHERE {account} IS NOT NULL AND r.{quoted(one.at)} " \
                     "IS NOT NULL"
            for batch in connection.cursor().sql(select).to_arrow_reader(BATCH_ROWS):
                yield pa.Table.from_batches([batch])

    def _columns_of_log(self, one: Happening) -> set[str]:
        return {field.name for field in fields_of(self._settings.resources[one.of])}

    def _check_log(self, daily: Daily) -> None:
        """SourceError for a column that `daily` names and no record of the log has."""
        there = {"name", ID}.union(*map(self._columns_of_log, self._settings.log))
        needed = [*self._daily.columns, *(daily.text.needed() if daily.text else ())] if self._daily else []
        for column in needed:
            if column.split(".")[0] not in there and not (daily.text and is_of_text(column)):
                raise setting_error("missing-column", f"`daily` of the source {self.name} names {column}, which is no "
                                    "column of its log.", _near(column, sorted(there))
                                    or f"There are {', '.join(sorted(there))}.")

    def _count_strays(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Notice the records that name no account: they are left out."""
        from forestall.adapters.sources.http.tabulated import account_of, quoted
        from forestall.adapters.sources.http.troubles import notice

        noticed = []
        for one in (self._settings.rows, *(self._settings.log if self._daily else ())):
            if one is None:
                continue
            account, source = account_of(one)
            ((there, named),) = connection.execute(
                f"SELECT (SELECT count(*) FROM {quoted(one.of)}), (SELECT count({account}) FROM {source})").fetchall()
            if there > named:
                noticed.append(notice(Place(self.name), f"{there - named:,} of {there:,} records of {one.of} name no "
                                      "account and are left out."))
        self.noticed = tuple(dict.fromkeys(noticed))

    def _judged(self, connection: duckdb.DuckDBPyConnection) -> None:
        """SourceError for what `problems` finds; what `notices` finds is noticed."""
        from forestall.adapters.sources.http.troubles import notice

        place = Place(self.name)
        if self._settings.problems:
            for row in connection.execute(self._settings.problems).fetchall():
                raise place.fault("http-record", str(row[0]), *map(str, row[1:2]))
        if self._settings.notices:
            found = connection.execute(self._settings.notices).fetchall()
            self.noticed += tuple(notice(place, str(row[0])) for row in found[:MOST_NOTICES])

    def _wanted_columns(self) -> dict[str, str]:
        """Metric: the column that has it. SourceError for a metric or column that does not exist."""
        settings = self._settings
        there = list(settings.gives)
        if settings.rows:
            there = [field.name for field in fields_of(settings.resources[settings.rows.of])]
        for metric, column in settings.metrics.items():
            if metric not in self._metrics:
                raise setting_error("unknown-metric", f"`metrics` of the source {self.name} names {metric}, not a "
                                    "supplied metric.", _near(metric, self._metrics)
                                    or "Add it to rules/metrics.yaml, or take it out here.")
            if column not in there:
                raise setting_error("missing-column", f"`metrics` of the source {self.name} names {column}, which is "
                                    "no column of it.", _near(column, there) or f"There are {', '.join(there)}.")
        return {name: settings.metrics.get(name, name) for name in self._metrics
                if settings.metrics.get(name, name) in there}


def _mark(api: Api) -> str:
    """What was fetched under other settings means something else, so it has another mark. Secrets are not in it."""
    of_records = {one.name: getattr(api, one.name) for one in fields(Api) if one.name not in NOT_FETCHED}
    return hashlib.sha256(repr(of_records).encode()).hexdigest()


def _near(word: str, candidates: Mapping[str, Metric] | list[str]) -> str:
    near = difflib.get_close_matches(word, list(candidates), n=1)
    return f"Did you mean {near[0]}?" if near else ""
