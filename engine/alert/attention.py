"""Who knows of an alert: acknowledged, snoozed, due to be told again. Pure functions of an alert and a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from forestall.engine.model.alert import Alert, AlertStatus


def is_acknowledged(alert: Alert) -> bool:
    """Whether somebody took it up: it is neither escalated nor repeated."""
    return alert.status is AlertStatus.OPEN and alert.acknowledged_on is not None


def is_snoozed(alert: Alert, day: date) -> bool:
    """Whether somebody put it off: it is neither escalated nor repeated, and its steps wait."""
    return alert.status is AlertStatus.OPEN and alert.snoozed_until is not None and day <= alert.snoozed_until


def reminder_due(alert: Alert, repeat: int | None, day: date) -> bool:
    """Whether the owner is to hear of it again: `repeat` days after the opening, or after the last reminder.

    However many were missed while nothing ran or while it was snoozed, one is due.
    """
    if repeat is None or alert.status is not AlertStatus.OPEN or alert.silent:
        return False
    if is_acknowledged(alert) or is_snoozed(alert, day):
        return False
    return day >= (alert.reminded_on or alert.opened_on) + timedelta(days=repeat)


def worsened(alert: Alert, severity: str) -> Alert:
    """The alert with a worse severity: whoever acknowledged or snoozed it did not know of this."""
    return replace(alert, severity=severity, acknowledged_on=None, acknowledged_by="", snoozed_until=None)
