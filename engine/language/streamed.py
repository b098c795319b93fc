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
from forestall.engine.language.values import Column, Row, number
from forestall.engine.model.expression import Expression, Kind

Combine = Callable[[Any, Any], Any]
ALL = ibis.window()      # every row, as they come


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
        return (self.rows(row) > back).ifelse(row[column.name].lag(back).over(ALL), ibis.null())

    def _over(self, source: Column, asked: tuple[object, ...], index: int, ask: Callable[[Any], Any]) -> Column:
        operation, first, last = asked
        assert isinstance(operation, ops.Reduction)
        argument = self._argument(source, operation, index, ask)
        days, shift = _days(first) - _days(last) + 1, _days(last)
        if isinstance(operation, (ops.Min, ops.Max)):
            return self._extreme(argument, isinstance(operation, ops.Min), days, shift)
        known = self._sum(self._base(argument, "known", _is_known), days, shift)
        if isinstance(operation, ops.Count):
            return known
        total = self._sum(self._base(argument, "value", _or_zero), days, shift)
        divided = isinstance(operation, ops.Mean)

        def build(row: Row) -> Any:
            answer = row[total.name] / row[known.name] if divided else row[total.name]
            return (row[known.name] > number(0.0)).ifelse(answer, ibis.null())

        return self.define("w", [total, known], build)

    def _argument(self, source: Column, operation: Any, index: int, ask: Callable[[Any], Any]) -> Column:
        """The column that is aggregated: the source as it is, or what the function makes of it first."""
        if isinstance(operation.arg, ops.Field):
            return source
        return self._once((source.name, "argument", operation.arg), lambda: self._add(
            "b", source.level, source.rank + 1, lambda row: _asked(row, source, ask)[index].op().arg.to_expr()))

    def _base(self, column: Column, name: str, build: Callable[[Any], Any]) -> Column:
        return self._once((column.name, name), lambda: self._add(
            "b", column.level, column.rank + 1, lambda row: build(row[column.name])))

    def _sum(self, column: Column, days: int, shift: int) -> Column:
        """The sum over so many days, the last of them `shift` days before today. The column is never missing."""
        pieces = []
        for power in reversed(range(days.bit_length())):
            if days & (1 << power):
                pieces.append((self._span_sum(column, 1 << power), shift))
                shift += 1 << power
        if len(pieces) == 1 and pieces[0][1] == 0:
            return pieces[0][0]
        return self._once(("sum", *((span.name, back) for span, back in pieces)), lambda: self._add(
            "w", max(span.level for span, _ in pieces) + 1, 0,
            lambda row: sum(self._added(row, span, back) for span, back in pieces)))

    def _span_sum(self, column: Column, days: int) -> Column:
        """The sum over so many days, a power of two."""
        if days == 1:
            return column
        half = self._span_sum(column, days // 2)
        return self._once(("span", column.name, days), lambda: self._add(
            "s", half.level + 1, 0, lambda row: row[half.name] + self._added(row, half, days // 2)))

    def _added(self, row: Row, column: Column, back: int) -> Any:
        """What so many days before adds to a sum: zero where that is another account's. Products beat CASE."""
        if back == 0:
            return row[column.name]
        return row[column.name].lag(back, number(0.0)).over(ALL) * (self.rows(row) > back).cast("float64")

    def _extreme(self, column: Column, least: bool, days: int, shift: int) -> Column:
        """Spans may overlap: the least of 7 days is the least of the last 4 and of the 4 that ended 3 days ago."""
        combine: Combine = ibis.least if least else ibis.greatest
        tallest = 1 << (days.bit_length() - 1)
        span = self._span_extreme(column, combine, tallest)
        if days == tallest and shift == 0:
            return span

        def build(row: Row) -> Any:
            recent = self._lagged(row, span, shift)
            return recent if days == tallest else combine(recent, self._lagged(row, span, shift + days - tallest))

        return self._once(("extreme", span.name, days, shift), lambda: self._add("w", span.level + 1, 0, build))

    def _span_extreme(self, column: Column, combine: Combine, days: int) -> Column:
        if days == 1:
            return column
        half = self._span_extreme(column, combine, days // 2)
        return self._once((combine.__name__, column.name, days), lambda: self._add(
            "s", half.level + 1, 0, lambda row: combine(row[half.name], self._lagged(row, half, days // 2))))

    def _once(self, key: tuple[object, ...], make: Callable[[], Column]) -> Column:
        if key not in self._spans:
            self._spans[key] = make()
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


def _is_known(value: Any) -> Any:
    return value.notnull().cast("float64")


def _or_zero(value: Any) -> Any:
    return value.cast("float64").fill_null(number(0.0))


def _days(count: object) -> int:
    assert isinstance(count, int)
    return count
