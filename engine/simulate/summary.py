"""What a replay came to: per day, per trigger and per play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from forestall.engine.intervene.day import Decided
from forestall.engine.model.alert import CLOSING, TransitionKind
from forestall.engine.model.delivery import NOT_STARTED, MessageKind, RunStatus, SilenceReason
from forestall.engine.model.state import identity


@dataclass(frozen=True, slots=True)
class DaySummary:
    """One day of a replay, counted."""

    day: date
    accounts: int
    tiers: Mapping[str, int]
    opened: Mapping[str, int]
    closed: Mapping[str, int]
    recorded: Mapping[str, int]
    started: Mapping[str, int]
    held_out: Mapping[str, int]
    held: Mapping[str, int]
    deliveries: Mapping[MessageKind, int]
    by_play: Mapping[str, int]
    silences: Mapping[SilenceReason, int]


@dataclass(slots=True)
class Replayed:
    """The days of a replay, and the accounts that each trigger alerted."""

    days: list[DaySummary] = field(default_factory=list)
    alerted: dict[str, set[str]] = field(default_factory=dict)

    def total(self, what: str) -> Counter[str]:
        """One of the counts by name (`opened`, `started`, …) over all days."""
        counts: Counter[str] = Counter()
        for day in self.days:
            counts.update(getattr(day, what))
        return counts


class Summing:
    """Counts a replay day by day; the decisions themselves are not kept."""

    def __init__(self) -> None:
        self.replayed = Replayed()
        self._known: set[int] = set()      # runs that were counted as started, each by a hash of its identity

    def add(self, one: Decided) -> None:
        """One more day."""
        self.replayed.days.append(_day(one, self._known))
        for transition in one.decisions.transitions:
            if transition.kind is TransitionKind.OPENED:
                self.replayed.alerted.setdefault(transition.alert.trigger, set()).add(transition.alert.account)


def summarise(decided: Iterable[Decided]) -> Replayed:
    """Count a whole replay."""
    summing = Summing()
    for one in decided:
        summing.add(one)
    return summing.replayed


def _day(one: Decided, known: set[int]) -> DaySummary:
    decisions = one.decisions
    by_kind: dict[TransitionKind, Counter[str]] = {kind: Counter() for kind in TransitionKind}
    for transition in decisions.transitions:
        by_kind[transition.kind][transition.alert.trigger] += 1
    closed: Counter[str] = Counter()
    for kind, counts in by_kind.items():
        if kind in CLOSING:
            closed.update(counts)
    fresh = [run for run in decisions.runs if run.status is not RunStatus.SILENCED
             and hash(identity(run)) not in known]
    known.update(hash(identity(run)) for run in fresh)
    return DaySummary(
        day=decisions.day, accounts=sum(one.tiers.values()), tiers=one.tiers, opened=by_kind[TransitionKind.OPENED],
        closed=closed, recorded=by_kind[TransitionKind.RECORDED],
        started=Counter(run.play for run in fresh if run.status not in NOT_STARTED),
        held_out=Counter(run.play for run in fresh if run.status is RunStatus.HELD_OUT), held=one.held,
        deliveries=Counter(delivery.kind for delivery in decisions.deliveries),
        by_play=Counter(delivery.play for delivery in decisions.deliveries),
        silences=Counter(silence.reason for silence in decisions.silences))
