"""The decision log: each pass finds the state again that it began with, on both databases, whatever came between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from forestall.engine.model.alert import Alert, AlertStatus, Transition, TransitionKind
from forestall.engine.model.decision_log import Basis, DayRead
from forestall.engine.model.delivery import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Message,
    MessageKind,
    OutboxRow,
    OutcomeStatus,
    PlayRun,
    ReceiptStatus,
    RunStatus,
    Silence,
    SilenceReason,
    StartedBy,
)
from forestall.engine.model.outcome import Answer, AnswerKind
from forestall.engine.model.places import StatePlace
from forestall.engine.model.state import Decisions, Renamed, State
from forestall.engine.model.supply import Silent, Supply
from forestall.engine.model.trigger import Existing
from forestall.engine.store import Store

FIRST = date(2026, 3, 29)
NOW = datetime(2026, 3, 29, 6, tzinfo=UTC)
SUPPLY = Supply({"logins": (3, 4)}, {"crm": Silent("silent since then", ("logins",))})
BASIS = Basis("0.1.0", {"triggers.yaml": "triggers: {}  # ü\n"}, {"time_zone": "UTC"}, 14, 7, "c", DayRead(3, "ab"),
              NOW, SUPPLY, Existing.OPEN, {"": 3})


def opened(account: str, day: date) -> Transition:
    return Transition(TransitionKind.OPENED, Alert(account, "quiet", AlertStatus.OPEN, day, "at_risk"), day)


def run(account: str, day: date, status: RunStatus = RunStatus.RUNNING) -> PlayRun:
    return PlayRun(account, "call", "quiet", day, "at_risk", status, "d1", next_on=day + timedelta(days=2),
                   outcome=OutcomeStatus.WATCHING, until=day + timedelta(days=30), began_on=day,
                   due_on=day + timedelta(days=3))


def email(account: str, day: date) -> OutboxRow:
    one = Delivery(f"{account}-{day}", account, "call", "quiet", day, day, "letter", MessageKind.EMAIL, "email",
                   f"{account}@customer.example", "letter", True, "at_risk")
    return OutboxRow(one, Message(one.key, MessageKind.EMAIL, one.recipient, "Hi", "Hello."), DeliveryStatus.QUEUED)


def days() -> list[tuple[Decisions, list[OutboxRow], Callable[[Store], object]]]:
    """What each pass decides and sends, and what happens after it."""
    plain = Decisions(FIRST, "rules", "scoring", triggers=frozenset({"quiet"}))

    def on(after: int, **decided: object) -> Decisions:
        return replace(plain, day=FIRST + timedelta(days=after), **decided)

    first = on(0, transitions=tuple(opened(f"a{n}", FIRST) for n in range(4)), starts={"call": 3},
               tiers={"a0": "at_risk", "a1": "critical"}, begun={("call", "d1"): "[]"}, runs=tuple(
                   run(f"a{n}", FIRST, RunStatus.HELD if n == 3 else RunStatus.RUNNING) for n in range(4)),
               silences=(Silence("a3", "call", "quiet", FIRST, FIRST, SilenceReason.GUARD),) * 2)
    closed = replace(opened("a1", FIRST).alert, status=AlertStatus.CLEAR, closed_on=FIRST + timedelta(days=1))
    second = on(1, transitions=(Transition(TransitionKind.CLEARED, closed, FIRST + timedelta(days=1)),),
                tiers={"a0": "", "a2": "critical"}, starts={"call": 0}, answered=frozenset({"call"}), answers=(
                    Answer("a2", AnswerKind.LOST, "data", NOW, FIRST, source=StartedBy.DATA),))
    renamed = replace(opened("a2", FIRST).alert, trigger="still")
    third = on(3, renamed=(Renamed("a2", "quiet", "still"),), digest="other rules", alerts=(
        replace(renamed, reminded_on=FIRST + timedelta(days=3)),), triggers=frozenset({"still"}))
    said = Answer("a0", AnswerKind.ACKNOWLEDGED, "dana", NOW, FIRST, trigger="quiet")

    def first_evening(store: Store) -> None:
        store.approve("call", FIRST, "lee")
        store.answer(said)
        store.answer(replace(said, account="a1", kind=AnswerKind.DONE))
        store.claim("w", NOW, timedelta(minutes=1), 9, ["email"])
        store.record([Attempt(f"a0-{FIRST}", NOW, ReceiptStatus.SENT, DeliveryStatus.SENT)])

    def later(store: Store) -> None:
        store.answer(replace(said, account="", kind=AnswerKind.UNSUBSCRIBED, by="A0@customer.example", trigger=""))

    def nothing(_store: Store) -> None:
        return

    return [(first, [email(f"a{n}", FIRST) for n in range(2)], first_evening),
            (second, [email("a2", second.day)], later), (third, [], nothing),
            (on(4), [email("a0", FIRST + timedelta(days=4))], nothing), (on(4, digest="last"), [], nothing)]


def test_each_pass_finds_its_state_again(place: StatePlace) -> None:
    """Also over the end of a month, where the log holds the whole state once more."""
    states: list[State] = []
    with Store.open(place) as store:
        for decisions, rows, after in days():
            states.append(store.state())
            decided = replace(decisions, deliveries=tuple(row.delivery for row in rows), heard=states[-1].heard)
            assert store.commit(decided, rows, NOW, states[-1], lambda: BASIS).written
            after(store)
        assert store.days_decided() == ([FIRST + timedelta(days=n) for n in (0, 1, 3, 4)], FIRST)
        found = [one for n in range(5) for one in store.decided_on(FIRST + timedelta(days=n))]
    assert [one.number for one in found] == [1, 2, 3, 4, 5]
    for one, state, (decisions, rows, _) in zip(found, states, days(), strict=True):
        assert (one.before, one.before.pass_number, one.before.heard) == (state, state.pass_number, state.heard)
        assert one.before.on_their_way == state.on_their_way
        assert (one.basis, one.ran_at) == (BASIS, NOW)
        assert list(one.deliveries) == [row.delivery.key for row in rows]      # one has another group by now
        assert replace(one.decided, deliveries=(), silences=decisions.silences, answers=decisions.answers, heard=0,
                       answered=decisions.answered, begun=decisions.begun) == decisions
    assert (found[0].silences, found[1].said, found[1].before.approvals["call"].given_by) == ({"guard": 2}, 2, "lee")
    assert found[1].before.on_their_way == {("a1", "call", "quiet", FIRST)}
    assert found[2].before.churned == {"a2": FIRST}
    assert found[2].before.unsubscribed == {"a0@customer.example"}


def test_nothing_is_asked_or_written_when_nothing_is_new(place: StatePlace) -> None:
    def never() -> Basis:
        pytest.fail("the basis is asked for though nothing is written")

    with Store.open(place) as store:
        store.commit(Decisions(FIRST, "d", "s"), (), NOW, store.state(), lambda: BASIS)
        assert not store.commit(Decisions(FIRST, "d", "s"), (), NOW, store.state(), never).written
        assert len(store.decided_on(FIRST)) == 1


def test_a_pass_that_planned_what_the_outbox_had_already_says_so(place: StatePlace) -> None:
    row = email("a0", FIRST)
    with Store.open(place) as store:
        store.commit(Decisions(FIRST, "d", "s", deliveries=(row.delivery,)), (row,), NOW, State(), lambda: BASIS)
        state = store.state()
        store.commit(Decisions(FIRST + timedelta(days=1), "d", "s", deliveries=(row.delivery,)), (row,), NOW, state,
                     lambda: BASIS)
        [found] = store.decided_on(FIRST + timedelta(days=1))
    assert (found.decided.deliveries, found.repeated) == ((), (row.delivery.key,))
