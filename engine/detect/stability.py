"""How far the distribution of a day is from that of other days: the population stability index, and when it says much.

The index is the symmetric Kullback-Leibler divergence of two histograms. By the usual rule of thumb 0.25 is a large
shift, whatever the number of accounts and bins. Where nothing has changed, it is distributed like (1/n + 1/m) times a
chi-squared variable with one degree of freedom less than there are bins (B. Yurdakul and J. Naranjo, Statistical
properties of the population stability index, Journal of Risk Model Validation 14, 2020): so few accounts may reach 0.25
by chance. And some facts move by themselves, by weekdays or with a calendar: no day counts as a jump that is not far
beyond what other days have shown. Where days are so different that nothing is, a median far beyond that of every day
still tells of another unit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

Histogram = dict[str, int]
LARGE = 0.25
BEYOND_OTHERS = 3.0       # times the index of the most unusual day before
BEYOND_CHANCE = 2.0       # times what chance exceeds on one day of a thousand
ONE_IN_A_THOUSAND = 3.0902      # the quantile of the normal distribution
FEWEST = 30               # values of a day: fewer make no distribution
DAYS_BEFORE = 10          # with fewer nobody knows what is usual
SCALE = 5.0               # times: no median of a day before was near


def index(one: Histogram, other: Histogram) -> float:
    """The population stability index; half a value is added to each bin, so that an empty one is no infinity."""
    bins = one.keys() | other.keys()
    half = 0.5 * len(bins)
    of_one, of_other = sum(one.values()) + half, sum(other.values()) + half
    shares = ((one.get(each, 0) + 0.5, other.get(each, 0) + 0.5) for each in bins)
    return sum((mine / of_one - theirs / of_other) * math.log(mine / of_one / (theirs / of_other))
               for mine, theirs in shares)


def chance(one: Histogram, other: Histogram) -> float:
    """What the index exceeds on one day of a thousand when nothing has changed (Wilson and Hilferty's approximation of
    the chi-squared distribution)."""
    free = max(len(one.keys() | other.keys()) - 1, 1)
    quantile = free * (1 - 2 / (9 * free) + ONE_IN_A_THOUSAND * math.sqrt(2 / (9 * free))) ** 3
    return (1 / sum(one.values()) + 1 / sum(other.values())) * quantile


def together(several: Iterable[Histogram]) -> Counter[str]:
    """One histogram of several."""
    whole: Counter[str] = Counter()
    for one in several:
        whole.update(one)
    return whole


def large(day: Histogram, before: Histogram) -> bool:
    """Whether a shift is large, and no chance."""
    return sum(day.values()) >= FEWEST and index(day, before) > max(LARGE, BEYOND_CHANCE * chance(day, before))


def jump(day: Histogram, before: Sequence[Histogram]) -> float | None:
    """The index of a day against all days before, where that is a jump; None where it is not, or cannot be told."""
    usual = [one for one in before if sum(one.values()) >= FEWEST]
    whole = together(usual)
    if len(usual) < DAYS_BEFORE or not large(day, whole):
        return None
    found = index(day, whole)
    most = max(index(one, whole - Counter(one)) for one in usual)
    return found if found > BEYOND_OTHERS * most else None


def other_scale(median: float, before: Sequence[float]) -> bool:
    """Whether the median of a day is far beyond that of every day before, or far below: as with another unit."""
    sizes = [abs(one) + 1 for one in before]
    return len(sizes) >= DAYS_BEFORE and not min(sizes) / SCALE < abs(median) + 1 < max(sizes) * SCALE
