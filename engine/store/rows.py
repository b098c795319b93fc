"""The nouns of the model to rows of the tables, and back. Nothing else knows the columns by name."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_type_hints
from urllib.parse import urlsplit

import sqlalchemy as sa

from forestall.engine.model.alert import Alert, Transition, TransitionKind
from forestall.engine.model.delivery import (
    Delivery,
    DeliveryStatus,
    OutboxRow,
    PlayRun,
    Silence,
    SilenceReason,
)
from forestall.engine.store.messages import Forms, message_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = dict[str, Any]


Noun = TypeVar("Noun", bound="DataclassInstance")


class _Columns(Generic[Noun]):
    """The fields of a noun under their own names; an enumeration as its text, which every driver understands."""

    def __init__(self, noun: type[Noun]) -> None:
        hints = get_type_hints(noun)
        self._noun = noun
        self._names = tuple(field.name for field in fields(noun))
        self._values = attrgetter(*self._names)
        kinds = [(place, name, hints[name]) for place, name in enumerate(self._names)]
        self._enums = [(place, name, {one.value: one for one in kind}) for place, name, kind in kinds
                       if isinstance(kind, type) and issubclass(kind, StrEnum)]

    def row(self, noun: Noun) -> Row:
        """Its fields as a row."""
        row = dict(zip(self._names, self._values(noun), strict=True))
        for _, name, _ in self._enums:
            row[name] = str(row[name])
        return row

    def of(self, row: sa.Row[Any]) -> Noun:
        """The noun of a row that has its fields."""
        values = list(self._values(row))
        for place, _, members in self._enums:
            values[place] = members[values[place]]
        return self._noun(*values)


_ALERT, _RUN, _DELIVERY = _Columns(Alert), _Columns(PlayRun), _Columns(Delivery)


def alert_row(alert: Alert) -> Row:
    """An alert as its row."""
    return _ALERT.row(alert)


def alert_of(row: sa.Row[Any]) -> Alert:
    """The alert of a row of `alerts` or `transitions`."""
    return _ALERT.of(row)


def transition_row(transition: Transition, digest: str) -> Row:
    """A transition as a row of the log; `digest` is of the rules that caused it."""
    return {**alert_row(transition.alert), "day": transition.day, "kind": transition.kind.value, "digest": digest}


def transition_of(row: sa.Row[Any]) -> Transition:
    """The transition of a row of the log."""
    return Transition(TransitionKind(row.kind), alert_of(row), row.day)


def run_row(run: PlayRun) -> Row:
    """A run as its row."""
    return _RUN.row(run)


def run_of(row: sa.Row[Any]) -> PlayRun:
    """The run of a row."""
    return _RUN.of(row)


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


def outbox_row(row: OutboxRow, forms: Forms) -> Row:
    """An outbox row as its row in the table; `forms` takes what its message shares with others."""
    delivery = row.delivery
    form, message = forms.kept(delivery, row.message)
    return {
        **_DELIVERY.row(delivery),
        "message": message, "form": form, "destination": destination(delivery.channel, delivery.recipient),
        "status": row.status.value, "attempts": row.attempts, "next_attempt": row.next_attempt, "claimed_until": None,
        "claimed_by": "", "withdrawn": False, "detail": row.detail, "reference": row.reference,
        "sent_at": row.sent_at,
    }


def delivery_of(row: sa.Row[Any]) -> Delivery:
    """The delivery of a row of the outbox."""
    return _DELIVERY.of(row)


def outbox_of(row: sa.Row[Any]) -> OutboxRow:
    """The outbox row of a row of `outbox_with_forms`."""
    return OutboxRow(_DELIVERY.of(row), message_of(row), DeliveryStatus(row.status), row.attempts,
                     row.next_attempt, row.detail, row.reference, row.sent_at)


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
