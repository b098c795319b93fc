"""What is too much for a colleague's day, in one message for each person: nothing of it is dropped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from forestall.engine.intervene import courtesy
from forestall.engine.model.delivery import Delivery, MessageKind
from forestall.engine.model.people import Directory, Person
from forestall.engine.model.rulebook import Limits

DIGEST = "digest"      # the group and the step of such a message; it belongs to no account and no play


def reached_by_digest(limits: Limits, person: Person | None) -> bool:
    """Whether a digest can take what is too much for this person."""
    return limits.digest is not None and person is not None and bool(_address(limits, person))


def digests(limits: Limits, directory: Directory, beyond: Mapping[str, tuple[Person, Sequence[Delivery]]],
            day: date, moment: datetime | None = None) -> tuple[list[Delivery], dict[str, tuple[Delivery, ...]]]:
    """One delivery for each person with something beyond the day, and by its key what it stands for, in that order.

    The key comes from what it holds: planned again it is the same, and what a later pass of the day adds is another.
    """
    made: list[Delivery] = []
    held: dict[str, tuple[Delivery, ...]] = {}
    for name, (person, items) in sorted(beyond.items()):
        if limits.digest is None or not items:
            continue
        words = "\0".join((DIGEST, name, day.isoformat(), *sorted(one.key for one in items)))
        key = hashlib.sha256(words.encode()).hexdigest()[:32]
        email = limits.digest.by is MessageKind.EMAIL
        delivery = Delivery(
            key=key, account="", play="", group=DIGEST, occurrence=day, day=day, step=DIGEST, kind=limits.digest.by,
            channel=directory.email_channel if email else directory.slack_channel, recipient=_address(limits, person),
            template=limits.digest.template, to_customer=False, severity=items[0].severity, person=person.key)
        zone = person.time_zone or directory.time_zone
        made.append(courtesy.not_in_quiet_hours(delivery, limits, zone, moment))
        held[key] = tuple(items)
    return made, held


def _address(limits: Limits, person: Person) -> str:
    by_email = limits.digest is not None and limits.digest.by is MessageKind.EMAIL
    return person.email if by_email else person.slack
