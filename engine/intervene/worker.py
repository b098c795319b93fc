"""Claim, send, record: the outbox is the queue, and a crash at any point only repeats a key."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from queue import Empty, SimpleQueue

from forestall.engine.errors import ForestallError, Problem
from forestall.engine.intervene import quiet
from forestall.engine.intervene.lanes import Lanes
from forestall.engine.model.delivery import Attempt, DeliveryStatus, OutboxRow, Receipt, ReceiptStatus, Rest
from forestall.engine.model.ports import Channel
from forestall.engine.store import Store, destination

MOST_ATTEMPTS = 8
THREADS = 32
_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(hours=24)
_LONGEST_OBEYED = timedelta(days=7)
_LEASE = timedelta(minutes=10)
_BATCH = 500
_GATHER = 0.03      # seconds in which receipts gather before they are recorded together
_LOOK = 0.5         # seconds after which a wait for receipts looks around


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What one call of `deliver` did. `waiting` counts what is left for a later one.

    `problems` say why a channel could not be used at all (a secret that is not set); its deliveries wait.
    """

    sent: int
    retried: int
    dead: int
    waiting: int
    problems: tuple[Problem, ...] = ()
    uncertain: int = 0


@dataclass(slots=True)
class _Tally:
    """What is counted while it goes on."""

    becomes: dict[DeliveryStatus, int] = field(default_factory=lambda: dict.fromkeys(DeliveryStatus, 0))
    problems: list[Problem] = field(default_factory=list)

    def done(self) -> int:
        return sum(self.becomes.values())


@dataclass(frozen=True, slots=True)
class _Done:
    """A row that was taken to be sent. `receipt` None: it was not tried. `error`: why its channel cannot be used."""

    row: OutboxRow
    receipt: Receipt | None
    error: ForestallError | None = None


def deliver(
    store: Store,
    channels: Mapping[str, Channel],
    now: Callable[[], datetime],
    *,
    holds: Collection[str] = (),
    worker: str = "",
    lease: timedelta = _LEASE,
    batch: int = _BATCH,
    progress: Callable[[int], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> DeliveryReport:
    """Send whatever is due on these channels until nothing is, or `stop` says so.

    Several may be sent at once, to each far side a few. A destination that asks for a repeat rests, so that it never
    holds up another; its other rows are not tried meanwhile. `holds` are the channels on which a delivery that may have
    arrived is left to a person. `now` gives moments with a time zone. `progress` hears how many rows are done.
    StoreError when the state database fails; whatever was sent before it is sent again later under the same key.
    """
    worker = worker or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    sending = _Sending(store, channels, now, frozenset(holds), worker, lease, batch, progress)
    sending.run(stop)
    becomes = sending.tally.becomes
    return DeliveryReport(becomes[DeliveryStatus.SENT], becomes[DeliveryStatus.QUEUED], becomes[DeliveryStatus.DEAD],
                          store.waiting(), tuple(sending.tally.problems), becomes[DeliveryStatus.UNCERTAIN])


def after(receipt: Receipt, attempts: int, key: str, now: datetime) -> datetime | None:
    """When to try again after a failed attempt, or None when there is no use: then the delivery is dead.

    `attempts` counts this one. The delay grows fourfold from 30 seconds to a day, moved by up to a quarter by a hash
    of key and attempt, so that rows that failed together do not come back together; what the far side asked for is
    the least (up to 7 days).
    """
    if receipt.status not in (ReceiptStatus.RETRY, ReceiptStatus.UNCERTAIN) or attempts >= MOST_ATTEMPTS:
        return None
    share = int.from_bytes(sha256(f"{key} {attempts}".encode()).digest()[:4], "big") / 2**32
    delay = min(_FIRST_DELAY * 4.0 ** (max(attempts, 1) - 1), _LONGEST_DELAY) * (0.75 + share / 2)
    return now + max(delay, _asked(receipt))


def judged(row: OutboxRow, receipt: Receipt, now: datetime, *, hold: bool) -> Attempt:
    """What becomes of a delivery after this attempt; `hold`: nothing is repeated that may have arrived."""
    count, key = row.attempts + 1, row.delivery.key
    if receipt.status is ReceiptStatus.SENT:
        return Attempt(key, now, receipt.status, DeliveryStatus.SENT, receipt.detail, receipt.reference)
    if receipt.status is ReceiptStatus.UNCERTAIN and hold:
        return Attempt(key, now, receipt.status, DeliveryStatus.UNCERTAIN, receipt.detail, receipt.reference)
    again_at = after(receipt, count, key, now)
    if again_at is not None:
        return Attempt(key, now, receipt.status, DeliveryStatus.QUEUED, receipt.detail, receipt.reference,
                       leaves_at(row, again_at) or again_at)
    refused = receipt.status is ReceiptStatus.REFUSED
    detail = receipt.detail if refused else f"given up after {count} attempts: {receipt.detail}"
    return Attempt(key, now, receipt.status, DeliveryStatus.DEAD, detail, receipt.reference)


class _Sending:
    """One call of `deliver`: this thread speaks with the store, others with the far sides."""

    def __init__(self, store: Store, channels: Mapping[str, Channel], now: Callable[[], datetime],
                 holds: frozenset[str], worker: str, lease: timedelta, batch: int,
                 progress: Callable[[int], None] | None) -> None:
        self._store, self._channels, self._now, self._holds = store, channels, now, holds
        self._worker, self._lease, self._batch, self._progress = worker, lease, batch, progress
        self.tally = _Tally()
        self._lanes = Lanes(now)
        self._done: SimpleQueue[_Done | ForestallError] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._asked_without: frozenset[str] | None = frozenset()      # lanes left out when last asked; None: got plenty

    def run(self, stop: Callable[[], bool]) -> None:
        """Until nothing is left to do, or `stop` says so. What was sent is recorded whatever happens."""
        try:
            self._claim()
            while not (stop() or (self._at_rest() and not self._lanes.holds_back() and not self._worth_asking())):
                if self._worth_asking() and self._lanes.takeable(THREADS) < THREADS:
                    self._claim()
                self._record(self._gathered())
        finally:
            self._lanes.end()
            for thread in self._threads:
                thread.join()
            self._record(self._at_hand())

    def _at_rest(self) -> bool:
        """Whether nothing waits here, is on its way or came back."""
        return self._lanes.empty() and self._done.empty()

    def _worth_asking(self) -> bool:
        """Whether the outbox may hold more for us: it gave all that we asked for, or a lane that was full is not."""
        return self._asked_without is None or bool(self._asked_without - self._lanes.full())

    def _claim(self) -> None:
        closed, resting = self._lanes.shut()
        full = self._lanes.full()
        names = set(self._channels) - closed - full
        found: tuple[OutboxRow, ...] = ()
        if names:
            at = self._now()
            found = self._store.claim(self._worker, at, self._lease, self._batch, names, resting | full)
            self._lanes.put(found, at + self._lease / 2)      # half of it: a slow far side has the other half
        self._asked_without = None if len(found) == self._batch else full
        while len(self._threads) < min(THREADS, len(found)):
            thread = threading.Thread(target=self._send, name=f"sender-{len(self._threads) + 1}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _gathered(self) -> list[_Done]:
        """Some receipts, as soon as there are any: those that come within a moment are recorded together."""
        if self._at_rest():
            return []
        try:
            first = self._done.get(timeout=_LOOK)
        except Empty:
            return []
        if not self._lanes.empty():
            time.sleep(_GATHER)
        return self._checked([first]) + self._at_hand()

    def _at_hand(self) -> list[_Done]:
        found: list[_Done | ForestallError] = []
        while True:
            try:
                found.append(self._done.get_nowait())
            except Empty:
                return self._checked(found)

    def _checked(self, found: Sequence[_Done | ForestallError]) -> list[_Done]:
        """The rows among them. A store that could not be written ends the call."""
        for one in found:
            if isinstance(one, ForestallError):
                self._record([other for other in found if isinstance(other, _Done)])
                raise one
        return [one for one in found if isinstance(one, _Done)]

    def _record(self, found: Sequence[_Done]) -> None:
        moment = self._now()
        made: list[Attempt] = []
        failed: dict[str, Rest] = {}
        well: set[str] = set()
        for one in found:
            channel, far = one.row.delivery.channel, _destination(one.row)
            if one.error is not None:
                self.tally.problems.extend(each for each in one.error.problems if each not in self.tally.problems)
            if one.receipt is None:
                continue
            attempt = judged(one.row, one.receipt, moment, hold=channel in self._holds)
            made.append(attempt)
            self.tally.becomes[attempt.becomes] += 1
            if one.receipt.status in (ReceiptStatus.RETRY, ReceiptStatus.UNCERTAIN):
                scope = channel if one.receipt.whole_channel else far
                failed[scope] = Rest(scope, _asked(one.receipt))
            else:
                well |= {channel, far}
        if made:
            self._store.record(made, self._worker, list(failed.values()), well - set(failed), moment)
            if self._progress is not None:
                self._progress(self.tally.done())
        if back := self._lanes.given_back():
            self._store.release(back, self._worker)
            self._asked_without = None      # some of it only waited too long

    def _send(self) -> None:
        """What each thread does: send one row after the other."""
        while (row := self._lanes.take()) is not None:
            done = _Done(row, None)
            try:
                channel, now = row.delivery.channel, self._now()
                if (later := leaves_at(row, now)) is not None:
                    self._store.postpone(row.delivery.key, self._worker, later)
                elif channel not in self._holds or self._store.begin(row.delivery.key, self._worker, now):
                    done = _attempt(self._channels[channel], row)
            except ForestallError as error:      # the store's: without a note of it nothing may be sent
                self._done.put(error)
                self._lanes.end()
            self._done.put(done)
            self._lanes.done(row, done.receipt, unusable=done.error is not None)


def leaves_at(row: OutboxRow, now: datetime) -> datetime | None:
    """When a row may leave that must not leave now, because it is quiet where it goes; None when it may."""
    if not row.delivery.quiet:
        return None
    leaves = quiet.leaves_at(quiet.Quiet.of(row.delivery.quiet), now)
    return leaves if leaves > now else None


def _attempt(channel: Channel, row: OutboxRow) -> _Done:
    """One attempt. Not even one when the channel cannot be used at all."""
    try:
        return _Done(row, channel.send(row.message))
    except ForestallError as error:
        return _Done(row, None, error)
    except Exception as error:  # a mistake in a channel must not stop what the others have to send
        said = f"the channel {channel.name} failed: {type(error).__name__}"
        return _Done(row, Receipt(ReceiptStatus.UNCERTAIN, said))


def _asked(receipt: Receipt) -> timedelta:
    return min(receipt.retry_after or timedelta(0), _LONGEST_OBEYED)


def _destination(row: OutboxRow) -> str:
    return destination(row.delivery.channel, row.delivery.recipient)
