"""What sources of tables share: which columns, which days, and what is said of a cell that does not fit."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from forestall.adapters.sources.cells import CellError, arrow_type, convert
from forestall.adapters.sources.values import Values
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Problem, Severity, SourceError

if TYPE_CHECKING:
    import pyarrow

Piece = TypeVar("Piece")

BATCH_ROWS = 200_000
SETTINGS_FILE = "forestall.yaml"
EARLIEST = date(2000, 1, 1)      # a day before it is a slip, and a history from there on would be millions of rows


@dataclass(frozen=True, slots=True)
class Headings:
    """How the columns are called: `metrics` names that of a metric where it is not the metric's own name."""

    account: str = "account"
    as_of: str = "as_of"
    metrics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is handed over: its name in the catalogue, its heading in the table, its kind."""

    name: str
    heading: str
    kind: Kind
    required: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table is: a file on this machine, and its name as people know it.

    `day` is the day of all its rows, where the name says it. `stamp` is what changes when it is written to.
    """

    path: Path
    shown: str
    day: date | None = None
    stamp: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Layout:
    """A table and the columns of it that are used; `headings` is all of them."""

    place: Place
    headings: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics for which it has a column."""
        return tuple(column.name for column in self.columns if not column.required)

    @property
    def as_of(self) -> Column | None:
        """The column that holds the day, if there is one."""
        return next((column for column in self.columns if column.name == "as_of"), None)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table: the columns of its layout as they stand there. `first_row` counts from 0."""

    first_row: int
    columns: tuple[pyarrow.Array | Values, ...]


class TableSource(ABC):
    """A source whose facts stand in tables with one row per account and day."""

    rows_are_now = False      # they have no day: they are of the one on which they are read

    def __init__(self, name: str, wanted: Headings, metrics: Mapping[str, Metric]) -> None:
        self.name = name
        self.noticed: tuple[Problem, ...] = ()
        self._left_out = 0
        self._first_left_out: Problem | None = None
        self._wanted = wanted
        self._metrics = metrics

    @abstractmethod
    def layouts(self) -> list[Layout]:
        """Every table, in the order in which they are read. SourceError when one cannot be read."""

    @abstractmethod
    def batches(self, layout: Layout, since: date | None, until: date | None) -> Iterator[Batch]:
        """The columns of `layout`, in its order and as they stand there; days outside may be left out."""

    @abstractmethod
    def cell_problem(self, layout: Layout, row: int, heading: str, code: str, message: str, hint: str) -> Problem:
        """A problem of one cell. `row` counts the rows below the headings from 0."""

    def supplies(self) -> tuple[str, ...]:
        """The metrics that at least one table has a column for. SourceError when one cannot be read."""
        return self.supplied(self._checked())

    def snapshots(self, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        """Rows of days from `since` through `until`, at most BATCH_ROWS in a table. SourceError as in `Source`."""
        self.noticed, self._left_out, self._first_left_out = (), 0, None
        layouts = self._checked()
        supplied = self.supplied(layouts)
        for layout in layouts:
            day = layout.place.day
            if day is not None and ((since is not None and day < since) or (until is not None and day > until)):
                self._named_to_come(layout, day, until)
                continue
            with ended(self.batches(layout, since, until)) as batches:
                for batch in batches:
                    table = self._table(layout, batch, supplied, since, until)
                    if table.num_rows:
                        yield table

    def layout(self, place: Place, headings: tuple[str, ...]) -> Layout:
        """The columns of a table that are used. SourceError when one that is needed is missing or there twice."""
        columns = [Column("account", self._wanted.account, Kind.TEXT, required=True)]
        if not self.rows_are_now and (place.day is None or self._wanted.as_of in headings):
            columns.append(Column("as_of", self._wanted.as_of, Kind.DATE, required=True))
        for column in columns:
            if column.heading not in headings:
                raise self._missing_column(place, column.heading, f"for `{column.name}`", headings)
        for metric in self._metrics.values():
            heading = self._wanted.metrics.get(metric.name, metric.name)
            if heading in headings:
                columns.append(Column(metric.name, heading, metric.kind))
        for column in columns:
            if headings.count(column.heading) > 1:
                raise SourceError([self.table_problem(place, "twice", f"two columns are called {column.heading}.",
                                                      "Rename one of them.")])
        return Layout(place, headings, tuple(columns))

    def table_problem(self, place: Place, code: str, message: str, hint: str = "") -> Problem:
        """A problem of a table as a whole."""
        return Problem(Location(place.shown), code, message, hint)

    def settings_error(self, code: str, message: str, hint: str) -> SourceError:
        """An error about what forestall.yaml says of this source."""
        return SourceError([Problem(Location(SETTINGS_FILE), code, message, hint)])

    def separator_cure(self, headings: Sequence[str]) -> str:
        """What to say when the headings look as if they were cut at the wrong character; only CSV has one."""
        del headings
        return ""

    # -- columns -----------------------------------------------------------------------------------------------------

    def supplied(self, layouts: Sequence[Layout]) -> tuple[str, ...]:
        """The metrics for which one of the tables has a column, in the order of the catalogue."""
        found = {metric for layout in layouts for metric in layout.metrics}
        return tuple(name for name in self._metrics if name in found)

    def _checked(self) -> list[Layout]:
        for metric in self._wanted.metrics:
            if metric not in self._metrics:
                raise self.settings_error(
                    "unknown-metric", f"`metrics` of the source {self.name} names {metric}, not a supplied metric.",
                    did_you_mean(metric, self._metrics) or "Add it to rules/metrics.yaml, or take it out here.",
                )
        layouts = self.layouts()
        used = {column.heading for layout in layouts for column in layout.columns}
        for metric, heading in self._wanted.metrics.items():
            if heading not in used:
                raise self._missing_column(layouts[0].place, heading, f"for the metric {metric}", layouts[0].headings)
        if not any(layout.metrics for layout in layouts):
            raise SourceError([self.table_problem(
                layouts[0].place, "no-metric", "no column bears the name of a metric of the catalogue.",
                f"Name the columns under `metrics:` of the source {self.name}.")])
        return layouts

    def _missing_column(self, place: Place, heading: str, purpose: str, headings: Sequence[str]) -> SourceError:
        cure = self.separator_cure(headings) or did_you_mean(heading, headings) or (
            f"It has {', '.join(headings[:8])}{', …' if len(headings) > 8 else ''}.")
        return SourceError([self.table_problem(
            place, "missing-column", f"there is no column {heading} {purpose}.",
            f"{cure} Rename the column, or name it in the source {self.name}.")])

    # -- rows --------------------------------------------------------------------------------------------------------

    def _table(
        self, layout: Layout, batch: Batch, supplied: Sequence[str], since: date | None, until: date | None
    ) -> pyarrow.Table:
        """One batch, typed and cut to the days asked for; cells of other days are not looked at."""
        import pyarrow as pa

        cells = dict(zip(layout.columns, batch.columns, strict=True))
        days = self._days(layout, batch, until)
        rows = self._within(layout, batch, days, since, until)
        made = {"as_of": days.take(rows)}
        for column, found in cells.items():
            if column.name != "as_of":
                made[column.name] = self._converted(layout, batch, column, found.take(rows), rows)
        for name in supplied:
            if name not in made:
                made[name] = pa.nulls(len(rows), arrow_type(self._metrics[name].kind))
        return pa.table({name: made[name] for name in ("account", "as_of", *supplied)})

    def _days(self, layout: Layout, batch: Batch, until: date | None) -> pyarrow.Array:
        """The day of each row: what its column says, which must be that of the file's name if that says one."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column, named = layout.as_of, layout.place.day
        if column is None:
            rows = batch.columns[0]
            count = len(rows.listed) if isinstance(rows, Values) else len(rows)
            return pa.repeat(pa.scalar(named or until or datetime.now(UTC).date(), pa.date32()), count)
        found = self._converted(layout, batch, column, batch.columns[layout.columns.index(column)], None)
        if (row := pc.index(pc.less(found, pa.scalar(EARLIEST, pa.date32())), True).as_py()) >= 0:
            raise SourceError([self.cell_problem(
                layout, batch.first_row + row, column.heading, "far-past",
                f"{column.heading} holds {found[row]}, a day before {EARLIEST}.",
                "Correct the day, or take the row out.")])
        if named is not None:
            row = pc.index(pc.not_equal(found, pa.scalar(named, pa.date32())), True).as_py()
            if row >= 0:
                raise SourceError([self.cell_problem(
                    layout, batch.first_row + row, column.heading, "other-day",
                    f"{column.heading} holds {found[row]} in a file of {named}.",
                    "Write * in place of {day} in `path`, so that the rows say their day, or correct the row.")])
        return found

    def _within(self, layout: Layout, batch: Batch, days: pyarrow.Array, since: date | None,
                until: date | None) -> pyarrow.Array:
        """The rows of the days asked for. Those of days to come are told of."""
        import pyarrow as pa
        import pyarrow.compute as pc

        chosen = pc.is_valid(days)
        if since is not None:
            chosen = pc.and_(chosen, pc.greater_equal(days, pa.scalar(since, pa.date32())))
        if until is not None:
            chosen = pc.and_(chosen, pc.less_equal(days, pa.scalar(until, pa.date32())))
            to_come = pc.greater(days, pa.scalar(max(until, tomorrow()), pa.date32()))
            if layout.as_of is not None and (count := pc.sum(to_come).as_py()):
                row, heading = pc.index(to_come, True).as_py(), layout.as_of.heading
                self._notice(count, lambda: self.cell_problem(
                    layout, batch.first_row + row, heading, "future-rows",
                    f"{heading} holds {days[row]}, a day to come, so the row is left out.",
                    "Correct the day, or let it wait until then."))
        return pc.indices_nonzero(chosen)

    def _named_to_come(self, layout: Layout, day: date, until: date | None) -> None:
        if until is not None and day > max(until, tomorrow()):
            self._notice(1, lambda: self.table_problem(
                layout.place, "future-rows", f"the file is named after {day}, a day to come, and left out.",
                "Correct its name, or let it wait until then."))

    def _notice(self, more: int, problem: Callable[[], Problem]) -> None:
        """The first is told in full (to find its line takes reading the file again), the others are counted."""
        self._left_out += more
        self._first_left_out = self._first_left_out or problem()
        count = self._left_out - 1
        others = "" if not count else " So is 1 other." if count == 1 else f" So are {count:,} others."
        self.noticed = (replace(self._first_left_out, severity=Severity.WARNING,
                                message=self._first_left_out.message + others),)

    def _converted(
        self, layout: Layout, batch: Batch, column: Column, cells: pyarrow.Array | Values, rows: pyarrow.Array | None
    ) -> pyarrow.Array:
        """`cells` in the column's kind; `rows` says which rows of the batch they are (None: all of them)."""
        import pyarrow.compute as pc

        def failure(index: int, code: str, message: str, hint: str) -> SourceError:
            row = batch.first_row + (index if rows is None else rows[index].as_py())
            return SourceError([self.cell_problem(layout, row, column.heading, code, message, hint)])

        try:
            made = cells.typed(column.kind) if isinstance(cells, Values) else convert(cells, column.kind)
        except CellError as error:
            message = f"{column.heading} holds {error.said} where {error.expected} belongs."
            if error.row is None:
                raise SourceError([self.table_problem(layout.place, "wrong-kind", message,
                                                      _column_cure(column))]) from None
            cure = error.cure.split(",")[0] + "." if column.required else error.cure
            raise failure(error.row, "wrong-kind", message, cure) from None
        if column.required and made.null_count:
            raise failure(pc.index(pc.is_null(made), True).as_py(), "empty", f"{column.heading} is empty.",
                          "Every row needs an account and a day: fill it in, or take the row out.")
        return made


@contextmanager
def ended(pieces: Iterator[Piece]) -> Iterator[Iterator[Piece]]:
    """Pieces that are not asked for any more when the block is left, so that nothing stays open behind an error."""
    try:
        yield pieces
    finally:
        if isinstance(pieces, Generator):
            pieces.close()


def tomorrow() -> date:
    """The last day that it can already be somewhere."""
    return datetime.now(UTC).date() + timedelta(days=1)


def did_you_mean(word: str, candidates: Sequence[str] | Mapping[str, Metric]) -> str:
    """The question after the candidate that looks most like `word`; empty where none does."""
    near = difflib.get_close_matches(word, list(candidates), n=1)
    return f"Did you mean {near[0]}?" if near else ""


def _column_cure(column: Column) -> str:
    if column.required:
        return "Store the column in that kind."
    return f"Correct `kind` of the metric {column.name} in rules/metrics.yaml, or the column."
