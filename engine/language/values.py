"""Checked terms to columns: what one row says of a term, and which columns that takes. Built with Ibis.

A column has a level, the number of windows below it, and a rank within the level. An expression that occurs twice (by
structure) is a column of its own. How a history function reaches other days is left to the two that know:
`columnar.py` (every day, by windows) and `latest.py` (one day, without).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import ibis

from forestall.engine.language.functions import FUNCTIONS, TOLERANCE, Reach, slack
from forestall.engine.language.statement import Statement
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
LAST = (10**6, 0)      # behind every other level


@cache
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


class Values(ABC):
    """The columns of one query, defined in any order, each once."""

    def __init__(self, metrics: Mapping[str, Kind], derived: Mapping[str, Expression]) -> None:
        """`metrics` are the columns that the history has; `derived` the metrics computed from others."""
        self._metrics = dict(metrics)
        self._derived = dict(derived)
        self._by_term: dict[Term, Column] = {}
        self._named: dict[str, Column] = {}
        self._all: list[Column] = []
        self.patterns: tuple[Column, ...] = ()
        self.used: set[str] = set()
        self.prepared = False       # whether signals, score and tier are bound

    def metric(self, name: str, kind: Kind) -> Name:
        """The name of a metric, supplied or derived."""
        return Name(name, kind, NameRole.DERIVED if name in self._derived else NameRole.METRIC)

    @property
    def defined(self) -> tuple[Column, ...]:
        """Every column so far."""
        return tuple(self._all)

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

    def define_last(self, prefix: str, term: Term) -> Column:
        """A column with the value of a term that stands behind all others, for what is made of it at the very end."""
        self.place(term)
        return self._add(prefix, *LAST, lambda row: self.value(row, term))

    def bind(self, name: str, column: Column) -> None:
        """From now on the name (a signal, `score`, `tier`) stands for this column."""
        self._named[name] = column

    def bind_patterns(self, patterns: tuple[Column, ...]) -> None:
        """Which signals have data: where this differs between two days, `ago` of the bare score or tier is missing."""
        self.patterns = patterns

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
        return self._unbound(term)

    def _unbound(self, term: Name) -> Column:
        """The column of a signal, the score or the tier that nobody has bound."""
        raise KeyError(term.name)

    # -- what depends on how the query reaches other days ------------------------------------------------------------

    @abstractmethod
    def _history(self, term: Call) -> Column:
        """The column of a history function."""

    def cell(self, row: Row, metric: str) -> Any:
        """A supplied metric in a row."""
        return row[metric]

    def today(self, row: Row) -> Any:
        """The day that a row is about, in days since 1970."""
        return row.day

    def rows(self, row: Row) -> Any:
        """How many rows the account has up to that day."""
        return self.today(row) - row.first_day + 1


    def source(self, argument: Term) -> Column:
        """The column that a history function looks at: a metric as it is stored, anything else computed before."""
        if isinstance(argument, Name) and argument.role is NameRole.METRIC:
            self.used.add(argument.name)
            return Column(self._stored(argument.name), 0, 0, lambda row: self.cell(row, argument.name))
        return self.column(argument)

    def _stored(self, metric: str) -> str:
        """The name of the column that holds a supplied metric."""
        return metric

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
                return row[self._named[name].name] if name in self._named else self.cell(row, name)
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
            return function.columnar(self.today(row), *(self.value(row, argument) for argument in term.arguments))
        if function.reach is Reach.ROWS and term.window is not None:
            return self.rows(row) >= term.window.count
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


def staged(below: Statement, columns: Iterable[Column]) -> Statement:
    """The query with these columns, all of one level and rank in one SELECT."""
    stages: dict[tuple[int, int], list[Column]] = {}
    for column in columns:
        stages.setdefault((column.level, column.rank), []).append(column)
    for _, stage in sorted(stages.items()):
        below = below.adding(partial(_built, stage))
    return below


def _built(columns: Iterable[Column], row: Row) -> dict[str, Any]:
    return {column.name: column.build(row) for column in columns}
