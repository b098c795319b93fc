"""What is known and true about one account on one day, as the evaluator found it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from forestall.engine.model.expression import Truth

Value = float | str | bool | date | None
_TRUTHS = tuple(Truth)      # asked for millions of times: an index is quicker than `Truth(…)`


@dataclass(frozen=True, slots=True)
class AccountDay:
    """What decisions need to know of one account on one day.

    `tier` is None when the account is unscored. `truths` holds two bits per condition, in the order of the rulebook's
    `Conditions`, the first one lowest. `clear_of` says of how many tiers, counted from the worst, the score is well
    above the band (see `Tier.clears_at`).
    """

    account: str
    day: date
    tier: str | None
    truths: int
    clear_of: int = 0
    name: str = ""
    contact: str = ""
    csm: str = ""
    executive: str = ""
    revenue: float | None = None
    renewal: date | None = None
    opted_out: bool = False
    time_zone: str = ""

    def truth(self, index: int) -> Truth:
        """The truth of the condition with this index."""
        return _TRUTHS[(self.truths >> 2 * index) & 3]


def packed(truths: Iterable[int]) -> int:
    """Truths in the order of their conditions, as an AccountDay holds them."""
    return sum(truth << 2 * index for index, truth in enumerate(truths))


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about one account on one day, for messages and explanations: metrics, derived metrics, signals."""

    account: str
    day: date
    score: float | None
    tier: str | None
    values: Mapping[str, Value]
