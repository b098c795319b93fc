"""The state database: what is written is what is read, nothing is handed out twice, and a pass is written once."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError

from forestall.engine.errors import StoreError
from forestall.engine.model.alert import Alert, AlertStatus, Transition, TransitionKind
from forestall.engine.model.delivery import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Message,
    MessageKind,
    OutboxRow,
    OutcomeStatus,
    PlayRun,
    Receipt,
    ReceiptStatus,
    RunStatus,
    Silence,
    SilenceReason,
)
from forestall.engine.model.places import StatePlace
from forestall.engine.model.state import Decisions, State
from forestall.engine.store import Store, destination

DAY = date(2026, 1, 5)
NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)
LEASE = timedelta(minutes=10)
SENT = Receipt(ReceiptStatus.SENT, reference="far-1")
BUSY = Receipt(ReceiptStatus.RETRY, "busy")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".forestall" / "state.db"


@pytest.fixture
def store(place: StatePlace) -> Iterator[Store]:
    with Store.open(place) as opened:
        yield opened


def delivery(number: int = 1, **changes: object) -> Delivery:
    made = Delivery(
        key=f"key-{number}", account=f"a{number}", play="re_engage", group="inactivity", occurrence=DAY, day=DAY,
        step="mail", kind=MessageKind.EMAIL, channel="email", recipient=f"ann@customer{number}.example",
        template="re_engage", to_customer=True, severity="at_risk", sender="Dana", sender_address="dana@example.com",
        person="dana",
    )
    return replace(made, **changes)


def row(number: int = 1, **changes: object) -> OutboxRow:
    planned = delivery(number, **changes)
    message = Message(planned.key, planned.kind, planned.recipient, "Subject", "Text ü", "<p>", '{"a": 1}', "Dana",
                      "dana@example.com", "thread", DAY)
    return OutboxRow(planned, message, DeliveryStatus.QUEUED)


def decided(day: date = DAY, **changes: object) -> Decisions:
    return replace(Decisions(day, "digest", "scoring"), **changes)


def commit(store: Store, *rows: OutboxRow, **changes: object) -> None:
    store.commit(decided(deliveries=tuple(each.delivery for each in rows), **changes), rows, NOW)


def run(number: int = 1, occurrence: date = DAY, **changes: object) -> PlayRun:
    made = PlayRun(f"a{number}", "re_engage", "inactivity", occurrence, "at_risk", RunStatus.RUNNING, "d", 1, DAY, None,
                   "", OutcomeStatus.WATCHING, DAY + timedelta(days=14))
    return replace(made, **changes)


def alert(number: int = 1, **changes: object) -> Alert:
    return replace(Alert(f"a{number}", "inactivity", AlertStatus.OPEN, DAY, "at_risk"), **changes)


def opened(number: int = 1, day: date = DAY) -> Transition:
    return Transition(TransitionKind.OPENED, alert(number, opened_on=day), day)


def silence(number: int = 1, day: date = DAY, **changes: object) -> Silence:
    return replace(Silence(f"a{number}", "re_engage", "inactivity", DAY, day, SilenceReason.CAP, "mail", "one a week"),
                   **changes)


def whole_pass() -> tuple[Decisions, tuple[OutboxRow, ...]]:
    rows = (row(1), row(2, kind=MessageKind.SLACK, channel="slack", recipient="U1", to_customer=False))
    decisions = decided(
        transitions=(opened(1), opened(2)), alerts=(alert(3, status=AlertStatus.PENDING),),
        tiers={"a1": "at_risk", "a2": "healthy"}, runs=(run(1), run(2, status=RunStatus.HELD_OUT)),
        deliveries=tuple(each.delivery for each in rows), silences=(silence(3),),
        triggers=frozenset({"inactivity", "errors"}),
    )
    return decisions, rows


# --- one pass -------------------------------------------------------------------------------------------------------


def test_a_fresh_store_is_a_fresh_state(store: Store) -> None:
    assert store.state() == State()


def test_what_a_pass_decided_is_there_after_a_restart(place: StatePlace) -> None:
    decisions, rows = whole_pass()
    with Store.open(place) as store:
        report = store.commit(decisions, rows, NOW)
    assert (report.new, report.repeated, report.cancelled, report.written) == (2, 0, 0, True)
    with Store.open(place) as store:
        state = store.state()
        assert tuple(store.outbox()) == rows
        assert store.silences(DAY) == (silence(3),)
        assert store.history_of("a1") == (opened(1),)
    assert state == State().after(decisions)
    assert state.tiers == {"a1": "at_risk", "a2": "healthy"}
    assert state.alerts["a3", "inactivity"].status is AlertStatus.PENDING
    assert state.last_sent == {"a1": (DAY,)}
    assert (state.previous_pass, state.scoring_digest) == (DAY, "scoring")
    assert state.known_triggers == {"inactivity", "errors"}


def test_one_account_has_all_that_is_its_own_and_nothing_else(store: Store) -> None:
    decisions, rows = whole_pass()
    assert store.account("a1").log == ()
    assert store.pass_on(DAY) is None
    store.commit(decisions, rows, NOW)
    first, third = store.account("a1"), store.account("a3")
    assert (first.alerts, first.log) == ({"inactivity": opened(1).alert}, (opened(1),))
    assert (first.runs, first.deliveries, first.silences) == ((run(1),), (rows[0],), ())
    assert [(kept.silence, kept.last_day) for kept in third.silences] == [(silence(3), DAY)]
    assert third.alerts["inactivity"].status is AlertStatus.PENDING
    assert store.pass_on(DAY - timedelta(days=1)) is None
    made = store.pass_on(DAY + timedelta(days=3))
    assert made is not None
    assert (made.day, made.scoring_digest) == (DAY, "scoring")


def test_a_pass_written_twice_writes_nothing_the_second_time(store: Store) -> None:
    decisions, rows = whole_pass()
    store.commit(decisions, rows, NOW)
    before = store.state()
    report = store.commit(decisions, rows, NOW + timedelta(hours=1))
    assert (report.new, report.repeated, report.written) == (0, 2, False)
    assert store.state() == before
    assert count(store, "passes") == 1
    assert count(store, "transitions") == 2


def test_an_empty_pass_leaves_only_its_own_row(store: Store) -> None:
    assert store.commit(decided(), (), NOW).written
    assert not store.commit(decided(), (), NOW).written
    assert store.commit(decided(DAY + timedelta(days=1)), (), NOW).written
    assert store.commit(decided(DAY + timedelta(days=1), digest="other"), (), NOW).written
    assert count(store, "passes") == 3
    assert store.state().previous_pass == DAY + timedelta(days=1)


def test_the_scoring_digest_is_that_of_the_last_pass_even_when_rules_return(store: Store) -> None:
    for digest in ("a", "b", "a"):
        store.commit(decided(digest=digest, scoring_digest=digest), (), NOW)
    assert store.state().scoring_digest == "a"


def test_a_failing_pass_leaves_nothing_behind(store: Store) -> None:
    decisions, rows = whole_pass()
    with pytest.raises(StatementError, match="time zone"):
        store.commit(decisions, rows, NOW.replace(tzinfo=None))
    with pytest.raises(StoreError):
        store.commit(decisions, (*rows, row(3, account=None)), NOW)
    assert store.state() == State()
    assert not list(store.outbox())


def test_an_empty_tier_forgets_the_account(store: Store) -> None:
    commit(store, tiers={"a1": "healthy", "a2": "healthy"})
    commit(store, tiers={"a1": ""})
    assert store.state().tiers == {"a2": "healthy"}


def test_a_silence_keeps_its_first_day_and_moves_its_last(store: Store) -> None:
    for days in range(3):
        commit(store, day=DAY + timedelta(days=days), silences=(silence(1, DAY + timedelta(days=days)),))
    assert store.silences(DAY + timedelta(days=2)) == (silence(1, DAY),)
    assert store.silences(DAY + timedelta(days=3)) == ()
    assert store.silences(DAY - timedelta(days=1)) == ()


def test_old_runs_leave_the_state_but_the_last_of_each_play_stays(store: Store) -> None:
    done = {"status": RunStatus.FINISHED, "outcome": OutcomeStatus.MET}
    january, february, march = (date(2026, month, 1) for month in (1, 2, 3))
    watched = run(1, january, status=RunStatus.STOPPED)
    commit(store, runs=(watched, run(1, february, **done), run(1, march, **done)))
    assert store.state().runs == (watched, run(1, march, **done))


def test_a_long_closed_alert_is_forgotten_but_its_history_stays(store: Store) -> None:
    closed = Transition(TransitionKind.CLEARED, alert(1, status=AlertStatus.CLEAR, closed_on=DAY), DAY)
    commit(store, transitions=(closed,))
    assert ("a1", "inactivity") in store.state().alerts
    commit(store, day=DAY + timedelta(days=401))
    assert store.state().alerts == {}
    assert store.history_of("a1") == (closed,)


def test_emails_of_the_last_sixty_days_are_remembered_one_by_one(store: Store) -> None:
    commit(store, row(1), row(2, account="a1"), row(3, account="a1", to_customer=False))
    assert store.state().last_sent == {"a1": (DAY, DAY)}
    commit(store, day=DAY + timedelta(days=60))
    assert store.state().last_sent == {"a1": (DAY, DAY)}
    commit(store, day=DAY + timedelta(days=61))
    assert store.state().last_sent == {}


def count(store: Store, table: str) -> int:
    with store._database.reading() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


# --- laws -----------------------------------------------------------------------------------------------------------

accounts = st.integers(1, 4)
days = st.integers(0, 90).map(lambda number: DAY + timedelta(days=number))
alert_states = st.builds(
    lambda number, status, trigger, closed: alert(number, status=status, trigger=trigger, closed_on=closed),
    accounts, st.sampled_from(AlertStatus), st.sampled_from(["inactivity", "errors"]), st.none() | days,
)
passes = st.builds(
    lambda day, digest, changed, alerts, tiers, runs, silences, sends, starts: (day, Decisions(
        day, digest, digest, tuple(Transition(TransitionKind.OPENED, each, day) for each in changed), tuple(alerts),
        tiers, tuple(runs), tuple(replace(each, day=day) for each in sends), tuple(silences),
        triggers=frozenset(each.trigger for each in changed), starts=starts,
    )),
    days, st.sampled_from(["a", "b"]), st.lists(alert_states, max_size=3), st.lists(alert_states, max_size=3),
    st.dictionaries(accounts.map("a{}".format), st.sampled_from(["", "healthy", "at_risk"])),
    st.lists(st.builds(run, accounts, days, status=st.sampled_from(RunStatus), outcome=st.sampled_from(OutcomeStatus)),
             max_size=3),
    st.lists(st.builds(silence, accounts, days), max_size=3),
    st.lists(st.builds(delivery, accounts, kind=st.sampled_from(MessageKind)), max_size=3,
             unique_by=lambda each: each.key),
    st.dictionaries(st.sampled_from(["nudge", "call"]), st.integers(0, 300)),
)


def agree(places: Callable[[], StatePlace], drawn: list[tuple[date, Decisions]]) -> None:
    drawn.sort(key=lambda each: each[0])
    expected = State()
    with Store.open(places()) as store:
        for number, (_, drawn_decisions) in enumerate(drawn):
            planned = tuple(replace(each, key=f"{number} {each.key}") for each in drawn_decisions.deliveries)
            decisions = replace(drawn_decisions, deliveries=planned)
            rows = tuple(replace(row(), delivery=each) for each in planned)
            store.commit(decisions, rows, NOW)
            expected = expected.after(decisions)
            assert store.state() == expected
            before = list(store.outbox())
            again = store.commit(decisions, rows, NOW)
            assert not again.new
            assert not again.written
            assert store.state() == expected
            assert list(store.outbox()) == before


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(passes, min_size=1, max_size=4))
def test_the_store_and_the_pure_state_agree_and_a_commit_is_idempotent(drawn: list[tuple[date, Decisions]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        agree(lambda: Path(folder) / "state.db", drawn)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(passes, min_size=1, max_size=4))
def test_they_agree_on_postgresql_as_well(server_places: Callable[[], StatePlace],
                                          drawn: list[tuple[date, Decisions]]) -> None:
    agree(server_places, drawn)


steps = st.lists(st.tuples(
    st.sampled_from(["claim", "sent", "retry", "release", "wait"]), st.sampled_from(["w1", "w2"]), st.integers(1, 4),
), max_size=25)


def handed_out_once(places: Callable[[], StatePlace], drawn: list[tuple[str, str, int]]) -> None:
    held: dict[str, tuple[str, datetime]] = {}
    sent: set[str] = set()
    now = NOW
    with Store.open(places()) as store:
        commit(store, *(row(number, recipient=f"x@host{number % 2}.example") for number in range(6)))
        for what, worker, number in drawn:
            mine = sorted(key for key, (owner, _) in held.items() if owner == worker)
            if what == "claim":
                for each in store.claim(worker, now, LEASE, number, ["email"]):
                    key = each.delivery.key
                    assert key not in sent
                    assert key not in held or held[key][1] <= now
                    held[key] = (worker, now + LEASE)
            elif what == "wait":
                now += LEASE / 2 * number
            elif mine:
                key = mine[0]
                del held[key]
                if what == "sent":
                    record(store, key, SENT, now, None, worker)
                    sent.add(key)
                elif what == "retry":
                    record(store, key, BUSY, now, now + timedelta(minutes=1), worker)
                else:
                    store.release([key], worker)
        assert {each.delivery.key for each in store.outbox([DeliveryStatus.SENT])} == sent
        assert store.waiting() == 6 - len(sent)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_no_row_is_handed_out_twice_within_a_lease_nor_after_it_was_sent(drawn: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        handed_out_once(lambda: Path(folder) / "state.db", drawn)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_none_is_handed_out_twice_on_postgresql_either(server_places: Callable[[], StatePlace],
                                                       drawn: list[tuple[str, str, int]]) -> None:
    handed_out_once(server_places, drawn)


def record(store: Store, key: str, receipt: Receipt, now: datetime, again_at: datetime | None,
           worker: str = "") -> None:
    becomes = (DeliveryStatus.SENT if receipt.status is ReceiptStatus.SENT
               else DeliveryStatus.QUEUED if again_at else DeliveryStatus.DEAD)
    store.record([Attempt(key, now, receipt.status, becomes, receipt.detail, receipt.reference, again_at)], worker)


# --- the outbox -----------------------------------------------------------------------------------------------------


def keys(rows: tuple[OutboxRow, ...]) -> list[str]:
    return [each.delivery.key for each in rows]


def test_claims_go_in_turns_by_destination_and_oldest_first(store: Store) -> None:
    commit(store, *(row(number, recipient="ann@big.example") for number in range(4)), row(5), row(6))
    assert keys(store.claim("w", NOW, LEASE, 4, ["email"])) == ["key-0", "key-5", "key-6", "key-1"]
    assert keys(store.claim("w", NOW, LEASE, 4, ["email"])) == ["key-2", "key-3"]


def test_claims_keep_to_their_channels_and_leave_out_what_rests(store: Store) -> None:
    commit(store, row(1), row(2, channel="slack", recipient="U1"), row(3, channel="hook", recipient="https://a.b/c"))
    assert keys(store.claim("w", NOW, LEASE, 9, ["email", "hook"], ["hook a.b"])) == ["key-1"]
    assert store.claim("w", NOW, LEASE, 9, []) == ()


def test_a_row_waits_for_its_next_attempt_and_keeps_count(store: Store) -> None:
    commit(store, row())
    (claimed,) = store.claim("w", NOW, LEASE, 9, ["email"])
    assert claimed.attempts == 0
    assert claimed.status is DeliveryStatus.CLAIMED
    record(store, "key-1", BUSY, NOW, NOW + timedelta(minutes=2), "w")
    assert store.claim("w", NOW + timedelta(minutes=1), LEASE, 9, ["email"]) == ()
    (again,) = store.claim("w", NOW + timedelta(minutes=2), LEASE, 9, ["email"])
    assert (again.attempts, again.detail) == (1, "busy")
    record(store, "key-1", SENT, NOW, None, "w")
    (sent,) = store.outbox()
    assert (sent.status, sent.attempts, sent.reference, sent.sent_at) == (DeliveryStatus.SENT, 2, "far-1", NOW)


def test_a_late_failure_does_not_undo_what_was_sent_nor_take_a_row_from_another(store: Store) -> None:
    commit(store, row())
    store.claim("slow", NOW, LEASE, 9, ["email"])
    later = NOW + LEASE
    assert keys(store.claim("quick", later, LEASE, 9, ["email"])) == ["key-1"]
    record(store, "key-1", BUSY, later, later, "slow")
    assert store.claim("third", later, LEASE, 9, ["email"]) == ()
    record(store, "key-1", SENT, later, None, "quick")
    record(store, "key-1", BUSY, later, later, "slow")
    assert [each.status for each in store.outbox()] == [DeliveryStatus.SENT]


def test_what_has_no_next_attempt_is_dead(store: Store) -> None:
    commit(store, row())
    store.claim("w", NOW, LEASE, 9, ["email"])
    record(store, "key-1", Receipt(ReceiptStatus.REFUSED, "no such mailbox"), NOW, None, "w")
    (dead,) = store.outbox([DeliveryStatus.DEAD])
    assert dead.detail == "no such mailbox"
    assert store.waiting() == 0


def test_cancelling_a_run_spares_what_was_sent_and_the_other_runs(store: Store) -> None:
    commit(store, row(1), row(2, account="a1"), row(3), row(4, account="a1", occurrence=DAY + timedelta(days=1)),
           row(5, account="a1", group="errors"))
    record(store, "key-2", SENT, NOW, None)
    report = store.commit(decided(cancelled=(("a1", "re_engage", "inactivity", DAY),)), (), NOW)
    assert report.cancelled == 1
    assert [each.status.value for each in store.outbox()] == ["cancelled", "sent", "queued", "queued", "queued"]


def test_many_runs_are_cancelled_in_one_pass(store: Store) -> None:
    commit(store, *(row(number) for number in range(5)))
    store.claim("w", NOW, LEASE, 1, ["email"])
    gone = tuple((f"a{number}", "re_engage", "inactivity", DAY) for number in (0, 1, 3))
    assert store.commit(decided(cancelled=gone), (), NOW).cancelled == 2
    assert [each.status.value for each in store.outbox()] == ["claimed", "cancelled", "queued", "cancelled", "queued"]
    assert store.waiting() == 3


@pytest.mark.parametrize(("how", "becomes"), [("retry", "cancelled"), ("sent", "sent"), ("release", "cancelled"),
                                              ("crash", "cancelled")])
def test_a_row_cancelled_while_a_worker_holds_it_is_not_tried_again(store: Store, how: str, becomes: str) -> None:
    commit(store, row())
    store.claim("w", NOW, LEASE, 9, ["email"])
    store.commit(decided(cancelled=(("a1", "re_engage", "inactivity", DAY),)), (), NOW)
    match how:
        case "retry":
            record(store, "key-1", BUSY, NOW, NOW, "w")
        case "sent":
            record(store, "key-1", SENT, NOW, None, "w")
        case "release":
            store.release(["key-1"], "w")
    assert store.claim("other", NOW + LEASE, LEASE, 9, ["email"]) == ()
    assert [each.status.value for each in store.outbox()] == [becomes]


def test_the_outbox_can_be_asked_by_status_and_day_beyond_one_page(store: Store) -> None:
    commit(store, *(row(number, day=DAY + timedelta(days=number % 2)) for number in range(2100)))
    assert sum(1 for _ in store.outbox()) == 2100
    assert sum(1 for _ in store.outbox([DeliveryStatus.QUEUED], DAY)) == 1050
    assert not list(store.outbox([DeliveryStatus.SENT]))


@pytest.mark.parametrize(("recipient", "host"), [
    ("https://User@CRM.example:8443/hook", "crm.example:8443"), ("Ann@Mail.Example", "mail.example"), ("#cs", "#cs"),
    ("U024", "U024"), ("@ann", "@ann"), ("https://[broken/x", "https://[broken/x"),
])
def test_what_counts_as_one_destination(recipient: str, host: str) -> None:
    assert destination("c", recipient) == f"c {host}"


def test_many_deliveries_are_written_whole_and_claimed_in_parts(store: Store) -> None:
    many = 5_000
    commit(store, *(row(number) for number in range(many)), runs=tuple(run(number) for number in range(many)),
           tiers={f"a{number}": "at_risk" for number in range(many)})
    assert len(store.claim("w", NOW, LEASE, 100, ["email"])) == 100
    assert store.waiting() == many
    assert len(store.state().runs) == len(store.state().tiers) == many


# --- files ----------------------------------------------------------------------------------------------------------


def test_reading_only_makes_no_file_and_says_the_state_is_empty(path: Path) -> None:
    with Store.open(path, read_only=True) as store:
        assert store.state() == State()
        assert list(store.outbox()) == []
        with pytest.raises(StoreError, match="read only"):
            commit(store)
    assert not path.parent.exists()


def test_reading_only_leaves_the_folder_as_it_is(path: Path) -> None:
    with Store.open(path) as store:
        commit(store, row(), tiers={"a1": "healthy"})
    before = fingerprint(path.parent)
    with Store.open(path, read_only=True) as store:
        assert store.state().tiers == {"a1": "healthy"}
        with pytest.raises(StoreError, match="read only"):
            store.claim("w", NOW, LEASE, 1, ["email"])
    assert fingerprint(path.parent) == before


def test_a_reader_and_a_writer_do_not_wait_for_each_other(place: StatePlace) -> None:
    with Store.open(place) as writer, Store.open(place, read_only=True) as reader:
        commit(writer, *(row(number) for number in range(1500)))
        rows = reader.outbox()
        next(rows)
        commit(writer, row(9999), day=DAY + timedelta(days=1))
        assert sum(1 for _ in rows) == 1500


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(("content", "phrase"), [
    (b"account,score\nacme,12\n" * 100, "not a state database"),
    ("newer", "Use the newer Forestall"),
    ("foreign", "not written by Forestall"),
    ("folder", "cannot be opened"),
])
def test_a_file_that_cannot_be_used_is_refused_with_a_sentence_and_left_alone(
    path: Path, content: bytes | str, phrase: str, read_only: bool,
) -> None:
    path.parent.mkdir()
    match content:
        case bytes():
            path.write_bytes(content)
        case "folder":
            path.mkdir()
        case _:
            connection = sqlite3.connect(path)
            name = "forestall_schema (version INTEGER)" if content == "newer" else "people (name TEXT)"
            connection.execute(f"CREATE TABLE {name}")
            if content == "newer":
                connection.execute("INSERT INTO forestall_schema VALUES (99)")
            connection.commit()
            connection.close()
    with pytest.raises(StoreError, match=phrase) as caught:
        Store.open(path, read_only)
    assert str(path) in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_file_where_the_folder_should_be_is_a_sentence(path: Path) -> None:
    path.parent.write_text("not a folder")
    with pytest.raises(StoreError, match="cannot be used"):
        Store.open(path)


def test_an_empty_file_is_an_empty_state(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with Store.open(path, read_only=True) as store:
        assert store.state() == State()
    with Store.open(path) as store:
        commit(store, tiers={"a1": "healthy"})
        assert store.state().tiers == {"a1": "healthy"}


def fingerprint(folder: Path) -> dict[str, str]:
    return {found.name: hashlib.sha256(found.read_bytes()).hexdigest() for found in folder.iterdir()}
