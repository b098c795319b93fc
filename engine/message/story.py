"""Everything that a message may tell about one account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from forestall.engine.message.slots import filled, pieces
from forestall.engine.message.wording import escaped
from forestall.engine.model.evaluation import Facts
from forestall.engine.model.people import Person


@dataclass(frozen=True, slots=True)
class AlertStory:
    """An alert in people's words. `name` and `severity` are labels; `reason` is a sentence.

    `rule` is its condition in plain words, `condition` the same as it stands in the rules (empty for a fall into a
    tier).
    """

    name: str
    about: str
    opened_on: date
    severity: str
    reason: str
    rule: str = ""
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that the alert is about: what people call it, and its value then and now, in words."""

    label: str
    then: str
    now: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The history of the score or of a metric as one line of small bars, from the day `since` until today."""

    label: str
    line: str
    first: str
    last: str
    since: date


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the play will still do: when, in words, and what."""

    when: str
    what: str


@dataclass(frozen=True, slots=True)
class ListedTask:
    """One thing of a digest, in people's words: the subject of its own message, whom it is about, until when."""

    title: str
    account: str
    play: str
    severity: str
    due: date | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """What the template of one delivery can say.

    `before` is the account `days_ago` days before the alert opened. `tiers` gives each tier's label. `personal` names
    the metrics that never leave in the facts of a webhook. `within` is in days, None without a due time. `alert` is
    None for a recurring play. `changes`, `charts`, `ahead` and `stakes` are told to colleagues, where their template
    asks for them; `inside` says that the message is for one. `tasks` are those of a digest, which is about no account
    and whose `csm` is whoever gets it. A `reminder` says once more what is still open; `overdue` says that the due day
    has passed.
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
    about: str = ""
    due: date | None = None
    changes: tuple[Change, ...] = ()
    charts: tuple[Chart, ...] = ()
    ahead: tuple[Ahead, ...] = ()
    stakes: str = ""
    inside: bool = False
    tasks: tuple[ListedTask, ...] = ()
    reminder: bool = False
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in words: one line of subject (at most 200 characters) and a Markdown body.

    Where `values` stand in the body it has slots (see slots.py), so that no value is ever read as Markdown and a body
    that differs in values only is read once.
    """

    subject: str
    body: str
    values: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The body as Markdown, with its values."""
        return filled(pieces(self.body), self.values, escaped)
