"""Two guards over the starts of plays: against too many at once, and against what an outage would set off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from forestall.engine.model.expression import NameRole, Term, names
from forestall.engine.model.rulebook import Limits, Rulebook
from forestall.engine.model.supply import Supply

PASSES_KNOWN = 14      # before so many passes are known, nobody can say what is usual
FEW = 20               # so few starts need no approval, however rare they are otherwise
HELD_DAYS = 7          # for which a start that is held waits for a person
OUTAGE_SHARE = 0.5     # a metric that is known for less than this share of those before has gone missing
OUTAGE_LEAST = 20      # fewer accounts than this can lose it without anything being wrong


def too_many(limits: Limits, starts: int, past: Sequence[tuple[date, int]], day: date) -> str:
    """The blast guard: why so many starts of one play in one day are more than a person wants to see unasked, or "".

    `past` are its starts on earlier days that a pass decided.
    """
    if limits.per_play is not None and starts > limits.per_play:
        return f"{starts} starts in one pass; limits.per_play is {limits.per_play}"
    before = [count for on, count in past if on < day]
    if limits.times_usual is None or len(before) < PASSES_KNOWN or starts <= FEW:
        return ""
    usual = sum(before) / len(before)
    if starts <= limits.times_usual * usual:
        return ""
    return (f"{starts} starts in one pass, and {usual:.1f} are usual; "
            f"limits.times_usual is {limits.times_usual:g}")


def outages(supply: Supply) -> dict[str, str]:
    """Metric → why it cannot be believed today; one that can is not in it."""
    found = {metric: silent.reason for silent in supply.silent.values() for metric in silent.metrics}
    for metric, (known, before) in supply.known.items():
        if before >= OUTAGE_LEAST and known < OUTAGE_SHARE * before:
            found[metric] = f"{metric} is known for {known} accounts, and it was for {before}"
    return found


def lapsed(since: date, day: date) -> bool:
    """Whether a start that is held since then has waited for a person long enough."""
    return (day - since).days > HELD_DAYS


def unbelievable(rulebook: Rulebook, supply: Supply) -> dict[str, str]:
    """The outage guard: alert → why what it would start may only answer an outage. Others are not in it."""
    troubled = outages(supply)
    if not troubled:
        return {}
    found: dict[str, str] = {}
    for alert, metrics in rests_on(rulebook).items():
        reason = next((troubled[metric] for metric in sorted(metrics) if metric in troubled), "")
        if reason:
            found[alert] = reason
    return found


def rests_on(rulebook: Rulebook) -> dict[str, frozenset[str]]:
    """Alert → the metrics that sources supply and that can open it."""
    scored = _of_the_score(rulebook)
    by_tier = [name for play in rulebook.plays.values() for name in play.alert_names() if name not in rulebook.triggers]
    return {name: _below(rulebook, trigger.when.term, scored) for name, trigger in rulebook.triggers.items()} | \
        dict.fromkeys(by_tier, scored)


def _of_the_score(rulebook: Rulebook) -> frozenset[str]:
    """The metrics on which score and tier rest."""
    card = rulebook.scorecard
    measures = [measure.value.term for profile in card.profiles for signal in profile.signals
                for measure in ([signal.measure] if signal.measure else [part.measure for part in signal.parts])]
    measures += [tier.when.term for tier in card.tiers if tier.when]
    return frozenset().union(*(_below(rulebook, term, frozenset()) for term in measures))


def _below(rulebook: Rulebook, term: Term, scored: frozenset[str]) -> frozenset[str]:
    """The metrics that sources supply for the names of a term; `scored` stands for the score, the tier and signals."""
    found: set[str] = set()
    for name in names(term):
        if name.role is NameRole.METRIC:
            found.add(name.name)
        elif name.role is NameRole.DERIVED:
            derived = rulebook.catalogue.metrics[name.name].derived
            found |= _below(rulebook, derived.term, scored) if derived is not None else set()
        else:
            found |= scored
    return frozenset(found)
