"""What sources of tables in files share: which files, which columns, which days."""

from __future__ import annotations

import difflib
import glob
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from forestall.adapters.sources.cells import CellError, arrow_type, convert
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Problem, SourceError

if TYPE_CHECKING:
    import pyarrow

BATCH_ROWS = 200_000
SETTINGS_FILE = "forestall.yaml"


@dataclass(frozen=True, slots=True)
class TableSettings:
    """Where the files are and how their columns are called.

    `path` is a file, a folder or a pattern, relative to the project. `account` and `as_of` name those two columns;
    `metrics` names the column of a metric where it is not the metric's own name.
    """

    path: str
    account: str = "account"
    as_of: str = "as_of"
    metrics: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is handed over: its name in the catalogue, its heading in the file, its kind."""

    name: str
    heading: str
    kind: Kind
    required: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """A file and the columns of it that are used; the account comes first, then the day. `headings` is all of them."""

    file: Path
    headings: tuple[str, ...]
    columns: tuple[Column, ...]


class TableSource(ABC):
    """A source whose facts stand in files with one row per account and day."""

    endings: ClassVar[tuple[str, ...]]

    def __init__(self, name: str, settings: TableSettings, metrics: Mapping[str, Metric], folder: Path) -> None:
        self.name = name
        self._settings = settings
        self._metrics = metrics
        self._folder = folder

    @abstractmethod
    def headings(self, file: Path) -> tuple[str, ...]:
        """The headings of `file`. SourceError when it cannot be read."""

    @abstractmethod
    def batches(self, layout: Layout, since: date | None, until: date | None) -> Iterator[Batch]:
        """The columns of `layout`, in its order and as they stand in the file; days outside may be left out."""

    @abstractmethod
    def cell_error(self, layout: Layout, row: int, heading: str, code: str, message: str, hint: str) -> SourceError:
        """An error about one cell. `row` counts the rows below the headings from 0."""

    def supplies(self) -> tuple[str, ...]:
        """The metrics that at least one file has a column for. SourceError when a file cannot be read."""
        found = {column.name for layout in self._layouts() for column in layout.columns[2:]}
        return tuple(name for name in self._metrics if name in found)

    def snapshots(self, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        """Rows of days from `since` through `until`, at most BATCH_ROWS in a table. SourceError as in `Source`."""
        layouts = self._layouts()
        found = {column.name for layout in layouts for column in layout.columns[2:]}
        supplied = tuple(name for name in self._metrics if name in found)
        for layout in layouts:
            for batch in self.batches(layout, since, until):
                table = self._table(layout, batch, supplied, since, until)
                if table.num_rows:
                    yield table

    def shown(self, file: Path) -> str:
        """The name of `file` as people know it: from the project folder on."""
        return str(file.relative_to(self._folder)) if file.is_relative_to(self._folder) else str(file)

    def file_error(self, file: Path, code: str, message: str, hint: str = "") -> SourceError:
        """An error about a file as a whole."""
        return SourceError([Problem(Location(self.shown(file)), code, message, hint)])

    def _layouts(self) -> list[Layout]:
        self._check_metrics()
        layouts = [self._layout(file) for file in self._files()]
        used = {column.heading for layout in layouts for column in layout.columns}
        for metric, heading in self._settings.metrics.items():
            if heading not in used:
                raise self._missing_column(layouts[0].file, heading, f"for the metric {metric}", layouts[0].headings)
        if all(len(layout.columns) == 2 for layout in layouts):
            raise self.file_error(
                layouts[0].file, "no-metric", "no column bears the name of a metric of the catalogue.",
                f"Name the columns under `metrics:` of the source {self.name}.",
            )
        return layouts

    def _check_metrics(self) -> None:
        for metric in self._settings.metrics:
            if metric not in self._metrics:
                raise self.settings_error(
                    "unknown-metric", f"`metrics` of the source {self.name} names {metric}, not a supplied metric.",
                    _did_you_mean(metric, self._metrics) or "Add it to rules/metrics.yaml, or take it out here.",
                )

    def _files(self) -> list[Path]:
        path = self._folder / self._settings.path
        try:
            if path.is_dir():
                files = sorted(file for file in path.iterdir() if self._fits(file))
            elif path.exists():
                files = [path]
            else:
                # only the setting is a pattern: the project's own folder may hold brackets
                found = glob.glob(self._settings.path, root_dir=self._folder, recursive=True)
                files = sorted(file for file in map(self._folder.joinpath, found) if file.is_file())
        except OSError as error:
            raise self.file_error(path, "unreadable", f"the folder cannot be read ({error.strerror}).",
                                  "Give the user who runs Forestall the right to read it.") from None
        if not files:
            near = [Path(name).name for name in glob.glob(str(Path(glob.escape(str(path.parent)), "*")))]
            raise self.settings_error(
                "no-file", f"the source {self.name} finds no file at {self._settings.path}.",
                _did_you_mean(path.name, near) or "Correct `path`, or put the files there.",
            )
        return files

    def _fits(self, file: Path) -> bool:
        # tools leave _SUCCESS marks and dot files beside their tables
        return file.name.endswith(self.endings) and not file.name.startswith((".", "_")) and file.is_file()

    def _layout(self, file: Path) -> Layout:
        headings = self.headings(file)
        columns = [
            Column("account", self._settings.account, Kind.TEXT, required=True),
            Column("as_of", self._settings.as_of, Kind.DATE, required=True),
        ]
        for column in columns:
            if column.heading not in headings:
                raise self._missing_column(file, column.heading, f"for `{column.name}`", headings)
        for metric in self._metrics.values():
            heading = self._settings.metrics.get(metric.name, metric.name)
            if heading in headings:
                columns.append(Column(metric.name, heading, metric.kind))
        for column in columns:
            if headings.count(column.heading) > 1:
                raise self.file_error(file, "twice", f"two columns are called {column.heading}.", "Rename one of them.")
        return Layout(file, headings, tuple(columns))

    def _table(
        self, layout: Layout, batch: Batch, supplied: Sequence[str], since: date | None, until: date | None
    ) -> pyarrow.Table:
        """One batch, typed and cut to the days asked for; cells of other days are not looked at."""
        import pyarrow as pa
        import pyarrow.compute as pc

        account, as_of, *others = layout.columns
        days = self._converted(layout, batch, as_of, batch.columns[1], None)
        chosen = pc.is_valid(days)
        if since is not None:
            chosen = pc.and_(chosen, pc.greater_equal(days, pa.scalar(since, pa.date32())))
        if until is not None:
            chosen = pc.and_(chosen, pc.less_equal(days, pa.scalar(until, pa.date32())))
        rows = pc.indices_nonzero(chosen)
        made = {"account": self._converted(layout, batch, account, batch.columns[0].take(rows), rows),
                "as_of": days.take(rows)}
        for column, cells in zip(others, batch.columns[2:], strict=True):
            made[column.name] = self._converted(layout, batch, column, cells.take(rows), rows)
        for name in supplied:
            if name not in made:
                made[name] = pa.nulls(len(rows), arrow_type(self._metrics[name].kind))
        return pa.table({name: made[name] for name in ("account", "as_of", *supplied)})

    def _converted(
        self, layout: Layout, batch: Batch, column: Column, cells: pyarrow.Array, rows: pyarrow.Array | None
    ) -> pyarrow.Array:
        """`cells` in the column's kind; `rows` says which rows of the batch they are (None: all of them)."""
        import pyarrow.compute as pc

        def failure(index: int, code: str, message: str, hint: str) -> SourceError:
            row = batch.first_row + (index if rows is None else rows[index].as_py())
            return self.cell_error(layout, row, column.heading, code, message, hint)

        try:
            made = convert(cells, column.kind)
        except CellError as error:
            message = f"{column.heading} holds {error.said} where {error.expected} belongs."
            if error.row is None:
                raise self.file_error(layout.file, "wrong-kind", message, _column_cure(column)) from None
            cure = error.cure.split(",")[0] + "." if column.required else error.cure
            raise failure(error.row, "wrong-kind", message, cure) from None
        if column.required and made.null_count:
            raise failure(pc.index(pc.is_null(made), True).as_py(), "empty", f"{column.heading} is empty.",
                          "Every row needs an account and a day: fill it in, or take the row out.")
        return made

    def _missing_column(self, file: Path, heading: str, purpose: str, headings: Sequence[str]) -> SourceError:
        cure = self.separator_cure(headings) or _did_you_mean(heading, headings) or (
            f"It has {', '.join(headings[:8])}{', …' if len(headings) > 8 else ''}.")
        return self.file_error(file, "missing-column", f"there is no column {heading} {purpose}.",
                               f"{cure} Rename the column, or name it in the source {self.name}.")

    def separator_cure(self, headings: Sequence[str]) -> str:
        """What to say when the headings look as if they were cut at the wrong character; only CSV has one."""
        del headings
        return ""

    def settings_error(self, code: str, message: str, hint: str) -> SourceError:
        """An error about what forestall.yaml says of this source."""
        return SourceError([Problem(Location(SETTINGS_FILE), code, message, hint)])


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one file: the columns of its layout as they stand there. `first_row` counts from 0."""

    first_row: int
    columns: tuple[pyarrow.Array, ...]


def _did_you_mean(word: str, candidates: Sequence[str] | Mapping[str, Metric]) -> str:
    near = difflib.get_close_matches(word, list(candidates), n=1)
    return f"Did you mean {near[0]}?" if near else ""


def _column_cure(column: Column) -> str:
    if column.required:
        return "Store the column in that kind."
    return f"Correct `kind` of the metric {column.name} in rules/metrics.yaml, or the column."
