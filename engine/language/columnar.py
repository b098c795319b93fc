"""All accounts on every day: history functions become windows.

All windows of one level stand in one SELECT: written naively, nested history functions multiply the text of the query.
Ibis compiles; the engine's own client runs.

The history table has `account`, `day` (days since 1970, consecutive per account), `first_day`, and one column per
metric: number float64, text string, flag boolean, date int64 (days since 1970).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ibis

from forestall.engine.language.functions import FUNCTIONS, POINT_TO_POINT
from forestall.engine.language.statement import Statement
from forestall.engine.language.values import TYPES, Build, Column, Row, Values, bounded, number, staged
from forestall.engine.model.expression import Call, Expression, Kind, Name, NameRole

FIXED = ("account", "day", "first_day", "named_day")
__all__ = ["Build", "Column", "Columns", "Ready", "Recording", "Row", "bounded", "number"]


class Recording:
    """Notes which windows a function asks for, on a stand-in column of the right type."""

    def __init__(self, kind: Kind) -> None:
        table = ibis.table({"x": TYPES[kind], "rows": "int64"}, name="stand_in")
        self.value, self.rows = table.x, table.rows
        self.asked: list[tuple[object, ...]] = []

    def ago(self, back: int) -> Any:
        """Note it."""
        self.asked.append(("ago", back))
        return self.value

    def over(self, aggregate: Any, first: int, last: int) -> Any:
        """Note it."""
        self.asked.append((aggregate.op(), first, last))
        return aggregate


class _Windows:
    """Builds the windows that a function asks for, one after the other."""

    def __init__(self, row: Row, column: str) -> None:
        self.value, self.rows = row[column], row.day - row.first_day + 1
        self._row = row
        self.built: list[Any] = []

    def ago(self, back: int) -> Any:
        self.built.append(self.value.lag(back).over(ibis.window(group_by="account", order_by="day")))
        return self.value

    def over(self, aggregate: Any, first: int, last: int) -> Any:
        # Days are consecutive per account, so rows are days. A frame that ends before today has both ends preceding.
        frame = ibis.window(group_by="account", order_by="day", preceding=first, following=0) if last == 0 else \
            ibis.window(group_by="account", order_by="day", preceding=(first, last))
        self.built.append(aggregate.over(frame))
        return aggregate


class Ready:
    """Hands out the windows that earlier SELECTs computed, in the order in which they were asked for."""

    def __init__(self, row: Row, value: Any, rows: Any, windows: list[str]) -> None:
        self.value, self.rows = value, rows
        self._row, self._windows = row, iter(windows)

    def ago(self, back: int) -> Any:
        """The next one."""
        return self._row[next(self._windows)]

    def over(self, aggregate: Any, first: int, last: int) -> Any:
        """The next one."""
        return self._row[next(self._windows)]


class Columns(Values):
    """The columns of a query over every day of the history."""

    def __init__(self, metrics: Mapping[str, Kind], derived: Mapping[str, Expression]) -> None:
        """`metrics` are the columns that the history has; `derived` the metrics computed from others."""
        super().__init__(metrics, derived)
        self._windows: dict[tuple[object, ...], Column] = {}      # by source and what is asked of it

    def _history(self, term: Call) -> Column:
        function, argument, window = FUNCTIONS[term.function], term.arguments[0], term.window
        source = self.source(argument)
        recording = Recording(argument.kind)
        function.columnar(recording, window)
        windows = [self._window(source, asked, index, lambda look: function.columnar(look, window))
                   for index, asked in enumerate(recording.asked)]
        guarded = isinstance(argument, Name) and argument.role in (NameRole.SCORE, NameRole.TIER) \
            and term.function in POINT_TO_POINT and window is not None
        before = [(pattern.name, self._lag(pattern, window.count)) for pattern in self.patterns] \
            if guarded and window is not None else []
        level, rank = max((column.level, column.rank) for column in (source, *windows, *(then for _, then in before)))

        def build(row: Row) -> Any:
            answer = function.columnar(
                Ready(row, row[source.name], self.rows(row), [column.name for column in windows]), window)
            for now, then in before:
                answer = (row[now] == row[then.name]).ifelse(answer, ibis.null())
            return answer

        return self._add("h", level, rank + 1, build)

    def _window(self, source: Column, asked: tuple[object, ...], index: int, ask: Callable[[Any], Any]) -> Column:
        key = (source.name, *asked)

        def build(row: Row) -> Any:
            windows = _Windows(row, source.name)
            if asked[0] == "ago" and isinstance(asked[1], int):     # alone: else 157 weeks ask 157 times for all
                windows.ago(asked[1])
                return windows.built[0]
            ask(windows)
            return windows.built[index]

        if key not in self._windows:
            self._windows[key] = self._add("w", source.level + 1, 0, build)
        return self._windows[key]

    def _lag(self, source: Column, back: int) -> Column:
        return self._window(source, ("ago", back), 0, lambda look: look.ago(back))

    def statement(self, outputs: Mapping[str, Column], dialect: str) -> Statement:
        """The whole query: every column in its SELECT, then the columns that are wanted."""
        schema = {"account": "string", "day": "int64", "first_day": "int64", "named_day": "int64"}
        schema |= {name: TYPES[kind] for name, kind in self._metrics.items() if name in self.used}
        whole = staged(Statement.of(ibis.table(schema, name="history"), dialect), self._all)
        return whole.choosing(chosen(outputs))


def chosen(outputs: Mapping[str, Column]) -> dict[str, str]:
    """Every column of an answer, and where it comes from."""
    return {name: name for name in FIXED} | {name: column.name for name, column in outputs.items()}
