"""All accounts at once: checked terms become columns of one query over the history, built with Ibis.

Every column has a level, the number of windows below it, and a rank within the level. All windows of one level stand in
one SELECT, and an expression that occurs twice (by structure) is a column of its own: written naively, nested history
functions multiply the text of the query. Ibis compiles; the engine's own client runs.

The history table has `account`, `day` (days since 1970, consecutive per account), `first_day`, and one column per
metric: number float64, text string, flag boolean, date int64 (days since 1970).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ibis

from forestall.engine.language.functions import FUNCTIONS, POINT_TO_POINT, TOLERANCE, Reach, slack
from forestall.engine.model.expression import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Expression,
    Junction,
    Kind,
    Literal,
    Membership,
    Name,
    NameRole,
    Negation,
    Negative,
    Term,
    parts,
    walk,
)

TYPES: Mapping[Kind, str] = {Kind.NUMBER: "float64", Kind.TEXT: "string", Kind.FLAG: "boolean", Kind.DATE: "int64"}
LARGEST = 1e15


def number(value: float) -> Any:
    """A 64-bit float that no engine reads as a decimal."""
    return ibis.literal(repr(float(value))).cast("float64")


def bounded(column: Any) -> Any:
    """The value where it is within ±1e15, else missing: NaN and infinities end here."""
    return (column.abs() <= number(LARGEST)).ifelse(column, ibis.null())


Row = Any            # an Ibis table; Ibis publishes no types
Build = Callable[["Row"], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column to be: its name, its place in the order of SELECTs, and how it is computed from the columns before."""

    name: str
    level: int
    rank: int
    build: Build


class _Recording:
    """Notes which windows a function asks for, on a stand-in column of the right type."""

    def __init__(self, kind: Kind) -> None:
        table = ibis.table({"x": TYPES[kind], "rows": "int64"}, name="stand_in")
        self.value, self.rows = table.x, table.rows
        self.asked: list[tuple[object, ...]] = []

    def ago(self, back: int) -> Any:
        self.asked.append(("ago", back))
        return self.value

    def over(self, aggregate: Any, first: int, last: int) -> Any:
        self.asked.append((aggregate.op(), first, last))
        return aggregate


class _Windows:
    """Builds the windows that a function asks for, one after the other."""

    def __init__(self, row: Row, column: str) -> None:
        self.value, self.rows = row[column], _rows(row)
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


class _Ready:
    """Hands out the windows that earlier SELECTs computed, in the order in which they were asked for."""

    def __init__(self, row: Row, column: str, windows: list[str]) -> None:
        self.value, self.rows = row[column], _rows(row)
        self._row, self._windows = row, iter(windows)

    def ago(self, back: int) -> Any:
        return self._row[next(self._windows)]

    def over(self, aggregate: Any, first: int, last: int) -> Any:
        return self._row[next(self._windows)]


def _rows(row: Row) -> Any:
    return row.day - row.first_day + 1


class Columns:
    """The columns of one query, defined in any order, each once."""

    def __init__(self, metrics: Mapping[str, Kind], derived: Mapping[str, Expression]) -> None:
        """`metrics` are the columns that the history has; `derived` the metrics computed from others."""
        self._metrics = dict(metrics)
        self._derived = dict(derived)
        self._by_term: dict[Term, Column] = {}
        self._named: dict[str, Column] = {}
        self._windows: dict[tuple[object, ...], Column] = {}
        self._all: list[Column] = []
        self._patterns: tuple[Column, ...] = ()
        self.used: set[str] = set()

    def metric(self, name: str, kind: Kind) -> Name:
        """The name of a metric, supplied or derived."""
        return Name(name, kind, NameRole.DERIVED if name in self._derived else NameRole.METRIC)

    # -- definitions -------------------------------------------------------------------------------------------------

    def share(self, terms: Iterable[Term]) -> None:
        """Say which terms will be asked for, so that those that occur more than once become columns."""
        counts = Counter(part for term in terms for part in walk(term))
        for term, count in reversed(list(counts.items())):      # inner terms first
            if count > 1 and not isinstance(term, (Literal, Name)) and not _constant(term):
                self.column(term)

    def column(self, term: Term) -> Column:
        """A column with the value of a term."""
        if isinstance(term, Name) and (known := self._name(term)) is not None:
            return known
        if term not in self._by_term:
            if isinstance(term, Call) and FUNCTIONS[term.function].reach in (Reach.DAYS, Reach.DAYS_OR_WEEKS):
                self._by_term[term] = self._history(term)
            else:
                level, rank = self.place(term)
                self._by_term[term] = self._add("c", level, rank, lambda row: self.value(row, term))
        return self._by_term[term]

    def define(self, prefix: str, needs: Iterable[Term | Column], build: Build) -> Column:
        """A column with a computation of its own over terms and other columns."""
        level, rank = _after(
            (need.level, need.rank) if isinstance(need, Column) else self.place(need) for need in needs)
        return self._add(prefix, level, rank, build)

    def bind(self, name: str, column: Column) -> None:
        """From now on the name (a signal, `score`, `tier`) stands for this column."""
        self._named[name] = column

    def bind_patterns(self, patterns: tuple[Column, ...]) -> None:
        """Which signals have data: where this differs between two days, `ago` of the bare score or tier is missing."""
        self._patterns = patterns

    def place(self, term: Term) -> tuple[int, int]:
        """Level and rank at which the value of a term can stand."""
        if isinstance(term, Literal):
            return 0, 0
        if isinstance(term, Name):
            column = self._name(term)
            return (column.level, column.rank) if column else (0, 0)
        if term in self._by_term:
            return self._by_term[term].level, self._by_term[term].rank
        if isinstance(term, Call) and FUNCTIONS[term.function].reach in (Reach.DAYS, Reach.DAYS_OR_WEEKS):
            column = self.column(term)
            return column.level, column.rank
        for part in _copied(term):
            if parts(part):
                self.column(part)
        level, rank = _after((self.place(part) for part in parts(term)), step=0)
        return level, rank + 1

    def _name(self, term: Name) -> Column | None:
        if term.name in self._named:
            return self._named[term.name]
        if term.role is NameRole.DERIVED:
            expression = self._derived[term.name]
            level, rank = self.place(expression.term)
            number_like = term.kind is Kind.NUMBER
            self._named[term.name] = self._add(
                "d", level, rank + 1,
                lambda row: bounded(self.value(row, expression.term)) if number_like
                else self.value(row, expression.term))
            return self._named[term.name]
        if term.role is NameRole.METRIC:
            self.used.add(term.name)
            return None
        raise KeyError(term.name)

    def _history(self, term: Call) -> Column:
        function, argument, window = FUNCTIONS[term.function], term.arguments[0], term.window
        source = self._source(argument)
        recording = _Recording(argument.kind)
        function.columnar(recording, window)
        names: list[str] = []
        for index, asked in enumerate(recording.asked):
            names.append(self._window(source, asked, index, lambda look: function.columnar(look, window)).name)
        guarded = isinstance(argument, Name) and argument.role in (NameRole.SCORE, NameRole.TIER) \
            and term.function in POINT_TO_POINT and window is not None
        before = [(pattern.name, self._lag(pattern, window.count).name) for pattern in self._patterns] \
            if guarded and window is not None else []

        def build(row: Row) -> Any:
            answer = function.columnar(_Ready(row, source.name, names), window)
            for now, then in before:
                answer = (row[now] == row[then]).ifelse(answer, ibis.null())
            return answer

        return self._add("h", source.level + 1, 1, build)

    def _source(self, argument: Term) -> Column:
        """The column that a window looks over: a metric of the history as it is, anything else computed before."""
        if isinstance(argument, Name) and argument.role is NameRole.METRIC:
            self.used.add(argument.name)
            return Column(argument.name, 0, 0, lambda row: row[argument.name])
        return self.column(argument)

    def _window(self, source: Column, asked: tuple[object, ...], index: int, ask: Callable[[Any], Any]) -> Column:
        key = (source.name, *asked)

        def build(row: Row) -> Any:
            windows = _Windows(row, source.name)
            ask(windows)
            return windows.built[index]

        if key not in self._windows:
            self._windows[key] = self._add("w", source.level + 1, 0, build)
        return self._windows[key]

    def _lag(self, source: Column, back: int) -> Column:
        return self._window(source, ("ago", back), 0, lambda look: look.ago(back))

    def _add(self, prefix: str, level: int, rank: int, build: Build) -> Column:
        column = Column(f"{prefix}{len(self._all)}_", level, rank, build)
        self._all.append(column)
        return column

    # -- values ------------------------------------------------------------------------------------------------------

    def value(self, row: Row, term: Term) -> Any:
        """The value of a term as an Ibis expression over the columns that `row` has."""
        if term in self._by_term and self._by_term[term].name in row.columns:
            return row[self._by_term[term].name]
        match term:
            case Literal(value=value, kind=kind):
                return number(float(value)) if kind is Kind.NUMBER else ibis.literal(value)
            case Name(name=name):
                return row[self._named[name].name] if name in self._named else row[name]
            case Negative(operand=operand):
                return -self.value(row, operand)
            case Negation(operand=operand):
                return ~self.value(row, operand)
            case Arithmetic(operator=operator, left=left, right=right):
                return _arithmetic(operator, self.value(row, left), self.value(row, right))
            case Comparison():
                return self._comparison(row, term)
            case Membership(operand=operand, options=options, negated=negated):
                found = [self._comparison(row, Comparison("==", operand, option)) for option in options]
                answer = found[0]
                for one in found[1:]:
                    answer = answer | one
                return ~answer if negated else answer
            case Junction(operator=operator, operands=operands):
                answer = self.value(row, operands[0])
                for operand in operands[1:]:
                    other = self.value(row, operand)
                    answer = (answer & other) if operator == "and" else (answer | other)
                return answer
            case Choice(condition=condition, yes=yes, no=no):
                test = self.value(row, condition)
                return ibis.cases((test, self.value(row, yes)), (~test, self.value(row, no)))
            case Call():
                return self._call(row, term)

    def _call(self, row: Row, term: Call) -> Any:
        function = FUNCTIONS[term.function]
        if function.reach is Reach.TODAY:
            return function.columnar(row.day, *(self.value(row, argument) for argument in term.arguments))
        if function.reach is Reach.ROWS and term.window is not None:
            return _rows(row) >= term.window.count
        return row[self._by_term[term].name]

    def _comparison(self, row: Row, term: Comparison) -> Any:
        left, right = self.value(row, term.left), self.value(row, term.right)
        if term.left.kind is not Kind.NUMBER:
            return _exact(term.operator, left, right)
        for side in (term.right, term.left):
            if isinstance(side, Literal):
                return _near(term.operator, left - right, number(slack(float(side.value))))
        one = number(1.0)
        size = ibis.greatest(left.abs(), right.abs(), one)
        return _near(term.operator, left - right, size * number(TOLERANCE))

    # -- the query ---------------------------------------------------------------------------------------------------

    def table(self, outputs: Mapping[str, Column]) -> Any:
        """The whole query: every column in its SELECT, then the columns that are wanted."""
        ibis.options.sql.fuse_selects = False
        schema = {"account": "string", "day": "int64", "first_day": "int64", "named_day": "int64"}
        schema |= {name: TYPES[kind] for name, kind in self._metrics.items() if name in self.used}
        table = ibis.table(schema, name="history")
        stages = sorted({(column.level, column.rank) for column in self._all})
        for stage in stages:
            row = table
            table = row.mutate(**{
                column.name: column.build(row) for column in self._all if (column.level, column.rank) == stage})
        chosen = {name: table[column.name] for name, column in outputs.items()}
        return table.select("account", "day", "first_day", "named_day", **chosen)


def _constant(term: Term) -> bool:
    return not any(isinstance(part, Name) for part in walk(term))


def _copied(term: Term) -> tuple[Term, ...]:
    """The operands that stand more than once in the query: without columns of their own, nesting multiplies them.

    Columns of their own also keep a `not` out of the way of IS NULL, where Ibis leaves out the brackets.
    """
    match term:
        case Arithmetic(operator="/", right=right):
            return (right,)
        case Comparison(left=left, right=right) if not isinstance(left, Literal) and not isinstance(right, Literal):
            return left, right
        case Membership(operand=operand):
            return (operand,)
        case Choice(condition=condition):
            return (condition,)
        case Call(arguments=arguments, window=None):
            return arguments
        case _:
            return ()


def _after(places: Iterable[tuple[int, int]], step: int = 1) -> tuple[int, int]:
    """The first place behind all of these."""
    level, rank = max(places, default=(0, 0))
    return level, rank + step


def _arithmetic(operator: str, left: Any, right: Any) -> Any:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    # The guard is the divisor itself: a CASE around the division may still raise on some engines.
    return left / (right.abs() > number(TOLERANCE)).ifelse(right, ibis.null())


def _exact(operator: str, left: Any, right: Any) -> Any:
    return {"==": left.__eq__, "!=": left.__ne__, "<": left.__lt__, "<=": left.__le__, ">": left.__gt__,
            ">=": left.__ge__}[operator](right)


def _near(operator: str, difference: Any, room: Any) -> Any:
    """Compare through the difference: two numbers within `room` are equal."""
    match operator:
        case "==":
            return difference.abs() <= room
        case "!=":
            return ~(difference.abs() <= room)
        case ">=":
            return difference >= -room
        case "<=":
            return difference <= room
        case ">":
            return difference > room
        case _:
            return difference < -room
