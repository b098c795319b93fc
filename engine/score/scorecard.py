"""Metrics to points, points to signals, signals to the health score, score to tier: the meaning, for one account.

`columns.py` says the same for all accounts at once; a test holds the two against each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from forestall.engine.language.functions import slack
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Expression
from forestall.engine.model.scorecard import Measure, MissingPolicy, Points, Scorecard, Signal, Steps, Tier

Answer = Callable[[Expression], Value]

NEUTRAL_POINTS = 50.0
ROUNDING_HAIR = 1e-6     # averages summed in another order differ in the last bits; people see one decimal


@dataclass(frozen=True, slots=True)
class PartPoints:
    """What one measure saw and gave; `points` None when its metric is missing."""

    name: str
    share: float              # of the whole score, 0 to 1
    value: Value
    points: float | None


@dataclass(frozen=True, slots=True)
class SignalPoints:
    """One signal: its share of the score (0 to 1), its points and what they are made of."""

    signal: Signal
    share: float
    points: float | None
    parts: tuple[PartPoints, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """The health score of one account on one day; `score` None means unscored, and `unscored_because` says why."""

    profile: str
    signals: tuple[SignalPoints, ...]
    coverage: float
    score: float | None
    tier: str | None
    unscored_because: str = ""


def held(points: float) -> float:
    """Points between 0 and 100."""
    return min(max(points, 0.0), 100.0)


def curve_points(curve: Points | Steps, value: float) -> float:
    """The points that a curve gives for a metric's value."""
    if isinstance(curve, Steps):
        given = curve.bands[0][1]
        for start, points in curve.bands[1:]:
            if value - start >= -slack(start):
                given = points
        return given
    corners = curve.corners
    if value <= corners[0][0]:
        return corners[0][1]
    for (left, low), (right, high) in pairwise(corners):
        if value <= right:
            return low + (value - left) * slope(left, low, right, high)
    return corners[-1][1]


def slope(left: float, low: float, right: float, high: float) -> float:
    """Points per unit between two corners."""
    return (high - low) / (right - left)


def rounded(score: float) -> float:
    """The score that people see and rules compare: one decimal, halves up."""
    return math.floor(held(score) * 10 + 0.5 + ROUNDING_HAIR) / 10


def tier_of(score: float, tiers: Sequence[Tier]) -> str:
    """The tier whose band holds the score; the tiers run from best to worst and leave no gap."""
    for tier in tiers:
        if score - float(tier.low) >= -slack(float(tier.low)):
            return tier.name
    return tiers[-1].name


def clear_of(score: float | None, tiers: Sequence[Tier]) -> int:
    """Of how many tiers, counted from the worst, the score is well above the band."""
    lines = [tier.clears_at for tier in reversed(tiers) if tier.clears_at is not None]
    return sum(score is not None and score - line >= -slack(line) for line in lines)


def score_account(card: Scorecard, answer: Answer, days_known: float) -> Scored:
    """Score one account on one day. `answer` evaluates an expression; `days_known` counts since it is a customer."""
    profile = next(one for one in card.profiles if one.applies_to is None or answer(one.applies_to) is True)
    whole = sum(signal.weight for signal in profile.signals)
    signals = tuple(_signal(signal, whole, answer) for signal in profile.signals)
    coverage = 0.0
    for one in signals:
        for part in one.parts:
            coverage += part.share if part.points is not None else 0.0
    forced = next((tier.name for tier in reversed(card.tiers) if tier.when and answer(tier.when) is True), None)
    score, because = _score(card, signals, coverage, days_known)
    tier = forced or (tier_of(score, card.tiers) if score is not None else None)
    return Scored(profile.name, signals, coverage, score, tier, because)


def _score(card: Scorecard, signals: Sequence[SignalPoints], coverage: float,
           days_known: float) -> tuple[float | None, str]:
    if card.unscored_days and days_known < card.unscored_days:
        return None, f"a customer for {days_known:.0f} days; scored from day {card.unscored_days} on"
    if coverage - card.minimum_coverage < -slack(card.minimum_coverage):
        return None, f"{coverage:.0%} of the weight has data; {card.minimum_coverage:.0%} is needed"
    points = weight = 0.0
    for one in signals:
        filled = filled_points(one)
        points += one.signal.weight * filled if filled is not None else 0.0
        weight += one.signal.weight if filled is not None else 0.0
    if weight <= 0:
        return None, "no signal has data"
    return rounded(points / weight), ""


def filled_points(one: SignalPoints) -> float | None:
    """The points with which a signal enters the score; None where the others share its weight."""
    if one.points is not None or one.signal.missing is MissingPolicy.REWEIGHT:
        return one.points
    return 0.0 if one.signal.missing is MissingPolicy.ZERO else NEUTRAL_POINTS


def _signal(signal: Signal, whole: float, answer: Answer) -> SignalPoints:
    share = signal.weight / whole
    if signal.measure is not None:
        value, points = measured(signal.measure, answer)
        return SignalPoints(signal, share, points, (PartPoints(signal.name, share, value, points),))
    weights = sum(part.weight for part in signal.parts)
    parts: list[PartPoints] = []
    total = known = 0.0
    for part in signal.parts:
        value, points = measured(part.measure, answer)
        parts.append(PartPoints(part.name, share * (part.weight / weights), value, points))
        total += part.weight * points if points is not None else 0.0
        known += part.weight if points is not None else 0.0
    return SignalPoints(signal, share, total / known if known > 0 else None, tuple(parts))


def measured(measure: Measure, answer: Answer) -> tuple[Value, float | None]:
    """What a measure saw and the points it gives."""
    value = answer(measure.value)
    if not isinstance(value, float):
        return value, None
    return value, held(value) if measure.curve is None else held(curve_points(measure.curve, value))
