"""The other values that a metric of today could have: its ladders, rung by rung away from the value that it has.

Numbers go by whole ones where the account's values are whole, else by tenths, and by hundredths where they all lie
between -1 and 1. Dates go by days. Flags turn; texts become one of those that the rules or the account know.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from forestall.engine.model.catalogue import Metric
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Kind

NEAR = 16                  # rungs that are tried one by one
MOST_RUNGS = 2**21
DAYS_AWAY = 3660           # how far a date is moved at most


@dataclass(frozen=True, slots=True)
class Ladder:
    """Values in one direction: rung 0 is the nearest to `now`. `stops` are rungs at which rules bend."""

    metric: str
    now: float | int
    unit: float
    start: int
    sign: int
    rungs: int
    stops: tuple[int, ...]

    def value(self, rung: int) -> float | int:
        """The value on a rung; below the lowest one it is what it is now."""
        if rung < 0:
            return self.now
        place = self.start + self.sign * rung
        return place if isinstance(self.now, int) else round(place * self.unit, 6)

    def probes(self) -> list[int]:
        """Rungs worth trying, the nearest first: neighbours, ever larger strides, and where rules bend."""
        found = set(range(min(NEAR, self.rungs))) | {stop for stop in self.stops if 0 <= stop < self.rungs}
        stride = NEAR
        while stride < self.rungs:
            found.add(stride)
            stride *= 2
        if self.rungs and self.rungs < MOST_RUNGS:
            found.add(self.rungs - 1)
        return sorted(found)

    @property
    def far(self) -> int:
        """The furthest rung that rules tell from the one before."""
        known = [stop for stop in self.stops if 0 <= stop < self.rungs]
        return max(known, default=min(self.rungs, 1024) - 1)

    def size(self, rung: int) -> float:
        """How large a change is, to compare changes of different metrics: in proportion, or to a month."""
        change = abs(self.value(rung) - self.now)
        return change / 30 if isinstance(self.now, int) else change / max(abs(self.now), abs(self.value(rung)), 1e-9)


def ladders(metric: Metric, now: Value, seen: Iterable[Value], bends: Iterable[float], today: int) -> list[Ladder]:
    """Up and down from the value of today. `seen` are the account's values, `bends` those at which rules turn."""
    if metric.kind is Kind.DATE and isinstance(now, int):
        furthest = min(today, now + DAYS_AWAY) if now <= today else now + DAYS_AWAY      # the past stays in the past
        near = [today - round(bend) for bend in bends if abs(bend) < DAYS_AWAY]
        near += [today + round(bend) for bend in bends if abs(bend) < DAYS_AWAY]
        return [_ladder(metric.name, now, 1, now + 1, 1, furthest - now, near),
                _ladder(metric.name, now, 1, now - 1, -1, DAYS_AWAY, near)]
    if metric.kind is not Kind.NUMBER or not isinstance(now, float):
        return []
    numbers = [value for value in (now, *seen) if isinstance(value, float)]
    unit = unit_of(numbers)
    up, down = math.floor(now / unit + 1e-6) + 1, math.ceil(now / unit - 1e-6) - 1
    places = [place for bend in bends for place in (math.floor(bend / unit), math.ceil(bend / unit))]
    lowest = MOST_RUNGS if min(numbers) < 0 else down + 1      # what was never negative stays so
    return [_ladder(metric.name, now, unit, up, 1, MOST_RUNGS, places),
            _ladder(metric.name, now, unit, down, -1, lowest, places)]


def _ladder(metric: str, now: float | int, unit: float, start: int, sign: int, rungs: int,
            places: Sequence[int]) -> Ladder:
    stops = {sign * (place - start) + aside for place in places for aside in (-1, 0, 1)}
    return Ladder(metric, now, unit, start, sign, max(rungs, 0), tuple(sorted(stop for stop in stops if stop >= 0)))


def unit_of(numbers: Sequence[float]) -> float:
    """The step by which a number moves."""
    if all(number == math.floor(number) for number in numbers):
        return 1.0
    return 0.01 if all(abs(number) <= 1 for number in numbers) else 0.1


def others(metric: Metric, now: Value, seen: Iterable[Value], texts: Iterable[str]) -> list[Value]:
    """What a flag or a text could be instead."""
    if metric.kind is Kind.FLAG and isinstance(now, bool):
        return [not now]
    if metric.kind is not Kind.TEXT or now is None:
        return []
    known = metric.one_of or (*texts, *(value for value in seen if isinstance(value, str)))
    return [text for text in dict.fromkeys(known) if text != now]


def first_rung(ladder: Ladder, clears: Callable[[int], bool]) -> int | None:
    """The nearest rung found on which `clears` is true while it is not on the one before; None when none is found."""
    below = -1
    for probe in ladder.probes():
        if clears(probe):
            return lowest_between(below, probe, clears)
        below = probe
    return None


def lowest_between(below: int, above: int, clears: Callable[[int], bool]) -> int:
    """A rung that clears whose neighbour below does not; `below` does not clear and `above` does."""
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if clears(middle) else (middle, above)
    return above
