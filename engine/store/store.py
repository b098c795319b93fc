"""The store: nouns of the model in, nouns of the model out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from types import TracebackType

import sqlalchemy as sa

from forestall.engine.model.alert import Alert, Transition
from forestall.engine.model.decision_log import Basis, Logged
from forestall.engine.model.delivery import Attempt, DeliveryStatus, OutboxRow, PlayRun, Rest, Silence
from forestall.engine.model.outcome import Answer, AnswerKind, Applied
from forestall.engine.model.places import PostgresPlace, StatePlace
from forestall.engine.model.play import PlaySteps
from forestall.engine.model.state import Approval, Decisions, State
from forestall.engine.store import answers, approvals, decision_log, one_account, outbox, passes, rows, tables
from forestall.engine.store.database import Database
from forestall.engine.store.files import open_file
from forestall.engine.store.one_account import AccountRecord, PassMade
from forestall.engine.store.passes import CommitReport


class Store:
    """The state database. Every method is a transaction of its own and raises StoreError when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, place: StatePlace, read_only: bool = False) -> Store:
        """The database at `place`, created with its folder or schema when it is not there.

        With `read_only` nothing is created or written, and a missing one reads as an empty state. StoreError when what
        is there is no state database, or of a newer version; an older one is brought up to date.
        """
        if isinstance(place, PostgresPlace):
            from forestall.engine.store.postgresql import open_server

            return cls(open_server(place, read_only))
        return cls(open_file(place, read_only))

    def close(self) -> None:
        """Let go of the file or the server."""
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

    def commit(self, decisions: Decisions, deliveries: Sequence[OutboxRow], ran_at: datetime,
               since: State | None = None, basis: Callable[[], Basis] | None = None) -> CommitReport:
        """Write all of one pass, or nothing. Written twice it changes nothing the second time.

        StoreError when another pass was written after `since`, the state that this one decided upon. With `basis`,
        asked for only when something is written, the pass goes into the decision log.
        """
        with self._database.changing() as connection:
            if since is not None:
                passes.no_other_pass(connection, since, self._database.name)
            before = decision_log.last_delivery(connection)
            report = passes.write_pass(connection, decisions, deliveries, ran_at)
            if report.written and since is not None and basis is not None:
                decision_log.write(connection, report.number, decisions, since, basis(),
                                   (before, decision_log.last_delivery(connection)))
            return report

    def decided_on(self, day: date) -> tuple[Logged, ...]:
        """The passes of a day that are in the decision log, in order."""
        with self._database.reading() as connection:
            return tuple(decision_log.read(connection, day, self._database.name))

    def days_decided(self) -> tuple[list[date], date | None]:
        """The days that a pass has decided, in order, and the first that is in the decision log (None: none is)."""
        with self._database.reading() as connection:
            return decision_log.days(connection)

    def answer(self, answer: Answer) -> Applied:
        """Keep what somebody said, and apply it to the alert and the runs it speaks of. Said twice it counts once."""
        with self._database.changing() as connection:
            return answers.answer(connection, answer)

    def answers(self, account: str = "", kinds: Collection[AnswerKind] = ()) -> tuple[Answer, ...]:
        """What was said about an account (empty: about any), of these kinds (none named: all), in order."""
        with self._database.reading() as connection:
            return answers.listed(connection, account, kinds)

    def unsubscribed(self) -> frozenset[str]:
        """The email addresses (see `bare_address`) that want no email any more."""
        with self._database.reading() as connection:
            return answers.unsubscribed(connection)

    def runs(self, account: str = "") -> tuple[PlayRun, ...]:
        """Every play that ever started, was held or only watched, for an account (empty: for any), oldest first."""
        found = tables.runs
        query = sa.select(found).order_by(found.c.occurrence, found.c.account, found.c.play, found.c.group)
        with self._database.reading() as connection:
            return tuple(rows.run_of(row) for row in connection.execute(
                query.where(found.c.account == account) if account else query))

    def begun(self) -> dict[PlaySteps, str]:
        """Every wording of steps on which a play ever began: see `Play.written`."""
        with self._database.reading() as connection:
            return passes.begun(connection)

    def open_alerts(self) -> tuple[Alert, ...]:
        """Every alert that is open, by account and trigger."""
        with self._database.reading() as connection:
            return passes.open_alerts(connection)

    def approve(self, play: str, day: date, by: str) -> int:
        """Let the held starts of a play go: the next pass looks at each again. How many are held (0: nothing kept)."""
        with self._database.changing() as connection:
            return approvals.answer(connection, Approval(play, day, by))

    def cancel_held(self, play: str, day: date, by: str) -> int:
        """Have the next pass stop the held starts of a play. How many are held (0: nothing kept)."""
        with self._database.changing() as connection:
            return approvals.answer(connection, Approval(play, day, by, cancelled=True))

    def held(self) -> dict[str, int]:
        """Play → how many of its starts a guard holds."""
        with self._database.reading() as connection:
            return approvals.held(connection)

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

    def begin(self, key: str, worker: str, now: datetime) -> bool:
        """Write down that `worker` begins to send, where a repeat could not be recognised: if it ends before there is
        an answer, a person decides. Whether the row is still that worker's to send.
        """
        with self._database.writing(durable=True) as connection:
            return outbox.begin(connection, key, worker, now)

    def postpone(self, key: str, worker: str, until: datetime) -> None:
        """Give back a row that `worker` claimed, for which it is too early; nothing counts as an attempt."""
        with self._database.writing() as connection:
            outbox.postpone(connection, key, worker, until)

    def record(self, attempts: Sequence[Attempt], worker: str = "", failed: Collection[Rest] = (),
               well: Collection[str] = (), now: datetime | None = None) -> None:
        """Write what came of attempts. With `worker`, a failure counts only while the row is still that worker's. What
        was sent stays sent.

        From `now` on the channels and destinations that `failed` rest for a while; those that are `well` need not.
        """
        with self._database.writing() as connection:
            outbox.record(connection, attempts, worker)
            if well:
                outbox.end_rest(connection, well)
            if now is not None:
                outbox.rest(connection, failed, now)

    def again(self, keys: Collection[str]) -> int:
        """Have deliveries that wait, are dead or uncertain tried again at once. How many could be."""
        with self._database.writing(durable=True) as connection:
            return outbox.again(connection, keys)

    def cancel(self, keys: Collection[str]) -> int:
        """Cancel deliveries that are not sent yet. How many could be."""
        with self._database.writing(durable=True) as connection:
            return outbox.cancel(connection, keys)

    def waiting(self) -> int:
        """How many deliveries are neither sent, cancelled nor dead."""
        with self._database.reading() as connection:
            return outbox.waiting(connection)

    def is_due(self, now: datetime, channels: Collection[str]) -> bool:
        """Whether anything could be sent on these channels now."""
        with self._database.reading() as connection:
            return outbox.is_due(connection, now, channels)

    def counts(self) -> dict[DeliveryStatus, int]:
        """How many deliveries stand where."""
        with self._database.reading() as connection:
            return outbox.counts(connection)

    def outbox(self, statuses: Collection[DeliveryStatus] = (), day: date | None = None, account: str = "",
               play: str = "") -> Iterator[OutboxRow]:
        """The outbox, oldest first: rows with one of `statuses` (none named: all), planned on `day` (None: ever), of an
        account and a play (empty: any)."""
        return outbox.listed(self._database, outbox.Wanted(statuses, day, account, play))

    def named(self, start: str, most: int) -> tuple[OutboxRow, ...]:
        """The deliveries whose key begins so, at most so many."""
        with self._database.reading() as connection:
            return outbox.named(connection, start, most)

    def attempts(self, key: str) -> tuple[Attempt, ...]:
        """Every attempt to send a delivery, in order."""
        with self._database.reading() as connection:
            return outbox.attempts_of(connection, key)

    def rests_until(self, row: OutboxRow, now: datetime) -> datetime | None:
        """Until when the far side of a delivery is left in peace after it failed; None when it is not."""
        with self._database.reading() as connection:
            return outbox.rests_until(connection, row, now)

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
