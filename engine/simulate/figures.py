"""Counts of both sides as the nouns of a comparison: pure, one function for each part of the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from math import ceil, floor
from statistics import fmean

from forestall.engine.model.delivery import MessageKind
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.evaluations import DayOfEvaluations
from forestall.engine.simulate.comparison import (
    AlertCompared,
    Change,
    DayCompared,
    GroupCompared,
    Load,
    Pair,
    PlayCompared,
    Spread,
    TierMove,
)
from forestall.engine.simulate.sides import Book, Who
from forestall.engine.simulate.tally import MESSAGES, Tally

BAND = 5      # points


def spread(per_day: Mapping[date, int], days: Sequence[date]) -> Spread:
    """Mean, 95th percentile (nearest rank) and peak of a count on all of these days."""
    counts = [per_day.get(day, 0) for day in days]
    peak = max(counts)
    return Spread(fmean(counts), sorted(counts)[ceil(0.95 * len(counts)) - 1], peak, days[counts.index(peak)])


def alert_names(rulebook: Rulebook) -> tuple[str, ...]:
    """Every alert of a set of rules, in their order."""
    return (*rulebook.triggers, *rulebook.tier_alerts(), *rulebook.recovery_alerts())


def alerts(base: Tally | None, candidate: Tally,
           changes: Mapping[str, Mapping[Change, int]]) -> tuple[AlertCompared, ...]:
    """Every alert, in the order of the candidate; those that only the base has follow."""
    ours = alert_names(candidate.rulebook)
    theirs = tuple(base.called(name) for name in alert_names(base.rulebook)) if base else ()
    found = []
    for name in dict.fromkeys((*ours, *theirs)):
        before = base.openings.alerted(name) if base else set()
        after = candidate.openings.alerted(name)
        found.append(AlertCompared(
            name, base.openings.count(name) if base and name in theirs else None,
            candidate.openings.count(name) if name in ours else None,
            {change: changes.get(name, {}).get(change, 0) for change in Change},
            tuple(sorted(before - after)), tuple(sorted(after - before)) if base else ()))
    return tuple(found)


def loads(base: Tally | None, candidate: Tally, days: Sequence[date]) -> tuple[Load, ...]:
    """What is sent per day, and what each colleague gets."""
    limits = candidate.rulebook.limits
    bounds = {str(MessageKind.TASK): limits.tasks_per_csm, MESSAGES: limits.messages_per_person}
    everybody = [(str(kind), "") for kind in MessageKind]
    persons = sorted({key for tally in (base, candidate) if tally for key in tally.loads if key[1]},
                     key=lambda key: (key[0] == MESSAGES, key))
    return tuple(Load(
        what, person, spread(base.loads.get((what, person), {}), days) if base else None,
        spread(candidate.loads.get((what, person), {}), days), bounds.get(what) if person else None)
        for what, person in (*everybody, *persons))


def days(base: Tally | None, candidate: Tally) -> tuple[DayCompared, ...]:
    """Each day of the period."""
    before = base.days.days if base else [None] * len(candidate.days.days)
    return tuple(DayCompared(
        mine.day, Pair(sum(theirs.opened.values()) if theirs else None, sum(mine.opened.values())),
        Pair(sum(theirs.deliveries.values()) if theirs else None, sum(mine.deliveries.values())))
        for theirs, mine in zip(before, candidate.days.days, strict=True))


def plays(base: Tally | None, candidate: Tally) -> tuple[PlayCompared, ...]:
    """Every play, in the order of the candidate; those that only the base has follow."""
    def pairs(what: str) -> dict[str, Pair]:
        before, after = base.days.total(what) if base else Counter(), candidate.days.total(what)
        return {name: Pair(before[name] if base else None, after[name]) for name in names}

    names = tuple(dict.fromkeys((*candidate.rulebook.plays, *(base.rulebook.plays if base else ()))))
    started, held_out, sent, held = pairs("started"), pairs("held_out"), pairs("by_play"), pairs("held")
    return tuple(PlayCompared(name, started[name], held_out[name], sent[name], int(held[name].candidate))
                 for name in names)


def tiers(base: Tally | None, candidate: Tally) -> tuple[str, ...]:
    """The tiers of the candidate, best first; then those that only the base has."""
    names = [tier.name for tally in (candidate, base) if tally for tier in tally.rulebook.scorecard.tiers]
    return tuple(dict.fromkeys(names))


def whole(seen: DayOfEvaluations | None, book: Book) -> DayOfEvaluations | None:
    """The rows that are told of."""
    return seen if seen is None or book.told is None else seen.only(book.told)


def moves(base: DayOfEvaluations | None, candidate: DayOfEvaluations | None) -> tuple[TierMove, ...]:
    """From which tier of the base to which of the candidate, the accounts that stay where they are too."""
    if base is None or candidate is None:
        return ()
    before, after = _tiers(base), _tiers(candidate)
    found = Counter((before.get(account, ""), tier) for account, tier in after.items())
    return tuple(TierMove(one, other, count) for (one, other), count in sorted(found.items()))


def _tiers(seen: DayOfEvaluations) -> dict[str, str]:
    return {account: tier or "" for account, tier, is_gone in zip(seen.accounts, seen.tiers, seen.gone, strict=True)
            if not is_gone}


def scores(base: DayOfEvaluations | None, candidate: DayOfEvaluations | None) -> Mapping[int, Pair]:
    """Lower end of a band of five points → accounts; 100 counts to the last band."""
    before, after = _bands(base), _bands(candidate)
    return {band: Pair(before[band] if base is not None else None, after[band]) for band in range(0, 100, BAND)}


def _bands(seen: DayOfEvaluations | None) -> Counter[int]:
    if seen is None:
        return Counter()
    return Counter(min(floor(score / BAND) * BAND, 100 - BAND)
                   for score, is_gone in zip(seen.scores, seen.gone, strict=True) if score is not None and not is_gone)


def groups(base: Tally | None, candidate: Tally, book: Book) -> tuple[GroupCompared, ...]:
    """By segment and by CSM, each by name; "" (unknown) last."""
    told = [who for who in book.everybody.values() if book.tells_of(who.account)]
    opened = [tally.openings.by_account() if tally else None for tally in (base, candidate)]
    sent = [tally.deliveries if tally else None for tally in (base, candidate)]
    found = []
    for by in ("segment", "csm"):
        members: dict[str, list[Who]] = {}
        for who in told:
            members.setdefault(who.segment if by == "segment" else who.csm, []).append(who)
        if not any(members):
            continue
        for name, some in sorted(members.items(), key=lambda one: (not one[0], one[0])):
            found.append(GroupCompared(by, name, len(some), _pair(opened, some), _pair(sent, some),
                                       revenue(base, candidate, some)))
    return tuple(found)


def _pair(counts: Sequence[Mapping[str, int] | None], some: Iterable[Who]) -> Pair:
    accounts = [who.account for who in some]
    before, after = (None if one is None else sum(one.get(account, 0) for account in accounts) for one in counts)
    return Pair(before, after or 0)


def revenue(base: Tally | None, candidate: Tally, some: Collection[Who]) -> Pair:
    """The revenue of the accounts that any alert opened for."""
    before, after = (None if tally is None else sum(
        who.revenue for who in some if who.revenue and who.account in tally.openings) for tally in (base, candidate))
    return Pair(before, after or 0.0)
