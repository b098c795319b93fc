"""Who has unsubscribed gets none of the emails that wait, on either database."""

from datetime import UTC, date, datetime, timedelta

from forestall.engine.model.delivery import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Message,
    MessageKind,
    OutboxRow,
    ReceiptStatus,
)
from forestall.engine.model.outcome import Answer, AnswerKind
from forestall.engine.model.places import StatePlace
from forestall.engine.model.state import Decisions
from forestall.engine.store import Store

DAY, NOW = date(2026, 1, 5), datetime(2026, 1, 5, 6, tzinfo=UTC)


def row(key: str, recipient: str, kind: MessageKind = MessageKind.EMAIL, to_customer: bool = True) -> OutboxRow:
    delivery = Delivery(key, f"account of {key}", "play", "cold", DAY, DAY, "mail", kind, "email", recipient, "note",
                        to_customer, "critical")
    return OutboxRow(delivery, Message(key, kind, recipient, "Subject", "Text"), DeliveryStatus.QUEUED)


def test_what_waits_is_cancelled_and_what_a_worker_holds_is_not_tried_again(place: StatePlace) -> None:
    rows = (row("held", "ann@acme.example"), row("bare", "ann@acme.example"), row("named", "Ann <ANN@Acme.example>"),
            row("other", "joann@acme.example"), row("under_score", "ann_acme.example@x.example"),
            row("colleague", "ann@acme.example", to_customer=False))
    with Store.open(place) as store:
        store.commit(Decisions(DAY, "digest", "scoring", deliveries=tuple(one.delivery for one in rows)), rows, NOW)
        assert store.state().unsubscribed == frozenset()
        assert [one.delivery.key for one in store.claim("worker", NOW, timedelta(minutes=10), 1, ["email"])] == ["held"]
        store.answer(Answer("account of bare", AnswerKind.UNSUBSCRIBED, "Ann@acme.example", NOW, DAY))
        assert store.state().unsubscribed == {"ann@acme.example"}

        def keys(status: DeliveryStatus) -> list[str]:
            return [one.delivery.key for one in store.outbox((status,))]

        assert keys(DeliveryStatus.CANCELLED) == ["bare", "named"]
        assert keys(DeliveryStatus.QUEUED) == ["other", "under_score", "colleague"]
        store.record([Attempt("held", NOW, ReceiptStatus.RETRY, DeliveryStatus.QUEUED, "busy", "", NOW)], "worker")
        assert keys(DeliveryStatus.CANCELLED) == ["held", "bare", "named"]
