"""What is written down of a pass, so that the day can be decided again: what it went by, and what it decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from forestall.engine.model.delivery import Delivery
from forestall.engine.model.state import Decisions, State
from forestall.engine.model.supply import Supply
from forestall.engine.model.trigger import Existing


@dataclass(frozen=True, slots=True)
class DayRead:
    """The facts of a day as they were read: how many accounts, and a hash of their rows."""

    accounts: int
    digest: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What a pass went by besides its state.

    `version` is that of Forestall, `files` are the rules by name. `settings` are those that can change a decision: in
    plain words, or as a hash where people and addresses are meant. `generation` numbers what had arrived in the history
    by then, `catalogue` is the hash of what its days depend on besides. `moment` is None in rehearsal, where days have
    no hours. `tiers` counts the book of business ("" is unscored).
    """

    version: str
    files: Mapping[str, str]
    settings: Mapping[str, str]
    gone_after: int
    generation: int
    catalogue: str
    read: DayRead
    moment: datetime | None
    supply: Supply
    existing: Existing | None
    tiers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Logged:
    """One pass as the log has it: the state that it began with and what it decided.

    Of `decided` are here: transitions, alerts, tiers, runs, deliveries, starts. `silences` are counted by their reason.
    `said` counts what people and sources had said about accounts since the pass before.
    """

    number: int
    day: date
    ran_at: datetime
    basis: Basis
    before: State
    decided: Decisions
    silences: Mapping[str, int] = field(default_factory=dict)
    said: int = 0
    repeated: tuple[str, ...] = ()

    @property
    def deliveries(self) -> Mapping[str, Delivery]:
        """What was planned, by key."""
        return {one.key: one for one in self.decided.deliveries}
