"""`limits` of playbook.yaml: what customers and colleagues can bear."""

from __future__ import annotations

import re
from datetime import date, time

from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.delivery import MessageKind
from forestall.engine.model.remembered import EMAILS_REMEMBERED
from forestall.engine.model.rulebook import Digest, Limits
from forestall.engine.rulebook import durations
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import MapNode, ScalarNode
from forestall.engine.rulebook.words import Words

_HOURS = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)")
_DIGEST_BY = (MessageKind.EMAIL, MessageKind.SLACK)


def read(node: MapNode, words: Words, templates: dict[str, list[ScalarNode]], findings: Findings) -> Limits:
    """The limits, as far as they can be read; a template that the digest names is added to `templates`."""
    plays = node.scalar("plays_per_account")
    if plays is not None and isinstance(plays.value, int) and plays.value > 1:
        findings.say(plays.location, "not-built", "`plays_per_account` other than 1 is not built yet.",
                     "Write 1; a play with `alongside: true` runs beside others.")
    tasks = durations.rate(node, "tasks_per_csm", "`limits`", findings, daily=True)
    messages = durations.rate(node, "messages_per_person", "`limits`", findings, daily=True)
    guard = node.number("per_play")
    return Limits(
        emails_per_account=_emails(node, findings),
        messages_per_person=messages[0] if messages else None,
        tasks_per_csm=tasks[0] if tasks else None,
        digest=_digest(node.map("digest"), templates),
        per_play=200 if guard is None else int(guard),
        times_usual=node.number("times_usual"),
        quiet_hours=_quiet_hours(node, findings),
        holidays=_holidays(node, findings),
        urgent=_urgent(node, words, findings),
    )


def _urgent(node: MapNode, words: Words, findings: Findings) -> tuple[str, ...]:
    urgent: list[str] = []
    for item in node.items("urgent"):
        if isinstance(item, ScalarNode) and isinstance(item.value, str):
            if words.tiers and item.text not in words.tiers:
                findings.say(item.location, "unknown-tier", f"`urgent` names no tier: `{item.text}`.",
                             did_you_mean(item.text, words.tiers) or f"There are: {', '.join(words.tiers)}.",
                             word=item.text)
            urgent.append(item.text)
    return tuple(urgent)


def _emails(node: MapNode, findings: Findings) -> tuple[int, int] | None:
    emails = durations.rate(node, "emails_per_account", "`limits`", findings)
    if emails is not None and emails[1] > EMAILS_REMEMBERED:
        written = node.scalar("emails_per_account")
        findings.say(written.location if written else node.location, "too-long",
                     f"`emails_per_account` looks back too far: emails are forgotten after {EMAILS_REMEMBERED} days.",
                     f"Write at most {EMAILS_REMEMBERED} days.")
    return emails


def _digest(node: MapNode, templates: dict[str, list[ScalarNode]]) -> Digest | None:
    by, template = node.text("by"), node.scalar("template")
    if template is None or not isinstance(template.value, str):
        return None
    templates.setdefault(template.text, []).append(template)
    return next((Digest(kind, template.text) for kind in _DIGEST_BY if kind.value == by), None)


def _quiet_hours(node: MapNode, findings: Findings) -> tuple[time, time] | None:
    written = node.scalar("quiet_hours")
    if written is None:
        return None
    found = _HOURS.fullmatch(written.text.strip())
    try:
        start, end = (time(int(found[at]), int(found[at + 1])) for at in (1, 3)) if found else (None, None)
    except ValueError:
        start = end = None
    if start is None or end is None:
        findings.say(written.location, "hours", f"`quiet_hours` of `limits` cannot be read: `{written.text}`.",
                     "Write from and until, each as hours and minutes: 19:00-08:00.")
        return None
    if start == end:
        findings.say(written.location, "hours", "`quiet_hours` of `limits` end when they begin.",
                     "Leave some hours of the day in which messages may go: 19:00-08:00.")
        return None
    return start, end


def _holidays(node: MapNode, findings: Findings) -> tuple[date, ...]:
    found: set[date] = set()
    for item in node.items("holidays"):
        if not isinstance(item, ScalarNode) or item.value is None:
            continue
        try:
            found.add(date.fromisoformat(item.text.strip()))
        except ValueError:
            findings.say(item.location, "no-day", f"`holidays` of `limits` names no day: `{item.text}`.",
                         "Write a day as year, month and day: 2026-12-25.")
    return tuple(sorted(found))
