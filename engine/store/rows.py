"""The nouns of the model to rows of the tables, and back. Nothing else knows the columns by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from enum import StrEnum
from functools import cache
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
from forestall.engine.store.database import Columns
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

    def columns(self, nouns: Iterable[Noun]) -> dict[str, Sequence[Any]]:
        """Their fields, column by column."""
        found: list[Sequence[Any]] = list(zip(*map(self._values, nouns), strict=True)) or [()] * len(self._names)
        for place, _, members in self._enums:
            texts = {member: text for text, member in members.items()}
            found[place] = [texts[member] for member in found[place]]
        return dict(zip(self._names, found, strict=True))

    def of(self, row: sa.Row[Any]) -> Noun:
        """The noun of a row that has its fields."""
        values = list(self._values(row))
        for place, _, members in self._enums:
            values[place] = members[values[place]]
        return self._noun(*values)


_ALERT, _RUN, _DELIVERY = _Columns(Alert), _Columns(PlayRun), _Columns(Delivery)


def alert_rows(alerts: Iterable[Alert]) -> Columns:
    """Alerts as their rows."""
    return _ALERT.columns(alerts)


def alert_of(row: sa.Row[Any]) -> Alert:
    """The alert of a row of `alerts` or `transitions`."""
    return _ALERT.of(row)


def transition_rows(transitions: Sequence[Transition], digest: str) -> Columns:
    """Transitions as rows of the log; `digest` is of the rules that caused them."""
    return {**alert_rows(one.alert for one in transitions), "day": [one.day for one in transitions],
            "kind": [one.kind.value for one in transitions], "digest": [digest] * len(transitions)}


def transition_of(row: sa.Row[Any]) -> Transition:
    """The transition of a row of the log."""
    return Transition(TransitionKind(row.kind), alert_of(row), row.day)


def run_rows(runs: Iterable[PlayRun]) -> Columns:
    """Runs as their rows."""
    return _RUN.columns(runs)


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


def outbox_rows(waiting: Sequence[OutboxRow], forms: Forms) -> Columns:
    """Outbox rows as rows of the table; `forms` takes what their messages share."""
    deliveries = [row.delivery for row in waiting]
    kept = [forms.kept(row.delivery, row.message) for row in waiting]
    far = cache(destination)
    whole = len(deliveries)
    return {
        **_DELIVERY.columns(deliveries),
        "message": [message for _, message in kept], "form": [form for form, _ in kept],
        "destination": [far(one.channel, one.recipient) for one in deliveries],
        "status": [row.status.value for row in waiting], "attempts": [row.attempts for row in waiting],
        "next_attempt": [row.next_attempt for row in waiting], "claimed_until": [None] * whole,
        "claimed_by": [""] * whole, "withdrawn": [False] * whole, "detail": [row.detail for row in waiting],
        "reference": [row.reference for row in waiting], "sent_at": [row.sent_at for row in waiting],
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
