"""What one side came to in the period, counted as its days go by: nothing of a day is kept but its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

from forestall.engine.intervene.day import Decided
from forestall.engine.model.alert import TransitionKind
from forestall.engine.model.delivery import Delivery, MessageKind
from forestall.engine.model.people import Directory, bare_address
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import Decisions
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.evaluations import DayOfEvaluations
from forestall.engine.simulate.openings import Openings
from forestall.engine.simulate.sides import Book
from forestall.engine.simulate.summary import Replayed, Summing

MESSAGES = "messages"      # emails and Slack messages to one colleague
PerDay = dict[date, int]


class Tally:
    """The counts of one side. `names`: alert → what it is called in the answer, where that is another name."""

    def __init__(self, rulebook: Rulebook, directory: Directory, names: Mapping[str, str] | None = None) -> None:
        self.rulebook = rulebook
        self.openings = Openings()
        self.loads: dict[tuple[str, str], PerDay] = {}
        self.starts: dict[str, PerDay] = {}
        self.deliveries: Counter[str] = Counter()
        self.tiers: Mapping[str, int] = {}
        self.unknown = 0
        self.asked = 0
        self._names = names or {}
        self._summing = Summing()
        self._people = {bare_address(person.email): person.key for person in directory.people.values() if person.email}
        self._people |= {person.slack: person.key for person in directory.people.values() if person.slack}

    def called(self, alert: str) -> str:
        """What the answer calls an alert of this side."""
        return self._names.get(alert, alert)

    @property
    def days(self) -> Replayed:
        """Each day, counted."""
        return self._summing.replayed

    def add(self, decided: Decided) -> None:
        """One more day of the period; what is not told of was left out (see `narrowed`)."""
        decisions = decided.decisions
        for one in decisions.transitions:
            if one.kind is TransitionKind.OPENED:
                self.openings.add(self.called(one.alert.trigger), one.alert.account, decisions.day)
        for delivery in decisions.deliveries:
            self._load(delivery.kind, "", decisions.day)
            self._hears(delivery, decisions.day)
            if delivery.account:
                self.deliveries[delivery.account] += 1
        for items in decisions.digests.values():      # one message, and each thing in it is still to be done
            for delivery in items:
                self.deliveries[delivery.account] += 1
                if delivery.kind is MessageKind.TASK:
                    self._load(delivery.kind, "", decisions.day)
                    self._hears(delivery, decisions.day)
        for play, count in decisions.starts.items():
            if count:
                self.starts.setdefault(play, {})[decisions.day] = count
        self.tiers = decided.tiers
        self.unknown += sum(decided.unknown.values())
        self.asked += sum(decided.tiers.values()) * len(decided.unknown)
        self._summing.add(decided)

    def _hears(self, delivery: Delivery, day: date) -> None:
        """What a colleague gets."""
        if delivery.kind is MessageKind.TASK:
            if delivery.person:
                self._load(delivery.kind, delivery.person, day)
        elif delivery.kind in (MessageKind.EMAIL, MessageKind.SLACK) and not delivery.to_customer:
            person = self._people.get(bare_address(delivery.recipient)) or self._people.get(delivery.recipient)
            if person:
                self._load(MESSAGES, person, day)

    def _load(self, what: str, person: str, day: date) -> None:
        per_day = self.loads.setdefault((str(what), person), {})
        per_day[day] = per_day.get(day, 0) + 1


def narrowed(decided: Decided, seen: DayOfEvaluations, rulebook: Rulebook, conditions: Conditions,
             book: Book) -> Decided:
    """The part of a day that is told of. A message that stands for many belongs to it with those that do. What the
    guards counted stays whole: they see everybody."""
    if book.told is None:
        return decided
    decisions, told = decided.decisions, book.told
    digests = {key: kept for key, items in decisions.digests.items()
               if (kept := tuple(one for one in items if one.account in told))}
    here = seen.only(told)
    counts = here.counts()
    return replace(
        decided, tiers=_tiers(rulebook, here),
        true={name: counts[conditions.when(name)][0] for name in rulebook.triggers},
        unknown={name: counts[conditions.when(name)][1] for name in rulebook.triggers},
        decisions=_of(decisions, told, digests))


def _of(decisions: Decisions, told: frozenset[str], digests: Mapping[str, tuple[Delivery, ...]]) -> Decisions:
    def about(items: Iterable[Delivery]) -> Iterator[Delivery]:
        return (one for one in items if one.account in told or one.key in digests)

    return replace(
        decisions,
        transitions=tuple(one for one in decisions.transitions if one.alert.account in told),
        alerts=tuple(one for one in decisions.alerts if one.account in told),
        tiers={account: tier for account, tier in decisions.tiers.items() if account in told},
        runs=tuple(run for run in decisions.runs if run.account in told),
        deliveries=tuple(about(decisions.deliveries)), digests=digests,
        silences=tuple(one for one in decisions.silences if one.account in told),
        cancelled=tuple(one for one in decisions.cancelled if one[0] in told))


def _tiers(rulebook: Rulebook, seen: DayOfEvaluations) -> Mapping[str, int]:
    counts = {tier.name: 0 for tier in rulebook.scorecard.tiers} | {"": 0}
    for tier, is_gone in zip(seen.tiers, seen.gone, strict=True):
        if not is_gone:
            counts[tier or ""] += 1
    return counts
