"""What people, customers and sources said about an account: answers to alerts and plays, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from forestall.engine.model.alert import Alert
from forestall.engine.model.delivery import PlayRun, StartedBy


class AnswerKind(StrEnum):
    """What was said."""

    ACKNOWLEDGED = "acknowledged"    # somebody knows: no reminder and no escalation any more
    SNOOZED = "snoozed"              # not now: as above, and its steps wait
    DONE = "done"                    # what the play asked of a person is done
    SAVED = "saved"
    LOST = "lost"
    EXPANDED = "expanded"
    REPLIED = "replied"              # the customer wrote back
    UNSUBSCRIBED = "unsubscribed"    # the customer wants no email
    RESUBSCRIBED = "resubscribed"    # and wants email again


OUTCOMES = frozenset({AnswerKind.SAVED, AnswerKind.LOST, AnswerKind.EXPANDED})
SETTLES = OUTCOMES | {AnswerKind.DONE}
"""What ends the work of a play for a person: its run is done, and its alert known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing that was said about an account, by a person (`by`), at a moment (with a time zone), for a `day`.

    `play`, `group` and `occurrence` name the run that it answers, `trigger` the alert (else `group` does); all are
    empty where the account as a whole is meant. An answer to an earlier opening than the one that is open now is kept
    and changes nothing. `until` is the last day of a snooze. `source` says whether a person, the customer or the data
    said it. `address` is the one that is resubscribed. The same answer twice is kept once.
    """

    account: str
    kind: AnswerKind
    by: str
    at: datetime
    day: date
    play: str = ""
    group: str = ""
    occurrence: date | None = None
    trigger: str = ""
    until: date | None = None
    revenue: float | None = None
    reason: str = ""
    note: str = ""
    source: StartedBy = StartedBy.PERSON
    address: str = ""

    @property
    def alert(self) -> str:
        """The name of the alert that it speaks of; empty when it speaks of none."""
        return self.trigger or self.group


@dataclass(frozen=True, slots=True)
class Applied:
    """What an answer changed: the alerts and runs afterwards. `new` False: it was known already."""

    new: bool
    alerts: tuple[Alert, ...] = ()
    runs: tuple[PlayRun, ...] = ()
