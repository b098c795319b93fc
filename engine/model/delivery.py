"""Plays under way, the deliveries they cause, and the reasons when they cause none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class RunStatus(StrEnum):
    """Where a play that was started for an account stands."""

    RUNNING = "running"
    FINISHED = "finished"      # every step is done
    STOPPED = "stopped"        # by stop_if, goal, clearing, a worse play, removal
    HELD_OUT = "held_out"      # in the control group: nothing is sent, the goal is watched
    SILENCED = "silenced"      # another play was in the way: nothing is sent, the goal is watched
    HELD = "held"              # a guard holds the start: a person approves it, or it lapses (`since`: held since)


NOT_STARTED = frozenset({RunStatus.HELD_OUT, RunStatus.HELD, RunStatus.SILENCED})
"""Runs that have sent nothing, and are kept to be compared or to start later."""


class OutcomeStatus(StrEnum):
    """What became of a play's goal."""

    WATCHING = "watching"
    MET = "met"
    NOT_MET = "not met"
    ALREADY_MET = "already met"
    UNKNOWN = "unknown"        # the account was gone, or the play was taken out, before it could be known
    NONE = "no goal"


@dataclass(frozen=True, slots=True)
class PlayRun:
    """One play for one account and one opening. `step` is the index of the step to do next, on `next_on`.

    `group` is the alert that started it (the play's own name for a recurring one). `until` is the last day on which
    the goal is watched.
    """

    account: str
    play: str
    group: str
    occurrence: date
    severity: str
    status: RunStatus
    digest: str
    step: int = 0
    next_on: date | None = None
    since: date | None = None           # the day since which the current step has been put off
    reason: str = ""
    outcome: OutcomeStatus = OutcomeStatus.NONE
    until: date | None = None
    met_on: date | None = None
    began_on: date | None = None        # the first day on which the goal is watched
    done_on: date | None = None         # somebody said that what it asks of a person is done
    done_by: str = ""
    due_on: date | None = None          # the last day of the play's `within`
    told_on: date | None = None         # its first message was planned
    escalated_on: date | None = None

    def at(self, step: int, next_on: date | None, since: date | None, told_on: date | None, reason: str) -> PlayRun:
        """The run at another step. Field by field: `replace` looks at all of them, for every run of a pass."""
        return PlayRun(self.account, self.play, self.group, self.occurrence, self.severity, self.status, self.digest,
                       step, next_on, since, reason, self.outcome, self.until, self.met_on, self.began_on, self.done_on,
                       self.done_by, self.due_on, told_on, self.escalated_on)

    @property
    def took(self) -> int | None:
        """How many days it took until the goal was met; None as long as it is not, or was met from the start."""
        return (self.met_on - self.began_on).days if self.met_on and self.began_on else None


class SilenceReason(StrEnum):
    """Why nothing was sent though something could have been."""

    HOLDOUT = "holdout"
    COOLDOWN = "cooldown"
    CAP = "cap"
    QUIET_HOURS = "quiet hours"
    BUDGET = "budget"
    OPTED_OUT = "opted out"
    ANOTHER_PLAY = "another play"
    SNOOZED = "snoozed"
    GUARD = "guard"
    NO_ADDRESS = "no address"
    FACTS_MISSING = "facts missing"
    NO_PLAY = "no play applies"
    NO_TEMPLATE = "no template"


@dataclass(frozen=True, slots=True)
class Silence:
    """Something that was not sent, or put off, and why, in words. `step` is empty when the whole play is meant."""

    account: str
    play: str
    group: str
    occurrence: date
    day: date
    reason: SilenceReason
    step: str = ""
    detail: str = ""


class MessageKind(StrEnum):
    """The form in which a delivery travels."""

    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"
    TASK = "task"


class StartedBy(StrEnum):
    """What set a delivery in motion: the ratio of proactive to reactive work comes from it."""

    DATA = "data"
    PERSON = "person"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One step for one recipient. `key` is the same whenever the same step is planned again.

    `channel` and `recipient` are the channel's name in forestall.yaml and the address on it. `sender` is a display
    name with an address to reply to, or empty. `not_before` is the moment before which it does not leave, and `quiet`
    the hours in which no attempt is made (see `intervene/quiet.py`); empty where there are none. `due_on` is the last
    day for what the play asks for; None where it has no due time.
    """

    key: str
    account: str
    play: str
    group: str
    occurrence: date
    day: date
    step: str
    kind: MessageKind
    channel: str
    recipient: str
    template: str
    to_customer: bool
    severity: str
    sender: str = ""
    sender_address: str = ""
    person: str = ""
    started_by: StartedBy = StartedBy.DATA
    not_before: datetime | None = None
    quiet: str = ""
    due_on: date | None = None


class DeliveryStatus(StrEnum):
    """Where an outbox row stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENT = "sent"
    CANCELLED = "cancelled"
    DEAD = "dead"
    UNCERTAIN = "uncertain"    # it may have arrived, and its channel says `on_uncertain: hold`: a person decides


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered delivery, ready for a channel.

    `text` is Markdown; `html` the same as HTML (email only); `body` a JSON document (webhook and task only); `blocks` a
    JSON list of Block Kit blocks (Slack only). `list_unsubscribe` is a mailto or https address (email to the customer
    only, as `to_customer` says). `thread` groups the messages of one play. `key` lets the far side recognise a repeat.
    `label` is what people call the message (account, play, step): rehearsal names its files by it.
    """

    key: str
    kind: MessageKind
    to: str
    subject: str
    text: str
    html: str = ""
    body: str = ""
    sender: str = ""
    reply_to: str = ""
    thread: str = ""
    sent_on: date | None = None
    label: str = ""
    blocks: str = ""
    list_unsubscribe: str = ""
    to_customer: bool = True


class ReceiptStatus(StrEnum):
    """What the far side said."""

    SENT = "sent"
    RETRY = "retry"        # may succeed later
    REFUSED = "refused"    # can never succeed as it is
    UNCERTAIN = "uncertain"    # it may have arrived, and nobody knows: the answer to a whole message never came


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to one attempt. `retry_after` is what the far side asked for; `detail` never holds a secret.

    `whole_channel` says that a retry concerns everything on this channel (its server cannot be reached), not only
    this recipient: the rest of the channel then waits as well.
    """

    status: ReceiptStatus
    detail: str = ""
    retry_after: timedelta | None = None
    reference: str = ""
    whole_channel: bool = False


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A delivery with its message and its fate.

    `detail` and `reference` are what the last receipt said; `sent_at` is None until the far side took it.
    """

    delivery: Delivery
    message: Message
    status: DeliveryStatus
    attempts: int = 0
    next_attempt: datetime | None = None
    detail: str = ""
    reference: str = ""
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to send a delivery: what the far side said, and what became of the delivery.

    `again_at` is the moment from which on it is tried again, where `becomes` is QUEUED.
    """

    key: str
    at: datetime
    said: ReceiptStatus
    becomes: DeliveryStatus
    detail: str = ""
    reference: str = ""
    again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """A far side that failed and is left in peace for a while: a channel, or one destination on it. `asked` is what it
    asked for by itself."""

    scope: str
    asked: timedelta = timedelta(0)
