"""The worker: everything due is sent once, a bad destination holds up nobody, and a crash repeats the same key."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forestall.engine.errors import Location, SettingsError
from forestall.engine.intervene.worker import MOST_ATTEMPTS, after, deliver
from forestall.engine.model.delivery import (
    Delivery,
    DeliveryStatus,
    Message,
    MessageKind,
    OutboxRow,
    Receipt,
    ReceiptStatus,
)
from forestall.engine.model.state import Decisions
from forestall.engine.store import Store

DAY = date(2026, 1, 5)
NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)
BUSY = Receipt(ReceiptStatus.RETRY, "busy")
SENT = Receipt(ReceiptStatus.SENT)


@dataclass
class Clock:
    """A clock that a test moves."""

    moment: datetime = NOW
    tick: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        self.moment += self.tick
        return self.moment


@dataclass
class Scripted:
    """A channel whose answers a test chooses."""

    answer: Callable[[Message], Receipt] = lambda message: SENT
    name: str = "email"
    tried: list[str] = field(default_factory=list)

    def send(self, message: Message) -> Receipt:
        self.tried.append(message.key)
        return self.answer(message)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def planned(number: int, recipient: str = "", channel: str = "email") -> OutboxRow:
    to = recipient or f"ann@customer{number}.example"
    delivery = Delivery(f"key-{number}", f"a{number}", "re_engage", "inactivity", DAY, DAY, "mail", MessageKind.EMAIL,
                        channel, to, "re_engage", True, "at_risk")
    return OutboxRow(delivery, Message(delivery.key, delivery.kind, to, "Subject", "Text"), DeliveryStatus.QUEUED)


def fill(store: Store, *rows: OutboxRow) -> None:
    store.commit(Decisions(DAY, "d", "s", deliveries=tuple(row.delivery for row in rows)), rows, NOW)


def statuses(store: Store) -> list[str]:
    return [row.status.value for row in store.outbox()]


def test_everything_due_is_sent_once_in_order(store: Store) -> None:
    fill(store, *(planned(number) for number in range(7)))
    channel, heard = Scripted(), []
    report = deliver(store, {"email": channel}, Clock(), batch=3, progress=heard.append)
    assert (report.sent, report.retried, report.dead, report.waiting) == (7, 0, 0, 0)
    assert channel.tried == [f"key-{number}" for number in range(7)]
    assert heard == [1, 2, 3, 4, 5, 6, 7]
    assert deliver(store, {"email": channel}, Clock()).sent == 0


def test_one_bad_destination_is_tried_once_and_holds_up_nobody(store: Store) -> None:
    fill(store, *(planned(number, "x@bad.example") for number in range(5)), planned(5), planned(6))
    channel = Scripted(lambda message: BUSY if "bad" in message.to else SENT)
    report = deliver(store, {"email": channel}, Clock(), batch=2)
    assert (report.sent, report.retried, report.waiting) == (2, 1, 5)
    assert channel.tried == ["key-0", "key-5", "key-6"]
    attempts = [row.attempts for row in store.outbox()]
    assert attempts == [1, 0, 0, 0, 0, 1, 1]
    assert statuses(store) == ["queued"] * 5 + ["sent"] * 2


def test_a_dead_server_is_tried_once_and_the_other_channels_go_on(store: Store) -> None:
    fill(store, *(planned(number) for number in range(5)), planned(5, "U1", "slack"))
    email = Scripted(lambda message: Receipt(ReceiptStatus.RETRY, "no server", whole_channel=True))
    slack = Scripted(name="slack")
    report = deliver(store, {"email": email, "slack": slack}, Clock())
    assert (report.sent, report.retried, report.waiting) == (1, 1, 5)
    assert email.tried == ["key-0"]


def test_a_refusal_is_dead_with_its_reason_and_its_neighbours_go_on(store: Store) -> None:
    fill(store, planned(1, "x@one.example"), planned(2, "y@one.example"))
    channel = Scripted(lambda message: Receipt(ReceiptStatus.REFUSED, "no such user") if message.to[0] == "x" else SENT)
    report = deliver(store, {"email": channel}, Clock())
    assert (report.sent, report.dead) == (1, 1)
    assert next(store.outbox([DeliveryStatus.DEAD])).detail == "no such user"


def test_after_eight_attempts_it_is_given_up_with_the_reason(store: Store) -> None:
    fill(store, planned(1))
    channel, clock = Scripted(lambda message: BUSY), Clock()
    reports = []
    for _ in range(MOST_ATTEMPTS):
        reports.append(deliver(store, {"email": channel}, clock))
        clock.moment += timedelta(days=2)
    assert [report.retried for report in reports] == [1] * 7 + [0]
    assert reports[-1].dead == 1
    (row,) = store.outbox([DeliveryStatus.DEAD])
    assert row.detail == "given up after 8 attempts: busy"
    assert deliver(store, {"email": channel}, clock).waiting == 0
    assert len(channel.tried) == 8


def test_a_row_comes_back_when_the_far_side_asked_for_it(store: Store) -> None:
    fill(store, planned(1))
    clock = Clock()
    busy = Receipt(ReceiptStatus.RETRY, "slow down", retry_after=timedelta(hours=5))
    deliver(store, {"email": Scripted(lambda message: busy)}, clock)
    clock.moment += timedelta(hours=4, minutes=59)
    assert deliver(store, {"email": Scripted()}, clock).sent == 0
    clock.moment += timedelta(minutes=1)
    assert deliver(store, {"email": Scripted()}, clock).sent == 1


def test_rows_of_an_unknown_channel_wait(store: Store) -> None:
    fill(store, planned(1, channel="gone"))
    assert deliver(store, {"email": Scripted()}, Clock()).waiting == 1
    assert deliver(store, {}, Clock()).waiting == 1
    assert statuses(store) == ["queued"]


def test_a_secret_that_is_not_set_is_said_once_and_costs_no_attempt(store: Store) -> None:
    def fail(message: Message) -> Receipt:
        raise SettingsError.one(Location("forestall.yaml"), "secret-not-set", "the secret X is not set.")

    fill(store, planned(1), planned(2), planned(3, "U1", "slack"))
    report = deliver(store, {"email": Scripted(fail), "slack": Scripted()}, Clock())
    assert (report.sent, report.retried, report.waiting) == (1, 0, 2)
    assert [problem.code for problem in report.problems] == ["secret-not-set"]
    assert [row.attempts for row in store.outbox()] == [0, 0, 1]


def test_a_mistake_in_a_channel_is_a_failed_attempt_without_what_it_said(store: Store) -> None:
    def fail(message: Message) -> Receipt:
        raise RuntimeError("password=hunter2")

    fill(store, planned(1), planned(2, "U1", "slack"))
    report = deliver(store, {"email": Scripted(fail), "slack": Scripted()}, Clock())
    assert (report.sent, report.retried) == (1, 1)
    row = next(store.outbox([DeliveryStatus.QUEUED]))
    assert "RuntimeError" in row.detail
    assert "hunter2" not in row.detail


def test_a_slow_far_side_never_makes_us_outlive_our_claim(store: Store, path: Path) -> None:
    """Every look at the clock costs four minutes: another worker that comes at any time finds nothing twice."""
    fill(store, *(planned(number) for number in range(6)))
    clock, other = Clock(tick=timedelta(minutes=4)), Scripted()
    mine = Scripted()

    def send(message: Message) -> Receipt:
        with Store.open(path) as second:
            deliver(second, {"email": other}, Clock(clock.moment), batch=1, worker="other")
        return SENT

    mine.answer = send
    report = deliver(store, {"email": mine}, clock, worker="mine", lease=timedelta(minutes=10), batch=3)
    assert sorted(mine.tried + other.tried) == [f"key-{number}" for number in range(6)]
    assert report.waiting == 0


CRASHES = """
import os, signal, sys
from datetime import datetime, timedelta
from pathlib import Path
from forestall.engine.intervene.worker import deliver
from forestall.engine.model.delivery import Receipt, ReceiptStatus
from forestall.engine.store import Store

class Killed:
    name = "email"
    def send(self, message):
        with open(sys.argv[2], "a") as log:
            log.write(message.key + "\\n")
        if message.key == "key-2":
            os.kill(os.getpid(), signal.SIGKILL)
        return Receipt(ReceiptStatus.SENT)

now = datetime.fromisoformat(sys.argv[3])
deliver(Store.open(Path(sys.argv[1])), {"email": Killed()}, lambda: now, lease=timedelta(minutes=10))
"""


def test_a_kill_between_send_and_record_loses_nothing_and_repeats_one_key(store: Store, path: Path) -> None:
    fill(store, *(planned(number) for number in range(5)))
    log = path.with_name("sent.txt")
    died = subprocess.run([sys.executable, "-c", CRASHES, str(path), str(log), NOW.isoformat()], timeout=60)
    assert died.returncode == -signal.SIGKILL
    assert log.read_text().split() == ["key-0", "key-1", "key-2"]
    channel, clock = Scripted(), Clock(NOW + timedelta(minutes=9))
    assert deliver(store, {"email": channel}, clock).waiting == 3
    assert channel.tried == []
    clock.moment = NOW + timedelta(minutes=10)
    assert deliver(store, {"email": channel}, clock).sent == 3
    assert channel.tried == ["key-2", "key-3", "key-4"]
    assert statuses(store) == ["sent"] * 5


attempts = st.integers(1, MOST_ATTEMPTS - 1)


@given(attempts, st.text(max_size=20), st.timedeltas(timedelta(0), timedelta(days=3650)) | st.none())
def test_backoff_is_deterministic_within_bounds_and_obeys_the_far_side(
    attempt: int, key: str, asked: timedelta | None,
) -> None:
    receipt = Receipt(ReceiptStatus.RETRY, retry_after=asked)
    at = after(receipt, attempt, key, NOW)
    assert at is not None
    assert at == after(receipt, attempt, key, NOW)
    plain = min(timedelta(seconds=30) * 4 ** (attempt - 1), timedelta(hours=24))
    wait = at - NOW
    obeyed = min(asked or timedelta(0), timedelta(days=7))
    assert wait >= obeyed
    assert wait <= max(plain * 1.25, obeyed)
    assert wait >= plain * 0.75


def test_there_is_no_use_in_repeating_a_refusal_or_a_ninth_attempt() -> None:
    assert after(Receipt(ReceiptStatus.REFUSED), 1, "k", NOW) is None
    assert after(BUSY, MOST_ATTEMPTS, "k", NOW) is None


def test_rows_that_failed_together_do_not_come_back_together() -> None:
    assert len({after(BUSY, 1, f"key-{number}", NOW) for number in range(100)}) == 100
