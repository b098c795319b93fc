"""Claim, send, record: the outbox is the queue, and a crash at any point only repeats a key."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from forestall.engine.errors import ForestallError, Problem
from forestall.engine.model.delivery import OutboxRow, Receipt, ReceiptStatus
from forestall.engine.model.ports import Channel
from forestall.engine.store import Store, destination

MOST_ATTEMPTS = 8
_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(hours=24)
_LONGEST_OBEYED = timedelta(days=7)
_LEASE = timedelta(minutes=10)
_BATCH = 500


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


@dataclass(slots=True)
class _Tally:
    """What is counted while it goes on, and which destinations and channels wait for the next call."""

    sent: int = 0
    retried: int = 0
    dead: int = 0
    resting: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def rests(self, row: OutboxRow) -> bool:
        return row.delivery.channel in self.closed or _destination(row) in self.resting


def deliver(
    store: Store,
    channels: Mapping[str, Channel],
    now: Callable[[], datetime],
    *,
    worker: str = "",
    lease: timedelta = _LEASE,
    batch: int = _BATCH,
    progress: Callable[[int], None] | None = None,
) -> DeliveryReport:
    """Send whatever is due on these channels until nothing is.

    A destination that asks for a repeat rests until the next call, so that it never holds up another; its other rows
    are not tried. `now` gives moments with a time zone. `progress` hears how many rows are done after each.
    StoreError when the state database fails; whatever was sent before it is sent again later under the same key.
    """
    worker = worker or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    tally = _Tally()
    while names := set(channels) - tally.closed:
        claimed_at = now()
        rows = store.claim(worker, claimed_at, lease, batch, names, tally.resting)
        if not rows:
            break
        _send_all(store, channels, rows, now, worker, claimed_at + lease / 2, tally, progress)
    return DeliveryReport(tally.sent, tally.retried, tally.dead, store.waiting(), tuple(tally.problems))


def after(receipt: Receipt, attempts: int, key: str, now: datetime) -> datetime | None:
    """When to try again after a failed attempt, or None when there is no use: then the delivery is dead.

    `attempts` counts this one. The delay grows fourfold from 30 seconds to a day, moved by up to a quarter by a hash
    of key and attempt, so that rows that failed together do not come back together; what the far side asked for is
    the least (up to 7 days).
    """
    if receipt.status is not ReceiptStatus.RETRY or attempts >= MOST_ATTEMPTS:
        return None
    share = int.from_bytes(sha256(f"{key} {attempts}".encode()).digest()[:4], "big") / 2**32
    delay = min(_FIRST_DELAY * 4.0 ** (max(attempts, 1) - 1), _LONGEST_DELAY) * (0.75 + share / 2)
    asked = min(receipt.retry_after or timedelta(0), _LONGEST_OBEYED)
    return now + max(delay, asked)


def _send_all(
    store: Store, channels: Mapping[str, Channel], rows: Sequence[OutboxRow], now: Callable[[], datetime], worker: str,
    until: datetime, tally: _Tally, progress: Callable[[int], None] | None,
) -> None:
    """Send claimed rows one by one; what rests, and all that is left at `until`, goes back untried.

    Half the lease is the most that a batch may take: a slow far side never makes us outlive our claim.
    """
    untried: list[str] = []
    for place, row in enumerate(rows):
        if place and now() >= until:
            untried.extend(later.delivery.key for later in rows[place:])
            break
        if tally.rests(row):
            untried.append(row.delivery.key)
            continue
        receipt = _attempt(channels[row.delivery.channel], row, tally)
        if receipt is None:
            untried.append(row.delivery.key)
            continue
        _record(store, row, receipt, now(), worker, tally)
        if progress is not None:
            progress(tally.sent + tally.retried + tally.dead)
    store.release(untried, worker)


def _attempt(channel: Channel, row: OutboxRow, tally: _Tally) -> Receipt | None:
    """The receipt of one attempt; None when the channel cannot be used at all, which closes it for this call."""
    try:
        return channel.send(row.message)
    except ForestallError as error:
        tally.closed.add(row.delivery.channel)
        tally.problems.extend(problem for problem in error.problems if problem not in tally.problems)
        return None
    except Exception as error:  # a mistake in a channel must not stop what the others have to send
        return Receipt(ReceiptStatus.RETRY, f"the channel {channel.name} failed: {type(error).__name__}")


def _record(store: Store, row: OutboxRow, receipt: Receipt, now: datetime, worker: str, tally: _Tally) -> None:
    attempts = row.attempts + 1
    retry_at = after(receipt, attempts, row.delivery.key, now)
    if receipt.status is ReceiptStatus.SENT:
        tally.sent += 1
    elif retry_at is not None:
        tally.retried += 1
    else:
        tally.dead += 1
        if receipt.status is ReceiptStatus.RETRY:
            receipt = replace(receipt, detail=f"given up after {attempts} attempts: {receipt.detail}")
    if receipt.status is ReceiptStatus.RETRY:
        tally.resting.add(_destination(row))
        if receipt.whole_channel:
            tally.closed.add(row.delivery.channel)
    store.record(row.delivery.key, receipt, now, retry_at, worker)


def _destination(row: OutboxRow) -> str:
    return destination(row.delivery.channel, row.delivery.recipient)
