"""The rules as the engine runs them: immutable, checked, with a digest of their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from types import MappingProxyType

from forestall.engine.errors import Location
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.delivery import MessageKind, StartedBy
from forestall.engine.model.play import Begun, Play, PlaySteps, recovery_alert, tier_alert
from forestall.engine.model.scorecard import Scorecard
from forestall.engine.model.trigger import Existing, Trigger


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
    """Everything that the YAML files and templates say, checked. `digest` is a hash of all of it.

    `begun`: steps that the files do not say any more, and on which plays still run. `files`: their texts by name, for
    the decision log.
    """

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
    begun: Mapping[PlaySteps, Begun] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
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

    def as_begun(self, name: str, digest: str) -> Play | None:
        """The play as somebody goes through it who began it with these steps; None when it was taken out.

        Where they are not known it has none: see `stuck`.
        """
        play = self.plays.get(name)
        if play is None or play.digest == digest:
            return play
        begun = self.begun.get((name, digest))
        return replace(play, steps=begun.steps if begun is not None else (), digest=digest)

    def stuck(self, name: str, digest: str) -> str:
        """Why nobody can go on with these steps of a play; "" when they can."""
        if name not in self.plays or self.plays[name].digest == digest:
            return ""
        begun = self.begun.get((name, digest))
        return begun.problem if begun is not None else "nothing was written down of them"

    def tier_alerts(self) -> tuple[str, ...]:
        """The tiers that start a play when an account falls into them, as alert names, best first."""
        used = {play.tier for play in self.plays.values() if play.tier and not play.recurring}
        return tuple(tier_alert(tier.name) for tier in self.scorecard.tiers if tier.name in used)

    def recovery_alerts(self) -> tuple[str, ...]:
        """The tiers that start a play when an account recovers into them, as alert names, best first."""
        used = {play.recovered_to for play in self.plays.values()}
        return tuple(recovery_alert(tier.name) for tier in self.scorecard.tiers if tier.name in used)

    def with_existing(self, existing: Existing) -> Rulebook:
        """The same rules, with one answer for accounts that match already. Plays for accounts that have recovered keep
        theirs: who was never seen before has not recovered."""
        return replace(
            self,
            triggers=MappingProxyType({name: replace(one, existing=existing) for name, one in self.triggers.items()}),
            plays=MappingProxyType({name: one if one.recovered_to else replace(one, existing=existing)
                                    for name, one in self.plays.items()}))

    def started_by(self, play: Play, group: str) -> StartedBy:
        """What sets a run of the play in motion that this alert started: as the play says, else as its trigger does."""
        trigger = self.triggers.get(group)
        return play.started_by or (trigger.started_by if trigger is not None else StartedBy.DATA)
