"""Alerts: what opens, what closes, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class AlertStatus(StrEnum):
    """Where an alert stands between two passes."""

    OPEN = "open"
    CLEAR = "clear"          # closed; may open again after its cooldown
    SPENT = "spent"          # expired; armed again once its condition is false
    PENDING = "pending"      # fell into the tier inside the cooldown: opens when it ends, if still there


class TransitionKind(StrEnum):
    """What can happen to an alert in a pass."""

    OPENED = "opened"
    RECORDED = "recorded"    # existing: record. Known, but nobody is told
    CLEARED = "cleared"
    EXPIRED = "expired"
    REPLACED = "replaced"    # the account fell into a worse tier
    WORSENED = "worsened"    # still open, and more serious than before
    REMINDED = "reminded"    # `repeat`: still open, and nobody has acknowledged it
    GONE = "gone"            # the account is gone
    REMOVED = "removed"      # the trigger was taken out of the rules


CLOSING = frozenset({TransitionKind.CLEARED, TransitionKind.EXPIRED, TransitionKind.REPLACED, TransitionKind.GONE,
                     TransitionKind.REMOVED})
"""After which an alert is not open any more."""


@dataclass(frozen=True, slots=True)
class Alert:
    """The state of one trigger for one account, kept by their names. `severity` is a tier's name.

    `opened_on` names the opening (it is also the occurrence of the play). `silent` marks one that was only recorded.
    `out_since` counts the days that a tier alert has been outside of its band. `snoozed_until` is the last day of the
    snooze, `reminded_on` the day of the last reminder. What people said ends when the severity worsens.
    """

    account: str
    trigger: str
    status: AlertStatus
    opened_on: date
    severity: str
    closed_on: date | None = None
    silent: bool = False
    out_since: date | None = None
    acknowledged_on: date | None = None
    acknowledged_by: str = ""
    snoozed_until: date | None = None
    reminded_on: date | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of one alert on one day; `alert` is its state afterwards."""

    kind: TransitionKind
    alert: Alert
    day: date
