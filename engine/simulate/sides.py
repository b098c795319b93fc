"""What is compared: two sets of rules, the period, and of whom the answer tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from forestall.engine.model.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Side:
    """A set of rules and what it is called: `main (1a2b3c4)`, a folder, "the rules last accepted"."""

    called: str
    rulebook: Rulebook


@dataclass(frozen=True, slots=True)
class Asked:
    """The days that count, the days replayed before them (None: as many as the rules need), and of whom is told.

    The filters choose which accounts are told of. Everybody is replayed: caps, budgets and guards see everybody.
    """

    first: date
    last: date
    warm_up: int | None = None
    segment: str = ""
    csm: str = ""
    account: str = ""

    @property
    def filters(self) -> Mapping[str, str]:
        """What was asked for, by its name."""
        found = {"segment": self.segment, "csm": self.csm, "account": self.account}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Who:
    """What is known of an account on its last day in the period. `segment` and `csm` are "" when unknown."""

    account: str
    name: str
    segment: str = ""
    csm: str = ""
    revenue: float | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Every account with a row in the period, and those that are told of (all of them without filters)."""

    everybody: Mapping[str, Who]
    told: frozenset[str] | None = field(default=None)

    def tells_of(self, account: str) -> bool:
        """Whether the answer tells of this account."""
        return self.told is None or account in self.told
