"""What is known and true about one account on one day, as the evaluator found it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from forestall.engine.model.expression import Truth

Value = float | str | bool | date | None


@dataclass(frozen=True, slots=True)
class AccountDay:
    """One account on one day. `truths` holds one byte per condition, in the order of the rulebook's `conditions`.

    `score` and `tier` are None when the account is unscored. `named_on` is the last day on which a source named it.
    """

    account: str
    day: date
    score: float | None
    tier: str | None
    truths: bytes
    named_on: date
    name: str = ""
    contact: str = ""
    csm: str = ""
    executive: str = ""
    revenue: float | None = None
    renewal: date | None = None
    opted_out: bool = False

    def truth(self, index: int) -> Truth:
        """The truth of the condition with this index."""
        return Truth(self.truths[index])

    def gone(self, gone_after: int) -> bool:
        """Whether no source has named it for `gone_after` days."""
        return (self.day - self.named_on).days >= gone_after


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about one account on one day, for messages and explanations: metrics, derived metrics, signals."""

    account: str
    day: date
    score: float | None
    tier: str | None
    values: Mapping[str, Value]
