"""The worker: everything due is sent once, a bad destination holds up nobody, and a crash repeats the same key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forestall.engine.errors import Location, SettingsError
from forestall.engine.intervene import lanes
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
from forestall.engine.model.places import StatePlace
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
    assert sorted(channel.tried) == [f"key-{number}" for number in range(7)]
    assert heard == sorted(heard)
    assert heard[-1] == 7
    assert deliver(store, {"email": channel}, Clock()).sent == 0


def test_no_attempt_is_made_in_quiet_hours_however_late_it_comes(store: Store) -> None:
    """A retry after nightfall, and a worker that was away until then, wait for the morning of whoever gets it."""
    early, late = planned(0), planned(1)
    rows = [replace(row, delivery=replace(row.delivery, quiet="19:00-08:00 Europe/Berlin 2026-01-06"))
            for row in (early, late)]
    fill(store, *rows)
    clock = Clock(datetime(2026, 1, 5, 17, 59, tzinfo=UTC))      # 18:59 in Berlin
    channel = Scripted(lambda message: BUSY)
    deliver(store, {"email": channel}, clock, batch=1)
    assert len(channel.tried) == 2
    clock.moment = datetime(2026, 1, 5, 18, 30, tzinfo=UTC)
    report = deliver(store, {"email": channel}, clock)
    assert (len(channel.tried), report.waiting) == (2, 2)
    assert {row.next_attempt for row in store.outbox()} == {datetime(2026, 1, 7, 7, tzinfo=UTC)}, "the 6th is a holiday"
    assert [row.attempts for row in store.outbox()] == [1, 1], "waiting is no attempt"
    channel.answer = lambda message: SENT
    clock.moment = datetime(2026, 1, 7, 7, tzinfo=UTC)
    assert deliver(store, {"email": channel}, clock).sent == 2


def test_one_bad_destination_is_tried_once_and_holds_up_nobody(store: Store) -> None:
    fill(store, *(planned(number, "x@bad.example") for number in range(5)), planned(5), planned(6))
    channel = Scripted(lambda message: BUSY if "bad" in message.to else SENT)
    clock = Clock()
    report = deliver(store, {"email": channel}, clock, batch=2)
    assert (report.sent, report.retried, report.waiting) == (2, 1, 5)
    assert sorted(channel.tried) == ["key-0", "key-5", "key-6"]
    attempts = [row.attempts for row in store.outbox()]
    assert attempts == [1, 0, 0, 0, 0, 1, 1]
    assert statuses(store) == ["queued"] * 5 + ["sent"] * 2
    assert deliver(store, {"email": channel}, clock).retried == 0, "it is left in peace for half a minute"
    clock.moment += timedelta(seconds=31)
    assert deliver(store, {"email": channel}, clock).retried == 1
    clock.moment += timedelta(seconds=31)
    assert deliver(store, {"email": channel}, clock).retried == 0, "and twice as long after the second failure"
    clock.moment += timedelta(seconds=30)
    assert deliver(store, {"email": Scripted()}, clock).waiting == 0


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


def test_a_slow_far_side_never_makes_us_outlive_our_claim(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every message takes four minutes: another worker that comes at any time finds nothing twice."""
    monkeypatch.setattr(lanes, "WIDTH", 1)
    fill(store, *(planned(number) for number in range(6)))
    clock, mine, other = Clock(), Scripted(), Scripted()

    def send(message: Message) -> Receipt:
        with Store.open(path) as second:
            while statuses(second).count("sent") < len(mine.tried + other.tried) - 1:
                time.sleep(0.001)      # minutes are much longer than it takes to record what was sent
            clock.moment += timedelta(minutes=4)
            deliver(second, {"email": other}, Clock(clock.moment), batch=1, worker="other")
        return SENT

    mine.answer = send
    report = deliver(store, {"email": mine}, clock, worker="mine", lease=timedelta(minutes=10), batch=3)
    assert sorted(mine.tried + other.tried) == [f"key-{number}" for number in range(6)]
    assert report.waiting == 0


def test_a_slow_destination_does_not_hold_up_the_others(store: Store) -> None:
    """The slow one answers only when everything else has arrived."""
    hosts = [f"https://host{number}.example/in" for number in range(3)]
    fill(store, *(planned(number, "https://slow.example/in", "hook") for number in range(3)),
         *(planned(3 + number, hosts[number % 3], "hook") for number in range(600)), planned(700), planned(701))
    arrived = threading.Event()
    others: list[str] = []

    def send(message: Message) -> Receipt:
        if "slow" in message.to:
            assert arrived.wait(30)
        else:
            others.append(message.key)
            if len(others) == 602:
                arrived.set()
        return SENT

    report = deliver(store, {"hook": Scripted(send, "hook"), "email": Scripted(send)}, Clock(), batch=50)
    assert (report.sent, report.waiting) == (605, 0)


def test_several_workers_at_once_share_the_work_and_repeat_nothing(place: StatePlace) -> None:
    """Each with connections of its own, as another process would have; on both databases."""
    channels = [Scripted() for _ in range(4)]
    with Store.open(place) as store:
        fill(store, *(planned(number) for number in range(300)))
        begin = threading.Barrier(len(channels))

        def work(channel: Scripted) -> None:
            with Store.open(place) as own:
                begin.wait()
                deliver(own, {"email": channel}, Clock(), batch=20)

        threads = [threading.Thread(target=work, args=[channel]) for channel in channels]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(key for channel in channels for key in channel.tried) == sorted(
            f"key-{number}" for number in range(300))
        assert set(statuses(store)) == {"sent"}
        assert sum(bool(channel.tried) for channel in channels) > 1


def test_only_a_few_go_to_one_far_side_at_once_and_the_first_one_alone(store: Store) -> None:
    fill(store, *(planned(number) for number in range(40)))
    most, under_way, lock = [], [0], threading.Lock()

    def send(message: Message) -> Receipt:
        with lock:
            under_way[0] += 1
            most.append(under_way[0])
        time.sleep(0.002)
        with lock:
            under_way[0] -= 1
        return SENT

    assert deliver(store, {"email": Scripted(send)}, Clock()).sent == 40
    assert max(most) <= lanes.WIDTH
    assert most[0] == 1


def test_what_was_sent_is_recorded_when_the_call_is_told_to_stop(store: Store) -> None:
    fill(store, *(planned(number) for number in range(600)))
    channel = Scripted()
    report = deliver(store, {"email": channel}, Clock(), batch=100, stop=lambda: len(channel.tried) >= 20)
    assert 20 <= report.sent < 600
    assert report.sent == len(channel.tried)
    assert report.sent + report.waiting == 600
    assert set(statuses(store)) == {"sent", "queued"}


def test_where_a_repeat_cannot_be_recognised_a_person_decides(store: Store, path: Path) -> None:
    fill(store, planned(1, channel="slack"), planned(2, "b@other.example", "hook"))
    uncertain = Receipt(ReceiptStatus.UNCERTAIN, "no answer")
    slack, hook = Scripted(lambda message: uncertain, "slack"), Scripted(lambda message: uncertain, "hook")
    clock = Clock()
    report = deliver(store, {"slack": slack, "hook": hook}, clock, holds=["slack"])
    assert (report.sent, report.retried, report.uncertain, report.waiting) == (0, 1, 1, 1)
    clock.moment += timedelta(days=1)
    slack.answer = hook.answer = lambda message: SENT
    assert deliver(store, {"slack": slack, "hook": hook}, clock, holds=["slack"]).sent == 1
    assert [row.delivery.key for row in store.outbox([DeliveryStatus.UNCERTAIN])] == ["key-1"]
    assert store.again(["key-1"]) == 1
    assert deliver(store, {"slack": slack}, clock, holds=["slack"]).sent == 1
    said = [(attempt.said.value, attempt.becomes.value) for attempt in store.attempts("key-1")]
    assert said == [("uncertain", "uncertain"), ("sent", "sent")]


def test_a_worker_that_died_while_sending_leaves_it_to_a_person_where_it_matters(store: Store) -> None:
    fill(store, planned(1, channel="slack"), planned(2, channel="slack"))
    store.claim("died", NOW, timedelta(minutes=10), 9, ["slack"])
    assert store.begin("key-1", "died", NOW)
    assert not store.begin("key-1", "another", NOW)
    channel, later = Scripted(name="slack"), Clock(NOW + timedelta(minutes=10))
    assert deliver(store, {"slack": channel}, later, holds=["slack"]).sent == 1
    assert channel.tried == ["key-2"]
    assert statuses(store) == ["uncertain", "sent"]


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
