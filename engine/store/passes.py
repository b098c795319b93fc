"""What a pass reads when it begins and writes when it has decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from forestall.engine.errors import Location, StoreError
from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import DeliveryStatus, MessageKind, OutboxRow, OutcomeStatus, PlayRun, RunStatus
from forestall.engine.model.play import PlaySteps
from forestall.engine.model.remembered import ALERTS_REMEMBERED, EMAILS_REMEMBERED
from forestall.engine.model.state import (
    SAID,
    Counts,
    Decisions,
    State,
    changed_alerts,
    days_by_account,
    identity,
    kept_runs,
)
from forestall.engine.store import answers, approvals, renaming, rows, tables
from forestall.engine.store.database import by_column, insert_new, upsert
from forestall.engine.store.messages import Forms


@dataclass(frozen=True, slots=True)
class CommitReport:
    """What a commit wrote: deliveries new to the outbox, those it held already, rows cancelled.

    `written` is False when everything was known already and nothing was written at all; else the pass has a `number`.
    """

    new: int
    repeated: int
    cancelled: int
    written: bool
    number: int = field(default=0, compare=False)


def read_state(connection: sa.Connection) -> State:
    """Everything that the next pass needs to know."""
    last = _last_pass(connection)
    if last is None:
        return State()
    return State(
        tiers=dict(map(tuple, connection.execute(sa.select(tables.tiers.c.account, tables.tiers.c.tier)).all())),
        alerts=_alerts(connection, last.day),
        runs=_runs(connection),
        last_sent=last_sent(connection, last.day),
        previous_pass=last.day,
        scoring_digest=last.scoring_digest,
        known_triggers=frozenset(connection.scalars(sa.select(tables.known_triggers.c.trigger))),
        approvals=approvals.given(connection),
        starts=approvals.read_starts(connection, last.day),
        today=counts(connection, last.day),
        heard=answers.last(connection),
        churned=answers.churned(connection),
        unsubscribed=answers.unsubscribed(connection),
        pass_number=last.id,
        on_their_way=_on_their_way(connection),
        begun=begun(connection),
    )


def write_pass(
    connection: sa.Connection, decisions: Decisions, deliveries: Sequence[OutboxRow], ran_at: datetime,
) -> CommitReport:
    """Write one pass; what is there already is left as it is. `ran_at` has a time zone."""
    changed = renaming.rename(connection, decisions.renamed)
    changed += insert_new(connection, tables.transitions, rows.transition_rows(decisions.transitions, decisions.digest))
    changed += upsert(connection, tables.alerts, rows.alert_rows(changed_alerts(decisions)))
    changed += _write_tiers(connection, decisions)
    runs: dict[object, PlayRun] = {identity(run): run for run in decisions.runs}
    changed += upsert(connection, tables.runs, rows.run_rows(runs.values()))
    changed += insert_new(connection, tables.begun, by_column([
        {"play": play, "digest": digest, "steps": steps} for (play, digest), steps in decisions.begun.items()]))
    changed += _write_silences(connection, decisions)
    changed += insert_new(connection, tables.known_triggers,
                          by_column([{"trigger": name, "since": decisions.day} for name in sorted(decisions.triggers)]))
    changed += approvals.use_up(connection, decisions) + approvals.write_starts(connection, decisions)
    answers.apply_since(connection, decisions)
    changed += insert_new(connection, tables.answers,
                          by_column([answers.answer_row(one) for one in decisions.answers]))
    cancelled = _cancel(connection, decisions, ran_at)
    forms = Forms()
    planned = rows.outbox_rows(deliveries, forms)
    insert_new(connection, tables.forms, by_column(forms.rows()))
    new = insert_new(connection, tables.outbox, planned)
    cancelled += answers.withdraw(connection, answers.unsubscribed(connection, decisions.heard), ran_at)
    written = bool(changed or cancelled or new) or not _is_last_pass(connection, decisions)
    number = 0
    if written:
        inserted = connection.execute(sa.insert(tables.passes).values(
            day=decisions.day, ran_at=ran_at, digest=decisions.digest, scoring_digest=decisions.scoring_digest,
        ))
        number = inserted.inserted_primary_key[0] if inserted.inserted_primary_key else 0
    return CommitReport(new, len(deliveries) - new, cancelled, written, number)


def no_other_pass(connection: sa.Connection, since: State, name: str) -> None:
    """StoreError when a pass was written after `since`, which the next one is decided upon."""
    last = _last_pass(connection)
    if last is not None and last.id != since.pass_number:
        raise StoreError.one(
            Location(name), "another-pass",
            f"another pass ({last.day}) was written while this one was deciding. This one wrote and sent nothing.",
            "Let only one scheduler run the passes of a project.")


def begun(connection: sa.Connection) -> dict[PlaySteps, str]:
    """See State.begun."""
    return {(row.play, row.digest): row.steps for row in connection.execute(sa.select(tables.begun))}


def _alerts(connection: sa.Connection, day: date) -> dict[tuple[str, str], Alert]:
    """Those that `remembered` means."""
    alerts = tables.alerts
    recent = sa.or_(alerts.c.closed_on.is_(None), alerts.c.closed_on >= day - timedelta(days=ALERTS_REMEMBERED),
                    alerts.c.status != AlertStatus.CLEAR.value)
    found = map(rows.alert_of, connection.execute(sa.select(alerts).where(recent)).all())
    return {(alert.account, alert.trigger): alert for alert in found}


def open_alerts(connection: sa.Connection) -> tuple[Alert, ...]:
    """Every alert that is open, by account and trigger."""
    alerts = tables.alerts
    query = sa.select(alerts).where(alerts.c.status == AlertStatus.OPEN.value)
    return tuple(rows.alert_of(row) for row in connection.execute(query.order_by(alerts.c.account, alerts.c.trigger)))


def _runs(connection: sa.Connection) -> tuple[PlayRun, ...]:
    runs = tables.runs
    silenced = runs.c.status == RunStatus.SILENCED.value
    names = (runs.c.account, runs.c.play, runs.c.group, silenced.label("silenced"))
    last = sa.select(*names, sa.func.max(runs.c.occurrence).label("occurrence")).group_by(
        runs.c.account, runs.c.play, runs.c.group, silenced).subquery()
    is_last = sa.and_(last.c.account == runs.c.account, last.c.play == runs.c.play, last.c.group == runs.c.group,
                      last.c.silenced == silenced)
    under_way = runs.c.status.in_((RunStatus.RUNNING.value, RunStatus.HELD.value))
    wanted = sa.or_(under_way, runs.c.outcome == OutcomeStatus.WATCHING.value,
                    runs.c.occurrence == last.c.occurrence)
    found = connection.execute(sa.select(runs).join(last, is_last).where(wanted)).all()
    return kept_runs(map(rows.run_of, found))


def _on_their_way(connection: sa.Connection) -> frozenset[tuple[str, str, str, date]]:
    """The runs with a due time of whose messages none has arrived yet."""
    outbox, runs = tables.outbox, tables.runs
    names = ("account", "play", "group", "occurrence")
    other = outbox.alias("other")
    arrived = sa.exists().where(other.c.status == DeliveryStatus.SENT.value, *(
        other.c[name] == outbox.c[name] for name in names))
    planned = sa.select(*(outbox.c[name] for name in names)).distinct().join(runs, sa.and_(*(
        runs.c[name] == outbox.c[name] for name in names))).where(
        outbox.c.status.not_in((DeliveryStatus.SENT.value, DeliveryStatus.CANCELLED.value)),
        runs.c.due_on.is_not(None), runs.c.escalated_on.is_(None), ~arrived)
    return frozenset((row.account, row.play, row.group, row.occurrence) for row in connection.execute(planned))


def last_sent(connection: sa.Connection, day: date, until: int | None = None) -> dict[str, tuple[date, ...]]:
    """See State.last_sent; `until` numbers the last delivery that counts."""
    outbox = tables.outbox
    planned = sa.select(outbox.c.account, outbox.c.day).where(
        outbox.c.to_customer.is_(True), outbox.c.kind == MessageKind.EMAIL.value,
        outbox.c.day >= day - timedelta(days=EMAILS_REMEMBERED), _through(until),
    )
    return days_by_account(((row.account, row.day) for row in connection.execute(planned)), day)


def counts(connection: sa.Connection, day: date, until: int | None = None) -> Counts:
    """See State.today; `until` numbers the last delivery that counts."""
    outbox = tables.outbox

    def by(column: sa.Column[str], kinds: tuple[MessageKind, ...]) -> dict[str, int]:
        mine = sa.and_(outbox.c.day == day, outbox.c.kind.in_([kind.value for kind in kinds]), _through(until))
        found = connection.execute(sa.select(column, sa.func.count()).where(mine).group_by(column))
        return {row[0]: row[1] for row in found}

    return Counts(by(outbox.c.person, (MessageKind.TASK,)), by(outbox.c.recipient, SAID))


def _through(until: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if until is None else tables.outbox.c.id <= until


def _write_tiers(connection: sa.Connection, decisions: Decisions) -> int:
    forgotten = [{"gone": account} for account, tier in decisions.tiers.items() if not tier]
    changed = 0
    if forgotten:
        statement = sa.delete(tables.tiers).where(tables.tiers.c.account == sa.bindparam("gone"))
        changed += max(connection.execute(statement, forgotten).rowcount, 0)
    decided = [{"account": account, "tier": tier, "decided_on": decisions.day}
               for account, tier in decisions.tiers.items() if tier]
    return changed + upsert(connection, tables.tiers, by_column(decided))


def _write_silences(connection: sa.Connection, decisions: Decisions) -> int:
    """Each once, with the first day on which it was so and the last."""
    found = {tuple(row[name] for name in _SILENCE_KEY): row for row in map(rows.silence_row, decisions.silences)}
    return upsert(connection, tables.silences, by_column(list(found.values())), keep=frozenset({"first_day"}))


_SILENCE_KEY = tuple(column.name for column in tables.silences.primary_key)


def _cancel(connection: sa.Connection, decisions: Decisions, now: datetime) -> int:
    """Cancel what is not sent of these runs. A row that a worker holds just now is marked, and not tried again."""
    if not decisions.cancelled:
        return 0
    outbox = tables.outbox
    named = [{"of_account": account, "of_play": play, "of_group": group, "of_occurrence": occurrence}
             for account, play, group, occurrence in decisions.cancelled]
    of_run = sa.and_(outbox.c.account == sa.bindparam("of_account"), outbox.c.play == sa.bindparam("of_play"),
                     outbox.c.group == sa.bindparam("of_group"), outbox.c.occurrence == sa.bindparam("of_occurrence"))
    held = sa.and_(outbox.c.status == DeliveryStatus.CLAIMED.value, outbox.c.claimed_until > now)
    # Not `in_`: its parameter expands at execution, which cannot be done for many rows at once.
    free = sa.or_(outbox.c.status == DeliveryStatus.QUEUED.value, outbox.c.status == DeliveryStatus.CLAIMED.value)
    connection.execute(sa.update(outbox).where(of_run, held).values(withdrawn=True), named)
    cancelled = connection.execute(
        sa.update(outbox).where(of_run, free, outbox.c.withdrawn.is_(False))
        .values(status=DeliveryStatus.CANCELLED.value, withdrawn=True), named,
    )
    return max(cancelled.rowcount, 0)


def _is_last_pass(connection: sa.Connection, decisions: Decisions) -> bool:
    last = _last_pass(connection)
    return last is not None and (last.day, last.digest, last.scoring_digest) == (
        decisions.day, decisions.digest, decisions.scoring_digest)


def _last_pass(connection: sa.Connection) -> sa.Row[Any] | None:
    passes = tables.passes
    return connection.execute(sa.select(passes).order_by(passes.c.id.desc()).limit(1)).first()
