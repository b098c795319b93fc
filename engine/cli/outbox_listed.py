"""The outbox as `forestall outbox list` and `show` print it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from forestall.engine.cli.report import amount, table
from forestall.engine.cli.screen import headed, near
from forestall.engine.model.delivery import Attempt, DeliveryStatus, OutboxRow

VERSION = 1
SHORT = 8      # characters of a key that are enough for people, as long as they name one

_SAID: Mapping[DeliveryStatus, str] = {
    DeliveryStatus.QUEUED: "waiting", DeliveryStatus.CLAIMED: "on the way", DeliveryStatus.SENT: "sent",
    DeliveryStatus.CANCELLED: "cancelled", DeliveryStatus.DEAD: "undeliverable", DeliveryStatus.UNCERTAIN: "uncertain"}


@dataclass(frozen=True, slots=True)
class Clock:
    """This moment, and the zone in which people read moments."""

    now: datetime
    zone: ZoneInfo

    def told(self, moment: datetime) -> str:
        """`3 December at 08:15`."""
        here = moment.astimezone(self.zone)
        return f"{near(here.date(), self.now.astimezone(self.zone).date())} at {here:%H:%M}"


def said(status: DeliveryStatus) -> str:
    """A status in the words that people read."""
    return _SAID[status]


def shortened(keys: Iterable[str]) -> dict[str, str]:
    """Each key as short as people need it: enough characters that it is no other's beginning among these."""
    ordered = sorted(set(keys))
    short: dict[str, str] = {}
    for place, key in enumerate(ordered):
        beside = ordered[max(place - 1, 0):place] + ordered[place + 1:place + 2]
        length = SHORT
        while length < len(key) and any(other.startswith(key[:length]) for other in beside):
            length += 1
        short[key] = key[:length]
    return short


def list_lines(rows: Sequence[OutboxRow], counts: Mapping[DeliveryStatus, int], held: Mapping[str, int], most: int,
               clock: Clock) -> Iterator[str]:
    """The deliveries as a table, at most so many, and below it what else there is."""
    short = shortened(row.delivery.key for row in rows)
    if rows:
        yield from table([("key", "status", "planned", "account", "play", "kind", "to", "")] + [
            (short[row.delivery.key], said(row.status), near(row.delivery.day, clock.now.date()), row.delivery.account,
             row.delivery.play, row.delivery.kind.value, _cut(row.delivery.recipient, 40), _cut(_why(row, clock), 70))
            for row in rows[:most]], indent=0)
        yield ""
    if len(rows) > most:
        yield f"… and {len(rows) - most:,} more; `--most` shows more of them, `--format json` all."
    if not sum(counts.values()):
        yield "The outbox is empty: no pass has planned a message yet."
    else:
        if not rows:
            yield "No message is like that."
        parts = [f"{counts[status]:,} {said(status)}" for status in DeliveryStatus if counts.get(status)]
        yield f"In all: {', '.join(parts)}."
    for play, count in held.items():
        yield f"A guard holds {amount(count, 'start', 'starts')} of {play}: `forestall outbox approve {play}` or " \
              f"`forestall outbox cancel {play}`."


def list_document(rows: Iterable[OutboxRow], counts: Mapping[DeliveryStatus, int],
                  held: Mapping[str, int]) -> dict[str, object]:
    """As schemas/output/outbox.json describes it."""
    return {"version": VERSION, "counts": {status.value: counts.get(status, 0) for status in DeliveryStatus},
            "held": dict(held), "deliveries": [_row(row) for row in rows]}


def show_lines(row: OutboxRow, attempts: Sequence[Attempt], rests: datetime | None, clock: Clock) -> Iterator[str]:
    """One delivery: where it stands, every attempt, and the message itself."""
    one, message = row.delivery, row.message
    yield from headed("Delivery", one.key)
    yield from headed("What", f"{one.kind.value} of {one.play} ({one.step}) for {one.account}, because of {one.group} "
                      f"of {near(one.occurrence, clock.now.date())}")
    yield from headed("To", f"{one.recipient}, by {one.channel}")
    yield from headed("Planned", near(one.day, clock.now.date()))
    yield from headed("Status", said(row.status) + (f": {why}" if (why := _why(row, clock)) else ""))
    if rests is not None and row.status is DeliveryStatus.QUEUED:
        yield from headed("", f"Its far side failed and is left in peace until {clock.told(rests)}.")
    for index, attempt in enumerate(attempts):
        again = f", again from {clock.told(attempt.again_at)}" if attempt.again_at else ""
        detail = f": {attempt.detail}" if attempt.detail else ""
        became = "waits" if attempt.becomes is DeliveryStatus.QUEUED else said(attempt.becomes)
        yield from headed("Attempts" if index == 0 else "",
                          f"{clock.told(attempt.at)}  {attempt.said.value}{detail}; {became}{again}")
    if not attempts:
        yield from headed("Attempts", "none yet")
    yield ""
    if message.subject:
        yield from headed("Subject", message.subject)
        yield ""
    yield message.text or _readable(message.body)


def show_document(row: OutboxRow, attempts: Sequence[Attempt], rests: datetime | None) -> dict[str, object]:
    """As schemas/output/outbox-show.json describes it."""
    message = row.message
    return {"version": VERSION, "delivery": _row(row), "far_side_rests_until": _moment(rests),
            "message": {"to": message.to, "subject": message.subject, "text": message.text, "html": message.html,
                        "body": json.loads(message.body) if message.body else None,
                        "blocks": json.loads(message.blocks) if message.blocks else None},
            "attempts": [{"at": _moment(one.at), "said": one.said.value, "becomes": one.becomes.value,
                          "detail": one.detail, "reference": one.reference, "again_at": _moment(one.again_at)}
                         for one in attempts]}


def _row(row: OutboxRow) -> dict[str, object]:
    one = row.delivery
    return {"key": one.key, "status": row.status.value, "account": one.account, "play": one.play,
            "because_of": one.group, "step": one.step, "kind": one.kind.value, "channel": one.channel,
            "to": one.recipient, "to_customer": one.to_customer, "day": one.day.isoformat(),
            "attempts": row.attempts, "next_attempt": _moment(row.next_attempt), "sent_at": _moment(row.sent_at),
            "detail": row.detail, "reference": row.reference}


def _why(row: OutboxRow, clock: Clock) -> str:
    """What people want to know beside the status."""
    match row.status:
        case DeliveryStatus.SENT:
            return f"on {clock.told(row.sent_at)}" if row.sent_at else ""
        case DeliveryStatus.QUEUED if row.next_attempt is not None and row.next_attempt > clock.now:
            return f"until {clock.told(row.next_attempt)}" + (f": {row.detail}" if row.detail else "")
        case _:
            return row.detail


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _readable(body: str) -> str:
    return json.dumps(json.loads(body), indent=2, ensure_ascii=False) if body else ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most - 1] + "…"
