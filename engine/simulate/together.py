"""Both sides day by day, in step. What they share is evaluated once."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.trigger import Existing
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.simulate.aside import Aside, Going, Here
from forestall.engine.simulate.course import Course, Ended, OneDay, Opening, Told
from forestall.engine.simulate.replay import days_at_once

APART = 500_000      # account-days from which a second process is worth its beginning, which takes a second or two


@dataclass(frozen=True, slots=True)
class Opened:
    """What opened on one day on both sides; `base` is empty where there is nothing to compare with."""

    day: date
    base: frozenset[Opening]
    candidate: frozenset[Opening]


class Evaluators:
    """What evaluates both sets of rules. `shared`: they score alike, so that one query answers for both."""

    def __init__(self, base: Rulebook | None, candidate: Rulebook, engine: Engine) -> None:
        self.shared = base is not None and same_facts(base, candidate)
        conditions = Conditions.of(candidate)
        self.base = None if base is None else Evaluator(base, engine)
        if base is not None and self.shared:
            both, own = _united(conditions, Conditions.of(base))
            conditions, self.base = both, Evaluator(base, engine, conditions=own)
        self.candidate = Evaluator(candidate, engine, conditions=conditions)


class Together:
    """Both sides on their way. The candidate goes in a process of its own where `apart`."""

    def __init__(self, evaluators: Evaluators, base: Course | None, candidate: Going, accounts: int) -> None:
        self._evaluators, self._candidate, self._at_once = evaluators, candidate, days_at_once(accounts)
        self._base = Here(base) if base else None

    def days(self, history: History, first: date, last: date, progress: Progress = quiet, *,
             existing: Existing | None = Existing.OPEN) -> Iterator[Opened]:
        """Every day from `first` through `last`, from nothing. `existing` says what becomes of accounts that match on
        the first day; None: what the rules say."""
        whole = (last - first).days + 1
        for start in range(0, whole, self._at_once):
            begin = first + timedelta(days=start)
            count = min(self._at_once, whole - start)
            self._begin(history, begin, begin + timedelta(days=count - 1), progress)
            for number in range(count):
                day = begin + timedelta(days=number)
                how = existing if day == first else None
                theirs = self._candidate.decide(day, how, ending=day == last)
                mine = self._base.decide(day, how, ending=day == last)() if self._base else frozenset()
                opened = Opened(day, mine, theirs())
                progress("replay", (day - first).days + 1, whole)
                yield opened

    def tell(self, openings: Collection[Opening]) -> tuple[Mapping[Opening, Told], Mapping[Opening, Told]]:
        """What base and candidate have of these openings, on the day that was decided last."""
        theirs = self._candidate.tell(openings)
        return self._base.tell(openings)() if self._base else {}, theirs()

    def ended(self) -> tuple[Ended | None, Ended]:
        """What is left of base and candidate when all days are through."""
        theirs = self._candidate.ended()
        return self._base.course.ended() if self._base else None, theirs()

    @property
    def last(self) -> OneDay | None:
        """The last day of the base."""
        return self._base.course.last if self._base else None

    def _begin(self, history: History, first: date, last: date, progress: Progress) -> None:
        """What both decide from, one after the other: to evaluate takes every core, and much memory for a while."""
        evaluators, base = self._evaluators, self._base
        changes = evaluators.candidate.changes(history, first, last, progress)
        self._candidate.begin(changes)
        if base and evaluators.base:
            if not evaluators.shared:
                del changes
                changes = evaluators.base.changes(history, first, last, progress)
            base.begin(changes)


@contextmanager
def together(evaluators: Evaluators, base: Course | None, candidate: Course, accounts: int, *,
             apart: bool) -> Iterator[Together]:
    """Both sides, ready to go, for about so many accounts; `apart`: each in a process of its own, which ends with the
    block."""
    if not apart:
        yield Together(evaluators, base, Here(candidate), accounts)
        return
    aside, through = Aside(candidate), False
    try:
        yield Together(evaluators, base, aside, accounts)
        through = True
    finally:
        aside.close(wait=through)      # its memory is needed again; whoever breaks off does not wait for it


def worth_a_process(account_days: int) -> bool:
    """Whether so much is to be decided that a second process pays."""
    return account_days >= APART and (os.cpu_count() or 1) >= 2


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
