"""The outbox: who may send which row now, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from forestall.engine.model.delivery import DeliveryStatus, OutboxRow, Receipt, ReceiptStatus
from forestall.engine.store import rows
from forestall.engine.store.database import Database
from forestall.engine.store.tables import outbox

_QUEUED = DeliveryStatus.QUEUED.value
_CLAIMED = DeliveryStatus.CLAIMED.value
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for rows, when, for how long, how many at most, and for which channels.

    `resting` are destinations (see `rows.destination`) that shall wait.
    """

    worker: str
    now: datetime
    lease: timedelta
    most: int
    channels: Collection[str]
    resting: Collection[str] = ()


def claim(connection: sa.Connection, wanted: Claim) -> tuple[OutboxRow, ...]:
    """Claim due rows: each destination's oldest first, then each one's second, so that none holds up another.

    A row is nobody else's until its lease runs out.
    """
    _cancel_lapsed(connection, wanted.now)
    due = _due(wanted)
    turn = sa.func.row_number().over(partition_by=outbox.c.destination, order_by=outbox.c.id).label("turn")
    queue = sa.select(outbox.c.id, turn).where(due).subquery()
    chosen = connection.scalars(
        sa.select(queue.c.id).order_by(queue.c.turn, queue.c.id).limit(wanted.most)
    ).all()
    if not chosen:
        return ()
    # With several writers (PostgreSQL) the rows are locked, and those that another one has just locked left to it.
    free = connection.scalars(
        sa.select(outbox.c.id).where(outbox.c.id.in_(chosen), due).with_for_update(skip_locked=True)
    ).all()
    connection.execute(sa.update(outbox).where(outbox.c.id.in_(free)).values(
        status=_CLAIMED, claimed_until=wanted.now + wanted.lease, claimed_by=wanted.worker,
    ))
    found = connection.execute(sa.select(outbox).where(outbox.c.id.in_(free)))
    order = {number: place for place, number in enumerate(chosen)}
    return tuple(rows.outbox_of(row) for row in sorted(found, key=lambda row: order[row.id]))


def release(connection: sa.Connection, keys: Collection[str], worker: str) -> None:
    """Give claimed rows back untried."""
    mine = sa.and_(outbox.c.key == sa.bindparam("of_key"), outbox.c.status == _CLAIMED, outbox.c.claimed_by == worker)
    connection.execute(
        sa.update(outbox).where(mine).values(status=_unless_withdrawn(_QUEUED), claimed_until=None, claimed_by=""),
        [{"of_key": key} for key in keys],
    )


def record(connection: sa.Connection, key: str, receipt: Receipt, now: datetime, retry_at: datetime | None,
           worker: str) -> None:
    """Write what the far side said. What was sent stays sent, whoever reports later."""
    row = sa.and_(outbox.c.key == key, outbox.c.status != DeliveryStatus.SENT.value)
    if worker and receipt.status is not ReceiptStatus.SENT:
        row = sa.and_(row, outbox.c.claimed_by == worker)
    values: dict[str, Any] = {"attempts": outbox.c.attempts + 1, "claimed_until": None, "claimed_by": "",
                              "detail": receipt.detail, "reference": receipt.reference}
    if receipt.status is ReceiptStatus.SENT:
        values |= {"status": DeliveryStatus.SENT.value, "sent_at": now, "next_attempt": None}
    elif retry_at is not None:
        values |= {"status": _unless_withdrawn(_QUEUED), "next_attempt": retry_at}
    else:
        values |= {"status": DeliveryStatus.DEAD.value, "next_attempt": None}
    connection.execute(sa.update(outbox).where(row).values(**values))


def waiting(connection: sa.Connection) -> int:
    """How many rows are neither sent, cancelled nor dead."""
    return connection.scalar(
        sa.select(sa.func.count()).select_from(outbox).where(outbox.c.status.in_((_QUEUED, _CLAIMED)))
    ) or 0


def listed(database: Database, statuses: Collection[DeliveryStatus], day: date | None) -> Iterator[OutboxRow]:
    """The rows with one of these statuses (none named: all), planned on `day` (None: ever), oldest first.

    They come page by page, so that reading them never holds up a writer.
    """
    last = 0
    while True:
        query = sa.select(outbox).where(outbox.c.id > last).order_by(outbox.c.id).limit(_PAGE)
        if statuses:
            query = query.where(outbox.c.status.in_([status.value for status in statuses]))
        if day is not None:
            query = query.where(outbox.c.day == day)
        with database.reading() as connection:
            page = connection.execute(query).all()
        if not page:
            return
        yield from map(rows.outbox_of, page)
        last = page[-1].id


def _cancel_lapsed(connection: sa.Connection, now: datetime) -> None:
    """Rows that were to be cancelled while a worker held them, and that worker never came back."""
    lapsed = sa.and_(outbox.c.status == _CLAIMED, outbox.c.claimed_until <= now, outbox.c.withdrawn.is_(True))
    connection.execute(sa.update(outbox).where(lapsed).values(status=DeliveryStatus.CANCELLED.value))


def _due(wanted: Claim) -> sa.ColumnElement[bool]:
    """Queued and its time has come, or claimed by someone whose lease ran out."""
    queued = sa.and_(outbox.c.status == _QUEUED,
                     sa.or_(outbox.c.next_attempt.is_(None), outbox.c.next_attempt <= wanted.now))
    lapsed = sa.and_(outbox.c.status == _CLAIMED, outbox.c.claimed_until <= wanted.now)
    due = sa.and_(sa.or_(queued, lapsed), outbox.c.channel.in_(wanted.channels), outbox.c.withdrawn.is_(False))
    return sa.and_(due, outbox.c.destination.not_in(wanted.resting)) if wanted.resting else due


def _unless_withdrawn(status: str) -> sa.ColumnElement[str]:
    return sa.case((outbox.c.withdrawn.is_(True), DeliveryStatus.CANCELLED.value), else_=status)
