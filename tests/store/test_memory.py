"""What the state remembers of plays and of people: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from forestall.engine.model.alert import Alert, AlertStatus, Transition, TransitionKind
from forestall.engine.model.delivery import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Message,
    MessageKind,
    OutboxRow,
    PlayRun,
    ReceiptStatus,
    RunStatus,
    Silence,
    SilenceReason,
    StartedBy,
)
from forestall.engine.model.outcome import Answer, AnswerKind
from forestall.engine.model.places import StatePlace
from forestall.engine.model.state import Decisions, Renamed, State, identity
from forestall.engine.store import Store

DAY, NOW = date(2026, 1, 5), datetime(2026, 1, 5, 6, tzinfo=UTC)


@pytest.fixture
def store(place: StatePlace) -> Iterator[Store]:
    with Store.open(place) as opened:
        yield opened


def run(account: str, group: str = "cold", **changes: object) -> PlayRun:
    made = PlayRun(account, "talk", group, DAY, "at_risk", RunStatus.RUNNING, "d1", due_on=DAY, told_on=DAY)
    return replace(made, **changes)


def opened(account: str, trigger: str = "cold", day: date = DAY) -> Transition:
    return Transition(TransitionKind.OPENED, Alert(account, trigger, AlertStatus.OPEN, day, "at_risk"), day)


def row(key: str, account: str, group: str = "cold", **changes: object) -> OutboxRow:
    delivery = Delivery(key, account, "talk", group, DAY, DAY, key, MessageKind.EMAIL, "email",
                        f"ann@{account}.example", "note", True, "at_risk", due_on=DAY + timedelta(days=2))
    message = Message(key, MessageKind.EMAIL, delivery.recipient, "Subject", "Text")
    return OutboxRow(replace(delivery, **changes), message, DeliveryStatus.QUEUED)


def commit(store: Store, *rows: OutboxRow, day: date = DAY, **changes: object) -> None:
    decisions = Decisions(day, "digest", "scoring", deliveries=tuple(one.delivery for one in rows), **changes)
    store.commit(decisions, rows, NOW)


def sent(*keys: str) -> list[Attempt]:
    return [Attempt(key, NOW, ReceiptStatus.SENT, DeliveryStatus.SENT) for key in keys]


def test_a_run_is_on_its_way_until_its_first_message_has_arrived(store: Store) -> None:
    commit(store, row("a1", "acme"), row("a2", "acme"), row("b1", "bolt"), row("c1", "cord"),
           runs=(run("acme"), run("bolt"), run("cord"), run("dune")))
    assert store.state().on_their_way == {identity(run(name)) for name in ("acme", "bolt", "cord")}
    store.claim("worker", NOW, timedelta(minutes=10), 9, ["email"])
    store.record([*sent("a2"), Attempt("b1", NOW, ReceiptStatus.RETRY, DeliveryStatus.QUEUED, again_at=NOW)], "worker")
    assert store.state().on_their_way == {identity(run(name)) for name in ("bolt", "cord")}
    assert [one.delivery.due_on for one in store.outbox(account="bolt")] == [DAY + timedelta(days=2)]


def test_what_bears_the_name_of_a_trigger_bears_the_new_one(store: Store) -> None:
    commit(store, row("a1", "acme"), row("b1", "bolt"), transitions=(opened("acme"), opened("bolt")),
           runs=(run("acme"), run("bolt")), silences=(
               Silence("acme", "talk", "cold", DAY, DAY, SilenceReason.CAP, "mail", "enough"),))
    store.answer(Answer("acme", AnswerKind.ACKNOWLEDGED, "dana", NOW, DAY, "talk", "cold", DAY, "cold"))
    commit(store, day=DAY + timedelta(days=1), renamed=(Renamed("acme", "cold", "frosty"),))
    state, record = store.state(), store.account("acme")
    assert sorted(state.alerts) == [("acme", "frosty"), ("bolt", "cold")]
    assert {(one.account, one.group) for one in state.runs} == {("acme", "frosty"), ("bolt", "cold")}
    assert state.on_their_way == {identity(run("acme", "frosty")), identity(run("bolt"))}
    assert state.alerts["acme", "frosty"].acknowledged_by == "dana"
    assert [one.alert.trigger for one in record.log] == ["frosty"]
    assert [kept.silence.group for kept in record.silences] == ["frosty"]
    assert [one.delivery.group for one in record.deliveries] == ["frosty"]
    assert [(one.group, one.trigger) for one in record.said] == [("frosty", "frosty")]


def test_an_alert_of_long_ago_makes_way_for_the_renamed_one(store: Store) -> None:
    old = replace(opened("acme", "frosty").alert, status=AlertStatus.CLEAR, closed_on=DAY)
    commit(store, transitions=(opened("acme"),), alerts=(old,))
    later = DAY + timedelta(days=200)
    commit(store, day=later)
    commit(store, day=later, renamed=(Renamed("acme", "cold", "frosty"),))
    assert [(key, one.status) for key, one in store.state().alerts.items()] == [
        (("acme", "frosty"), AlertStatus.OPEN)]


def test_what_people_say_is_kept_once_applied_and_listed(store: Store) -> None:
    commit(store, transitions=(opened("acme"), opened("bolt")), runs=(run("acme"), run("bolt")))
    heard = store.state().heard
    done = Answer("acme", AnswerKind.SAVED, "dana", NOW, DAY, "talk", "cold", DAY, revenue=1200.5, reason="price",
                  note="Grüße")
    assert store.answer(done).runs[0].done_by == "dana"
    assert store.answer(done).new is False
    store.answer(Answer("bolt", AnswerKind.SNOOZED, "luis", NOW, DAY, trigger="cold", until=DAY + timedelta(days=3)))
    assert store.state().heard > heard
    assert store.answers("acme") == (done,) == store.account("acme").said
    assert [one.by for one in store.answers(kinds=[AnswerKind.SNOOZED])] == ["luis"]
    assert store.state().alerts["bolt", "cold"].snoozed_until == DAY + timedelta(days=3)
    assert {one.account: one.done_by for one in store.runs()} == {"acme": "dana", "bolt": ""}
    assert [one.account for one in store.runs("bolt")] == ["bolt"]


def test_what_is_said_while_a_pass_decides_holds_against_what_it_read(store: Store) -> None:
    commit(store, transitions=(opened("acme"),), runs=(run("acme"),))
    heard = store.state().heard
    store.answer(Answer("acme", AnswerKind.DONE, "dana", NOW, DAY, trigger="cold", occurrence=DAY))
    commit(store, day=DAY + timedelta(days=1), alerts=(opened("acme").alert,), runs=(run("acme", step=1),), heard=heard)
    (found,) = store.state().runs
    assert (found.step, found.done_by) == (1, "dana")
    assert store.state().alerts["acme", "cold"].acknowledged_by == "dana"


def test_the_day_on_which_an_account_left_is_the_one_that_the_data_said_last(store: Store) -> None:
    def left(account: str, on: date) -> Answer:
        return Answer(account, AnswerKind.LOST, "data", datetime(on.year, on.month, on.day, tzinfo=UTC), on,
                      source=StartedBy.DATA)

    commit(store, answers=(left("acme", DAY), left("bolt", DAY)))
    commit(store, day=DAY + timedelta(days=1), answers=(left("acme", DAY + timedelta(days=1)), left("bolt", DAY)))
    store.answer(Answer("cord", AnswerKind.LOST, "dana", NOW, DAY))
    assert store.state().churned == {"acme": DAY + timedelta(days=1), "bolt": DAY}
    assert len(store.answers("bolt")) == 1


def test_the_wording_of_steps_is_kept_once_and_for_good(store: Store) -> None:
    first, other = {("talk", "d1"): '[{"wait": "3 days"}]'}, {("talk", "d2"): '[{"wait": "Überall"}]'}
    commit(store, runs=(run("acme"),), begun=first)
    commit(store, day=DAY + timedelta(days=1), runs=(run("bolt", digest="d2"),), begun=first | other)
    commit(store, day=DAY + timedelta(days=9))
    assert store.state().begun == store.begun() == first | other


def test_who_unsubscribed_may_subscribe_again_and_leave_again(store: Store) -> None:
    commit(store)
    gone = Answer("acme", AnswerKind.UNSUBSCRIBED, "Ann@acme.example", NOW, DAY, source=StartedBy.CUSTOMER)
    back = Answer("acme", AnswerKind.RESUBSCRIBED, "dana", NOW, DAY, address="ann@acme.example")
    store.answer(gone)
    store.answer(replace(gone, by="bob@acme.example"))
    assert store.unsubscribed() == {"ann@acme.example", "bob@acme.example"}
    store.answer(back)
    store.answer(replace(back, address="carl@acme.example"))
    assert store.unsubscribed() == store.state().unsubscribed == {"bob@acme.example"}
    commit(store, row("new", "acme", recipient="ann@acme.example"), row("not", "acme", recipient="bob@acme.example"),
           day=DAY + timedelta(days=1))
    assert [one.delivery.key for one in store.outbox([DeliveryStatus.QUEUED])] == ["new"]
    store.answer(replace(gone, at=NOW + timedelta(hours=1)))
    assert store.unsubscribed() == {"ann@acme.example", "bob@acme.example"}


def test_a_fresh_store_has_nothing_of_it(store: Store) -> None:
    assert (store.state(), store.begun(), store.runs(), store.answers(), store.unsubscribed()) == (
        State(), {}, (), (), frozenset())
