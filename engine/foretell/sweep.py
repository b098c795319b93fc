"""One number of a trigger, tried at several values over the same past: alerts against churn caught."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from math import floor

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.errors import Location, UsageError
from forestall.engine.foretell.churn import HORIZON, Judge, Record, Span
from forestall.engine.model.alert import TransitionKind
from forestall.engine.model.catalogue import Roles
from forestall.engine.model.expression import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Expression,
    Junction,
    Kind,
    Literal,
    Negation,
    Negative,
    Term,
    parts,
)
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.trigger import Existing, Trigger
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.simulate.comparison import Swept
from forestall.engine.simulate.replay import replay

OPTION = Location("--sweep")
MOST_VALUES = 50
_NUMBER = r"-?\d+(?:\.\d+)?"
_ASKED = re.compile(rf"(?P<trigger>[^:]+):(?:(?P<number>{_NUMBER})(?:#(?P<which>[1-9]\d*))?=)?"
                    rf"(?P<low>{_NUMBER})\.\.(?P<high>{_NUMBER})(?::(?P<step>\d+(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True)
class Sweep:
    """A number of one trigger's `when` and the values to try, that in force among them.

    `place` counts the numbers of the condition from left to right.
    """

    trigger: str
    place: int
    number: float
    values: tuple[float, ...]

    @property
    def called(self) -> str:
        """As people name it."""
        return f"{self.trigger}: the number {self.number:g}"


def read_sweep(asked: str, rulebook: Rulebook) -> Sweep:
    """What `--sweep TRIGGER:LOW..HIGH[:STEP]` means for these rules. UsageError with one sentence if that is not clear.

    `TRIGGER:NUMBER=LOW..HIGH` names the number where several could be meant, `NUMBER#2` the second of equal ones.
    """
    found = _ASKED.fullmatch(asked.strip())
    if found is None:
        raise _unclear(f"`{asked}` is not a trigger and a range.", "Write it as in `health_score_drop:10..30`, with a "
                       "step as in `health_score_drop:10..30:5`.")
    name = found["trigger"].strip()
    trigger = rulebook.triggers.get(name)
    if trigger is None:
        raise _unclear(f"there is no trigger {name}.", f"There are {', '.join(rulebook.triggers) or 'none'}.")
    low, high = float(found["low"]), float(found["high"])
    values = _values(low, high, float(found["step"]) if found["step"] else None)
    place, number = _meant(trigger, low, high, found["number"], found["which"])
    return Sweep(name, place, number, tuple(sorted({*values, number})))


def sweep(asked: Sweep, rulebook: Rulebook, history: History, begin: date, records: Mapping[str, Record], span: Span,
          *, csms: int, horizon: int = HORIZON, engine: Engine | None = None,
          progress: Progress = quiet) -> tuple[Swept, ...]:
    """Each value judged over the span. `begin`: the first day of the warm-up. `csms`: among how many alerts are shared.

    Every value is a trigger of its own in one set of rules without plays, so the history is read and scored once.
    Values are tested together, so `better_than_chance` is corrected for their number.
    """
    trigger = rulebook.triggers[asked.trigger]
    named = {f"{trigger.name} {value:g}": value for value in asked.values}
    existing = Existing.OPEN if begin < span.first else trigger.existing      # as the comparison has it
    tried = {name: replace(trigger, name=name, renamed_from=(), existing=existing,
                           when=with_number(trigger.when, asked.place, value))
             for name, value in named.items()}
    roles = Roles(since=rulebook.catalogue.roles.since)
    alone = replace(rulebook, catalogue=replace(rulebook.catalogue, roles=roles), triggers=tried, plays={}, begun={})
    openings: dict[str, list[tuple[date, str]]] = {name: [] for name in tried}
    for decided in replay(Evaluator(alone, engine), Directory({}, {}), history, begin, span.last, progress=progress):
        for one in decided.decisions.transitions:
            if one.kind is TransitionKind.OPENED and one.day >= span.first and one.alert.account in records:
                openings[one.alert.trigger].append((one.day, one.alert.account))
    weeks = ((span.last - span.first).days + 1) / 7
    judged = Judge(records, span, horizon).all(openings)
    return tuple(Swept(value, len(openings[name]) / max(csms, 1) / weeks, replace(caught, alert=trigger.name),
                       in_force=value == asked.number)
                 for (name, value), caught in zip(named.items(), judged, strict=True))


def numbers(term: Term) -> tuple[float, ...]:
    """The numbers that stand in a condition, from left to right; `-20` is one number. Windows are not among them."""
    return tuple(_numbers(term))


def _numbers(term: Term) -> Iterator[float]:
    value = _as_number(term)
    if value is not None:
        yield value
        return
    for part in _in_order(term):
        yield from _numbers(part)


def with_number(expression: Expression, place: int, value: float) -> Expression:
    """The condition with another number at this place. It is changed as it was checked, not in its text."""
    before = numbers(expression.term)[place]
    left = [place]

    def changed(term: Term) -> Term:
        if _as_number(term) is not None:
            left[0] -= 1
            return Literal(value, Kind.NUMBER) if left[0] == -1 else term
        return _rebuilt(term, [changed(part) for part in _in_order(term)])

    return Expression(f"{expression.text} with {value:g} for {before:g}", changed(expression.term), expression.location)


def _as_number(term: Term) -> float | None:
    if isinstance(term, Literal) and term.kind is Kind.NUMBER and isinstance(term.value, (int, float)):
        return float(term.value)
    if isinstance(term, Negative) and (value := _as_number(term.operand)) is not None:
        return -value
    return None


def _in_order(term: Term) -> tuple[Term, ...]:
    """The terms below, as people write them: `yes if condition else no`."""
    return (term.yes, term.condition, term.no) if isinstance(term, Choice) else parts(term)


def _rebuilt(term: Term, below: list[Term]) -> Term:
    match term:
        case Negative() | Negation():
            return replace(term, operand=below[0])
        case Arithmetic() | Comparison():
            return replace(term, left=below[0], right=below[1])
        case Junction():
            return replace(term, operands=tuple(below))
        case Choice():
            return replace(term, yes=below[0], condition=below[1], no=below[2])
        case Call():
            return replace(term, arguments=tuple(below))
        case _:
            return term


def _meant(trigger: Trigger, low: float, high: float, number: str | None, which: str | None) -> tuple[int, float]:
    """The place and the value of the number that is to be changed."""
    there = numbers(trigger.when.term)
    if not there:
        raise _unclear(f"the condition of {trigger.name} has no number: {_one_line(trigger.when)}.",
                       "`days=` and `weeks=` cannot be swept.")
    if number is None:
        places = [place for place, value in enumerate(there) if low <= value <= high]
    else:
        places = [place for place, value in enumerate(there) if value == float(number)]
        if which is not None:
            places = places[int(which) - 1:int(which)]
    if len(places) == 1:
        return places[0], there[places[0]]
    ways = ", ".join(f"`{trigger.name}:{way}={low:g}..{high:g}`" for way in _ways(there, places))
    what = f"`{_one_line(trigger.when)}`"
    if number is not None:
        raise _unclear(f"the number {number}{'#' + which if which else ''} is not once in {what}.", f"Write {ways}.")
    if not places:
        raise _unclear(f"no number between {low:g} and {high:g} is in {what}.", f"Name the one that you mean: {ways}.")
    raise _unclear(f"several numbers between {low:g} and {high:g} are in {what}.",
                   f"Name the one that you mean: {ways}.")


def _ways(there: tuple[float, ...], places: list[int]) -> Iterator[str]:
    """How each number that may be meant is named: with its turn where it stands there more than once."""
    for place in places or range(len(there)):
        same = [other for other, value in enumerate(there) if value == there[place]]
        yield f"{there[place]:g}" + (f"#{same.index(place) + 1}" if len(same) > 1 else "")


def _values(low: float, high: float, step: float | None) -> tuple[float, ...]:
    if low > high:
        raise _unclear(f"{low:g} is more than {high:g}.", "Name the lower end first.")
    if step is None:
        whole = low == int(low) and high == int(high)
        step = max(1.0, float(round((high - low) / 10))) if whole else (high - low) / 10
    if step <= 0 or (high - low) / step > MOST_VALUES - 1:
        raise _unclear(f"from {low:g} to {high:g} in steps of {step:g} is too much.",
                       f"At most {MOST_VALUES} values are tried; name a larger step.")
    return tuple(round(low + step * turn, 9) for turn in range(floor((high - low) / step + 1e-9) + 1))


def _one_line(expression: Expression) -> str:
    return " ".join(expression.text.split())


def _unclear(message: str, hint: str) -> UsageError:
    return UsageError.one(OPTION, "sweep", message, hint)
