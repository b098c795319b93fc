"""The mailbox keeps what Forestall promises of sources, and counts letters on the day on which they arrived."""

from __future__ import annotations

import mailbox
from datetime import date, datetime, time, timedelta, timezone
from email.utils import format_datetime

import pyarrow
import pytest
from forestall_mailbox.source import MailboxSettings, MailboxSource

from forestall.engine.conformance import Stand
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, SourceError

HERE = Location("rules/metrics.yaml")
METRICS = {"mails_received": Metric("mails_received", Kind.NUMBER, HERE, per_day=True),
           "last_mail_on": Metric("last_mail_on", Kind.DATE, HERE)}
AUCKLAND_IN_WINTER = timezone(timedelta(hours=12))


def letter(sender: str, *arrived: datetime, date_line: str = "Thu, 1 Jan 1970 00:00:00 +0000") -> bytes:
    received = "".join(f"Received: from a by b\r\n with SMTP; {format_datetime(one)}\r\n" for one in arrived)
    return (f"{received}From: Somebody <{sender}>\r\nDate: {date_line}\r\nSubject: Hello\r\n\r\n"
            "From here on nothing is read.\r\n").encode()


class MailboxStand(Stand):
    adapter = "mailbox"
    metrics = METRICS
    given = ("mails_received",)
    accounts = ("acme.example", "bolt.example", "xn--strae-oqa.example")
    gaps = False                # a day without mail has no row
    many = 1_000                # rows; some five letters each
    memory = 32 << 20

    def put(self, facts: pyarrow.Table) -> pyarrow.Table:
        with (self.folder / "support.mbox").open("wb") as file:
            for fact in facts.to_pylist():
                at = datetime.combine(fact["as_of"], time(0, 30), AUCKLAND_IN_WINTER)      # the day before, elsewhere
                one = b"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" + letter(f"a@{fact['account']}", at).replace(
                    b"\r\n", b"\n").replace(b"\nFrom here", b"\n>From here") + b"\n"
                file.write(one * int(fact["mails_received"]))
        return facts.append_column("last_mail_on", facts.column("as_of"))

    def settings(self) -> dict[str, object]:
        return {"path": "support.mbox", "time_zone": "Etc/GMT-12"}

    def damage(self) -> None:
        (self.folder / "support.mbox").write_bytes(b"PK\x03\x04 this is no mbox")


def test_it_keeps_its_promises(forestall_promise, tmp_path):
    forestall_promise.kept_by(MailboxStand(tmp_path))


def said(folder, **settings) -> list[tuple[object, ...]]:
    source = MailboxSource("mail", MailboxSettings(**settings), METRICS, folder)
    return [tuple(row.values()) for table in source.snapshots(None, None) for row in table.to_pylist()]


@pytest.fixture
def maildir(tmp_path):
    box = mailbox.Maildir(tmp_path / "Maildir", create=True)
    at = datetime(2026, 3, 29, 22, 30, tzinfo=timezone(timedelta(hours=-2)))
    box.add(letter("Ann@ACME.example", at, datetime(2020, 1, 1, tzinfo=AUCKLAND_IN_WINTER)))
    box.add(letter("bob@acme.example", at))
    box.add(letter("dana@us.example", at))
    box.add(letter("eve@bolt.example", date_line="Mon, 30 Mar 2026 09:00:00 +0200"))
    box.add(b"From: <>\r\nSubject: Undeliverable\r\n\r\n")
    return tmp_path


def test_a_letter_counts_on_the_day_on_which_our_server_took_it(maildir):
    assert said(maildir, path="Maildir", ours=("us.example",)) == [
        ("acme.example", date(2026, 3, 30), 2.0, date(2026, 3, 30)),
        ("bolt.example", date(2026, 3, 30), 1.0, date(2026, 3, 30))]
    assert said(maildir, path="Maildir", time_zone="America/New_York")[0][1] == date(2026, 3, 29)


def test_each_address_can_be_an_account(maildir):
    assert [row[0] for row in said(maildir, path="Maildir", account="address", ours=("us.example",))] == [
        "ann@acme.example", "bob@acme.example", "eve@bolt.example"]


def test_what_cannot_be_read_is_said(maildir):
    mailbox.Maildir(maildir / "Maildir").add(b"From: late@acme.example\r\n\r\n")
    with pytest.raises(SourceError, match=r"Maildir: nothing says when letter \d, from late@acme.example, arrived."):
        said(maildir, path="Maildir")
    with pytest.raises(SourceError, match=r"`path` names no mailbox: Mialdir\."):
        said(maildir, path="Mialdir")
