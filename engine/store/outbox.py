"""The outbox: who may send which row now, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from forestall.engine.model.delivery import Attempt, DeliveryStatus, OutboxRow, ReceiptStatus, Rest
from forestall.engine.store import rows
from forestall.engine.store.database import Database
from forestall.engine.store.messages import outbox_with_forms
from forestall.engine.store.tables import attempts, outbox, rests

_QUEUED = DeliveryStatus.QUEUED.value
_CLAIMED = DeliveryStatus.CLAIMED.value
_PAGE = 1000
_SHORTEST_REST = timedelta(seconds=30)
_LONGEST_REST = timedelta(minutes=10)
_ENDED = "the process that was sending it ended before there was an answer"


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows to list. Nothing said: all of them."""

    statuses: Collection[DeliveryStatus] = ()
    day: date | None = None
    account: str = ""
    play: str = ""


def claim(connection: sa.Connection, wanted: Claim) -> tuple[OutboxRow, ...]:
    """Claim due rows: each destination's oldest first, then each one's second, so that none holds up another.

    A row is nobody else's until its lease runs out.
    """
    if connection.dialect.name == "postgresql":
        # One worker after the other, for a moment: two that choose the same rows would leave one of them with none.
        name = sa.func.hashtext(sa.literal("forestall claim ") + sa.func.current_schema())
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))
    _cancel_lapsed(connection, wanted.now)
    _put_lapsed_aside(connection, wanted.now)
    due = _due(wanted.now, wanted.channels, wanted.resting)
    turn = sa.func.row_number().over(partition_by=outbox.c.destination, order_by=outbox.c.id).label("turn")
    queue = sa.select(outbox.c.id, turn).where(due).subquery()
    chosen = connection.scalars(
        sa.select(queue.c.id).order_by(queue.c.turn, queue.c.id).limit(wanted.most)
    ).all()
    if not chosen:
        return ()
    # What a pass is about to cancel just now (PostgreSQL) is left to it.
    free = connection.scalars(
        sa.select(outbox.c.id).where(outbox.c.id.in_(chosen), due).with_for_update(skip_locked=True)
    ).all()
    connection.execute(sa.update(outbox).where(outbox.c.id.in_(free)).values(
        status=_CLAIMED, claimed_until=wanted.now + wanted.lease, claimed_by=wanted.worker, begun_at=None,
    ))
    found = connection.execute(outbox_with_forms.where(outbox.c.id.in_(free)))
    order = {number: place for place, number in enumerate(chosen)}
    return tuple(rows.outbox_of(row) for row in sorted(found, key=lambda row: order[row.id]))


def begin(connection: sa.Connection, key: str, worker: str, now: datetime) -> bool:
    """Write down that sending begins; whether the row is still this worker's to send."""
    mine = sa.and_(outbox.c.key == key, outbox.c.status == _CLAIMED, outbox.c.claimed_by == worker,
                   outbox.c.withdrawn.is_(False))
    return connection.execute(sa.update(outbox).where(mine).values(begun_at=now)).rowcount == 1


def release(connection: sa.Connection, keys: Collection[str], worker: str) -> None:
    """Give claimed rows back untried."""
    mine = sa.and_(outbox.c.key == sa.bindparam("of_key"), outbox.c.status == _CLAIMED, outbox.c.claimed_by == worker)
    connection.execute(
        sa.update(outbox).where(mine).values(status=_unless_withdrawn(_QUEUED), claimed_until=None, claimed_by="",
                                             begun_at=None),
        [{"of_key": key} for key in keys],
    )


def postpone(connection: sa.Connection, key: str, worker: str, until: datetime) -> None:
    """Give a claimed row back untried, for later."""
    mine = sa.and_(outbox.c.key == key, outbox.c.status == _CLAIMED, outbox.c.claimed_by == worker)
    connection.execute(sa.update(outbox).where(mine).values(
        status=_unless_withdrawn(_QUEUED), claimed_until=None, claimed_by="", begun_at=None, next_attempt=until))


def record(connection: sa.Connection, made: Sequence[Attempt], worker: str) -> None:
    """Write what the far side said. What was sent stays sent, whoever reports later."""
    for becomes in dict.fromkeys(attempt.becomes for attempt in made):
        row = sa.and_(outbox.c.key == sa.bindparam("of_key"), outbox.c.status != DeliveryStatus.SENT.value)
        if worker and becomes is not DeliveryStatus.SENT:
            row = sa.and_(row, outbox.c.claimed_by == worker)
        values: dict[str, Any] = {
            "attempts": outbox.c.attempts + 1, "claimed_until": None, "claimed_by": "", "begun_at": None,
            "status": _unless_withdrawn(_QUEUED) if becomes is DeliveryStatus.QUEUED else becomes.value,
            "detail": sa.bindparam("of_detail"), "reference": sa.bindparam("of_reference"),
            "next_attempt": sa.bindparam("of_again", type_=outbox.c.next_attempt.type)}
        if becomes is DeliveryStatus.SENT:
            values["sent_at"] = sa.bindparam("of_moment", type_=outbox.c.sent_at.type)
        connection.execute(sa.update(outbox).where(row).values(**values), [
            {"of_key": one.key, "of_detail": one.detail, "of_reference": one.reference, "of_again": one.again_at,
             **({"of_moment": one.at} if becomes is DeliveryStatus.SENT else {})}
            for one in made if one.becomes is becomes])
    _log(connection, made)


def rest(connection: sa.Connection, failed: Collection[Rest], now: datetime) -> None:
    """Leave those that failed in peace: half a minute, twice as long each time up to ten minutes, or as long as they
    asked for."""
    for one in failed:
        before = connection.scalar(sa.select(rests.c.failures).where(rests.c.scope == one.scope))
        wait = max(min(_SHORTEST_REST * 2 ** min(before or 0, 10), _LONGEST_REST), one.asked)
        values = {"until": now + wait, "failures": (before or 0) + 1}
        if before is None:
            connection.execute(sa.insert(rests).values(scope=one.scope, **values))
        else:
            connection.execute(sa.update(rests).where(rests.c.scope == one.scope).values(**values))


def end_rest(connection: sa.Connection, scopes: Collection[str]) -> None:
    """These need no peace any more."""
    connection.execute(sa.delete(rests).where(rests.c.scope.in_(sorted(scopes))))


def again(connection: sa.Connection, keys: Collection[str]) -> int:
    """Have these tried again at once, as if for the first time. How many could be."""
    open_to_it = (DeliveryStatus.QUEUED, DeliveryStatus.DEAD, DeliveryStatus.UNCERTAIN)
    found = sa.and_(outbox.c.key.in_(sorted(keys)), outbox.c.status.in_([status.value for status in open_to_it]))
    far = connection.execute(sa.select(outbox.c.channel, outbox.c.destination).where(found).distinct()).all()
    end_rest(connection, {scope for row in far for scope in (row.channel, row.destination)})
    return connection.execute(sa.update(outbox).where(found).values(
        status=_QUEUED, attempts=0, next_attempt=None, withdrawn=False)).rowcount


def cancel(connection: sa.Connection, keys: Collection[str]) -> int:
    """Cancel these; one that is on its way just now is not tried again if it fails. How many could be."""
    named = outbox.c.key.in_(sorted(keys))
    on_its_way = connection.execute(sa.update(outbox).where(named, outbox.c.status == _CLAIMED).values(withdrawn=True))
    waits = (DeliveryStatus.QUEUED, DeliveryStatus.DEAD, DeliveryStatus.UNCERTAIN)
    stopped = connection.execute(
        sa.update(outbox).where(named, outbox.c.status.in_([status.value for status in waits]))
        .values(status=DeliveryStatus.CANCELLED.value, withdrawn=True, next_attempt=None))
    return on_its_way.rowcount + stopped.rowcount


def waiting(connection: sa.Connection) -> int:
    """How many rows are neither sent, cancelled nor dead, and wait for no answer of a person."""
    return connection.scalar(
        sa.select(sa.func.count()).select_from(outbox).where(outbox.c.status.in_((_QUEUED, _CLAIMED)))
    ) or 0


def counts(connection: sa.Connection) -> dict[DeliveryStatus, int]:
    """How many rows stand where."""
    found = connection.execute(sa.select(outbox.c.status, sa.func.count()).group_by(outbox.c.status))
    return {DeliveryStatus(status): count for status, count in found}


def is_due(connection: sa.Connection, now: datetime, channels: Collection[str]) -> bool:
    """Whether a worker would find anything to do on these channels."""
    return connection.scalar(sa.select(outbox.c.id).where(_due(now, channels, ())).limit(1)) is not None


def listed(database: Database, wanted: Wanted) -> Iterator[OutboxRow]:
    """The rows that are wanted, oldest first. They come page by page, so that reading never holds up a writer."""
    last = 0
    while True:
        query = outbox_with_forms.where(outbox.c.id > last).order_by(outbox.c.id).limit(_PAGE)
        if wanted.statuses:
            query = query.where(outbox.c.status.in_([status.value for status in wanted.statuses]))
        for column, value in ((outbox.c.day, wanted.day), (outbox.c.account, wanted.account),
                              (outbox.c.play, wanted.play)):
            if value:
                query = query.where(column == value)
        with database.reading() as connection:
            page = connection.execute(query).all()
        if not page:
            return
        yield from map(rows.outbox_of, page)
        last = page[-1].id


def named(connection: sa.Connection, start: str, most: int) -> tuple[OutboxRow, ...]:
    """The rows whose key begins so."""
    query = outbox_with_forms.where(outbox.c.key.startswith(start, autoescape=True)).order_by(outbox.c.id).limit(most)
    return tuple(map(rows.outbox_of, connection.execute(query)))


def attempts_of(connection: sa.Connection, key: str) -> tuple[Attempt, ...]:
    """Every attempt to send this delivery, in order."""
    query = sa.select(attempts).where(attempts.c.key == key).order_by(attempts.c.id)
    return tuple(Attempt(row.key, row.at, ReceiptStatus(row.said), DeliveryStatus(row.becomes), row.detail,
                         row.reference, row.again_at) for row in connection.execute(query))


def rests_until(connection: sa.Connection, row: OutboxRow, now: datetime) -> datetime | None:
    """Until when the far side of a row is left in peace; None when it is not."""
    scopes = (row.delivery.channel, rows.destination(row.delivery.channel, row.delivery.recipient))
    found = connection.scalars(sa.select(rests.c.until).where(rests.c.scope.in_(scopes), rests.c.until > now)).all()
    return max(found, default=None)


def _log(connection: sa.Connection, made: Sequence[Attempt]) -> None:
    if made:
        connection.execute(sa.insert(attempts), [
            {"key": one.key, "at": one.at, "said": one.said.value, "becomes": one.becomes.value, "detail": one.detail,
             "reference": one.reference, "again_at": one.again_at} for one in made])


def _cancel_lapsed(connection: sa.Connection, now: datetime) -> None:
    """Rows that were to be cancelled while a worker held them, and that worker never came back."""
    lapsed = sa.and_(outbox.c.status == _CLAIMED, outbox.c.claimed_until <= now, outbox.c.withdrawn.is_(True),
                     outbox.c.begun_at.is_(None))
    connection.execute(sa.update(outbox).where(lapsed).values(status=DeliveryStatus.CANCELLED.value))


def _put_lapsed_aside(connection: sa.Connection, now: datetime) -> None:
    """Rows of which nobody knows any more whether they were sent, where a repeat could not be recognised."""
    lapsed = sa.and_(outbox.c.status == _CLAIMED, outbox.c.claimed_until <= now, outbox.c.begun_at.is_not(None))
    if keys := connection.scalars(sa.select(outbox.c.key).where(lapsed)).all():
        record(connection, [Attempt(key, now, ReceiptStatus.UNCERTAIN, DeliveryStatus.UNCERTAIN, _ENDED)
                            for key in keys], "")


def _due(now: datetime, channels: Collection[str], resting: Collection[str]) -> sa.ColumnElement[bool]:
    """Queued and its time has come, or claimed by someone whose lease ran out; and its far side is not resting."""
    queued = sa.and_(outbox.c.status == _QUEUED,
                     sa.or_(outbox.c.next_attempt.is_(None), outbox.c.next_attempt <= now))
    lapsed = sa.and_(outbox.c.status == _CLAIMED, outbox.c.claimed_until <= now)
    in_peace = sa.select(rests.c.scope).where(rests.c.until > now).scalar_subquery()
    due = sa.and_(sa.or_(queued, lapsed), outbox.c.channel.in_(channels), outbox.c.withdrawn.is_(False),
                  outbox.c.destination.not_in(in_peace), outbox.c.channel.not_in(in_peace))
    return sa.and_(due, outbox.c.destination.not_in(resting)) if resting else due


def _unless_withdrawn(status: str) -> sa.ColumnElement[str]:
    return sa.case((outbox.c.withdrawn.is_(True), DeliveryStatus.CANCELLED.value), else_=status)
