"""How accounts are scored: signals, profiles and tiers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from forestall.engine.errors import Location
from forestall.engine.model.expression import Expression

WELL_ABOVE = 2      # points: an account that has just left a tier may fall back on the next day


class MissingPolicy(StrEnum):
    """What a signal without data does to the score."""

    REWEIGHT = "reweight"
    ZERO = "zero"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Points:
    """Metric value → points: straight lines between the corners, flat outside. Sorted by value."""

    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """Metric value → points in bands: from each value on; below the first its points hold. Sorted by value."""

    bands: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """How a signal or a part gets its points: a metric with a curve, or an expression held to 0-100 (`curve` None)."""

    value: Expression
    curve: Points | Steps | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a signal; weights count among the parts of that signal."""

    name: str
    weight: float
    measure: Measure
    about: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """A weighted contribution to the health score: measured itself, or made of parts (then `measure` is None)."""

    name: str
    weight: float
    location: Location
    measure: Measure | None = None
    parts: tuple[Part, ...] = ()
    missing: MissingPolicy = MissingPolicy.REWEIGHT
    about: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A set of signals for some accounts. The base has no name and no condition and comes last."""

    name: str
    signals: tuple[Signal, ...]
    applies_to: Expression | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """A band of the health score: `low` ≤ score < `below` (the best tier includes 100: `below` is None).

    `high` is the upper end as written. `when` puts an account here whatever its score.
    """

    name: str
    low: Decimal
    high: Decimal
    below: Decimal | None
    location: Location
    when: Expression | None = None

    @property
    def clears_at(self) -> float | None:
        """From which score on an account is well above the band, so that its alert closes; None for the best tier."""
        return None if self.below is None else float(self.below + WELL_ABOVE)

    @property
    def label(self) -> str:
        """The name as people read it: at_risk → At Risk."""
        return self.name.replace("_", " ").title()


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Signals to score to tier. `tiers` run from best to worst; `minimum_coverage` is a share from 0 to 1.

    `profiles` are tried in order; the last one is the base and applies to everybody.
    """

    profiles: tuple[Profile, ...]
    tiers: tuple[Tier, ...]
    minimum_coverage: float = 0.0
    unscored_days: int = 0

    def rank(self, tier: str) -> int:
        """0 for the best tier, growing with severity. KeyError for an unknown tier."""
        for index, candidate in enumerate(self.tiers):
            if candidate.name == tier:
                return index
        raise KeyError(tier)
