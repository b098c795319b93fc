"""All accounts on one day, without windows: what lies on other days is fetched from those days only.

A pass decides a single day. So a term is worked out for that day; what a point-to-point function wants of earlier days
(`drop(score, days=7)`: the score a week ago) is worked out in one reading of all these days, then laid beside the day
by account; what looks over many days is one aggregate per account. The meaning is that of `columnar.py`; a test holds
them against each other.

The history table has `account`, `day`, `first_day`, `named_day`, `back` (days before the day decided) and the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ibis

from forestall.engine.language.columnar import Columns, Ready, Recording, chosen
from forestall.engine.language.functions import FUNCTIONS, POINT_TO_POINT, Reach
from forestall.engine.language.statement import Statement
from forestall.engine.language.values import TYPES, Column, Row, Values, staged
from forestall.engine.model.expression import Call, Expression, Kind, Name, NameRole, Term, walk

Prepare = Callable[[Values], None]
SCORED = (NameRole.SIGNAL, NameRole.SCORE, NameRole.TIER)
SCORE = Name("score", Kind.NUMBER, NameRole.SCORE)


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
        self._earlier = Columns(metrics, derived)       # what is wanted of single days before
        self._points: dict[tuple[str, int], Point] = {}

    def at(self, offset: int) -> DayBefore:
        """The columns of the day so many days before."""
        if offset not in self._days:
            self._days[offset] = DayBefore(self, offset)
        return self._days[offset]

    def earlier(self, offset: int, argument: Term) -> Column:
        """The value of a term so many days before."""
        if isinstance(argument, Name) and argument.role is NameRole.METRIC:
            return self.at(offset).source(argument)
        if self._looks_back(argument):
            return self.at(offset).column(argument)
        return self._point(self._earlier.column(argument), offset)

    def patterns(self, offset: int) -> tuple[Column, ...]:
        """Which signals had data so many days before."""
        if self._looks_back(SCORE):
            day = self.at(offset)
            day.prepare()
            return day.patterns
        return tuple(self._point(column, offset) for column in self._earlier.patterns)

    def _point(self, column: Column, offset: int) -> Column:
        key = column.name, offset
        if key not in self._points:
            self._points[key] = Point(f"e{len(self._points)}_", column.name, offset)
        name = self._points[key].name
        return Column(name, 0, 0, lambda row: row[name])

    def _looks_back(self, term: Term) -> bool:
        """Whether a term looks at yet other days, itself or in what a name in it stands for."""
        for part in walk(term):
            if isinstance(part, Call) and FUNCTIONS[part.function].reach in (Reach.DAYS, Reach.DAYS_OR_WEEKS):
                return True
            if isinstance(part, Name) and part.role is NameRole.DERIVED and self._looks_back(
                    self.derived[part.name].term):
                return True
            if isinstance(part, Name) and part.role in SCORED and not self._scores_at_a_glance():
                return True
        return False

    def _scores_at_a_glance(self) -> bool:
        """Whether the scorecard looks at one day only; then it is bound for the days before."""
        if not self._earlier.prepared:
            self._earlier.prepared = True
            self.prepare(self._earlier)
        return not any(column.level for column in self._earlier.defined)

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
            if isinstance(part, Name) and part.role in SCORED:
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
        used = set[str]().union(*self.fetched.values(), self._scan.used, self._earlier.used)
        schema = fixed | {name: TYPES[kind] for name, kind in self.metrics.items() if name in used}
        history = ibis.table(schema, name="history")
        whole = history.filter(history.back == 0)
        for offset, names in sorted(self.fetched.items()):
            if offset and names:
                before = history.filter(history.back == offset).select(
                    **{f"account at {offset}": history.account},
                    **{stored(name, offset): history[name] for name in sorted(names)})
                whole = whole.left_join(before, whole.account == before[f"account at {offset}"])
        layers: dict[str, Statement] = {}
        if self._points:
            whole = _beside(whole, layers, "then", self._at_points(history, dialect))
        if self._aggregates:
            whole = _beside(whole, layers, "over", self._over_days(history, dialect))
        return staged(Statement.of(whole, dialect, layers), self.all).choosing(chosen(outputs))

    def _at_points(self, history: Row, dialect: str) -> Statement:
        """Per account what is wanted of single days before."""
        days = sorted({point.offset for point in self._points.values()})
        scanned = staged(Statement.of(history.filter(history.back.isin(days)), dialect), self._earlier.defined)
        row = scanned.stand_in()
        return Statement.of(row.group_by(**{"account then": row.account}).aggregate(
            **{point.name: point.fetched(row) for point in self._points.values()}), dialect, {"layer below": scanned})

    def _over_days(self, history: Row, dialect: str) -> Statement:
        """Per account every aggregate."""
        nearest, furthest = min(near for near, _ in self._reach), max(far for _, far in self._reach)
        scanned = staged(Statement.of(history.filter(history.back.between(nearest, furthest)), dialect),
                         self._scan.defined)
        row = scanned.stand_in()
        return Statement.of(row.group_by(**{"account over": row.account}).aggregate(
            **{name: build(row) for name, build in self._aggregates.values()}), dialect, {"layer below": scanned})


@dataclass(frozen=True, slots=True)
class Point:
    """A column that is wanted as it was `offset` days before, under a name of its own."""

    name: str
    column: str
    offset: int

    def fetched(self, row: Row) -> Any:
        """An aggregate over one row: every database has the largest, but not of flags."""
        value, then = row[self.column], row.back == self.offset
        if value.type().is_boolean():
            return value.cast("int32").max(where=then).cast("boolean")
        return value.max(where=then)


def _beside(whole: Row, layers: dict[str, Statement], word: str, found: Statement) -> Row:
    """The accounts with what was found of each."""
    layers[f"layer {word}"] = found
    looked = found.stand_in(f"layer {word}")
    return whole.left_join(looked, whole.account == looked[f"account {word}"])


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
        self.prepare()
        return self._named[term.name]

    def prepare(self) -> None:
        """Bind the signals, the score and the tier, once."""
        if not self.prepared:
            self.prepared = True
            self._query.prepare(self)

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
                then = self._query.earlier(self._offset + back, argument)
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
        return list(zip(self.patterns, self._query.patterns(self._offset + term.window.count), strict=True))


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
