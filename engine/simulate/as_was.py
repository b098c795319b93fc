"""A past day decided again from the decision log: by its rules, its state and what had arrived. And what differs, why.

Nothing here reads the rules, settings or state of today; only the people and addresses that messages go to are those
of now, and the log tells when they have changed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import TypeVar

from forestall.engine.detect.as_it_was import Corrected
from forestall.engine.detect.history import History
from forestall.engine.intervene.accounts import steps_under_way
from forestall.engine.intervene.day import Decided, decide_day, to_tell
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.model.alert import Alert, Transition
from forestall.engine.model.decision_log import DayRead, Logged
from forestall.engine.model.delivery import Delivery, PlayRun
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import State
from forestall.engine.rulebook.begun import going_on
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.look_back import look_back
from forestall.engine.score.telling import Remembered


class Cause(StrEnum):
    """What can make a day come out otherwise."""

    ENGINE = "engine"            # another version of Forestall
    HISTORY = "history"          # the facts of that day are not those that were read
    SETTINGS = "settings"        # forestall.yaml says something else
    RULES = "rules"              # the rules in the log are not those that the pass had
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that is not as it was then, in a sentence."""

    cause: Cause
    sentence: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that comes out otherwise. `likely` are its causes, the likeliest first; "" says that there was none."""

    what: str                   # alert, tier, play, delivery, silence, accounts
    account: str
    name: str
    then: str
    now: str
    likely: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Again:
    """One pass of the day: as it was, and decided again."""

    logged: Logged
    version: str
    commit: str
    read: DayRead
    tiers: Mapping[str, int]
    differences: tuple[Difference, ...]
    reasons: tuple[Reason, ...]
    arrived_since: int
    corrected: tuple[Corrected, ...]

    @property
    def same(self) -> bool:
        """Whether the day comes out as it was decided then."""
        return not self.differences


def reach(evaluator: Evaluator) -> int:
    """How many days before a day its evaluation looks at."""
    terms = [expression.term for expression in evaluator.conditions.expressions]
    return look_back(evaluator.rulebook, terms)


def with_steps(evaluator: Evaluator, state: State) -> Evaluator:
    """An evaluator that also knows the steps on which plays ran then, though the rules of that day said others."""
    rulebook = going_on(evaluator.rulebook, steps_under_way(state), state.begun)
    return evaluator if rulebook is evaluator.rulebook else evaluator.following(rulebook)


def decide_again(logged: Logged, evaluator: Evaluator, directory: Directory, history: History) -> Decided:
    """What the pass decides, from what it went by."""
    evaluations = evaluator.told(history, logged.day, to_tell(evaluator.rulebook, logged.before, logged.day)
                                 if evaluator.engine.far else Remembered())
    known = Circumstances(moment=logged.basis.moment, supply=logged.basis.supply)
    return decide_day(evaluator.rulebook, evaluator.conditions, directory, logged.before, evaluations, known)


def reasons(logged: Logged, rulebook: Rulebook, version: str, settings: Mapping[str, str], read: DayRead,
            generation: int) -> Iterator[Reason]:
    """What is not as it was then. `settings`, `read` and `generation` are those of now."""
    basis = logged.basis
    if version != basis.version:
        yield Reason(Cause.ENGINE, f"Forestall {basis.version} decided then, and this is {version}.")
    if rulebook.digest != logged.decided.digest:
        yield Reason(Cause.RULES, "the rules in the decision log do not have the digest that the pass wrote down.")
    if generation < basis.generation:
        yield Reason(Cause.HISTORY, "the history was deleted since then, or brought in again from the beginning.")
    elif read.accounts != basis.read.accounts:
        yield Reason(Cause.HISTORY, f"the history of {logged.day} was rewritten: {basis.read.accounts:,} accounts had "
                     f"a row then, and {read.accounts:,} have one now.")
    elif read != basis.read:
        yield Reason(Cause.HISTORY, f"the history of {logged.day} was rewritten: its rows are not those that were "
                     "read then.")
    changed = [name.replace("_", " ") for name, said in basis.settings.items() if settings.get(name) != said]
    if changed:
        yield Reason(Cause.SETTINGS, f"forestall.yaml has changed since then: {', '.join(changed)}.")


def differences(logged: Logged, now: Decided, found: Iterable[Reason], account: str = "") -> Iterator[Difference]:
    """Everything that comes out otherwise than it was written down; with `account` only what concerns it."""
    causes = {one.cause for one in found}
    for what, who, name, then, again in _compared(logged, now):
        if then != again and (not account or who == account):
            yield Difference(what, who, name, then, again, _likely(what, then, again, causes))


def _likely(what: str, then: str, now: str, causes: set[Cause]) -> tuple[Cause, ...]:
    order = [Cause.HISTORY, Cause.ENGINE, Cause.RULES]
    if what in ("delivery", "play", "silence"):      # whether somebody can be reached is a matter of forestall.yaml
        order.insert(0 if then and now else 3, Cause.SETTINGS)
    return tuple(one for one in order if one in causes) or (Cause.UNEXPLAINED,)


_Compared = tuple[str, str, str, str, str]
_Noun = TypeVar("_Noun", Alert, PlayRun, Delivery)
_NAMES = frozenset({"key", "account", "trigger", "play", "group", "occurrence", "day"})
_ADDRESSES = frozenset({"recipient", "sender", "sender_address"})


def _compared(logged: Logged, now: Decided) -> Iterator[_Compared]:
    then, again = logged.decided, now.decisions
    for tier in sorted(logged.basis.tiers.keys() | now.tiers.keys()):
        yield "accounts", "", tier or "unscored", str(logged.basis.tiers.get(tier, 0)), str(now.tiers.get(tier, 0))
    yield from _of_each("alert", {_of_transition(one): one.alert for one in then.transitions},
                        {_of_transition(one): one.alert for one in again.transitions})
    yield from _of_each("alert", {(one.account, one.trigger): one for one in then.alerts},
                        {(one.account, one.trigger): one for one in again.alerts})
    for account in sorted(then.tiers.keys() | again.tiers.keys()):
        yield "tier", account, "", then.tiers.get(account, "as before"), again.tiers.get(account, "as before")
    yield from _of_each("play", {_of_run(one): one for one in then.runs}, {_of_run(one): one for one in again.runs})
    yield from _of_each("delivery", {_of_delivery(one): one for one in then.deliveries},
                        {_of_delivery(one): one for one in again.deliveries if one.key not in logged.repeated})
    silent = Counter(one.reason.value for one in again.silences)
    for reason in sorted(logged.silences.keys() | silent.keys()):
        yield "silence", "", reason, str(logged.silences.get(reason, 0)), str(silent[reason])


def _of_transition(one: Transition) -> tuple[str, str]:
    return one.alert.account, f"{one.alert.trigger} {one.kind.value}"


def _of_run(run: PlayRun) -> tuple[str, str]:
    return run.account, f"{run.play} ({run.group}, {run.occurrence})"


def _of_delivery(one: Delivery) -> tuple[str, str]:
    return one.account, f"{one.play} {one.step}, {one.kind.value} {one.key[:8]}"


def _of_each(what: str, then: Mapping[tuple[str, str], _Noun], now: Mapping[tuple[str, str], _Noun],
             ) -> Iterator[_Compared]:
    for who, name in sorted({*then, *now}):
        one, other = then.get((who, name)), now.get((who, name))
        if one is None or other is None:
            yield what, who, name, "" if one is None else "there", "" if other is None else "there"
            continue
        changed = [field.name for field in fields(one) if field.name not in _NAMES
                   and getattr(one, field.name) != getattr(other, field.name)]
        yield what, who, name, _values(one, changed), _values(other, changed)


def _values(one: _Noun, names: Iterable[str]) -> str:
    """The fields that differ. Of an address only where it ends is shown."""
    said = {name: getattr(one, name) for name in names}
    return ", ".join(f"{name.replace('_', ' ')}: {_hidden(str(value)) if name in _ADDRESSES else value}"
                     for name, value in said.items() if value is not None) or ("none" if said else "")


def _hidden(said: str) -> str:
    mark = hashlib.sha256(said.encode()).hexdigest()[:4]      # two that end alike are still told apart
    return f"…{said[said.rfind('@'):] if '@' in said[1:] else ''} ({mark})"


def first_day(day: date, back: int) -> date:
    """The first day that an evaluation of `day` looks at."""
    return date.fromordinal(max(1, day.toordinal() - back))
