"""What is wrong with declared metrics, before anything is read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from zoneinfo import ZoneInfo

from forestall.adapters.sources.daily.declared import KINDS, LONGEST, NUMERIC, Daily, DailyMetric, Measure
from forestall.adapters.sources.text.declared import SENTIMENT, mistakes
from forestall.adapters.sources.text.log import can_tell_moods
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Location, Problem

SETTINGS_FILE = "forestall.yaml"


def problems(source: str, daily: Daily, metrics: Mapping[str, Metric]) -> list[Problem]:
    """Everything that is wrong; nothing when all is well."""
    found = []
    if not daily.metrics:
        found.append(_fault("no-metric", f"`metrics` of the source {source} is empty.",
                            "Declare one, for example `logins_14d: {measure: count, events: login, days: 14}`."))
    if zone(daily.time_zone) is None:
        found.append(_fault("unknown-time-zone", f"`time_zone` of the source {source} is no time zone: "
                            f"`{daily.time_zone}`.", "Write a region and a city, such as Europe/Berlin, or UTC."))
    if not 1 <= daily.forget_after <= LONGEST:
        found.append(_fault("settings-disagree", f"`forget_after` of the source {source} must be 1 to {LONGEST} "
                            "days.", "Write for example `forget_after: 90`."))
    for name, declared in daily.metrics.items():
        there = metrics.get(name)
        if there is None:
            found.append(_fault("unknown-metric",
                                f"`metrics.{name}` of the source {source} is no metric that a source supplies.",
                                did_you_mean(name, metrics) or "Add it to rules/metrics.yaml, or take it out here."))
        else:
            found += [_fault("wrong-measure", f"`metrics.{name}` of the source {source}: {said}", cure)
                      for said, cure in _mistakes(declared, there)]
    return found + _of_text(source, daily)


def _of_text(source: str, daily: Daily) -> list[Problem]:
    """What is wrong with columns that are worked out of words."""
    if daily.text is None:
        return []
    every = [column for one in daily.metrics.values() for column in (*one.where, one.of) if column]
    numbers = [one.of for one in daily.metrics.values() if one.measure in NUMERIC]
    found = [_fault("wrong-measure", f"`metrics` of the source {source} {said}", cure)
             for said, cure in mistakes(daily.text, every, numbers)]
    if SENTIMENT in every and not can_tell_moods():
        found.append(_fault("no-sentiment", f"the source {source} needs the package vaderSentiment for {SENTIMENT}.",
                            'Install it: pip install "forestall[text]".'))
    return found


def zone(name: str) -> ZoneInfo | None:
    """The time zone of that name, UTC for none; None when there is no such zone."""
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, OSError, KeyError):     # ZoneInfoNotFoundError is a KeyError
        return None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`Did you mean X?`, or an empty text."""
    near = difflib.get_close_matches(word, list(candidates), n=1)
    return f"Did you mean {near[0]}?" if near else ""


def _mistakes(declared: DailyMetric, metric: Metric) -> Iterator[tuple[str, str]]:
    """What the catalogue contradicts; the rest is checked where the declaration is made."""
    measure, kinds = declared.measure, KINDS[declared.measure]
    if metric.kind not in kinds:
        yield (f"it is a {metric.kind} in rules/metrics.yaml, and `measure: {measure}` gives a {kinds[0]}.",
               f"Write `kind: {kinds[0]}` there, or measure something else.")
    if metric.per_day and (declared.days or 1) > 1 and measure is not Measure.LATEST:
        yield (f"it counts one day (`per: day` in rules/metrics.yaml), and `days: {declared.days}` counts several.",
               "Take `per: day` away there, or `days` here.")


def _fault(code: str, message: str, hint: str) -> Problem:
    return Problem(Location(SETTINGS_FILE), code, message, hint)
