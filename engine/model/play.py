"""Practised responses: what starts a play, and its steps."""

from __future__ import annotations

from dataclasses import dataclass, field

from forestall.engine.errors import Location
from forestall.engine.model.delivery import StartedBy
from forestall.engine.model.expression import Expression
from forestall.engine.model.trigger import Existing


@dataclass(frozen=True, slots=True)
class EmailStep:
    """An email to a role or a destination; `sender` is the role whose name it carries ("" = the channel's own)."""

    id: str
    to: str
    template: str
    location: Location
    sender: str = ""


@dataclass(frozen=True, slots=True)
class SlackStep:
    """A Slack message to a person's role or a destination."""

    id: str
    to: str
    template: str
    location: Location


@dataclass(frozen=True, slots=True)
class WebhookStep:
    """An HTTP POST to a destination."""

    id: str
    to: str
    template: str
    location: Location


@dataclass(frozen=True, slots=True)
class TaskStep:
    """Work for a person (`person` is a role), sent to a destination or a role. `done_when` true: it is done."""

    id: str
    person: str
    to: str
    template: str
    location: Location
    done_when: Expression | None = None


@dataclass(frozen=True, slots=True)
class WaitStep:
    """Wait so many days; `business`: only those on which people work count."""

    id: str
    days: int
    location: Location
    business: bool = False


@dataclass(frozen=True, slots=True)
class StopIfStep:
    """End the play here if the condition is true."""

    id: str
    condition: Expression
    location: Location

MessageStep = EmailStep | SlackStep | WebhookStep | TaskStep

Step = MessageStep | WaitStep | StopIfStep


@dataclass(frozen=True, slots=True)
class Every:
    """How often a recurring play starts: `count` days, or months when `monthly`."""

    count: int
    monthly: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """What the play is for; watched for `within` days from its start."""

    when: Expression
    within: int


@dataclass(frozen=True, slots=True)
class Play:
    """A practised response. It starts on one of `triggers`, on falling into `tier`, on recovering into `recovered_to`,
    or recurs `every` so often in its tier.

    `within` is in days (0 = the same day, None = no due time); `escalate` is sent when it has passed. `holdout` is a
    share from 0 to 1. `digest` tells one wording of its steps, which is `written` (JSON), from another. `started_by`
    None: what its trigger says.
    """

    name: str
    steps: tuple[Step, ...]
    location: Location
    digest: str
    triggers: tuple[str, ...] = ()
    tier: str = ""
    every: Every | None = None
    applies_to: Expression | None = None
    owner: str = ""
    within: int | None = None
    goal: Goal | None = None
    holdout: float = 0.0
    resources: tuple[str, ...] = ()
    alongside: bool = False
    finish_anyway: bool = False
    existing: Existing = Existing.OPEN
    about: str = ""
    recovered_to: str = ""
    escalate: MessageStep | None = None
    started_by: StartedBy | None = None
    written: str = field(default="[]", repr=False, compare=False)
    tasks: tuple[TaskStep, ...] = field(init=False, repr=False, compare=False)      # what it asks of a person

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(step for step in self.steps if isinstance(step, TaskStep)))

    @property
    def recurring(self) -> bool:
        """Whether it starts by the calendar and not by an alert."""
        return self.every is not None

    def alert_names(self) -> tuple[str, ...]:
        """The alerts that start it: its triggers, `tier:NAME` for falling into it, `recovered:NAME` for coming up."""
        tier = (tier_alert(self.tier),) if self.tier and not self.recurring else ()
        recovered = (recovery_alert(self.recovered_to),) if self.recovered_to else ()
        return self.triggers + tier + recovered


PlaySteps = tuple[str, str]
"""A wording of a play's steps: the play's name and `Play.digest`."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Steps as a play once said them; `problem`: why they cannot be followed any more, "" when they can."""

    steps: tuple[Step, ...]
    problem: str = ""


def tier_alert(tier: str) -> str:
    """The name of the alert that opens on falling into `tier`; no trigger can bear it."""
    return f"tier:{tier}"


def recovery_alert(tier: str) -> str:
    """The name of the alert that opens on recovering into `tier`; no trigger can bear it."""
    return f"recovered:{tier}"
