"""Everything that a message may tell about one account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from forestall.engine.model.evaluation import Facts
from forestall.engine.model.people import Person


@dataclass(frozen=True, slots=True)
class AlertStory:
    """An alert in people's words. `name` and `severity` are labels; `reason` is a sentence."""

    name: str
    about: str
    opened_on: date
    severity: str
    reason: str


@dataclass(frozen=True, slots=True)
class Story:
    """What the template of one delivery can say.

    `before` is the account `days_ago` days before the alert opened. `tiers` gives each tier's label. `personal` names
    the metrics that never leave in the facts of a webhook. `within` is in days, None without a due time. `alert` is
    None for a recurring play.
    """

    account: str
    name: str
    now: Facts
    before: Facts | None
    days_ago: int
    tiers: Mapping[str, str]
    personal: frozenset[str]
    csm: Person | None = None
    executive: Person | None = None
    contact: str = ""
    alert: AlertStory | None = None
    play: str = ""
    within: int | None = None
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in words: one line of subject (at most 200 characters) and a Markdown body."""

    subject: str
    text: str
