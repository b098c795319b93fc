"""How complete the past is: what triggers asked and nobody knew, and the days on which nothing arrived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from statistics import median_low

from forestall.engine.detect.history import History
from forestall.engine.simulate.comparison import Completeness

LOOK_AT = 60      # days before the period from which it is learnt how often sources speak


def completeness(history: History, asked: int, unknown: int, days: Sequence[date]) -> Completeness:
    """`asked`: account-days and triggers that were judged; `unknown`: those of them that could not be."""
    spoken = {day for said in history.spoken(days[0] - timedelta(days=LOOK_AT), days[-1]).values() for day in said}
    return Completeness(1 - unknown / asked if asked else 1.0, silent(spoken, days))


def silent(spoken: set[date], days: Sequence[date]) -> tuple[date, ...]:
    """The days of which no source said anything, though by then one usually does. Who speaks once a week is not
    silent in between."""
    ordered = sorted(spoken)
    gaps = [(later - earlier).days for earlier, later in pairwise(ordered)]
    usual = median_low(gaps) if gaps else 1
    found = []
    last = max((day for day in ordered if day < days[0]), default=None)
    for day in days:
        if day in spoken:
            last = day
        elif last is None or (day - last).days >= usual:
            found.append(day)
    return tuple(found)
