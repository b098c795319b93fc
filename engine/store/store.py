"""The store: nouns of the model in, nouns of the model out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType

import sqlalchemy as sa

from forestall.engine.model.alert import Transition
from forestall.engine.model.delivery import DeliveryStatus, OutboxRow, Receipt, Silence
from forestall.engine.model.state import Decisions, State
from forestall.engine.store import one_account, outbox, passes, rows, tables
from forestall.engine.store.database import Database, open_database
from forestall.engine.store.one_account import AccountRecord, PassMade
from forestall.engine.store.passes import CommitReport


class Store:
    """The state database. Every method is a transaction of its own and raises StoreError when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path, read_only: bool = False) -> Store:
        """The database in the file `path`, created with its folder when it is not there.

        With `read_only` nothing is created or written, and a missing file reads as an empty state. StoreError when the
        file is no state database, or of a newer version.
        """
        return cls(open_database(path, read_only))

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def state(self) -> State:
        """What the last pass left."""
        with self._database.reading() as connection:
            return passes.read_state(connection)

    def commit(self, decisions: Decisions, deliveries: Sequence[OutboxRow], ran_at: datetime) -> CommitReport:
        """Write all of one pass, or nothing. Written twice it changes nothing the second time."""
        with self._database.writing(durable=True) as connection:
            return passes.write_pass(connection, decisions, deliveries, ran_at)

    def claim(self, worker: str, now: datetime, lease: timedelta, most: int, channels: Collection[str],
              resting: Collection[str] = ()) -> tuple[OutboxRow, ...]:
        """Rows that are due on these channels, held by `worker` until `now + lease`; oldest first, in turns by
        destination (`forestall.engine.store.rows.destination`), without those that are `resting`.
        """
        with self._database.writing() as connection:
            return outbox.claim(connection, outbox.Claim(worker, now, lease, most, channels, resting))

    def release(self, keys: Collection[str], worker: str) -> None:
        """Give back rows that `worker` claimed and did not try."""
        if keys:
            with self._database.writing() as connection:
                outbox.release(connection, keys, worker)

    def record(self, key: str, receipt: Receipt, now: datetime, retry_at: datetime | None, worker: str = "") -> None:
        """Write what came of an attempt: sent, to be tried again at `retry_at`, or dead when that is None.

        With `worker`, a failure counts only while the row is still that worker's. What was sent stays sent.
        """
        with self._database.writing() as connection:
            outbox.record(connection, key, receipt, now, retry_at, worker)

    def waiting(self) -> int:
        """How many deliveries are neither sent, cancelled nor dead."""
        with self._database.reading() as connection:
            return outbox.waiting(connection)

    def outbox(self, statuses: Collection[DeliveryStatus] = (), day: date | None = None) -> Iterator[OutboxRow]:
        """The outbox, oldest first: rows with one of `statuses` (none named: all), planned on `day` (None: ever)."""
        return outbox.listed(self._database, statuses, day)

    def silences(self, day: date) -> tuple[Silence, ...]:
        """What was silent on `day` and why, each with the first day on which it was so."""
        found = tables.silences
        query = sa.select(found).where(found.c.first_day <= day, found.c.last_day >= day).order_by(*found.primary_key)
        with self._database.reading() as connection:
            return tuple(rows.silence_of(row) for row in connection.execute(query))

    def account(self, account: str) -> AccountRecord:
        """Everything that is kept of one account."""
        with self._database.reading() as connection:
            return one_account.record_of(connection, account)

    def pass_on(self, day: date) -> PassMade | None:
        """The last pass that decided `day`, or else the last day before it; None when there was none."""
        with self._database.reading() as connection:
            return one_account.pass_on(connection, day)

    def history_of(self, account: str) -> tuple[Transition, ...]:
        """Everything that happened to the alerts of an account, in order."""
        log = tables.transitions
        query = sa.select(log).where(log.c.account == account).order_by(log.c.id)
        with self._database.reading() as connection:
            return tuple(rows.transition_of(row) for row in connection.execute(query))
