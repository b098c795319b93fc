"""How sure a share is that was counted on so many cases, and which of several are beyond chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import NormalDist

from forestall.engine.simulate.comparison import Rate

LEVEL = 0.95
_DEVIATIONS = NormalDist().inv_cdf(0.5 + LEVEL / 2)


def rate(hits: int, cases: int, worth: float | None = None) -> Rate:
    """A share with its 95 percent interval by Wilson's score method.

    E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209; recommended for small numbers by Brown, Cai and DasGupta, Stat.
    Sci. 16 (2001) 101. `worth`: so many independent cases the cases are worth (see `effective`).
    """
    if not cases:
        return Rate(None, 0.0, 1.0, 0)
    share, count, z = hits / cases, worth or float(cases), _DEVIATIONS
    middle = share + z * z / (2 * count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low, high = ((middle + sign * half) / (1 + z * z / count) for sign in (-1, 1))
    return Rate(share, 0.0 if not hits else max(low, 0.0), 1.0 if hits == cases else min(high, 1.0), cases)


def effective(groups: Sequence[tuple[int, int]]) -> float:
    """How many independent cases these are worth, of which those of one group (hits, cases) go together.

    The cases divided by the design effect (Kish, Survey Sampling, 1965): how much the sums of the groups scatter more
    than independent cases would. Never more than there are. Where all cases are alike nothing can be estimated: then
    the cases of a group count as one.
    """
    cases = sum(some for _, some in groups)
    hits = sum(some for some, _ in groups)
    if not cases:
        return 0.0
    share = hits / cases
    if hits in (0, cases):
        return cases ** 2 / sum(some * some for _, some in groups)
    scatter = sum((here - share * some) ** 2 for here, some in groups)
    return cases / max(scatter / (cases * share * (1 - share)), 1.0)


def beyond(share: float, chance: float, worth: float) -> float:
    """How probable so large a share is by chance alone: one-sided, by the same score method as the interval."""
    if not 0 < chance < 1:
        return 0.0 if share > chance else 1.0
    return 1 - NormalDist().cdf((share - chance) / sqrt(chance * (1 - chance) / worth))


def holm(probabilities: Mapping[str, float], level: float = (1 - LEVEL) / 2) -> dict[str, bool]:
    """Which of several are beyond chance, so that even one is called so by mistake with at most this probability.

    S. Holm, Scand. J. Stat. 6 (1979) 65: the smallest must be below level / n, the next below level / (n - 1), and
    so on until one is not.
    """
    found, open_still = {}, True
    for place, (name, probability) in enumerate(sorted(probabilities.items(), key=lambda one: one[1])):
        open_still = open_still and probability <= level / (len(probabilities) - place)
        found[name] = open_still
    return found
