"""Columns of Python values, as JSON and databases give them: each value has a type of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forestall.adapters.sources.cells import CellError, convert, shortened
from forestall.engine.model.expression import Kind

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True)
class Values:
    """A column that was read value by value. None says nothing."""

    listed: list[Any]

    def take(self, rows: pyarrow.Array) -> Values:
        """The values of these rows."""
        return self if len(rows) == len(self.listed) else Values([self.listed[row] for row in rows.to_pylist()])

    def typed(self, kind: Kind) -> pyarrow.Array:
        """The column in the type of `kind`. CellError for the first value that does not fit."""
        import pyarrow as pa

        try:
            return convert(pa.array(self.listed), kind)
        except (CellError, pa.ArrowException, TypeError, ValueError, OverflowError):
            return _by_type(self.listed, kind)      # of several types, or one of them does not fit


def _by_type(values: list[Any], kind: Kind) -> pyarrow.Array:
    import pyarrow as pa

    rows: dict[type, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(type(value), []).append(row)
    made, wrong = [], []
    for mine in rows.values():
        try:
            made.append(convert(_plain([values[row] for row in mine]), kind))
        except CellError as error:
            row = mine[error.row or 0]
            wrong.append(CellError(row, shortened(str(values[row])), kind))
    if wrong:
        raise min(wrong, key=lambda error: error.row or 0)
    order = [row for mine in rows.values() for row in mine]
    back = sorted(range(len(order)), key=order.__getitem__)
    return pa.concat_arrays(made).take(pa.array(back, pa.int64()))


def _plain(values: list[Any]) -> pyarrow.Array:
    """Values of one type as Arrow has them; what Arrow does not know is taken for what it looks like."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
