"""Both sides day by day, in step. What they share is evaluated once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import repeat

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.intervene.day import Decided
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import State
from forestall.engine.model.trigger import Existing
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import DayOfEvaluations, Evaluations
from forestall.engine.simulate.replay import DAYS_AT_ONCE, fold


@dataclass(frozen=True, slots=True)
class OneDay:
    """One day of one side: what it decided, from which state, and what it saw."""

    decided: Decided
    before: State
    seen: DayOfEvaluations


@dataclass(frozen=True, slots=True)
class BothDays:
    """The same day on both sides; `base` None: there is nothing to compare with."""

    day: date
    base: OneDay | None
    candidate: OneDay


class Together:
    """Both sets of rules over one past."""

    def __init__(self, base: Rulebook | None, candidate: Rulebook, engine: Engine) -> None:
        self.shared = base is not None and same_facts(base, candidate)
        conditions = Conditions.of(candidate)
        self.base = None if base is None else Evaluator(base, engine)
        if base is not None and self.shared:
            both, own = _united(conditions, Conditions.of(base))
            conditions, self.base = both, Evaluator(base, engine, conditions=own)
        self.candidate = Evaluator(candidate, engine, conditions=conditions)

    def days(self, directory: Directory, history: History, first: date, last: date,
             progress: Progress = quiet) -> Iterator[BothDays]:
        """Every day from `first` through `last`, from nothing. What matches on the first day counts as opened then."""
        whole = (last - first).days + 1
        states: list[State] = [State(), State()]
        for start in range(0, whole, DAYS_AT_ONCE):
            begin = first + timedelta(days=start)
            end = min(last, begin + timedelta(days=DAYS_AT_ONCE - 1))
            candidate = _Once(self.candidate.changes(history, begin, end, progress))
            ours = _days(self.candidate, directory, candidate, begin, end, states[1])
            if self.base is None:
                theirs: Iterator[tuple[OneDay | None, State]] = repeat((None, State()))
            else:
                base = _Once(candidate if self.shared else self.base.changes(history, begin, end, progress),
                             self.base.conditions)
                theirs = _days(self.base, directory, base, begin, end, states[0])
            for (one, after), (other, then) in zip(ours, theirs, strict=False):
                states = [then, after]
                day = one.seen.day
                progress("replay", (day - first).days + 1, whole)
                yield BothDays(day, other, one)


def same_facts(one: Rulebook, other: Rulebook) -> bool:
    """Whether both score alike on the same metrics, so that a condition means the same to both."""
    def by_hand(rulebook: Rulebook) -> list[tuple[object, ...]]:
        return [(said.account, said.metric, said.value, said.since, said.until) for said in rulebook.catalogue.by_hand]

    return (one.scoring_digest == other.scoring_digest and by_hand(one) == by_hand(other)
            and one.gone_after == other.gone_after)


def _united(one: Conditions, other: Conditions) -> tuple[Conditions, Conditions]:
    """The conditions of both, each term once: as the first side numbers them, and as the second one does."""
    expressions = list(one.expressions)
    places = {expression.term: number for number, expression in reversed(list(enumerate(expressions)))}
    index = {}
    for key, number in other.index.items():
        expression = other.expressions[number]
        if expression.term not in places:
            places[expression.term] = len(expressions)
            expressions.append(expression)
        index[key] = places[expression.term]
    return Conditions(tuple(expressions), one.index), Conditions(tuple(expressions), index)


def _days(evaluator: Evaluator, directory: Directory, evaluations: _Once, first: date, last: date,
          state: State) -> Iterator[tuple[OneDay, State]]:
    """One side. On the very first day what matches already counts as opened, whatever the rules say of it."""
    if state.previous_pass is None:
        opening = Evaluator(evaluator.rulebook.with_existing(Existing.OPEN), evaluator.engine,
                            conditions=evaluator.conditions)
        for decided, after in fold(opening, directory, evaluations, first, first, state):
            yield OneDay(decided, state, evaluations.on(first)), after
            state = after
        first += timedelta(days=1)
    for decided, after in fold(evaluator, directory, evaluations, first, last, state):
        yield OneDay(decided, state, evaluations.on(decided.decisions.day)), after
        state = after


class _Once:
    """Evaluations of which a day is made once, however often it is looked at; under other conditions if asked for."""

    def __init__(self, evaluations: Evaluations, conditions: Conditions | None = None) -> None:
        self._evaluations, self._conditions = evaluations, conditions
        self._last: DayOfEvaluations | None = None

    def on(self, day: date) -> DayOfEvaluations:
        """The rows of one day."""
        if self._last is None or self._last.day != day:
            found = self._evaluations.on(day)
            self._last = found if self._conditions is None else found.under(self._conditions)
        return self._last
