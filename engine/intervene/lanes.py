"""Which claimed row may go next: a lane for each far side, and never more at once than it can take."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from forestall.engine.model.delivery import OutboxRow, Receipt, ReceiptStatus
from forestall.engine.store import destination

WIDTH = 4         # at once to one far side, once it has taken something; before that one alone finds out
BACKLOG = 250     # rows that wait for one far side in memory; beyond that they are better left in the outbox


def lane_of(row: OutboxRow) -> str:
    """What can be slow by itself: the host of a web address, otherwise the one server behind the channel."""
    channel, recipient = row.delivery.channel, row.delivery.recipient
    return destination(channel, recipient) if "://" in recipient else channel


@dataclass(slots=True)
class _Lane:
    rows: deque[tuple[OutboxRow, datetime]] = field(default_factory=deque)
    under_way: int = 0
    proven: bool = False

    def room(self) -> bool:
        return bool(self.rows) and self.under_way < (WIDTH if self.proven else 1)


class Lanes:
    """Rows on their way to the threads that send them. Every method may be called by any thread."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._changed = threading.Condition()
        self._lanes: dict[str, _Lane] = {}
        self._order: deque[str] = deque()
        self._back: list[str] = []
        self._closed_channels: set[str] = set()
        self._resting: set[str] = set()
        self._ended = False

    def put(self, rows: Sequence[OutboxRow], until: datetime) -> None:
        """Add claimed rows. What has not been taken at `until` is given back: we must not outlive our claim."""
        with self._changed:
            for row in rows:
                name = lane_of(row)
                if name not in self._lanes:
                    self._lanes[name] = _Lane()
                    self._order.append(name)
                self._lanes[name].rows.append((row, until))
            self._changed.notify_all()

    def take(self) -> OutboxRow | None:
        """The next row to send, as soon as there is one; None when there will be no more."""
        with self._changed:
            while not self._ended:
                if (row := self._next()) is not None:
                    return row
                self._changed.wait()
            return None

    def done(self, row: OutboxRow, receipt: Receipt | None, *, unusable: bool) -> None:
        """What came of a row that was taken; None: it was not tried. `unusable`: its channel cannot be used at all."""
        with self._changed:
            lane = self._lanes[lane_of(row)]
            lane.under_way -= 1
            if receipt is None:
                self._back.append(row.delivery.key)
                if unusable:
                    self._closed_channels.add(row.delivery.channel)
            elif receipt.status in (ReceiptStatus.RETRY, ReceiptStatus.UNCERTAIN):
                lane.proven = False
                self._resting.add(_destination(row))
                if receipt.whole_channel:
                    self._closed_channels.add(row.delivery.channel)
            else:
                lane.proven = True
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more is taken; what waits can be fetched with `given_back`."""
        with self._changed:
            self._ended = True
            for lane in self._lanes.values():
                self._back.extend(row.delivery.key for row, _ in lane.rows)
                lane.rows.clear()
            self._changed.notify_all()

    def given_back(self) -> list[str]:
        """The keys of rows that were not tried, each once."""
        with self._changed:
            back, self._back = self._back, []
            return back

    def holds_back(self) -> bool:
        """Whether `given_back` has any."""
        with self._changed:
            return bool(self._back)

    def empty(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        with self._changed:
            return not any(lane.rows or lane.under_way for lane in self._lanes.values())

    def takeable(self, most: int) -> int:
        """How many rows could be taken now, counted up to `most`."""
        with self._changed:
            found = 0
            for lane in self._lanes.values():
                found += min(len(lane.rows), (WIDTH if lane.proven else 1) - lane.under_way) if lane.room() else 0
                if found >= most:
                    break
            return found

    def shut(self) -> tuple[frozenset[str], frozenset[str]]:
        """Channels, and destinations, for which nothing more should be claimed in this call."""
        with self._changed:
            return frozenset(self._closed_channels), frozenset(self._resting)

    def full(self) -> frozenset[str]:
        """Lanes (a channel, or a destination with a host) in which enough waits already."""
        with self._changed:
            return frozenset(name for name, lane in self._lanes.items() if len(lane.rows) >= BACKLOG)

    def _next(self) -> OutboxRow | None:
        """One row of the next lane with room; lanes take turns. What rests or waited too long is given back."""
        now = self._now() if self._order else None
        for _ in range(len(self._order)):
            name = self._order[0]
            self._order.rotate(-1)
            lane = self._lanes[name]
            while now is not None and lane.room():
                row, until = lane.rows.popleft()
                if now < until and not self._rests(row):
                    lane.under_way += 1
                    return row
                self._back.append(row.delivery.key)
        return None

    def _rests(self, row: OutboxRow) -> bool:
        return row.delivery.channel in self._closed_channels or _destination(row) in self._resting


def _destination(row: OutboxRow) -> str:
    return destination(row.delivery.channel, row.delivery.recipient)
