"""Both sides day by day, in step. What they share is evaluated once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.intervene.day import Decided
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.model.alert import Alert
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import State
from forestall.engine.model.trigger import Existing
from forestall.engine.processes import undisturbed
from forestall.engine.score.changes import StandingDay
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import DayOfEvaluations
from forestall.engine.simulate.ledger import Ledger
from forestall.engine.simulate.replay import DAYS_AT_ONCE


@dataclass(frozen=True, slots=True)
class OneDay:
    """One day of one side: what it decided and what it saw. `alert_before`: an alert of an account as it was when the
    day began. `before`: all of the state then; only of the last day."""

    decided: Decided
    seen: DayOfEvaluations
    alert_before: Callable[[str, str], Alert | None]
    before: State | None = None


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
             progress: Progress = quiet, *, existing: Existing | None = Existing.OPEN) -> Iterator[BothDays]:
        """Every day from `first` through `last`, from nothing. `existing` says what becomes of accounts that match on
        the first day; None: what the rules say."""
        whole = (last - first).days + 1
        ours = _ledger(self.candidate, directory)
        theirs = _ledger(self.base, directory) if self.base else None
        for start in range(0, whole, DAYS_AT_ONCE):
            begin = first + timedelta(days=start)
            end = min(last, begin + timedelta(days=DAYS_AT_ONCE - 1))
            candidate = self.candidate.changes(history, begin, end, progress)
            base = self.base.changes(history, begin, end, progress) if self.base and not self.shared else candidate
            for number in range((end - begin).days + 1):
                day = begin + timedelta(days=number)
                with undisturbed():
                    seen = candidate.on(day)
                    mine = _day(self.candidate, ours, seen, existing if day == first else None, ending=day == last)
                    other: OneDay | None = None
                    if self.base and theirs:
                        shown = seen.under(self.base.conditions) if self.shared else base.on(day)
                        other = _day(self.base, theirs, shown, existing if day == first else None, ending=day == last)
                progress("replay", (day - first).days + 1, whole)
                yield BothDays(day, other, mine)


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


def _ledger(evaluator: Evaluator, directory: Directory) -> Ledger:
    return Ledger(evaluator.rulebook, evaluator.conditions, directory, State(), Circumstances(approve=True),
                  silences=False)


def _day(evaluator: Evaluator, ledger: Ledger, seen: StandingDay, existing: Existing | None, *,
         ending: bool) -> OneDay:
    """One side."""
    before = ledger.state() if ending else None
    decided = ledger.decide(seen, None if existing is None else evaluator.rulebook.with_existing(existing))
    return OneDay(decided, seen, ledger.alert_before, before)
