"""What the state database knows of one account. Reading only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from forestall.engine.model.alert import Alert, Transition
from forestall.engine.model.delivery import OutboxRow, PlayRun, Silence
from forestall.engine.model.outcome import Answer
from forestall.engine.store import answers, rows, tables
from forestall.engine.store.messages import outbox_with_forms


@dataclass(frozen=True, slots=True)
class PassMade:
    """A pass that was written: its day, and the digests of the rules that it was made with."""

    day: date
    digest: str
    scoring_digest: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A silence with the days on which it was so."""

    silence: Silence
    last_day: date


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """One account as the passes left it: alerts by trigger, everything that happened to them, runs, silences and
    deliveries, and what people said of it, each in the order in which they came."""

    alerts: dict[str, Alert]
    log: tuple[Transition, ...]
    runs: tuple[PlayRun, ...]
    silences: tuple[Kept, ...]
    deliveries: tuple[OutboxRow, ...]
    said: tuple[Answer, ...] = ()


def record_of(connection: sa.Connection, account: str) -> AccountRecord:
    """Everything that is kept of one account."""
    def of(table: sa.Table, *order: sa.Column[object]) -> sa.CursorResult[object]:
        return connection.execute(sa.select(table).where(table.c.account == account).order_by(*order))

    alerts, runs, silences = tables.alerts, tables.runs, tables.silences
    return AccountRecord(
        {row.trigger: rows.alert_of(row) for row in of(alerts, alerts.c.trigger)},
        tuple(rows.transition_of(row) for row in of(tables.transitions, tables.transitions.c.id)),
        tuple(rows.run_of(row) for row in of(runs, runs.c.occurrence, runs.c.play, runs.c.group)),
        tuple(Kept(rows.silence_of(row), row.last_day) for row in of(silences, silences.c.first_day, silences.c.play)),
        tuple(map(rows.outbox_of, connection.execute(outbox_with_forms.where(
            tables.outbox.c.account == account).order_by(tables.outbox.c.id)))),
        answers.listed(connection, account))


def pass_on(connection: sa.Connection, day: date) -> PassMade | None:
    """The last pass that decided `day`, or else the last day before it; None when there was none."""
    passes = tables.passes
    query = sa.select(passes).where(passes.c.day <= day).order_by(passes.c.day.desc(), passes.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else PassMade(row.day, row.digest, row.scoring_digest)
