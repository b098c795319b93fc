"""Which openings of base and candidate are the same, and what becomes of the others."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from forestall.engine.alert.lifecycle import severity_rank
from forestall.engine.model.alert import Alert, TransitionKind
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.expression import Truth
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.conditions import Conditions
from forestall.engine.simulate.comparison import Change
from forestall.engine.simulate.sides import Book
from forestall.engine.simulate.together import BothDays, OneDay

NEAR = 3       # days by which the same opening may differ
MOST = 300     # changed openings that are told one by one; the rest is counted


@dataclass(frozen=True, slots=True)
class Changed:
    """An opening that only one side has. `by_base`: it is the base's. `alert` is its name on the candidate's side.

    `other` is what the other side has of this alert on that day, `truth` what its condition was (None: it has no such
    alert, or the alert has no condition), `tiers` those of base and candidate.
    """

    account: str
    alert: str
    day: date
    change: Change
    by_base: bool
    tiers: tuple[str, str]
    truth: Truth | None
    other: Alert | None


@dataclass(frozen=True, slots=True)
class Half:
    """One side, as far as its alerts count. `names`: its alert → what the answer calls it; `own` leads back."""

    rulebook: Rulebook
    conditions: Conditions
    names: Mapping[str, str]

    @property
    def own(self) -> Mapping[str, str]:
        """The name in the answer → its own name, for all of its alerts."""
        book = self.rulebook
        return {self.names.get(one, one): one
                for one in (*book.triggers, *book.tier_alerts(), *book.recovery_alerts())}


def earlier_names(base: Rulebook, candidate: Rulebook) -> Mapping[str, str]:
    """Triggers of the base that the candidate has renamed → their new names."""
    return {old: trigger.name for trigger in candidate.triggers.values() for old in trigger.renamed_from
            if old in base.triggers and trigger.name not in base.triggers}


class Matching:
    """Goes through the days of both sides and keeps what is not settled yet."""

    def __init__(self, base: Half, candidate: Half, book: Book, first: date) -> None:
        self.changes: dict[str, Counter[Change]] = {}
        self._sides = (base, candidate)
        self._own = (base.own, candidate.own)
        self._book, self._first = book, first
        self._waiting: tuple[dict[tuple[str, str], Changed], ...] = ({}, {})
        self._ranks = (severity_rank(base.rulebook), severity_rank(candidate.rulebook))
        self._worst: list[tuple[tuple[int, float, int], Changed]] = []
        self._settled = 0

    def add(self, days: BothDays) -> None:
        """One more day of both. Days before the period are looked at for what opens again, and never counted."""
        if days.base is None or days.day < self._first - timedelta(days=NEAR):
            return
        both = (days.base, days.candidate)
        opened = [self._opened(number, one) for number, one in enumerate(both)]
        same = opened[0] & opened[1]
        self._count_same(same, days.day)
        alone = [sorted(mine - same) for mine in opened]
        rows = [self._rows(one, alone) for one in both]
        for number, mine in enumerate(alone):
            for key in mine:
                earlier = self._waiting[1 - number].pop(key, None)
                if earlier is not None:
                    self._count_same([key], days.day)
                else:
                    self._stands_alone(self._waiting[number].pop(key, None))
                    self._waiting[number][key] = self._changed(number, key, days.day, rows, both)
        self._settle(days.day - timedelta(days=NEAR))

    def end(self) -> None:
        """No more days: whatever waits has no counterpart."""
        self._settle(date.max)

    def worst(self) -> Iterator[Changed]:
        """The openings to tell, the worst first."""
        for _, changed in sorted(self._worst, key=lambda one: one[0], reverse=True):
            yield changed

    def _opened(self, number: int, one: OneDay) -> set[tuple[str, str]]:
        names = self._sides[number].names
        return {(made.alert.account, names.get(made.alert.trigger, made.alert.trigger))
                for made in one.decided.decisions.transitions
                if made.kind is TransitionKind.OPENED and self._book.tells_of(made.alert.account)}

    def _rows(self, one: OneDay, alone: Iterable[list[tuple[str, str]]]) -> Mapping[str, AccountDay]:
        return one.seen.of(account for keys in alone for account, _ in keys)

    def _count_same(self, keys: Iterable[tuple[str, str]], day: date) -> None:
        if day >= self._first:
            for _, alert in keys:
                self.changes.setdefault(alert, Counter())[Change.SAME] += 1

    def _changed(self, number: int, key: tuple[str, str], day: date, rows: list[Mapping[str, AccountDay]],
                 both: tuple[OneDay, OneDay]) -> Changed:
        """An opening of one side, with what the other one makes of that account on that day."""
        account, alert = key
        here, there = rows[number].get(account), rows[1 - number].get(account)
        name = self._own[1 - number].get(alert)
        truth = None
        if name is not None:
            truth = self._truth(1 - number, name, there)
        change = Change.UNJUDGED if truth is Truth.UNKNOWN else Change.GONE if number == 0 else Change.NEW
        tiers = ((here.tier if here else "") or "", (there.tier if there else "") or "")
        return Changed(account, alert, day, change, number == 0, tiers if number == 0 else (tiers[1], tiers[0]), truth,
                       both[1 - number].alert_before(account, name) if name is not None else None)

    def _truth(self, number: int, name: str, row: AccountDay | None) -> Truth | None:
        side = self._sides[number]
        if row is None:
            return Truth.UNKNOWN
        if name in side.rulebook.triggers:
            return row.truth(side.conditions.when(name))
        return Truth.UNKNOWN if row.tier is None else None

    def _settle(self, before: date) -> None:
        """What has waited long enough stands alone."""
        for waiting in self._waiting:
            for key in [key for key, one in waiting.items() if one.day < before]:
                self._stands_alone(waiting.pop(key))

    def _stands_alone(self, changed: Changed | None) -> None:
        if changed is not None and changed.day >= self._first:
            self.changes.setdefault(changed.alert, Counter())[changed.change] += 1
            self._keep(changed)

    def _keep(self, changed: Changed) -> None:
        """The worst tier first, then the most revenue, then the earlier one."""
        self._settled += 1
        tier = changed.tiers[0 if changed.by_base else 1]
        who = self._book.everybody.get(changed.account)
        urgency = (self._ranks[0 if changed.by_base else 1](tier), (who.revenue if who else None) or 0.0,
                   -self._settled)
        if len(self._worst) < MOST:
            heapq.heappush(self._worst, (urgency, changed))
        elif urgency > self._worst[0][0]:
            heapq.heapreplace(self._worst, (urgency, changed))

