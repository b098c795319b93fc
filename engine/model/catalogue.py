"""What sources promise to supply, and which metric plays which role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from forestall.engine.errors import Location
from forestall.engine.model.expression import Expression, Kind


@dataclass(frozen=True, slots=True)
class Metric:
    """One fact about an account, on one day.

    `stale_after` is in days: a value said on day D is used through D + stale_after. `per_day` marks a metric that
    counts that one day and is never carried. `derived` computes it from other metrics; then no source supplies it.
    `personal` metrics appear in deliveries only. `by_hand`: people may say it, in by_hand.csv.
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
    by_hand: bool = False

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
    churned_on: str = ""


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a person says of an account: it holds from `since` through `until`, whatever a source says."""

    account: str
    metric: str
    value: float | str | bool | date
    since: date
    until: date
    by: str
    note: str
    location: Location

    def holds_on(self, day: date) -> bool:
        """Whether it is in force on the day."""
        return self.since <= day <= self.until


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every metric by name, in the order of the file, the roles, and what people say by hand."""

    metrics: Mapping[str, Metric]
    roles: Roles
    by_hand: tuple[ByHand, ...] = ()

    def supplied(self) -> tuple[Metric, ...]:
        """The metrics that sources supply, in the order of the file."""
        return tuple(metric for metric in self.metrics.values() if metric.supplied)

    def said_of(self, account: str, day: date) -> tuple[ByHand, ...]:
        """What people say of an account on a day, in the order of by_hand.csv."""
        return tuple(one for one in self.by_hand if one.account == account and one.holds_on(day))

    def longest_carry(self) -> int:
        """The largest `stale_after`, in days."""
        return max((metric.stale_after for metric in self.supplied() if not metric.per_day), default=0)
