"""What `forestall explain` tells of one account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from forestall.engine.intervene.explained import Answered
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.explain import Explanation


class Known(StrEnum):
    """What is known of the rules of the score that were in force on an earlier day."""

    SAME = "the same"
    CHANGED = "changed"                  # and what they were is known
    NOT_STORED = "changed, not stored"   # only that they were others
    NO_PASS = "no pass"                  # nothing was decided by then


@dataclass(frozen=True, slots=True)
class RulesThen:
    """The rules of an earlier day; `rulebook` where they were others and their content was found."""

    known: Known
    rulebook: Rulebook | None = None
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One account on one day: why it is as it is, and what was done. `since` counts the days compared with."""

    rulebook: Rulebook
    found: Explanation
    answered: Answered
    since: int
    rules_then: RulesThen

    @property
    def day(self) -> date:
        """The day that is explained."""
        return self.found.day
