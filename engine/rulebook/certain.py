"""Conditions whose answer is certain before any account is looked at: never true, or never false.

Only what is certain is said: bounds of the score and of signals, comparisons of one value with written numbers and
texts, and what `and`, `or` and `not` make of them. A missing value answers nothing, so it is left aside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from forestall.engine.model.expression import (
    Call,
    Comparison,
    Junction,
    Kind,
    Literal,
    Membership,
    Name,
    NameRole,
    Negation,
    Negative,
    Term,
)

_OPPOSITE = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_WITHIN = frozenset({"ago", "average", "minimum", "maximum", "usual"})
_HUNDRED = frozenset({NameRole.SCORE, NameRole.SIGNAL})

Texts = Mapping[str, tuple[str, ...]]      # the texts that a name can have, where they are known


def never_true(term: Term, texts: Texts) -> str:
    """Why the condition can never be true, as the end of a sentence; "" when it may be."""
    match term:
        case Literal(value=bool(value)):
            return "" if value else "it is written as false"
        case Negation(operand=operand):
            return never_true(_denied(operand), texts) if _can_deny(operand) else ""
        case Junction(operator="or", operands=operands):
            reasons = [never_true(one, texts) for one in operands]
            return "; ".join(reasons) if all(reasons) else ""
        case Junction(operands=operands):
            return next((reason for one in operands if (reason := never_true(one, texts))), "") \
                or _at_odds(list(_joined(term)), texts)
        case Comparison() | Membership():
            return _at_odds([term], texts)
        case _:
            return ""


def never_false(term: Term, texts: Texts) -> bool:
    """Whether the condition is true for every account of which the facts are known."""
    return _can_deny(term) and bool(never_true(_denied(term), texts))


def _can_deny(term: Term) -> bool:
    match term:
        case Literal(value=bool()) | Comparison() | Membership():
            return True
        case Negation(operand=operand):
            return _can_deny(operand)
        case Junction(operands=operands):
            return all(_can_deny(one) for one in operands)
        case _:
            return False


def _denied(term: Term) -> Term:
    """What is true where `term` is false."""
    match term:
        case Literal(value=bool(value)):
            return Literal(not value, Kind.FLAG)
        case Comparison(operator=operator):
            return replace(term, operator=_OPPOSITE[operator])
        case Membership(negated=negated):
            return replace(term, negated=not negated)
        case Negation(operand=operand):
            return operand
        case Junction(operator=operator, operands=operands):
            return Junction("or" if operator == "and" else "and", tuple(_denied(one) for one in operands))
        case _:
            raise AssertionError("asked for before")


def _joined(term: Term) -> Iterator[Term]:
    if isinstance(term, Junction) and term.operator == "and":
        for one in term.operands:
            yield from _joined(one)
    else:
        yield term


@dataclass(slots=True)
class _Left:
    """What the comparisons leave of one value: the numbers between two ends, or some texts."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False
    texts: set[str] | None = None       # None: any
    not_texts: set[str] = field(default_factory=set)
    not_numbers: set[float] = field(default_factory=set)

    @property
    def empty(self) -> bool:
        if self.texts is not None and not self.texts - self.not_texts:
            return True
        if self.low > self.high or (self.low == self.high and (self.open_low or self.open_high)):
            return True
        return self.low == self.high and self.low in self.not_numbers


def _at_odds(terms: list[Term], texts: Texts) -> str:
    """Why these cannot be true at once: for one of their values nothing is left."""
    left: dict[Term, _Left] = {}
    for term in terms:
        for value, operator, options in _said(term):
            low, high = _bounds(value)
            known = texts.get(value.name) if isinstance(value, Name) else None
            one = left.setdefault(value, _Left(low, high, texts=set(known) if known else None))
            _narrow(one, operator, options)
            if one.empty:
                return _reason(value, term, len(terms))
    return ""


def _reason(value: Term, term: Term, count: int) -> str:
    low, high = _bounds(value)
    if count == 1 and not math.isinf(low):
        return f"`{told(value)}` lies between {low:g} and {high:g}"
    return f"`{told(value)}` can never be all of that at once" if count > 1 else f"`{told(value)}` can never be that"


def _said(term: Term) -> Iterator[tuple[Term, str, tuple[Literal, ...]]]:
    """A value, how it is compared, and with what."""
    match term:
        case Comparison(operator=operator, left=left, right=Literal() as right) if not isinstance(left, Literal):
            yield left, operator, (right,)
        case Comparison(operator=operator, left=Literal() as left, right=right) if not isinstance(right, Literal):
            yield right, _MIRRORED[operator], (left,)
        case Membership(operand=operand, options=options, negated=negated):
            yield operand, "not in" if negated else "in", options


def _narrow(left: _Left, operator: str, options: tuple[Literal, ...]) -> None:
    if isinstance(options[0].value, bool):
        return
    written = {option.value for option in options if isinstance(option.value, str)}
    if written:
        if operator in ("==", "in"):
            left.texts = written if left.texts is None else left.texts & written
        elif operator in ("!=", "not in"):
            left.not_texts |= written
        return
    numbers = [float(option.value) for option in options if not isinstance(option.value, str)]
    match operator:
        case "==" | "in":
            _above(left, min(numbers), False)
            _below(left, max(numbers), False)
        case "!=" | "not in":
            left.not_numbers |= set(numbers)
        case ">" | ">=":
            _above(left, numbers[0], operator == ">")
        case "<" | "<=":
            _below(left, numbers[0], operator == "<")


def _above(left: _Left, end: float, is_open: bool) -> None:
    if end > left.low or (end == left.low and is_open):
        left.low, left.open_low = end, is_open


def _below(left: _Left, end: float, is_open: bool) -> None:
    if end < left.high or (end == left.high and is_open):
        left.high, left.open_high = end, is_open


def _bounds(term: Term) -> tuple[float, float]:
    """Between which numbers it always lies."""
    match term:
        case Literal(value=float(value)):
            return value, value
        case Name(role=role) if role in _HUNDRED:
            return 0.0, 100.0
        case Negative(operand=operand):
            low, high = _bounds(operand)
            return -high, -low
        case Call(function=function, arguments=(inner, *_)) if function in _WITHIN:
            return _bounds(inner)
        case Call(function="drop" | "rise", arguments=(inner, *_)):
            low, high = _bounds(inner)
            return low - high, high - low
        case _:
            return -math.inf, math.inf


def told(term: Term) -> str:
    """The term as people write it, in short."""
    match term:
        case Name(name=name):
            return name
        case Literal(value=value):
            return f"{value:g}" if isinstance(value, float) else f'"{value}"'
        case Call(function=function, arguments=arguments, window=window):
            inside = [told(one) for one in arguments]
            if window is not None:
                inside.append(f"{'weeks' if window.weekly else 'days'}={window.count}")
            return f"{function}({', '.join(inside)})"
        case _:
            return "this"
