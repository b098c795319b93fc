"""What sources promise to supply, and which metric plays which role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forestall.engine.errors import Location
from forestall.engine.model.expression import Expression, Kind


@dataclass(frozen=True, slots=True)
class Metric:
    """One fact about an account, on one day.

    `stale_after` is in days: a value said on day D is used through D + stale_after. `per_day` marks a metric that
    counts that one day and is never carried. `derived` computes it from other metrics; then no source supplies it.
    `personal` metrics appear in deliveries only.
    """

    name: str
    kind: Kind
    location: Location
    unit: str = ""
    about: str = ""
    stale_after: int = 7
    one_of: tuple[str, ...] = ()
    derived: Expression | None = None
    per_day: bool = False
    personal: bool = False

    @property
    def supplied(self) -> bool:
        """Whether a source must supply it."""
        return self.derived is None


@dataclass(frozen=True, slots=True)
class Roles:
    """Which metric the engine itself reads for what; an empty name means that no metric plays the role."""

    name: str = ""
    contact: str = ""
    csm: str = ""
    executive: str = ""
    revenue: str = ""
    renewal: str = ""
    time_zone: str = ""
    since: str = ""
    opted_out: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every metric by name, in the order of the file, and the roles."""

    metrics: Mapping[str, Metric]
    roles: Roles

    def supplied(self) -> tuple[Metric, ...]:
        """The metrics that sources supply, in the order of the file."""
        return tuple(metric for metric in self.metrics.values() if metric.supplied)

    def longest_carry(self) -> int:
        """The largest `stale_after`, in days."""
        return max((metric.stale_after for metric in self.supplied() if not metric.per_day), default=0)
