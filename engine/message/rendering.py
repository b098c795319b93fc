"""From a rendered template to the message that a channel takes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

from forestall.engine.message import pages, slack_blocks
from forestall.engine.message.plain import plain
from forestall.engine.message.rule_words import label
from forestall.engine.message.slots import AROUND, SLOT, Pieces, filled, pieces, slot, without_reserved
from forestall.engine.message.story import Rendered, Story
from forestall.engine.message.wording import counted, escaped, one_line, value_text
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.delivery import Delivery, Message, MessageKind
from forestall.engine.model.evaluation import Facts, Value
from forestall.engine.model.expression import Kind, Name, NameRole, Term, names
from forestall.engine.model.people import Directory
from forestall.engine.model.trigger import Trigger

BODY_VERSION = 1

_dumped = json.JSONEncoder(ensure_ascii=False).encode
_QUOTED = re.compile(f'"({SLOT.pattern})"')      # in JSON: a value brings its own quotes

_SCORE = (Name("score", Kind.NUMBER, NameRole.SCORE), Name("tier", Kind.TEXT, NameRole.TIER))


def message(delivery: Delivery, rendered: Rendered, story: Story, directory: Directory) -> Message:
    """The message of a delivery, ready for its channel.

    Email carries HTML beside the text, as tasks for a mailbox do; Slack its blocks; webhooks and tasks a JSON body as
    in schemas/output/webhook.json.
    """
    subject, kind = one_line(rendered.subject), delivery.kind
    # Mail programs show the text part as it is; other channels read Markdown.
    text = plain(rendered) if kind is MessageKind.EMAIL else rendered.text
    # A task for a person's mailbox is an email; one for a web address travels as JSON.
    with_html = kind is MessageKind.EMAIL or (kind is MessageKind.TASK and "://" not in delivery.recipient)
    with_body = kind in (MessageKind.WEBHOOK, MessageKind.TASK)
    return Message(
        key=delivery.key,
        kind=kind,
        to=delivery.recipient,
        subject=subject,
        text=text,
        html=_page(subject, rendered, story) if with_html else "",
        body=_body(delivery, subject, rendered, story, directory) if with_body else "",
        sender=one_line(delivery.sender),
        reply_to=delivery.sender_address,
        thread=thread(delivery),
        sent_on=delivery.day,
        label=" ".join(filter(None, (delivery.account or delivery.person, delivery.play, delivery.step))),
        blocks=_blocks(delivery, rendered, story, directory) if kind is MessageKind.SLACK else "",
        list_unsubscribe=_unsubscribe(delivery) if kind is MessageKind.EMAIL and delivery.to_customer else "",
        to_customer=delivery.to_customer,
    )


def thread(delivery: Delivery) -> str:
    """The identity of the play run that a delivery belongs to: the same for all its messages, and safe in a header."""
    run = "\0".join((delivery.account, delivery.play, delivery.group, delivery.occurrence.isoformat()))
    return sha256(run.encode()).hexdigest()[:32]


def page(title: str, markdown: str) -> str:
    """Markdown as a calm page of HTML for an email; HTML in the Markdown stays text."""
    return pages.page(title, Rendered(title, without_reserved(markdown)))


def _page(title: str, rendered: Rendered, story: Story) -> str:
    """The page of a delivery: above it the account, for a colleague with its tier and score."""
    if not story.inside or not story.account:      # a digest is about no account
        return pages.page(title, rendered, story.name)
    tier = story.tiers.get(story.now.tier or "", "Unscored")
    score = "" if story.now.score is None else f" · health score {value_text(story.now.score)}"
    return pages.page(title, rendered, story.name, f"{tier}{score}", large=True)


def _blocks(delivery: Delivery, rendered: Rendered, story: Story, directory: Directory) -> str:
    """Block Kit for Slack, with buttons where an alert can be answered and the service hears them."""
    buttons = directory.answers and story.alert is not None and not delivery.to_customer
    return slack_blocks.as_json(rendered, delivery.key, buttons=buttons)


def _unsubscribe(delivery: Delivery) -> str:
    """Where a customer says that they want no more of this: whom an answer reaches as well."""
    if not delivery.sender_address:
        return ""
    return f"mailto:{quote(delivery.sender_address, safe='@')}?subject=Unsubscribe%20{quote(delivery.account)}"


def reason(trigger: Trigger | None, now: Facts, before: Facts | None,
           metrics: Mapping[str, Metric] | None = None) -> str:
    """Why an alert opened, as a sentence: the values that its condition looks at, then and now.

    Without a trigger (an account fell into a tier) these are the score and the tier. `metrics` gives the units.
    `Health score 61 (74 seven days before), logins in 14 days 4 (20).` Names without any value are left out.
    """
    said: list[str] = []
    span = f" {counted((now.day - before.day).days, 'day', 'days')} before" if before else ""
    for name in _named(trigger.when.term) if trigger else _SCORE:
        today, then = _value(now, name), _value(before, name) if before else None
        if today is None and then is None:
            continue
        words = f"{label(name)} {_with_unit(name, today, metrics or {})}"
        if then is not None:
            earlier = "the same" if then == today else one_line(_words(name, then))
            words += f" ({earlier}{span})"
            span = ""
        said.append(words)
    if not said:
        return trigger.about if trigger else ""
    sentence = ", ".join(said)
    return f"{sentence[:1].upper()}{sentence[1:]}."


@lru_cache(maxsize=4096)
def _named(condition: Term) -> tuple[Name, ...]:
    return names(condition)


def _value(facts: Facts, name: Name) -> Value:
    if name.role is NameRole.SCORE:
        return facts.score
    return facts.tier if name.role is NameRole.TIER else facts.values.get(name.name)


def _with_unit(name: Name, value: Value, metrics: Mapping[str, Metric]) -> str:
    """The value with its unit, unless the label says it already."""
    if value is None:
        return "unknown"
    unit = metrics[name.name].unit if name.name in metrics else ""
    if name.role is NameRole.SIGNAL:
        unit = "points"
    told = not unit or unit.split()[0] in label(name).split() or not isinstance(value, int | float)
    return _words(name, value) if told else f"{_words(name, value)} {unit}"


def _words(name: Name, value: Value) -> str:
    if name.role is NameRole.TIER or (name.kind is Kind.TEXT and isinstance(value, str) and "_" in value):
        text = str(value).replace("_", " ")
        return text.title() if name.role is NameRole.TIER else text
    return value_text(value)


def _body(delivery: Delivery, title: str, rendered: Rendered, story: Story, directory: Directory) -> str:
    """The JSON of webhooks and tasks. Its shape is a promise: schemas/output/webhook.json."""
    alert, now = story.alert, story.now
    names = _sendable(tuple(now.values), story.personal)
    told = {
        "version": BODY_VERSION,
        "kind": delivery.kind.value,
        "key": delivery.key,
        "account": {"id": story.account, "name": story.name, "score": _json(now.score), "tier": now.tier},
        "play": delivery.play,
        "step": delivery.step,
        "day": delivery.day.isoformat(),
        "due": story.due.isoformat() if story.due else None,
        "person": _person(delivery.person, directory),
        "title": title,
        "text": "",      # see _body_of
        "resources": list(story.resources),
        "alert": None if alert is None else {
            "name": delivery.group, "label": alert.name, "about": alert.about,
            "opened_on": alert.opened_on.isoformat(), "severity": delivery.severity, "reason": alert.reason,
        },
    }
    around = [*map(_dumped, told.values()), *[_fact(now.values[name]) for name in names]]
    return filled(_body_of(rendered.body, tuple(told), names), rendered.values, _in_json, around=around)


@lru_cache(maxsize=4096)
def _body_of(body: str, told: tuple[str, ...], facts: tuple[str, ...]) -> Pieces:
    """The JSON with slots for everything that is told and for the facts; the text in it has those of its values."""
    slots = [slot(AROUND + number) for number in range(len(told) + len(facts))]
    made: dict[str, object] = {**dict(zip(told, slots, strict=False)), "text": body}
    made["facts"] = dict(zip(facts, slots[len(told):], strict=True))
    return pieces(_QUOTED.sub(r"\1", _dumped(made)))


def _in_json(value: str) -> str:
    return _dumped(escaped(value))[1:-1]


@lru_cache(maxsize=65_536, typed=True)
def _fact(value: Value) -> str:
    return _dumped(_json(value))


@lru_cache(maxsize=64)
def _sendable(known: tuple[str, ...], personal: frozenset[str]) -> tuple[str, ...]:
    """The names of all facts that may leave, in order."""
    return tuple(name for name in sorted(known) if name not in personal)


def _person(key: str, directory: Directory) -> dict[str, str] | None:
    person = directory.people.get(key) or directory.person(key)
    return None if person is None else {"key": person.key, "name": person.name, "email": person.email}


def _json(value: Value) -> float | str | bool | None:
    """The value as JSON has it: whole numbers without a point, dates as 2026-01-05."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value.isoformat() if isinstance(value, date) else value
