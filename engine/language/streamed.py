"""All accounts on every day, over rows that arrive sorted by account and day: windows become looks at earlier rows.

A window of SQL gathers and sorts the rows of each account again at every level. Where the rows arrive sorted, `lag`
over all of them streams, and since an account's days are consecutive, the row k before is day d-k, unless the account
has fewer than k+1 rows by then. What looks over n days is put together from spans that double: the sum of 4 days is the
sum of 2 and the sum of the 2 before. Two windows over the same column share their spans.

Only an engine that keeps the order of its input may run this: DuckDB does. The meaning is that of `columnar.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ibis
from ibis.expr import operations as ops

from forestall.engine.language.columnar import Columns
from forestall.engine.language.values import Column, Row
from forestall.engine.model.expression import Expression, Kind

Combine = Callable[[Any, Any], Any]


class Streamed(Columns):
    """The columns of a query whose rows arrive sorted by account and day."""

    def __init__(self, metrics: Mapping[str, Kind], derived: Mapping[str, Expression]) -> None:
        """See `Columns`."""
        super().__init__(metrics, derived)
        self._spans: dict[tuple[object, ...], Column] = {}
        self._count = self._add("rows", 0, 0, lambda row: row.day - row.first_day + 1)

    def rows(self, row: Row) -> Any:
        """How many rows the account has up to that day."""
        return row[self._count.name]

    def _window(self, source: Column, asked: tuple[object, ...], index: int, ask: Callable[[Any], Any]) -> Column:
        key = (source.name, *asked)
        if key not in self._windows:
            if asked[0] == "ago":
                self._windows[key] = self._before(source, _days(asked[1]))
            else:
                self._windows[key] = self._over(source, asked, index, ask)
        return self._windows[key]

    def _before(self, source: Column, back: int) -> Column:
        return self._add("w", source.level + 1, 0, lambda row: self._lagged(row, source, back))

    def _lagged(self, row: Row, column: Column, back: int) -> Any:
        """The value so many rows before; missing where that is another account's."""
        if back == 0:
            return row[column.name]
        return (self.rows(row) > back).ifelse(row[column.name].lag(back), ibis.null())

    def _over(self, source: Column, asked: tuple[object, ...], index: int, ask: Callable[[Any], Any]) -> Column:
        operation, first, last = asked
        days, shift = _days(first) - _days(last) + 1, _days(last)
        if isinstance(operation, ops.Mean):
            total = self._summed(source, operation, index, ask, days, shift)
            known = self._counted(source, operation, index, ask, days, shift)
            return self.define("w", [total, known], lambda row: row[total.name] / row[known.name])
        if isinstance(operation, ops.Count):
            return self._counted(source, operation, index, ask, days, shift)
        if isinstance(operation, ops.Sum):
            return self._summed(source, operation, index, ask, days, shift)
        return self._extreme(source, operation, index, ask, days, shift)

    def _argument(self, source: Column, operation: Any, index: int, ask: Callable[[Any], Any]) -> Column:
        """The column that is aggregated: the source as it is, or what the function makes of it first."""
        if isinstance(operation.arg, ops.Field):
            return source
        key = (source.name, "argument", operation.arg)
        if key not in self._spans:
            self._spans[key] = self._add("b", source.level, source.rank + 1,
                                         lambda row: _asked(row, source, ask)[index].op().arg.to_expr())
        return self._spans[key]

    def _counted(self, source: Column, operation: Any, index: int, ask: Callable[[Any], Any], days: int,
                 shift: int) -> Column:
        argument = self._argument(source, operation, index, ask)
        key = (argument.name, "known")
        if key not in self._spans:
            self._spans[key] = self._add(
                "b", argument.level, argument.rank + 1,
                lambda row: row[argument.name].notnull().ifelse(ibis.literal(1, "int32"), ibis.literal(0, "int32")))
        pieces = self._spanned("count", self._spans[key], days, shift, _added)
        return self._put_together("count", self._spans[key], pieces, lambda one, two: one + two,
                                  lambda one: one.fill_null(0))

    def _summed(self, source: Column, operation: Any, index: int, ask: Callable[[Any], Any], days: int,
                shift: int) -> Column:
        argument = self._argument(source, operation, index, ask)
        return self._put_together("sum", argument, self._spanned("sum", argument, days, shift, _added), _added)

    def _extreme(self, source: Column, operation: Any, index: int, ask: Callable[[Any], Any], days: int,
                 shift: int) -> Column:
        argument = self._argument(source, operation, index, ask)
        name, combine = ("min", ibis.least) if isinstance(operation, ops.Min) else ("max", ibis.greatest)
        tallest = 1 << (days.bit_length() - 1)
        span = self._span(name, argument, tallest, combine)
        # Spans may overlap: the smallest of 7 days is the smallest of the last 4 and of the 4 that ended 3 days ago.
        pieces = [(span, shift)] if days == tallest else [(span, shift), (span, shift + days - tallest)]
        return self._put_together(name, argument, pieces, combine)

    def _spanned(self, name: str, column: Column, days: int, shift: int, combine: Combine) -> list[tuple[Column, int]]:
        """Spans that lie end to end and cover so many days, each with how many days before today it ends."""
        pieces = []
        for power in reversed(range(days.bit_length())):
            if days & (1 << power):
                pieces.append((self._span(name, column, 1 << power, combine), shift))
                shift += 1 << power
        return pieces

    def _span(self, name: str, column: Column, days: int, combine: Combine) -> Column:
        """The column combined over so many days, a power of two."""
        if days == 1:
            return column
        key = (name, column.name, days)
        if key not in self._spans:
            half = self._span(name, column, days // 2, combine)
            self._spans[key] = self._add(
                "s", half.level + 1, 0, lambda row: combine(row[half.name], self._lagged(row, half, days // 2)))
        return self._spans[key]

    def _put_together(self, name: str, column: Column, pieces: list[tuple[Column, int]], combine: Combine,
                      finish: Callable[[Any], Any] = lambda one: one) -> Column:
        key = (name, column.name, *((span.name, back) for span, back in pieces))
        if len(pieces) == 1 and pieces[0][1] == 0:
            return pieces[0][0]
        if key not in self._spans:
            level = max(span.level for span, _ in pieces) + 1

            def build(row: Row) -> Any:
                first, *others = (finish(self._lagged(row, span, back)) for span, back in pieces)
                for other in others:
                    first = combine(first, other)
                return first

            self._spans[key] = self._add("w", level, 0, build)
        return self._spans[key]


class _Asked:
    """Notes what a function asks for on a real column."""

    def __init__(self, row: Row, column: str, rows: Any) -> None:
        self.value, self.rows = row[column], rows
        self.built: list[Any] = []

    def ago(self, back: int) -> Any:
        self.built.append(None)
        return self.value

    def over(self, aggregate: Any, first: int, last: int) -> Any:
        self.built.append(aggregate)
        return aggregate


def _asked(row: Row, source: Column, ask: Callable[[Any], Any]) -> list[Any]:
    look = _Asked(row, source.name, row.day - row.first_day + 1)
    ask(look)
    return look.built


def _added(one: Any, two: Any) -> Any:
    """The sum of what is known of both."""
    return ibis.coalesce(one + two, one, two)


def _days(count: object) -> int:
    assert isinstance(count, int)
    return count
