"""An adapter that keeps every promise but the one that its settings name: what the kit must notice.

It stands here as if somebody had installed it; tests/source_kit/test_kit.py puts the folder on Python's path.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from forestall.engine.model.ports import Location, Problem, Secret, Severity, SourceError
from forestall.engine.model.tables import arrow_type

counter = itertools.count()
remembered: dict[str, pa.Table] = {}
half_way: dict[str, Iterator[pa.Table]] = {}


@dataclass(frozen=True)
class FaultySettings:
    path: str
    fault: str = ""
    token: Secret | None = None


class FaultySource:
    Settings = FaultySettings
    keeps = True
    supplies_at_once = True

    def __init__(self, name, settings, metrics, folder, keep):
        self.name, self.settings, self.metrics = name, settings, metrics
        self.file, self.fault, self.keep = folder / settings.path, settings.fault, keep

        if self.fault == "network when made":
            self.knock()

    @staticmethod
    def knock():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 9), timeout=1):
            pass

    def __repr__(self):
        return f"<faulty {self.settings.token.reveal()}>" if self.fault == "secret in its text" else "<faulty>"

    def supplies(self):
        if self.fault == "network at once":
            self.knock()
        try:
            there = pq.read_schema(self.file).names
        except (OSError, pa.ArrowException) as error:
            if self.fault != "swallows what is wrong":
                raise self.failure(error) from None
            there = self.metrics
        found = tuple(name for name in self.metrics if name in there)
        return {"a list": list(found), "unknown metric": (*found, "shoe_size"), "twice": found + found}.get(
            self.fault, found)

    def snapshots(self, since, until):
        self.ask()
        if self.fault == "asks the clock":
            time.tzset()
        for number, table in enumerate(self.tables()):
            if self.fault != "all days":
                table = self.inside(table, since, until)
            if table.num_rows or self.fault == "empty tables":
                yield self.spoilt(table, number)
            if self.fault == "notices something":
                self.noticed = (Problem(Location(self.settings.path), "odd", "a row is odd.", "Mend it.",
                                        Severity.WARNING),)
            if self.fault == "crashes half-way":
                raise IndexError("list index out of range")
        if self.fault == "crashes on nothing" and not self.whole().num_rows:
            raise IndexError("list index out of range")

    def inside(self, table, since, until):
        days = table.column("as_of")
        later = pc.greater if self.fault == "without the first day" else pc.greater_equal
        chosen = pc.is_valid(days)
        if since is not None:
            chosen = pc.and_(chosen, later(days, pa.scalar(since, pa.date32())))
        if until is not None:
            chosen = pc.and_(chosen, pc.less_equal(days, pa.scalar(until, pa.date32())))
        return table.filter(chosen)

    def tables(self):
        if self.fault == "everything at once":
            whole = self.whole().to_pylist()
            for start in range(0, len(whole), 100_000):
                yield pa.Table.from_pylist(whole[start:start + 100_000], schema=self.whole().schema)
            return
        if self.fault == "one large table":
            yield self.whole()
            return
        if self.fault == "goes on where it stopped":
            begun = half_way.setdefault(str(self.file), iter([self.whole().slice(0, 10), self.whole().slice(10)]))
            yield from begun
            half_way.pop(str(self.file), None)
            return
        whole = self.whole()
        for start in range(0, whole.num_rows, 100_000):
            yield whole.slice(start, 100_000)

    def whole(self):
        try:
            if self.fault == "remembers" and str(self.file) in remembered:
                return remembered[str(self.file)]
            whole = remembered[str(self.file)] = self.kept() or pq.read_table(self.file)
            return whole
        except (OSError, pa.ArrowException) as error:
            if self.fault == "swallows what is wrong":
                return pa.table({"account": pa.array([], pa.string()), "as_of": pa.array([], pa.date32())})
            raise self.failure(error) from None

    def failure(self, error):
        place = Location("" if self.fault == "no place" else self.settings.path)
        match self.fault:
            case "ends in an error of its own":
                return KeyError("page")
            case "no sentence":
                return SourceError.one(place, "damaged", "damaged", "Write it again.")
            case "secret in an error":
                return SourceError.one(place, "damaged", f"{self.settings.token.reveal()} was refused.", "Ask for one.")
        return SourceError.one(place, "damaged", "the file is damaged.",
                               "" if self.fault == "no cure" else "Write it again.")

    def ask(self):
        """What a network library would do with a token."""
        if self.settings.token is None:
            return
        token = os.environ["FAULTY_TOKEN"] if self.fault == "reads the environment" else self.settings.token.reveal()
        if self.fault == "secret in a log":
            logging.getLogger("faulty").debug("GET /facts?key=%s", token)
        if self.fault == "secret on the screen":
            print("key", token, file=sys.stderr)
        if token != "the-right-one":
            shown = token if self.fault == "wrong secret in an error" else "that is set"
            raise SourceError.one(Location("https://api.example"), "refused", f"the key {shown} was refused.",
                                  "Set another one.")

    def kept(self):
        """What was kept of an earlier reading, if it is still what is there."""
        cache = self.keep / "facts.parquet"
        if self.fault == "old facts" and cache.exists():
            try:
                return pq.read_table(cache)
            except pa.ArrowException:
                return None
        newer = cache.exists() and cache.stat().st_mtime_ns > self.file.stat().st_mtime_ns
        if self.fault == "trusts what it kept" and newer:
            return pq.read_table(cache)
        self.keep.mkdir(parents=True, exist_ok=True)
        cache.write_bytes(self.file.read_bytes())
        return None

    def spoilt(self, table, number):
        match self.fault:
            case "wrong kind":
                return self.with_column(table, "logins", pc.cast(table.column("logins"), pa.int64()))
            case "large text":
                return self.with_column(table, "segment", pc.cast(table.column("segment"), pa.large_string()))
            case "wrong unit":
                at = table.column_names.index("logins")
                field = pa.field("logins", arrow_type(self.metrics["logins"].kind), metadata={b"unit": b"per week"})
                return table.set_column(at, field, table.column("logins"))
            case "nobody":
                return self.with_column(table, "account", pa.array([None, *table.column("account").to_pylist()[1:]]))
            case "another order":
                return table.select([*table.column_names[2:], "account", "as_of"])
            case "a batch":
                return table.to_batches()[0]
            case "a column less":
                return table.drop_columns(["renewal"])
            case "from chance":
                return self.with_column(table, "logins", pa.array([float(next(counter))] * table.num_rows))
            case "rounded":
                return self.with_column(table, "renewal", pa.array([date(2026, 1, 1)] * table.num_rows, pa.date32()))
            case "rounds by the clock":
                return self.with_column(table, "logins", pa.array([float(time.localtime(0).tm_hour)] * table.num_rows))
            case "asks the clock":
                days = [datetime.combine(day, datetime.min.time(), UTC).astimezone().date()
                        for day in table.column("as_of").to_pylist()]
                return self.with_column(table, "as_of", pa.array(days, pa.date32()))
        return table

    @staticmethod
    def with_column(table, name, values):
        return table.set_column(table.column_names.index(name), name, values)
