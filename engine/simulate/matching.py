"""Which openings of base and candidate are the same, and what becomes of the others."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from forestall.engine.alert.lifecycle import severity_rank
from forestall.engine.model.alert import Alert
from forestall.engine.model.expression import Truth
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.simulate.comparison import Change
from forestall.engine.simulate.course import Opening, Told
from forestall.engine.simulate.sides import Book
from forestall.engine.simulate.together import Opened

NEAR = 3       # days by which the same opening may differ
MOST = 300     # changed openings that are told one by one; the rest is counted

Tell = Callable[[Collection[Opening]], tuple[Mapping[Opening, Told], Mapping[Opening, Told]]]
"""What base and candidate have of some openings on their day."""


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


def earlier_names(base: Rulebook, candidate: Rulebook) -> Mapping[str, str]:
    """Triggers of the base that the candidate has renamed → their new names."""
    return {old: trigger.name for trigger in candidate.triggers.values() for old in trigger.renamed_from
            if old in base.triggers and trigger.name not in base.triggers}


class Matching:
    """Goes through the days of both sides and keeps what is not settled yet."""

    def __init__(self, base: Rulebook, candidate: Rulebook, book: Book, first: date) -> None:
        self.changes: dict[str, Counter[Change]] = {}
        self._book, self._first = book, first
        self._waiting: tuple[dict[Opening, Changed], ...] = ({}, {})
        self._ranks = (severity_rank(base), severity_rank(candidate))
        self._worst: list[tuple[tuple[int, float, int], Changed]] = []
        self._settled = 0

    def add(self, opened: Opened, tell: Tell) -> None:
        """One more day of both. Days before the period are looked at for what opens again, and never counted."""
        if opened.day < self._first - timedelta(days=NEAR):
            return
        same = opened.base & opened.candidate
        self._count_same(same, opened.day)
        alone = [sorted(mine - same) for mine in (opened.base, opened.candidate)]
        told = tell((*alone[0], *alone[1])) if any(alone) else ({}, {})
        for number, mine in enumerate(alone):
            for opening in mine:
                earlier = self._waiting[1 - number].pop(opening, None)
                if earlier is not None:
                    self._count_same([opening], opened.day)
                else:
                    self._stands_alone(self._waiting[number].pop(opening, None))
                    self._waiting[number][opening] = _changed(
                        opening, opened.day, number == 0, told[0][opening], told[1][opening])
        self._settle(opened.day - timedelta(days=NEAR))

    def end(self) -> None:
        """No more days: whatever waits has no counterpart."""
        self._settle(date.max)

    def worst(self) -> Iterator[Changed]:
        """The openings to tell, the worst first."""
        for _, changed in sorted(self._worst, key=lambda one: one[0], reverse=True):
            yield changed

    def _count_same(self, openings: Iterable[Opening], day: date) -> None:
        if day >= self._first:
            for one in openings:
                self.changes.setdefault(one.alert, Counter())[Change.SAME] += 1

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


def _changed(opening: Opening, day: date, by_base: bool, base: Told, candidate: Told) -> Changed:
    """An opening of one side, with what the other one makes of that account on that day."""
    other = candidate if by_base else base
    change = Change.UNJUDGED if other.truth is Truth.UNKNOWN else Change.GONE if by_base else Change.NEW
    return Changed(*opening, day, change, by_base, (base.tier, candidate.tier), other.truth, other.alert)
