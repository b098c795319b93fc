"""From a rendered template to the message that a channel takes."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256

from markdown_it import MarkdownIt

from forestall.engine.intervene.story import Rendered, Story
from forestall.engine.intervene.wording import counted, one_line, unescaped, value_text
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.delivery import Delivery, Message, MessageKind
from forestall.engine.model.evaluation import Facts, Value
from forestall.engine.model.expression import Kind, Name, NameRole, names
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Trigger

BODY_VERSION = 1

_WINDOW = re.compile(r"_(\d+)([dw])$")
_SCORE = (Name("score", Kind.NUMBER, NameRole.SCORE), Name("tier", Kind.TEXT, NameRole.TIER))

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body style="margin:0;padding:24px 16px;background:#ffffff;color:#1f2933;\
font:16px/1.55 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<div style="max-width:36em;margin:0 auto">
{body}</div>
</body>
</html>
"""


def message(delivery: Delivery, rendered: Rendered, story: Story, directory: Directory) -> Message:
    """The message of a delivery, ready for its channel.

    Email and tasks carry HTML beside the text, webhooks and tasks a JSON body as in schemas/output/webhook.json.
    """
    subject, markdown, kind = one_line(rendered.subject), rendered.text, delivery.kind
    with_html = kind in (MessageKind.EMAIL, MessageKind.TASK)
    with_body = kind in (MessageKind.WEBHOOK, MessageKind.TASK)
    return Message(
        key=delivery.key,
        kind=kind,
        to=delivery.recipient,
        subject=subject,
        # Mail programs show this part as it is; other channels read Markdown.
        text=unescaped(markdown) if kind is MessageKind.EMAIL else markdown,
        html=page(subject, markdown) if with_html else "",
        body=_body(delivery, subject, markdown, story, directory) if with_body else "",
        sender=one_line(delivery.sender),
        reply_to=delivery.sender_address,
        thread=thread(delivery),
        sent_on=delivery.day,
        label=f"{delivery.account} {delivery.play} {delivery.step}",
    )


def thread(delivery: Delivery) -> str:
    """The identity of the play run that a delivery belongs to: the same for all its messages, and safe in a header."""
    run = json.dumps([delivery.account, delivery.play, delivery.group, delivery.occurrence.isoformat()])
    return sha256(run.encode()).hexdigest()[:32]


def page(title: str, markdown: str) -> str:
    """The Markdown as a calm page of HTML for an email; HTML in the Markdown stays text."""
    return _PAGE.format(title=html.escape(title), body=_markdown().render(markdown))


def reason(trigger: Trigger | None, now: Facts, before: Facts | None,
           metrics: Mapping[str, Metric] | None = None) -> str:
    """Why an alert opened, as a sentence: the values that its condition looks at, then and now.

    Without a trigger (an account fell into a tier) these are the score and the tier. `metrics` gives the units.
    `Health score 61 (74 seven days before), logins in 14 days 4 (20).` Names without any value are left out.
    """
    said: list[str] = []
    span = f" {counted((now.day - before.day).days, 'day', 'days')} before" if before else ""
    for name in names(trigger.when.term) if trigger else _SCORE:
        today, then = _value(now, name), _value(before, name) if before else None
        if today is None and then is None:
            continue
        words = f"{_label(name)} {_with_unit(name, today, metrics or {})}"
        if then is not None:
            earlier = "the same" if then == today else one_line(_words(name, then))
            words += f" ({earlier}{span})"
            span = ""
        said.append(words)
    if not said:
        return trigger.about if trigger else ""
    sentence = ", ".join(said)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _value(facts: Facts, name: Name) -> Value:
    if name.role is NameRole.SCORE:
        return facts.score
    return facts.tier if name.role is NameRole.TIER else facts.values.get(name.name)


def _label(name: Name) -> str:
    """`logins_14d` → logins in 14 days."""
    if name.role is NameRole.SCORE:
        return "health score"
    units = {"d": "days", "w": "weeks"}
    return _WINDOW.sub(lambda found: f" in {found[1]} {units[found[2]]}", name.name).replace("_", " ")


def _with_unit(name: Name, value: Value, metrics: Mapping[str, Metric]) -> str:
    """The value with its unit, unless the label says it already."""
    if value is None:
        return "unknown"
    unit = metrics[name.name].unit if name.name in metrics else ""
    if name.role is NameRole.SIGNAL:
        unit = "points"
    told = not unit or unit.split()[0] in _label(name).split() or not isinstance(value, int | float)
    return _words(name, value) if told else f"{_words(name, value)} {unit}"


def _words(name: Name, value: Value) -> str:
    if name.role is NameRole.TIER or (name.kind is Kind.TEXT and isinstance(value, str) and "_" in value):
        text = str(value).replace("_", " ")
        return text.title() if name.role is NameRole.TIER else text
    return value_text(value)


def _body(delivery: Delivery, title: str, markdown: str, story: Story, directory: Directory) -> str:
    """The JSON of webhooks and tasks. Its shape is a promise: schemas/output/webhook.json."""
    alert, now = story.alert, story.now
    due = None if story.within is None or alert is None else alert.opened_on + timedelta(days=story.within)
    return json.dumps({
        "version": BODY_VERSION,
        "kind": delivery.kind.value,
        "key": delivery.key,
        "account": {"id": story.account, "name": story.name, "score": _json(now.score), "tier": now.tier},
        "play": delivery.play,
        "step": delivery.step,
        "day": delivery.day.isoformat(),
        "due": due.isoformat() if due else None,
        "person": _person(delivery.person, directory),
        "title": title,
        "text": markdown,
        "resources": list(story.resources),
        "alert": None if alert is None else {
            "name": delivery.group, "label": alert.name, "about": alert.about,
            "opened_on": alert.opened_on.isoformat(), "severity": delivery.severity, "reason": alert.reason,
        },
        "facts": {name: _json(value) for name, value in sorted(now.values.items()) if name not in story.personal},
    }, ensure_ascii=False)


def _person(key: str, directory: Directory) -> dict[str, str] | None:
    person = directory.people.get(key) or directory.person(key)
    return None if person is None else {"key": person.key, "name": person.name, "email": person.email}


def _json(value: Value) -> float | str | bool | None:
    """The value as JSON has it: whole numbers without a point, dates as 2026-01-05."""
    if isinstance(value, date):
        return value.isoformat()
    return int(value) if isinstance(value, float) and value.is_integer() else value


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    # A line break in a template is one in the message: people end a greeting so, and know nothing of two spaces.
    return MarkdownIt("commonmark", {"html": False, "breaks": True})
