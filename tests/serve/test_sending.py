"""Between passes what has become due is sent: by the same worker, without holding up a pass."""

import io
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from forestall.engine.model.delivery import Delivery, DeliveryStatus, Message, MessageKind, OutboxRow
from forestall.engine.model.state import Decisions
from forestall.engine.serve import sending
from forestall.engine.serve.journal import Journal
from forestall.engine.serve.sending import Sender
from forestall.engine.settings import read_settings
from forestall.engine.store import Store
from serve.conftest import LONG

DAY = date(2026, 1, 5)


def planned(key: str, next_attempt: datetime | None) -> OutboxRow:
    one = Delivery(key, "a", "nudge", "cold", DAY, DAY, "mail", MessageKind.EMAIL, "email", "ann@acme.example", "note",
                   True, "at_risk")
    return OutboxRow(one, Message(key, one.kind, one.recipient, "Subject", "Text", sent_on=DAY, label=key),
                     DeliveryStatus.QUEUED, next_attempt=next_attempt)


def test_what_has_become_due_is_sent_between_passes_and_never_during_one(project: Path) -> None:
    now = datetime.now(UTC)
    rows = [planned("due", now - timedelta(seconds=1)), planned("quiet", now + timedelta(days=9))]
    with Store.open(project / ".forestall" / "rehearsal.db") as store:
        store.commit(Decisions(DAY, "d", "s", deliveries=tuple(row.delivery for row in rows)), rows, now)
        said = io.StringIO()
        looked = threading.Event()

        def clock() -> datetime:
            looked.set()
            return datetime.now(UTC)

        sender = Sender(read_settings(project), Journal(said, UTC, clock), clock, look=0.01)
        thread = threading.Thread(target=sender.run)
        with sender.making_way():
            thread.start()
            assert not looked.wait(0.1)
        while "sent" not in said.getvalue():
            assert looked.wait(LONG)
            looked.clear()
        sender.stop()
        thread.join(LONG)
        assert {row.delivery.key: row.status.value for row in store.outbox()} == {"due": "sent", "quiet": "queued"}
    assert said.getvalue().count("\n") == 1
    assert "From the outbox: 1 sent, 1 waiting." in said.getvalue()
    assert len(list((project / "deliveries").iterdir())) == 1


def test_a_pass_does_not_send_for_ever(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender(read_settings(project), Journal(io.StringIO(), UTC, lambda: datetime.now(UTC)),
                    lambda: datetime.now(UTC))
    ended = threading.Event()
    stop = sender.until(ended.is_set)
    assert not stop()
    ended.set()
    assert not stop(), "it has some seconds more"
    monkeypatch.setattr(sending, "AT_THE_END", -1.0)
    assert stop()
