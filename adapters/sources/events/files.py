"""Files with a log: CSV, JSON lines or Parquet, as tables with an account, an instant and other columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forestall.adapters.sources import instants
from forestall.adapters.sources.cells import CellError, convert
from forestall.adapters.sources.daily.log import Wanted
from forestall.adapters.sources.events.keep import WORTH_IT, Copies, Spoilt
from forestall.adapters.sources.files.jsonl import JsonLinesSource
from forestall.adapters.sources.files.parquet import ParquetSource
from forestall.adapters.sources.files.source import FileSource
from forestall.adapters.sources.tables import BATCH_ROWS, Batch, Column, Layout, Place, did_you_mean
from forestall.adapters.sources.values import Values
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import SourceError

if TYPE_CHECKING:
    import pyarrow

BY_DUCKDB = (".jsonl", ".ndjson", ".gz")      # what it opens itself
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Names:
    """How the log calls its columns: those of account and time, and of others that the declaration calls differently.

    `clock` is the zone of times that do not say theirs, `zone` the one in which days end.
    """

    account: str
    at: str
    others: Mapping[str, str]
    clock: str
    zone: str


@dataclass
class LogFiles:
    """The files of one reader. `copies` are kept of those that are slow to read, `written` says how they are written.

    A file that is named after a day later than `through` is not opened: somebody may be writing it.
    `nameless` is how many rows of the last reading have no account (a list of one number), `seen` which of the wanted
    columns any file has.
    """

    reader: FileSource
    names: Names
    copies: Copies | None = None
    written: tuple[str, ...] = ()
    through: date | None = None
    nameless: list[int] = field(default_factory=lambda: [0])
    seen: set[str] = field(default_factory=set)

    def tables(self, wanted: Wanted, places: Sequence[Place]) -> Iterator[pyarrow.Table]:
        """The rows of these files, as `Log` says."""
        since = None if wanted.since is None else wanted.since.date()
        until = None if wanted.until is None else wanted.until.date()
        self.nameless, self.seen = [0], set()
        copied = {place: self._copy(place, wanted.columns) for place in places}
        for place in places:
            # a file that is named after a day holds what came in on it: of that day, and of earlier ones
            if place.day is not None and ((since is not None and place.day < since - A_DAY)
                                          or (until is not None and place.day > until + A_DAY)
                                          or (self.through is not None and place.day > self.through)):
                continue
            yield from self._of_file(place, copied[place], wanted, since, until)
        if self.copies is not None:
            self.copies.keep_only(copy for copy in copied.values() if copy is not None)

    def _copy(self, place: Place, columns: tuple[str, ...]) -> Path | None:
        """Where the copy of a file is kept; None for a file of which none is worth it."""
        if self.copies is None or isinstance(self.reader, ParquetSource) or place.stamp[0] < WORTH_IT:
            return None
        return self.copies.of(place.shown, place.stamp, columns, self.names, self.written)

    def _of_file(self, place: Place, copy: Path | None, wanted: Wanted, since: date | None, until: date | None
                 ) -> Iterator[pyarrow.Table]:
        layout = self._layout(place, wanted.columns)
        if copy is None or self.copies is None:
            yield from self._read(layout, since, until)
            return
        kept = self.copies.read(copy, wanted.since, wanted.until)
        if kept is None:
            yield from self.copies.making(copy, self._read(layout, None, None), self.nameless)
            return
        self.nameless[0] += self.copies.nameless(copy)
        try:
            yield from kept
        except Spoilt:
            raise self.reader.file_error(place, "damaged", "what was kept of the file is damaged, and thrown away now.",
                                         "Try again: the file itself is read then.") from None

    def _read(self, layout: Layout, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        for batch in self._batches(layout, since, until):
            table = self._table(layout, batch)
            if table.num_rows:
                yield table

    def _layout(self, place: Place, columns: Sequence[str]) -> Layout:
        heading = {column: self.names.others.get(column, column) for column in columns}
        required = [Column("account", self.names.account, Kind.TEXT, required=True),
                    Column("as_of", self.names.at, Kind.DATE, required=True)]
        if isinstance(self.reader, JsonLinesSource):      # every line has keys of its own
            self.seen.update(columns)
            return Layout(place, (), (*required, *(Column(name, heading[name], Kind.TEXT) for name in columns)))
        headings = self.reader.headings(place)
        for column in required:
            if column.heading not in headings:
                raise self._missing(place, column.heading, "account" if column.name == "account" else "at", headings)
        found: dict[str, Column] = {}
        for name in columns:
            outer = name.split(".")[0]
            if heading[name] in headings:
                found[name] = Column(name, heading[name], Kind.TEXT)
            elif outer in headings:
                found[outer] = Column(outer, outer, Kind.TEXT)
            else:
                continue
            self.seen.add(name)
        return Layout(place, headings, (*required, *found.values()))

    def _missing(self, place: Place, heading: str, setting: str, headings: Sequence[str]) -> SourceError:
        cure = self.reader.separator_cure(headings) or did_you_mean(heading, headings) or (
            f"It has {', '.join(headings[:8])}{', …' if len(headings) > 8 else ''}.")
        return self.reader.file_error(place, "missing-column", f"there is no column {heading} for `{setting}`.",
                                      f"{cure} Name it in the source {self.reader.name}.")

    def _batches(self, layout: Layout, since: date | None, until: date | None) -> Iterator[Batch]:
        if isinstance(self.reader, JsonLinesSource) and layout.place.path.suffix in BY_DUCKDB:
            with self.reader.unchanged(layout.place):
                yield from self._by_duckdb(layout)
        else:
            yield from self.reader.batches(layout, since, until)

    def _by_duckdb(self, layout: Layout) -> Iterator[Batch]:
        """Lines of JSON, ten times as fast as one by one; where it cannot go on, the slow reader says why."""
        import duckdb

        paths = ", ".join("'" + _path(column.heading).replace("'", "''") + "'" for column in layout.columns)
        columns = ", ".join(f"found[{index}] AS c{index}" for index in range(1, len(layout.columns) + 1))
        row = 0
        try:
            with duckdb.connect() as connection:
                connection.execute("SET enable_progress_bar = false")
                found = connection.sql(
                    f"SELECT {columns} FROM (SELECT json_extract_string(json, [{paths}]) AS found "
                    "FROM read_ndjson_objects(?))", params=[str(layout.place.path)])
                for batch in found.to_arrow_reader(BATCH_ROWS):
                    yield Batch(row, tuple(batch.columns))
                    row += batch.num_rows
        except (duckdb.Error, OSError) as error:      # the second is what Arrow makes of the first
            for _ in self.reader.batches(layout, None, None):
                pass
            reason = str(error).splitlines()[0][:120]
            raise self.reader.file_error(layout.place, "unreadable", f"the file cannot be read ({reason}).",
                                         "Write it again.") from None

    def _table(self, layout: Layout, batch: Batch) -> pyarrow.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        account, at, *others = (_array(column) for column in batch.columns)
        try:
            accounts = convert(account, Kind.TEXT)
        except CellError as error:
            raise self._cell(layout, batch, 0, error.row, error.said, "an account", error.cure) from None
        rows = pc.indices_nonzero(pc.is_valid(accounts))
        self.nameless[0] += len(accounts) - len(rows)
        try:
            times = instants.instants(at, self.names.clock, self.names.zone)
        except instants.NoInstant as error:
            raise self._cell(layout, batch, 1, error.row, error.said, "a time", instants.CURE) from None
        if (row := pc.index(pc.and_(pc.is_null(times), pc.is_valid(accounts)), True).as_py()) >= 0:
            raise self._cell(layout, batch, 1, row, "nothing", "a time", instants.CURE)
        made = {"account": accounts, "at": times}
        made |= {column.name: cells for column, cells in zip(layout.columns[2:], others, strict=True)}
        table = pa.table(made)
        return table if len(rows) == len(accounts) else table.take(rows)

    def _cell(self, layout: Layout, batch: Batch, index: int, row: int | None, said: str, expected: str,
              cure: str) -> SourceError:
        heading = layout.columns[index].heading
        message = f"{heading} holds {said} where {expected} belongs."
        if row is None:
            return self.reader.file_error(layout.place, "wrong-kind", message, "Name another column.")
        return SourceError([self.reader.cell_problem(
            layout, batch.first_row + row, heading, "wrong-kind", message, cure)])


def _path(heading: str) -> str:
    return "$" + "".join('."' + step.replace('"', '\\"') + '"' for step in heading.split("."))


def _array(column: pyarrow.Array | Values) -> pyarrow.Array:
    """A column as Arrow has it; values of JSON become texts."""
    import pyarrow as pa

    if not isinstance(column, Values):
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pa.array([_said(value) for value in column.listed], pa.string())


def _said(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value)
