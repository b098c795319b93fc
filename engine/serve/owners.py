"""The people who look after the rules hear once when the folder cannot be used."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Final

from forestall.engine.errors import ForestallError, Problem
from forestall.engine.message.rendering import page
from forestall.engine.model.delivery import Message, MessageKind, ReceiptStatus
from forestall.engine.model.ports import Channel
from forestall.engine.runtime import open_channels, reached
from forestall.engine.serve.journal import Journal
from forestall.engine.serve.shelf import Rejected, Shelf, document
from forestall.engine.settings import Settings

GRACE = 10.0           # seconds in which a set that was only half written may become whole, and nobody is troubled
AGAIN = 300.0          # seconds until a report that could not be sent is tried again
MOST_PROBLEMS = 20     # in a message; the log and rejected.json have all of them

_KINDS: Final[Mapping[str, MessageKind]] = {"email": MessageKind.EMAIL, "slack": MessageKind.SLACK}


@dataclass(frozen=True, slots=True)
class Addressed:
    """Where a report goes."""

    channel: str
    kind: MessageKind
    to: str


@dataclass(frozen=True, slots=True)
class _Pending:
    """A report that waits: for whom, and since when (in the monotonic clock) it is owed."""

    to: tuple[Addressed, ...]
    rejected: Rejected
    in_force: str
    problems: tuple[Problem, ...]
    due: float


def addressed(settings: Settings) -> tuple[Addressed, ...]:
    """Where the `owners` of forestall.yaml are reached: a destination's own address; a person by Slack, or email."""
    found: list[Addressed] = []
    directory = reached(settings)
    adapters = {channel.name: channel.adapter for channel in settings.channels}
    for name in settings.owners:
        if name in directory.destinations:
            place = directory.destinations[name]
            kind = _KINDS.get(adapters.get(place.channel, ""), MessageKind.WEBHOOK)
            found.append(Addressed(place.channel, kind, place.address))
        elif name in directory.people:
            person = directory.people[name]
            by_slack = person.slack and "slack" in adapters.values()
            found.append(Addressed(directory.slack_channel, MessageKind.SLACK, person.slack) if by_slack
                         else Addressed(directory.email_channel, MessageKind.EMAIL, person.email))
    return tuple(found)


def message(to: Addressed, rejected: Rejected, in_force: str, problems: tuple[Problem, ...], on: date) -> Message:
    """What the owners are told."""
    more = len(problems) - MOST_PROBLEMS
    text = "\n\n".join([
        "The rules folder was changed, and what it holds now cannot be used. "
        + ("The rules that were in force before stay in force." if in_force else "No rules are in force."),
        "\n".join(f"- {problem}" for problem in problems[:MOST_PROBLEMS])
        + (f"\n- … and {more} more; `forestall check` names all of them" if more > 0 else ""),
        "Mend the files and save them: they are looked at again with every change."])
    subject = "New rules are not taken over"
    key = sha256(f"rules {rejected.since.isoformat()} {to.channel} {to.to}".encode()).hexdigest()
    body = json.dumps(document(rejected, in_force, problems), ensure_ascii=False)
    return Message(key, to.kind, to.to, subject, text, html=page(subject, text) if to.kind is MessageKind.EMAIL else "",
                   body=body if to.kind is MessageKind.WEBHOOK else "", sent_on=on, label="rules rejected",
                   to_customer=False)


class Owners:
    """Sends reports in a thread of its own: a far side that is slow never holds up a reload."""

    def __init__(self, settings: Settings, shelf: Shelf, journal: Journal, now: Callable[[], datetime], *, send: bool,
                 grace: float = GRACE) -> None:
        """Without `send` nobody is told; the log says so."""
        self._settings, self._shelf, self._journal, self._now = settings, shelf, journal, now
        self._to = addressed(settings) if send else ()
        self._grace = grace
        self._changed = threading.Condition()
        self._pending: _Pending | None = None
        self._told: datetime | None = None      # which trouble was told: each is told once, whatever is saved meanwhile
        self._stopped = False

    def rejected(self, rejected: Rejected, in_force: str, problems: tuple[Problem, ...]) -> None:
        """The folder cannot be used. Its owners hear of it when it stays so."""
        with self._changed:
            if self._to and rejected.since != self._told:
                before = self._pending
                due = before.due if before else time.monotonic() + self._grace
                self._pending = _Pending(before.to if before else self._to, rejected, in_force, problems, due)
                self._changed.notify()

    def mended(self) -> None:
        """It can be used again: what was not told yet need not be."""
        with self._changed:
            self._pending = None

    def run(self) -> None:
        """Send what is due until `stop` is called."""
        while (pending := self._next()) is not None:
            self.send(pending)

    def send_now(self) -> None:
        """Send what waits, for a service that is about to end."""
        with self._changed:
            pending = self._pending
        if pending is not None:
            self.send(pending)

    def stop(self) -> None:
        """End `run`. What was not told yet is told after the next start."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def send(self, pending: _Pending) -> None:
        """One attempt for every address."""
        try:
            channels = open_channels(self._settings, ())
            try:
                again = tuple(to for to in pending.to if not self._sent(channels[to.channel], to, pending))
            finally:
                for channel in channels.values():
                    getattr(channel, "close", lambda: None)()      # a channel need not have one
            if not again:
                self._shelf.reported()
        except ForestallError as error:
            self._journal.warn("report-failed", "The owners of the rules could not be told.", error.problems)
            again = pending.to
        with self._changed:
            if not again:
                self._told = pending.rejected.since
            if self._pending is not None and self._pending.rejected.since == pending.rejected.since:
                self._pending = replace(self._pending, to=again, due=time.monotonic() + AGAIN) if again else None

    def _sent(self, channel: Channel, to: Addressed, pending: _Pending) -> bool:
        """Whether there is nothing more to try at this address."""
        today = self._now().astimezone(self._settings.time_zone).date()
        receipt = channel.send(message(to, pending.rejected, pending.in_force, pending.problems, today))
        if receipt.status is ReceiptStatus.SENT:
            self._journal.say("owners-told", f"The owners of the rules were told ({to.channel}: {to.to}).")
            return True
        self._journal.warn("report-failed", f"The owners of the rules could not be told ({to.channel}: {to.to}): "
                           f"{receipt.detail}")
        return receipt.status is ReceiptStatus.REFUSED

    def _next(self) -> _Pending | None:
        with self._changed:
            while not self._stopped:
                if self._pending is None:
                    self._changed.wait()
                elif (wait := self._pending.due - time.monotonic()) > 0:
                    self._changed.wait(wait)
                else:
                    return self._pending
            return None
