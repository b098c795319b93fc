"""A query whose rows are happenings: the log that daily metrics are made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forestall.adapters.sources.cells import CellError, convert
from forestall.adapters.sources.instants import CURE, NoInstant, instants
from forestall.adapters.sources.sql.ways import Piece
from forestall.adapters.sources.tables import SETTINGS_FILE, did_you_mean
from forestall.adapters.sources.values import Values
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Problem, SourceError

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True)
class Happenings:
    """How a query calls the columns of a log. `clock` is the zone of times that do not say theirs, `zone` ends days."""

    source: str
    account: str
    at: str
    clock: str
    zone: str

    def tables(self, pieces: Iterator[Piece], columns: tuple[str, ...]) -> Iterator[pyarrow.Table]:
        """The rows of a query, as `Log` says. SourceError for a row without an account or a time."""
        import pyarrow as pa

        row = 0
        for names, cells in pieces:
            named = dict(zip(names, cells, strict=True))
            self._check(named, columns)
            account = self._account(row, named[self.account])
            made = {"account": account, "at": self._at(row, named[self.at])}
            for column in columns:
                outer = column if column in named else column.split(".")[0]
                made[outer] = _arrow(named[outer])
            yield pa.table(made)
            row += len(account)

    def _check(self, named: dict[str, Any], columns: tuple[str, ...]) -> None:
        needed = {self.account: "`account`", self.at: "`at`"} | {
            column: "`daily`" for column in columns if column.split(".")[0] not in named}
        for column, purpose in needed.items():
            if column not in named:
                raise SourceError([Problem(
                    Location(SETTINGS_FILE), "missing-column",
                    f"source {self.source}: there is no column {column} for {purpose}.",
                    did_you_mean(column, list(named)) or f"The query has {', '.join(named)}.")])

    def _account(self, row: int, cells: pyarrow.Array | Values) -> pyarrow.Array:
        try:
            made = cells.typed(Kind.TEXT) if isinstance(cells, Values) else convert(cells, Kind.TEXT)
        except CellError as error:
            raise self._problem(row + (error.row or 0), "wrong-kind",
                                f"{self.account} holds {error.said} where a text belongs.", error.cure) from None
        return self._all_there(row, made, self.account)

    def _at(self, row: int, cells: pyarrow.Array | Values) -> pyarrow.Array:
        try:
            return self._all_there(row, instants(_arrow(cells), self.clock, self.zone), self.at)
        except NoInstant as error:
            raise self._problem(row + (error.row or 0), "wrong-kind",
                                f"{self.at} holds {error.said} where a time belongs.", CURE) from None

    def _all_there(self, row: int, made: pyarrow.Array, column: str) -> pyarrow.Array:
        import pyarrow.compute as pc

        if made.null_count:
            raise self._problem(row + pc.index(pc.is_null(made), True).as_py(), "empty", f"{column} is empty.",
                                f"Leave such rows out: `WHERE {column} IS NOT NULL`.")
        return made

    def _problem(self, row: int, code: str, message: str, hint: str) -> SourceError:
        return SourceError([Problem(Location(SETTINGS_FILE), code, f"source {self.source}, row {row + 1}: {message}",
                                    hint)])


def _arrow(cells: pyarrow.Array | Values) -> pyarrow.Array:
    """A column as Arrow has it; what has no type there becomes the text that it looks like."""
    import pyarrow as pa

    if not isinstance(cells, Values):
        return cells
    listed = [json.dumps(value) if isinstance(value, dict | list) else value for value in cells.listed]
    try:
        return pa.array(listed)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([None if value is None else str(value) for value in listed], pa.string())
