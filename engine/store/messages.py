"""Messages as the outbox keeps them: the form of their texts once for all that share it, and what is their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from forestall.engine.model.delivery import Delivery, Message, MessageKind
from forestall.engine.model.filled import Filled, joined
from forestall.engine.store.tables import forms, outbox

outbox_with_forms = sa.select(outbox, forms.c.texts).outerjoin(forms, forms.c.name == outbox.c.form)

_TEXTS = ("text", "html", "body", "blocks")
_NAMES = ("subject", "thread", "label", "list_unsubscribe")
# What a message repeats of its delivery is kept once as well.
_REPEATED = {"key": "key", "kind": "kind", "to": "recipient", "sender": "sender", "reply_to": "sender_address",
             "sent_on": "day", "to_customer": "to_customer"}
_said, _planned = attrgetter(*_REPEATED), attrgetter(*_REPEATED.values())

_dumped = json.JSONEncoder(ensure_ascii=False, default=str).encode


class Forms:
    """The forms of some messages. Each has a name made of its content, so that the outbox knows it again."""

    def __init__(self) -> None:
        self._names: dict[tuple[tuple[str, tuple[str, ...]], ...], str] = {}
        self._rows: dict[str, str] = {}

    def kept(self, delivery: Delivery, message: Message) -> tuple[str, str]:
        """The name of its form, empty where it has none, and the rest of the message as JSON."""
        own: dict[str, Any] = {name: value for name in _NAMES if (value := getattr(message, name))}
        form = []
        for name in _TEXTS:
            text = getattr(message, name)
            if type(text) is Filled:
                form.append((name, text.form))
                own[name] = _lines(text.own)
            elif text:
                own[name] = text
        said, planned = _said(message), _planned(delivery)
        if said != planned:
            own.update({name: one for name, one, other in zip(_REPEATED, said, planned, strict=True) if one != other})
        return self._name(tuple(form)) if form else "", _dumped(own)

    def rows(self) -> list[dict[str, str]]:
        """The forms as rows of their table."""
        return [{"name": name, "texts": texts} for name, texts in self._rows.items()]

    def _name(self, form: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
        if form not in self._names:
            texts = _dumped(dict(form))
            name = sha256(texts.encode()).hexdigest()[:32]
            self._names[form], self._rows[name] = name, texts
        return self._names[form]


def message_of(row: sa.Row[Any]) -> Message:
    """The message of a row of `outbox_with_forms`. What older versions wrote is whole in itself."""
    values = {name: getattr(row, column) for name, column in _REPEATED.items()}
    values.update({"subject": "", "text": ""}, **json.loads(row.message))
    for name, form in _texts(row.texts).items() if row.form else ():
        own = values[name]
        values[name] = joined(form, own if isinstance(own, list) else own.split("\n"))
    sent_on = values.pop("sent_on")
    return Message(kind=MessageKind(values.pop("kind")), **values,
                   sent_on=date.fromisoformat(sent_on) if isinstance(sent_on, str) else sent_on)


def _lines(own: Sequence[str]) -> str | list[str]:
    """The values in one text, a line for each, where none has lines: that is quicker than a list."""
    lines = "\n".join(own)
    return lines if own and lines.count("\n") == len(own) - 1 else list(own)


@lru_cache(maxsize=1024)
def _texts(form: str) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = json.loads(form)
    return found
