"""The scorecard for all accounts at once: the same meaning as `scorecard.py`, as columns."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import ibis

from forestall.engine.language.functions import slack
from forestall.engine.language.values import Build, Column, Row, Values, number
from forestall.engine.model.expression import Expression, Kind, Term
from forestall.engine.model.scorecard import Measure, MissingPolicy, Points, Profile, Scorecard, Signal, Steps
from forestall.engine.score.scorecard import NEUTRAL_POINTS, ROUNDING_HAIR, slope

PATTERN_BITS = 50      # signals with data per pattern column; a 64-bit integer holds them


def add_scorecard(columns: Values, card: Scorecard, since: str) -> tuple[Column, Column]:
    """Define signals, score and tier, and bind their names. Answers the columns of score and tier.

    `since` is the date metric that says since when an account is a customer ("" = its first row counts).
    """
    return _Scorecard(columns, card, since).build()


class _Scorecard:
    def __init__(self, columns: Values, card: Scorecard, since: str) -> None:
        self._columns, self._card, self._since = columns, card, since
        self._measures: dict[tuple[Term, Points | Steps | None], Column] = {}
        self._laid_over: dict[Measure, Column] = {}
        self._signals: dict[Signal, Column] = {}

    def build(self) -> tuple[Column, Column]:
        columns = self._columns
        chosen = self._profile()
        several = len(self._card.profiles) > 1
        if several and len({_shape(profile) for profile in self._card.profiles}) == 1:
            self._lay_over(chosen)
        card = self._card
        for name in dict.fromkeys(signal.name for profile in card.profiles for signal in profile.signals):
            columns.bind(name, self._signal_named(name, chosen))
        columns.bind_patterns((*([chosen] if several else []), *self._patterns(chosen)))
        score = self._score(chosen)
        columns.bind("score", score)
        tier = self._tier(score)
        columns.bind("tier", tier)
        return score, tier

    def _profile(self) -> Column:
        conditions = [profile.applies_to for profile in self._card.profiles if profile.applies_to is not None]
        base = len(self._card.profiles) - 1

        def build(row: Row) -> Any:
            answer = ibis.literal(base, "int64")
            for index in reversed(range(len(conditions))):
                answer = self._columns.value(row, conditions[index].term).ifelse(ibis.literal(index, "int64"), answer)
            return answer

        return self._columns.define("profile", [condition.term for condition in conditions], build)

    def _lay_over(self, chosen: Column) -> None:
        """Profiles that differ in curves only: choose the points per measure, and weigh them once for all accounts."""
        profiles = self._card.profiles
        for measures in zip(*(_measures(profile) for profile in profiles), strict=True):
            columns = [self._measure(measure) for measure in measures]
            if len(set(columns)) > 1:
                self._laid_over[measures[-1]] = self._columns.define(
                    "points", [chosen, *columns], _chosen(chosen, columns))
        self._card = replace(self._card, profiles=profiles[-1:])

    def _measure(self, measure: Measure) -> Column:
        if measure in self._laid_over:
            return self._laid_over[measure]
        key = (measure.value.term, measure.curve)
        if key not in self._measures:
            curve = measure.curve

            def build(row: Row) -> Any:
                value = self._columns.value(row, measure.value.term)
                if curve is None:
                    return _held(value)
                return _curve(curve, value) if _is_held(curve) else _held(_curve(curve, value))

            self._measures[key] = self._columns.define("points", [measure.value.term], build)
        return self._measures[key]

    def _signal(self, signal: Signal) -> Column:
        if signal.measure is not None:
            return self._measure(signal.measure)
        if signal not in self._signals:
            parts = [(part.weight, self._measure(part.measure)) for part in signal.parts]
            self._signals[signal] = self._columns.define(
                "signal", [column for _, column in parts], lambda row: _mean(row, parts))
        return self._signals[signal]

    def _signal_named(self, name: str, chosen: Column) -> Column:
        """The points of a signal under the profile that applies; missing where the profile has no such signal."""
        found = [(index, self._signal(signal)) for index, profile in enumerate(self._card.profiles)
                 for signal in profile.signals if signal.name == name]
        if len(self._card.profiles) == 1:
            return found[0][1]

        def build(row: Row) -> Any:
            return ibis.cases(*((row[chosen.name] == index, row[column.name]) for index, column in found))

        return self._columns.define("signal", [chosen, *(column for _, column in found)], build)

    def _patterns(self, chosen: Column) -> tuple[Column, ...]:
        """The profile, and per profile which of its signals and parts have data, as bits."""
        by_profile = [[self._measure(measure) for measure in _measures(profile)] for profile in self._card.profiles]
        patterns: list[Column] = []
        for start in range(0, max(map(len, by_profile)), PATTERN_BITS):
            some = [measures[start:start + PATTERN_BITS] for measures in by_profile]
            needs = [chosen, *(column for measures in some for column in measures)]
            patterns.append(self._columns.define("pattern", needs, _pattern(chosen, some)))
        return tuple(patterns)

    def _score(self, chosen: Column) -> Column:
        scores = [self._score_of(profile) for profile in self._card.profiles]
        if len(scores) == 1:
            return scores[0]
        return self._columns.define("score", [chosen, *scores], lambda row: ibis.cases(
            *((row[chosen.name] == index, row[column.name]) for index, column in enumerate(scores))))

    def _score_of(self, profile: Profile) -> Column:
        card = self._card
        signals = [(signal, self._signal(signal)) for signal in profile.signals]
        measures = [self._measure(measure) for measure in _measures(profile)]
        since = self._columns.metric(self._since, Kind.DATE) if self._since and card.unscored_days else None

        def build(row: Row) -> Any:
            points = weight = number(0.0)
            for signal, column in signals:
                value = _filled(row[column.name], signal.missing)
                points = points + value.notnull().ifelse(value * number(signal.weight), number(0.0))
                weight = weight + value.notnull().ifelse(number(signal.weight), number(0.0))
            # The mean of points from 0 to 100 needs no holding: what a sum adds in the last bits, rounding takes away.
            raw = points / (weight > number(0.0)).ifelse(weight, ibis.null())
            score = (raw * number(10.0) + number(0.5) + number(ROUNDING_HAIR)).floor().cast("float64")
            enough = self._coverage(row, profile) - number(card.minimum_coverage) >= -number(
                slack(card.minimum_coverage))
            if card.unscored_days:
                first = ibis.coalesce(self._columns.value(row, since), row.first_day) if since else row.first_day
                enough = enough & (self._columns.today(row) - first >= card.unscored_days)
            return enough.ifelse(score / number(10.0), ibis.null())

        needs: list[Term | Column] = [*(column for _, column in signals), *measures, *([since] if since else [])]
        return self._columns.define("score", needs, build)

    def _coverage(self, row: Row, profile: Profile) -> Any:
        whole = sum(signal.weight for signal in profile.signals)
        coverage = number(0.0)
        for signal in profile.signals:
            share = signal.weight / whole
            weights = sum(part.weight for part in signal.parts)
            shares = [(share, signal.measure)] if signal.measure is not None else [
                (share * (part.weight / weights), part.measure) for part in signal.parts]
            for part_share, measure in shares:
                column = self._measure(measure)
                coverage = coverage + row[column.name].notnull().ifelse(number(part_share), number(0.0))
        return coverage

    def _tier(self, score: Column) -> Column:
        tiers = self._card.tiers
        conditions: list[Expression] = [tier.when for tier in tiers if tier.when is not None]

        def build(row: Row) -> Any:
            value = row[score.name]
            cases = [(value - number(float(tier.low)) >= -number(slack(float(tier.low))), tier.name)
                     for tier in tiers[:-1]]
            answer = ibis.cases((value.isnull(), ibis.null("string")), *cases, else_=tiers[-1].name)
            for tier in tiers:            # the worst is asked first, so it is laid on last
                if tier.when is not None:
                    answer = self._columns.value(row, tier.when.term).ifelse(tier.name, answer)
            return answer

        return self._columns.define("tier", [score, *(condition.term for condition in conditions)], build)


def _pattern(chosen: Column, by_profile: list[list[Column]]) -> Build:
    def bits(row: Row, measures: list[Column]) -> Any:
        answer = ibis.literal(0, "int64")
        for index, column in enumerate(measures):
            answer = answer + row[column.name].notnull().ifelse(ibis.literal(2**index, "int64"),
                                                                ibis.literal(0, "int64"))
        return answer

    if len(by_profile) == 1:
        return lambda row: bits(row, by_profile[0])
    return lambda row: ibis.cases(
        *((row[chosen.name] == index, bits(row, measures)) for index, measures in enumerate(by_profile)))


def _shape(profile: Profile) -> object:
    """What is weighed with what, without the curves."""
    return tuple((signal.name, signal.weight, signal.missing, tuple((part.name, part.weight) for part in signal.parts))
                 for signal in profile.signals)


def _chosen(chosen: Column, columns: list[Column]) -> Build:
    return lambda row: ibis.cases(
        *((row[chosen.name] == index, row[column.name]) for index, column in enumerate(columns)))


def _measures(profile: Profile) -> list[Measure]:
    return [measure for signal in profile.signals for measure in (
        [signal.measure] if signal.measure is not None else [part.measure for part in signal.parts])]


def _held(points: Any) -> Any:
    return ibis.cases((points < number(0.0), number(0.0)), (points > number(100.0), number(100.0)), else_=points)


def _is_held(curve: Points | Steps) -> bool:
    pairs = curve.corners if isinstance(curve, Points) else curve.bands
    return all(0.0 <= points <= 100.0 for _, points in pairs)


def _curve(curve: Points | Steps, value: Any) -> Any:
    if isinstance(curve, Steps):
        bands = [(value - number(start) >= -number(slack(start)), number(points))
                 for start, points in reversed(curve.bands[1:])]
        return ibis.cases((value.isnull(), ibis.null("float64")), *bands, else_=number(curve.bands[0][1]))
    corners = curve.corners
    cases = [(value <= number(corners[0][0]), number(corners[0][1]))]
    for (left, low), (right, high) in pairwise(corners):
        line = number(low) + (value - number(left)) * number(slope(left, low, right, high))
        cases.append((value <= number(right), line))
    return ibis.cases((value.isnull(), ibis.null("float64")), *cases, else_=number(corners[-1][1]))


def _mean(row: Row, parts: list[tuple[float, Column]]) -> Any:
    total = known = number(0.0)
    for weight, column in parts:
        value = row[column.name]
        total = total + value.notnull().ifelse(value * number(weight), number(0.0))
        known = known + value.notnull().ifelse(number(weight), number(0.0))
    return total / (known > number(0.0)).ifelse(known, ibis.null())


def _filled(value: Any, policy: MissingPolicy) -> Any:
    if policy is MissingPolicy.REWEIGHT:
        return value
    return value.fill_null(number(0.0 if policy is MissingPolicy.ZERO else NEUTRAL_POINTS))
