"""The rules as the engine runs them: immutable, checked, with a digest of their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from enum import StrEnum

from forestall.engine.errors import Location
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.delivery import MessageKind, StartedBy
from forestall.engine.model.expression import Expression

WELL_ABOVE = 2      # points: an account that has just left a tier may fall back on the next day


class MissingPolicy(StrEnum):
    """What a signal without data does to the score."""

    REWEIGHT = "reweight"
    ZERO = "zero"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Points:
    """Metric value → points: straight lines between the corners, flat outside. Sorted by value."""

    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """Metric value → points in bands: from each value on; below the first its points hold. Sorted by value."""

    bands: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """How a signal or a part gets its points: a metric with a curve, or an expression held to 0-100 (`curve` None)."""

    value: Expression
    curve: Points | Steps | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a signal; weights count among the parts of that signal."""

    name: str
    weight: float
    measure: Measure
    about: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """A weighted contribution to the health score: measured itself, or made of parts (then `measure` is None)."""

    name: str
    weight: float
    location: Location
    measure: Measure | None = None
    parts: tuple[Part, ...] = ()
    missing: MissingPolicy = MissingPolicy.REWEIGHT
    about: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A set of signals for some accounts. The base has no name and no condition and comes last."""

    name: str
    signals: tuple[Signal, ...]
    applies_to: Expression | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """A band of the health score: `low` ≤ score < `below` (the best tier includes 100: `below` is None).

    `high` is the upper end as written. `when` puts an account here whatever its score.
    """

    name: str
    low: Decimal
    high: Decimal
    below: Decimal | None
    location: Location
    when: Expression | None = None

    @property
    def clears_at(self) -> float | None:
        """From which score on an account is well above the band, so that its alert closes; None for the best tier."""
        return None if self.below is None else float(self.below + WELL_ABOVE)

    @property
    def label(self) -> str:
        """The name as people read it: at_risk → At Risk."""
        return self.name.replace("_", " ").title()


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Signals to score to tier. `tiers` run from best to worst; `minimum_coverage` is a share from 0 to 1.

    `profiles` are tried in order; the last one is the base and applies to everybody.
    """

    profiles: tuple[Profile, ...]
    tiers: tuple[Tier, ...]
    minimum_coverage: float = 0.0
    unscored_days: int = 0

    def rank(self, tier: str) -> int:
        """0 for the best tier, growing with severity. KeyError for an unknown tier."""
        for index, candidate in enumerate(self.tiers):
            if candidate.name == tier:
                return index
        raise KeyError(tier)


class Existing(StrEnum):
    """What a new trigger, or the first sight of an account in a tier, does with accounts that already match."""

    OPEN = "open"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A condition worth an alert. `cooldown` and `lasts` are in days.

    `severity` is a tier's name, or empty for the account's own tier: the worst since the alert opened. `clear_when`
    None: clears when `when` is false. `repeat` None: the owner is told once. `renamed_from` are names it had before.
    """

    name: str
    when: Expression
    location: Location
    clear_when: Expression | None = None
    about: str = ""
    severity: str = ""
    cooldown: int = 14
    lasts: int = 30
    existing: Existing = Existing.OPEN
    repeat: int | None = None
    renamed_from: tuple[str, ...] = ()
    started_by: StartedBy = StartedBy.DATA


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
    share from 0 to 1. `digest` tells one wording of its steps from another. `started_by` None: what its trigger says.
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

    @property
    def recurring(self) -> bool:
        """Whether it starts by the calendar and not by an alert."""
        return self.every is not None

    def alert_names(self) -> tuple[str, ...]:
        """The alerts that start it: its triggers, `tier:NAME` for falling into it, `recovered:NAME` for coming up."""
        tier = (tier_alert(self.tier),) if self.tier and not self.recurring else ()
        recovered = (recovery_alert(self.recovered_to),) if self.recovered_to else ()
        return self.triggers + tier + recovered

    @property
    def tasks(self) -> tuple[TaskStep, ...]:
        """What it asks of a person."""
        return tuple(step for step in self.steps if isinstance(step, TaskStep))


def tier_alert(tier: str) -> str:
    """The name of the alert that opens on falling into `tier`; no trigger can bear it."""
    return f"tier:{tier}"


def recovery_alert(tier: str) -> str:
    """The name of the alert that opens on recovering into `tier`; no trigger can bear it."""
    return f"recovered:{tier}"


@dataclass(frozen=True, slots=True)
class Digest:
    """How the one message reaches a colleague that stands for all tasks beyond the budget of the day."""

    by: MessageKind
    template: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What people can bear. None or an empty tuple: no such limit.

    `emails_per_account` is (count, days); `messages_per_person` and `tasks_per_csm` are per day. What goes beyond the
    budget of a colleague's day goes into one message, the `digest`. `per_play` and `times_usual` are the blast guard:
    more starts in one pass, or more than so many times the usual number, are held. `quiet_hours` is from and until, by
    the clock of whoever is written to; `holidays` are quiet all day and no business days.
    """

    emails_per_account: tuple[int, int] | None = None
    messages_per_person: int | None = None
    tasks_per_csm: int | None = None
    digest: Digest | None = None
    per_play: int | None = 200
    times_usual: float | None = None
    quiet_hours: tuple[time, time] | None = None
    holidays: tuple[date, ...] = ()
    urgent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A message: its subject line, its Markdown body (Jinja2) and where it stands.

    `location` is the subject line; `body_line` is the line of the file on which `body` begins.
    """

    name: str
    subject: str
    body: str
    location: Location
    body_line: int = 3


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything that the YAML files and templates say, checked. `digest` is a hash of all of it."""

    catalogue: Catalogue
    scorecard: Scorecard
    triggers: Mapping[str, Trigger]
    plays: Mapping[str, Play]
    limits: Limits
    templates: Mapping[str, Template]
    digest: str
    scoring_digest: str = ""
    gone_after: int = 14
    tier_cooldown: int = 14      # for the alerts that plays' tiers open: the defaults of triggers.yaml
    tier_lasts: int = 30
    tier_repeat: int | None = None
    _by_alert: Mapping[str, tuple[Play, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, tuple[Play, ...]] = {}
        for play in self.plays.values():
            for name in dict.fromkeys(play.alert_names()):
                found[name] = (*found.get(name, ()), play)
        object.__setattr__(self, "_by_alert", found)

    def plays_for(self, alert: str) -> tuple[Play, ...]:
        """The plays that an alert of this name may start, in file order."""
        return self._by_alert.get(alert, ())

    def tier_alerts(self) -> tuple[str, ...]:
        """The tiers that start a play when an account falls into them, as alert names, best first."""
        used = {play.tier for play in self.plays.values() if play.tier and not play.recurring}
        return tuple(tier_alert(tier.name) for tier in self.scorecard.tiers if tier.name in used)

    def recovery_alerts(self) -> tuple[str, ...]:
        """The tiers that start a play when an account recovers into them, as alert names, best first."""
        used = {play.recovered_to for play in self.plays.values()}
        return tuple(recovery_alert(tier.name) for tier in self.scorecard.tiers if tier.name in used)

    def started_by(self, play: Play, group: str) -> StartedBy:
        """What sets a run of the play in motion that this alert started: as the play says, else as its trigger does."""
        trigger = self.triggers.get(group)
        return play.started_by or (trigger.started_by if trigger is not None else StartedBy.DATA)
