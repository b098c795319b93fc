"""The nouns of the model to rows of the tables, and back. Nothing else knows the columns by name."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from forestall.engine.model.alert import Alert, AlertStatus, Transition, TransitionKind
from forestall.engine.model.delivery import (
    Delivery,
    DeliveryStatus,
    Message,
    MessageKind,
    OutboxRow,
    OutcomeStatus,
    PlayRun,
    RunStatus,
    Silence,
    SilenceReason,
    StartedBy,
)

Row = dict[str, Any]

_ALERT = tuple(field.name for field in fields(Alert))
_RUN = tuple(field.name for field in fields(PlayRun))
_DELIVERY = tuple(field.name for field in fields(Delivery))
_MESSAGE = tuple(field.name for field in fields(Message))


def alert_row(alert: Alert) -> Row:
    """An alert as its row."""
    return _columns(alert, _ALERT)


def alert_of(row: sa.Row[Any]) -> Alert:
    """The alert of a row of `alerts` or `transitions`."""
    return Alert(row.account, row.trigger, AlertStatus(row.status), row.opened_on, row.severity, row.closed_on,
                 row.silent, row.out_since)


def transition_row(transition: Transition, digest: str) -> Row:
    """A transition as a row of the log; `digest` is of the rules that caused it."""
    return {**alert_row(transition.alert), "day": transition.day, "kind": transition.kind.value, "digest": digest}


def transition_of(row: sa.Row[Any]) -> Transition:
    """The transition of a row of the log."""
    return Transition(TransitionKind(row.kind), alert_of(row), row.day)


def run_row(run: PlayRun) -> Row:
    """A run as its row."""
    return _columns(run, _RUN)


def run_of(row: sa.Row[Any]) -> PlayRun:
    """The run of a row."""
    return PlayRun(row.account, row.play, row.group, row.occurrence, row.severity, RunStatus(row.status), row.digest,
                   row.step, row.next_on, row.since, row.reason, OutcomeStatus(row.outcome), row.until, row.met_on)


def silence_row(silence: Silence) -> Row:
    """A silence as its row."""
    return {
        "account": silence.account, "play": silence.play, "group": silence.group, "occurrence": silence.occurrence,
        "step": silence.step, "reason": silence.reason.value, "first_day": silence.day, "last_day": silence.day,
        "detail": silence.detail,
    }


def silence_of(row: sa.Row[Any]) -> Silence:
    """The silence of a row; its day is the first on which it was so."""
    return Silence(row.account, row.play, row.group, row.occurrence, row.first_day, SilenceReason(row.reason),
                   row.step, row.detail)


def outbox_row(row: OutboxRow) -> Row:
    """An outbox row as its row in the table."""
    delivery = row.delivery
    return {
        **_columns(delivery, _DELIVERY),
        "message": _message_text(row.message), "destination": destination(delivery.channel, delivery.recipient),
        "status": row.status.value, "attempts": row.attempts, "next_attempt": row.next_attempt, "claimed_until": None,
        "claimed_by": "", "withdrawn": False, "detail": row.detail, "reference": row.reference,
        "sent_at": row.sent_at,
    }


def outbox_of(row: sa.Row[Any]) -> OutboxRow:
    """The outbox row of a row in the table."""
    delivery = Delivery(
        row.key, row.account, row.play, row.group, row.occurrence, row.day, row.step, MessageKind(row.kind),
        row.channel, row.recipient, row.template, row.to_customer, row.severity, row.sender, row.sender_address,
        row.person, StartedBy(row.started_by),
    )
    return OutboxRow(delivery, _message_of(row.message), DeliveryStatus(row.status), row.attempts, row.next_attempt,
                     row.detail, row.reference, row.sent_at)


def destination(channel: str, recipient: str) -> str:
    """What can be out of order by itself: a channel with a host of the web, a mail domain, or the recipient."""
    if "://" in recipient:
        try:
            host = urlsplit(recipient).netloc.rpartition("@")[2].lower() or recipient
        except ValueError:
            host = recipient
    else:
        host = recipient.rpartition("@")[2].lower() if "@" in recipient[1:] else recipient
    return f"{channel} {host}"


def _columns(noun: object, names: tuple[str, ...]) -> Row:
    """The fields of a noun under their own names; an enumeration as its text, which every driver understands."""
    values = ((name, getattr(noun, name)) for name in names)
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in values}


def _message_text(message: Message) -> str:
    values = _columns(message, _MESSAGE)
    values["sent_on"] = message.sent_on.isoformat() if message.sent_on else None
    return json.dumps(values, ensure_ascii=False)


def _message_of(text: str) -> Message:
    values = json.loads(text)
    sent_on = values.pop("sent_on")
    kind = MessageKind(values.pop("kind"))
    return Message(kind=kind, sent_on=date.fromisoformat(sent_on) if sent_on else None, **values)
