"""All accounts on one day, without windows: what lies on other days is fetched from those days only.

A pass decides a single day. So a term is worked out for that day, and for each earlier day that a point-to-point
function names (`drop(score, days=7)`: today and a week ago); what looks over many days is one aggregate per account.
Each of these days is one reading of the history, joined by account. The meaning is that of `columnar.py`; a test holds
them against each other.

The history table has `account`, `day`, `first_day`, `named_day`, `back` (days before the day decided) and the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ibis

from forestall.engine.language.columnar import Columns, Ready, Recording, chosen
from forestall.engine.language.functions import FUNCTIONS, POINT_TO_POINT, Reach
from forestall.engine.language.statement import Statement
from forestall.engine.language.values import TYPES, Column, Row, Values, staged
from forestall.engine.model.expression import Call, Expression, Kind, Name, NameRole, Term, walk

Prepare = Callable[[Values], None]


class NotPointwise(Exception):
    """A window over something that itself looks at other days: that is left to the windows of `columnar.py`."""


class _Aggregates:
    """Builds the aggregates that a function asks for, each over its days before today."""

    def __init__(self, table: Row, column: str, offset: int) -> None:
        self.value, self.rows = table[column], table.day - table.first_day + 1
        self._table, self._offset = table, offset
        self.built: list[Any] = []

    def ago(self, back: int) -> Any:
        """Fetched from its own day, not aggregated."""
        self.built.append(None)
        return self.value

    def over(self, aggregate: Any, first: int, last: int) -> Any:
        """The aggregate over the rows of those days."""
        days = self._table.back.between(last + self._offset, first + self._offset)
        self.built.append(aggregate.op().copy(where=days.op()).to_expr())
        return aggregate


class OneDay:
    """The columns of a query about one day. `at(0)` is that day, `at(7)` the day a week before.

    `prepare` binds the signals, the score and the tier of a day; it is called for a day only when one of them is
    needed there.
    """

    def __init__(self, metrics: Mapping[str, Kind], derived: Mapping[str, Expression], prepare: Prepare) -> None:
        self.metrics, self.derived, self.prepare = dict(metrics), dict(derived), prepare
        self.all: list[Column] = []
        self.fetched: dict[int, set[str]] = {0: set()}
        self._days: dict[int, DayBefore] = {}
        self._scan = Columns(metrics, derived)      # what is aggregated is worked out per row of the days looked over
        self._aggregates: dict[tuple[object, ...], tuple[str, Callable[[Row], Any]]] = {}
        self._reach: list[tuple[int, int]] = []

    def at(self, offset: int) -> DayBefore:
        """The columns of the day so many days before."""
        if offset not in self._days:
            self._days[offset] = DayBefore(self, offset)
        return self._days[offset]

    def aggregate(self, term: Call, index: int, asked: tuple[object, ...], offset: int) -> str:
        """The column of the aggregate that a function asks for as its `index`-th, seen from `offset` days before."""
        function, argument, window = FUNCTIONS[term.function], term.arguments[0], term.window
        self._must_be_pointwise(argument)
        source = self._scan.source(argument)
        _, first, last = asked
        assert isinstance(first, int)
        assert isinstance(last, int)
        key = (source.name, *asked, offset)
        if key not in self._aggregates:
            self._reach.append((last + offset, first + offset))

            def build(table: Row) -> Any:
                aggregates = _Aggregates(table, source.name, offset)
                function.columnar(aggregates, window)
                return aggregates.built[index]

            self._aggregates[key] = (f"a{len(self._aggregates)}_", build)
        return self._aggregates[key][0]

    def _must_be_pointwise(self, term: Term) -> None:
        for part in walk(term):
            if isinstance(part, Call) and FUNCTIONS[part.function].reach in (Reach.DAYS, Reach.DAYS_OR_WEEKS):
                raise NotPointwise
            if isinstance(part, Name) and part.role in (NameRole.SIGNAL, NameRole.SCORE, NameRole.TIER):
                self._prepare_scan()

    def _prepare_scan(self) -> None:
        if not self._scan.prepared:
            self._scan.prepared = True
            self.prepare(self._scan)
            if any(column.level for column in self._scan.defined):
                raise NotPointwise

    def statement(self, outputs: Mapping[str, Column], dialect: str) -> Statement:
        """The whole query: the day, the days before it, the aggregates, then every column in its SELECT."""
        fixed = {"account": "string", "day": "int64", "first_day": "int64", "named_day": "int64", "back": "int64"}
        used = set[str]().union(*self.fetched.values(), self._scan.used)
        schema = fixed | {name: TYPES[kind] for name, kind in self.metrics.items() if name in used}
        history = ibis.table(schema, name="history")
        whole = history.filter(history.back == 0)
        for offset, names in sorted(self.fetched.items()):
            if offset and names:
                before = history.filter(history.back == offset).select(
                    **{f"account at {offset}": history.account},
                    **{stored(name, offset): history[name] for name in sorted(names)})
                whole = whole.left_join(before, whole.account == before[f"account at {offset}"])
        day = self._joined(whole, history, dialect) if self._aggregates else Statement.of(whole, dialect)
        return staged(day, self.all).choosing(chosen(outputs))

    def _joined(self, whole: Row, history: Row, dialect: str) -> Statement:
        nearest, furthest = min(near for near, _ in self._reach), max(far for _, far in self._reach)
        scanned = staged(Statement.of(history.filter(history.back.between(nearest, furthest)), dialect),
                         self._scan.defined)
        row = scanned.stand_in()
        over = Statement.of(row.group_by(**{"account over": row.account}).aggregate(
            **{name: build(row) for name, build in self._aggregates.values()}), dialect, {"layer below": scanned})
        looked = over.stand_in("layer over")
        return Statement.of(whole.left_join(looked, whole.account == looked["account over"]), dialect,
                            {"layer over": over})


class DayBefore(Values):
    """The columns of one day, `offset` days before the day decided."""

    def __init__(self, query: OneDay, offset: int) -> None:
        super().__init__(query.metrics, query.derived)
        self._query, self._offset = query, offset
        self._all = query.all
        self.used = query.fetched.setdefault(offset, set())

    def cell(self, row: Row, metric: str) -> Any:
        """A supplied metric as it was on this day."""
        return row[stored(metric, self._offset)]

    def today(self, row: Row) -> Any:
        """This day."""
        return row.day - self._offset if self._offset else row.day

    def _stored(self, metric: str) -> str:
        return stored(metric, self._offset)

    def _unbound(self, term: Name) -> Column:
        if not self.prepared:
            self.prepared = True
            self._query.prepare(self)
        return self._named[term.name]

    def _history(self, term: Call) -> Column:
        function, argument, window = FUNCTIONS[term.function], term.arguments[0], term.window
        source = self.source(argument)
        recording = Recording(argument.kind)
        function.columnar(recording, window)
        needs: list[Column] = [source]
        names: list[tuple[str, int]] = []       # the column, and how long before this day it stands (0: an aggregate)
        for index, asked in enumerate(recording.asked):
            if asked[0] == "ago":
                back = asked[1]
                assert isinstance(back, int)
                then = self._query.at(self._offset + back).source(argument)
                needs.append(then)
                names.append((then.name, back))
            else:
                names.append((self._query.aggregate(term, index, asked, self._offset), 0))
        before = self._patterns_before(term, argument)
        needs += [column for pair in before for column in pair]

        def build(row: Row) -> Any:
            columns = _Seen(row, self.today(row), names)
            answer = function.columnar(Ready(columns, row[source.name], self.rows(row), [name for name, _ in names]),
                                       window)
            for now, then in before:
                answer = (row[now.name] == row[then.name]).ifelse(answer, ibis.null())
            return answer

        return self.define("h", needs, build)

    def _patterns_before(self, term: Call, argument: Term) -> list[tuple[Column, Column]]:
        if not isinstance(argument, Name) or argument.role not in (NameRole.SCORE, NameRole.TIER) or (
                term.function not in POINT_TO_POINT or term.window is None):
            return []
        then = self._query.at(self._offset + term.window.count)
        return list(zip(self.patterns, then.patterns, strict=True))


class _Seen:
    """The columns of a row, where what lies before the account's first row is missing."""

    def __init__(self, row: Row, today: Any, names: list[tuple[str, int]]) -> None:
        self._row, self._today = row, today
        self._back = dict(names)

    def __getitem__(self, name: str) -> Any:
        back = self._back[name]
        value = self._row[name]
        return (self._today - back >= self._row.first_day).ifelse(value, ibis.null()) if back else value


def stored(metric: str, offset: int) -> str:
    """The column that holds a metric of the day `offset` days before."""
    return f"{metric} at {offset}" if offset else metric
