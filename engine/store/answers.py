"""What people say: kept for good, and applied to the alerts and runs it speaks of."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from forestall.engine.model.alert import Alert, AlertStatus, TransitionKind
from forestall.engine.model.delivery import DeliveryStatus, MessageKind, PlayRun, RunStatus, StartedBy
from forestall.engine.model.outcome import SETTLES, Answer, AnswerKind, Applied
from forestall.engine.model.people import bare_address
from forestall.engine.model.state import Decisions
from forestall.engine.store import rows
from forestall.engine.store.database import by_column, insert_new
from forestall.engine.store.tables import alerts, answers, outbox, runs


def answer(connection: sa.Connection, said: Answer) -> Applied:
    """Keep what was said and apply it. Said before: nothing changes."""
    if not insert_new(connection, answers, by_column([answer_row(said)])):
        return Applied(new=False)
    if said.kind is AnswerKind.UNSUBSCRIBED:
        withdraw(connection, {bare_address(said.by)}, said.at)
    return Applied(True, _to_alerts(connection, said), _to_runs(connection, said))


def unsubscribed(connection: sa.Connection, since: int = 0, until: int | None = None) -> frozenset[str]:
    """The addresses that want no email any more; only what was said after the answer with the number `since`, through
    the one with the number `until`. What was said last counts."""
    query = sa.select(answers.c.kind, answers.c.by, answers.c.address).where(_between(since, until), answers.c.kind.in_(
        (AnswerKind.UNSUBSCRIBED.value, AnswerKind.RESUBSCRIBED.value))).order_by(answers.c.id)
    found: set[str] = set()
    for row in connection.execute(query):
        if row.kind == AnswerKind.UNSUBSCRIBED.value:
            found.add(bare_address(row.by))
        else:
            found.discard(bare_address(row.address))
    return frozenset(found)


def withdraw(connection: sa.Connection, addresses: Collection[str], now: datetime) -> int:
    """Cancel the emails to these customers that are not sent yet. One that a worker holds is not tried again."""
    cancelled = 0
    to_customer = sa.and_(outbox.c.kind == MessageKind.EMAIL.value, outbox.c.to_customer.is_(True))
    unsent = outbox.c.status.in_((DeliveryStatus.QUEUED.value, DeliveryStatus.CLAIMED.value))
    for address in sorted(addresses):
        found = connection.execute(sa.select(outbox.c.id, outbox.c.recipient, outbox.c.status, outbox.c.claimed_until)
                                   .where(to_customer, unsent, outbox.c.recipient.icontains(address, autoescape=True)))
        for row in [row for row in found if bare_address(row.recipient) == address]:
            held = row.status == DeliveryStatus.CLAIMED.value and row.claimed_until > now
            values = {"withdrawn": True} | ({} if held else {"status": DeliveryStatus.CANCELLED.value})
            connection.execute(sa.update(outbox).where(outbox.c.id == row.id).values(**values))
            cancelled += not held
    return cancelled


def last(connection: sa.Connection) -> int:
    """The number of the last thing that was said."""
    return connection.scalar(sa.select(sa.func.max(answers.c.id))) or 0


def churned(connection: sa.Connection, until: int | None = None) -> dict[str, date]:
    """See State.churned. `until`: as above."""
    by_data = answers.c.source == StartedBy.DATA.value
    lost = sa.and_(_between(0, until), answers.c.kind == AnswerKind.LOST.value, by_data)
    query = sa.select(answers.c.account, answers.c.day).where(lost).order_by(answers.c.id)
    return {row.account: row.day for row in connection.execute(query)}


def spoken_of(connection: sa.Connection, since: int, until: int) -> list[str]:
    """The account of each thing that people and customers said after one answer, through another."""
    by_people = answers.c.source != StartedBy.DATA.value
    query = sa.select(answers.c.account).where(_between(since, until), by_people).order_by(answers.c.id)
    return list(connection.scalars(query))


def _between(since: int, until: int | None) -> sa.ColumnElement[bool]:
    after = answers.c.id > since
    return after if until is None else sa.and_(after, answers.c.id <= until)


def apply_since(connection: sa.Connection, decisions: Decisions) -> None:
    """What was said while a pass was deciding holds against what the pass read before; a worse severity ends it."""
    worse = {(one.alert.account, one.alert.trigger) for one in decisions.transitions
             if one.kind is TransitionKind.WORSENED}
    for row in connection.execute(sa.select(answers).where(answers.c.id > decisions.heard).order_by(answers.c.id)):
        said = answer_of(row)
        if (said.account, said.alert) not in worse:
            _to_alerts(connection, said)
        _to_runs(connection, said)


def answer_row(said: Answer) -> rows.Row:
    """An answer as its row."""
    words = (said.account, said.kind.value, said.by, said.at.isoformat(), said.play, said.group,
             str(said.occurrence or ""), said.trigger, said.source.value, *filter(None, [said.address]))
    return {
        "key": hashlib.sha256("\0".join(words).encode()).hexdigest()[:32], "account": said.account, "play": said.play,
        "group": said.group, "occurrence": said.occurrence, "trigger": said.trigger, "kind": said.kind.value,
        "by": said.by, "at": said.at, "day": said.day, "source": said.source.value, "revenue": said.revenue,
        "reason": said.reason, "note": said.note, "until": said.until, "address": said.address,
    }


def answer_of(row: sa.Row[Any]) -> Answer:
    """The answer of a row."""
    return Answer(row.account, AnswerKind(row.kind), row.by, row.at, row.day, row.play, row.group, row.occurrence,
                  row.trigger, row.until, row.revenue, row.reason, row.note, StartedBy(row.source), row.address)


def listed(connection: sa.Connection, account: str = "", kinds: Collection[AnswerKind] = ()) -> tuple[Answer, ...]:
    """Everything that was said about an account (empty: about any), of these kinds (none named: all), in order."""
    query = sa.select(answers).order_by(answers.c.id)
    if account:
        query = query.where(answers.c.account == account)
    if kinds:
        query = query.where(answers.c.kind.in_([kind.value for kind in kinds]))
    return tuple(answer_of(row) for row in connection.execute(query))


def _to_alerts(connection: sa.Connection, said: Answer) -> tuple[Alert, ...]:
    """The open alert that is meant, with what was said about it; none when it is another opening by now."""
    values = _said_of_alert(said)
    if not said.alert or not values:
        return ()
    mine = sa.and_(alerts.c.account == said.account, alerts.c.trigger == said.alert,
                   alerts.c.status == AlertStatus.OPEN.value)
    if said.occurrence is not None:
        mine = sa.and_(mine, alerts.c.opened_on == said.occurrence)
    if not connection.execute(sa.update(alerts).where(mine).values(**values)).rowcount:
        return ()
    return tuple(rows.alert_of(row) for row in connection.execute(sa.select(alerts).where(mine)))


def _said_of_alert(said: Answer) -> dict[str, date | str | None]:
    known: dict[str, date | str | None] = {"acknowledged_on": said.day, "acknowledged_by": said.by}
    if said.kind is AnswerKind.SNOOZED:
        return {"snoozed_until": said.until}
    return known if said.kind is AnswerKind.ACKNOWLEDGED or said.kind in SETTLES else {}


def _to_runs(connection: sa.Connection, said: Answer) -> tuple[PlayRun, ...]:
    """The runs that are meant, done by this person: that of the play named, or else those of the alert."""
    if said.kind not in SETTLES or not (said.play or said.alert):
        return ()
    mine = sa.and_(runs.c.account == said.account, runs.c.done_on.is_(None),
                   runs.c.status.in_((RunStatus.RUNNING.value, RunStatus.FINISHED.value)))
    if said.play:
        mine = sa.and_(mine, runs.c.play == said.play)
    if said.alert:
        mine = sa.and_(mine, runs.c.group == said.alert)
    if said.occurrence is not None:
        mine = sa.and_(mine, runs.c.occurrence == said.occurrence)
    elif not said.play:
        mine = sa.and_(mine, runs.c.status == RunStatus.RUNNING.value)
    names = [row._mapping for row in connection.execute(sa.select(*runs.primary_key.columns).where(mine))]
    found: list[PlayRun] = []
    for name in names:
        one = sa.and_(*(column == name[column.name] for column in runs.primary_key.columns))
        connection.execute(sa.update(runs).where(one).values(done_on=said.day, done_by=said.by))
        found += [rows.run_of(row) for row in connection.execute(sa.select(runs).where(one))]
    return tuple(found)
