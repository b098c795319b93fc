"""A checked expression of the rules: what `language` makes of a text and both evaluators read.

Terms compare by structure, so that an expression that occurs twice is recognised and computed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from forestall.engine.errors import Location


class Kind(StrEnum):
    """The four kinds of value that a rule can handle."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"
    DATE = "date"


class Truth(IntEnum):
    """Kleene's three values, numbered so that the minimum is `and` and the maximum is `or`."""

    FALSE = 0
    UNKNOWN = 1
    TRUE = 2


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text or a flag written in the rule."""

    value: float | str | bool
    kind: Kind


class NameRole(StrEnum):
    """What a name in an expression stands for."""

    METRIC = "metric"
    DERIVED = "derived"
    SIGNAL = "signal"
    SCORE = "score"
    TIER = "tier"


@dataclass(frozen=True, slots=True)
class Name:
    """A metric, a signal (its points, 0 to 100), the health score or the tier."""

    name: str
    kind: Kind
    role: NameRole


@dataclass(frozen=True, slots=True)
class Negative:
    """Unary minus."""

    operand: Term
    kind: Kind = Kind.NUMBER


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left operator right` with one of + - * /."""

    operator: str
    left: Term
    right: Term
    kind: Kind = Kind.NUMBER


@dataclass(frozen=True, slots=True)
class Comparison:
    """One link of a comparison; a chain becomes an `and` of links. Operators: < <= > >= == !=."""

    operator: str
    left: Term
    right: Term
    kind: Kind = Kind.FLAG


@dataclass(frozen=True, slots=True)
class Membership:
    """`operand in [options]`, or `not in` when `negated`."""

    operand: Term
    options: tuple[Literal, ...]
    negated: bool
    kind: Kind = Kind.FLAG


@dataclass(frozen=True, slots=True)
class Junction:
    """`and` or `or` over two or more conditions."""

    operator: str
    operands: tuple[Term, ...]
    kind: Kind = Kind.FLAG


@dataclass(frozen=True, slots=True)
class Negation:
    """`not` of a condition."""

    operand: Term
    kind: Kind = Kind.FLAG


@dataclass(frozen=True, slots=True)
class Choice:
    """`yes if condition else no`."""

    condition: Term
    yes: Term
    no: Term
    kind: Kind


@dataclass(frozen=True, slots=True)
class Window:
    """How far a history function looks: `count` days, or `count` looks one week apart."""

    count: int
    weekly: bool = False

    @property
    def back(self) -> int:
        """The length in days: `weeks=2` looks at today and 7 days ago."""
        return 7 * self.count if self.weekly else self.count


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `functions.py`; `window` only where it looks at other days."""

    function: str
    arguments: tuple[Term, ...]
    kind: Kind
    window: Window | None = None


Term = (
    Literal | Name | Negative | Arithmetic | Comparison | Membership | Junction | Negation | Choice | Call
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked text: what was written, its meaning and its place."""

    text: str
    term: Term
    location: Location

    @property
    def kind(self) -> Kind:
        """The kind of its value."""
        return self.term.kind


def parts(term: Term) -> tuple[Term, ...]:
    """The terms directly below `term`."""
    match term:
        case Negative(operand=operand) | Negation(operand=operand) | Membership(operand=operand):
            return (operand,)
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            return (left, right)
        case Junction(operands=operands):
            return operands
        case Choice(condition=condition, yes=yes, no=no):
            return (condition, yes, no)
        case Call(arguments=arguments):
            return arguments
        case _:
            return ()


def walk(term: Term) -> Iterator[Term]:
    """`term` and everything below it, outermost first."""
    yield term
    for part in parts(term):
        yield from walk(part)


def names(term: Term) -> tuple[Name, ...]:
    """The names that occur in `term`, each once, in order of appearance."""
    return tuple(dict.fromkeys(found for found in walk(term) if isinstance(found, Name)))
