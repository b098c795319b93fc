"""Emails as they arrive at a real SMTP server."""

import email
import email.policy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forestall.adapters.channels.email import EmailChannel
from forestall.engine.model.delivery import ReceiptStatus
from forestall.engine.model.ports import ForestallError, Secret


def channel(server: str, **settings: object) -> EmailChannel:
    given = {"server": server, "sender": "Customer Success <cs@example.com>", "security": "none", "timeout": 5}
    return EmailChannel("email", EmailChannel.Settings(**{**given, **settings}), Path())


def lines(part) -> str:
    """The text of a part with the line ends of this machine."""
    return part.get_content().replace("\r\n", "\n")


@pytest.fixture
def sent(smtp, mail_side, message):
    """Sends a message and parses what arrived."""

    def send(settings: dict | None = None, **changes: object):
        receipt = channel(smtp(), **(settings or {})).send(message("email", **changes))
        assert receipt.status is ReceiptStatus.SENT, receipt.detail
        sender, recipients, content = mail_side.mails[-1]
        return sender, recipients, email.message_from_bytes(content, policy=email.policy.default)

    return send


def test_headers_and_both_parts(sent):
    unsubscribe = "https://example.com/preferences?" + "x" * 120
    sender, recipients, mail = sent(
        {"unsubscribe": unsubscribe}, to="Ann Öz <ann@acme.example>", sender='Dana "D" Öz, CSM',
        reply_to="dana@example.com", subject="Wie geht’s, Müller & Söhne? " * 5,
        text="Grüße\n" + "lang " * 400, html="<p>Grüße</p>")
    assert (sender, recipients) == ("cs@example.com", ["ann@acme.example"])
    assert mail["From"].addresses[0].display_name == 'Dana "D" Öz, CSM'
    assert mail["From"].addresses[0].addr_spec == "cs@example.com"
    assert mail["To"].addresses[0].display_name == "Ann Öz"
    assert mail["Reply-To"] == "dana@example.com"
    assert mail["Subject"] == ("Wie geht’s, Müller & Söhne? " * 5).strip()
    assert mail["List-Unsubscribe"] == f"<{unsubscribe}>"
    assert mail["Message-ID"].endswith("@example.com>")
    assert mail["In-Reply-To"] == mail["References"] != mail["Message-ID"]
    assert abs(mail["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=1)
    text, html = mail.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert lines(text).strip() == ("Grüße\n" + "lang " * 400).strip()
    assert html.get_content_type() == "text/html"
    assert "<p>Grüße</p>" in html.get_content()
    assert html.get_content().startswith("<!doctype html>")


def test_messages_of_one_play_stand_in_one_thread(sent):
    first = sent(key="one")[2]
    second = sent(key="two")[2]
    other = sent(key="three", thread="another play")[2]
    assert first["References"] == second["References"] != other["References"]
    assert first["Message-ID"] != second["Message-ID"]


def test_text_alone_and_a_page_as_it_is(sent):
    assert sent(html="")[2].get_content_type() == "text/plain"
    page = "<!DOCTYPE html>\n<html><body>Hi</body></html>\n"
    assert lines(sent(html=page)[2].get_body(("html",))) == page


def test_a_dot_line_and_a_boundary_in_the_text_stay_text(sent):
    own = sent()[2].get_boundary()
    text = f"one\n.\n..two\nFrom here\n--{own}\n--{own}--\nend\n"
    mail = sent(text=text)[2]
    assert lines(mail.get_body(("plain",))) == text
    assert len(list(mail.iter_parts())) == 2


@pytest.mark.parametrize("changes", [
    {"subject": "Hello\nBcc: everyone@example.com"},
    {"subject": "Hello\r\n\r\n<script>"},
    {"subject": "Hello\x85Bcc: x@example.com"},
    {"subject": "Hello\u2028Bcc: x@example.com"},
    {"subject": "Hello\0"},
    {"to": "ann@acme.example\nBcc: everyone@example.com"},
    {"to": "Ann\r\n <ann@acme.example>"},
    {"sender": "Dana\nBcc: everyone@example.com"},
    {"reply_to": "dana@example.com\nBcc: everyone@example.com"},
    {"to": ""}, {"to": "ann"}, {"to": "ann@"}, {"to": "@acme.example"}, {"to": "ann@acme..example"},
    {"to": "ann@acme.example, bob@acme.example"}, {"to": "ann@acme.example bob@acme.example"},
    {"to": "ann@acme.example\tbob@acme.example"}, {"to": "<ann@acme.example> <bob@acme.example>"},
    {"to": "ann@acme.example>"}, {"to": "<ann@acme.example"}, {"to": "ann @acme.example"}, {"to": '"a b"@acme.example'},
    {"to": "jörg@acme.example"}, {"reply_to": "nobody"}, {"to": "ann@" + "x" * 80 + ".example"},
], ids=repr)
def test_what_can_never_be_an_email_is_refused_before_anyone_is_asked(changes, closed_port, message):
    receipt = channel(f"127.0.0.1:{closed_port}").send(message("email", **changes))
    assert receipt.status is ReceiptStatus.REFUSED
    assert "\n" not in receipt.detail
    assert receipt.detail


def test_a_domain_with_other_letters_is_written_in_ascii(sent):
    assert sent(to="ann@müller.example")[1] == ["ann@xn--mller-kva.example"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encrypted(security, smtp, mail_side, message):
    assert channel(smtp(security), security=security).send(message("email")).status is ReceiptStatus.SENT
    assert len(mail_side.mails) == 1


@pytest.mark.parametrize(("password", "status"), [
    ("correct horse", ReceiptStatus.SENT), (" correct horse\n", ReceiptStatus.SENT), ("wrong", ReceiptStatus.RETRY)])
def test_login(password, status, smtp, mail_side, message, monkeypatch):
    monkeypatch.setenv("SMTP_PASSWORD", password)
    made = channel(smtp("starttls"), security="starttls", user="cs", password=Secret("SMTP_PASSWORD"))
    receipt = made.send(message("email"))
    assert receipt.status is status
    assert mail_side.logins[0] == password.strip().encode()
    if status is ReceiptStatus.RETRY:
        # a mistake of ours: no message is lost for it, and none after it needs to try
        assert receipt.whole_channel
        assert "check `user` and `password`" in receipt.detail


def test_a_server_that_cannot_encrypt_gets_nothing(smtp, mail_side, message):
    receipt = channel(smtp("none"), security="starttls").send(message("email"))
    assert (receipt.status, receipt.whole_channel) == (ReceiptStatus.RETRY, True)
    assert "STARTTLS" in receipt.detail
    assert mail_side.mails == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(security, smtp, mail_side, message, monkeypatch):
    server = smtp(security)
    monkeypatch.delenv("SSL_CERT_FILE")
    receipt = channel(server, security=security).send(message("email"))
    assert receipt.status is ReceiptStatus.RETRY
    assert "certificate" in receipt.detail
    assert mail_side.mails == []


@pytest.mark.parametrize(("settings", "expected"), [
    ({"server": "smtp.example.com:none"}, "`server` of the channel email is 'smtp.example.com:none'. Write it like"),
    ({"server": ":587"}, "`server` of the channel email"),
    ({"server": "smtp.example.com:0"}, "`server` of the channel email"),
    ({"security": "ssl"}, "`security` of the channel email is 'ssl'. Write starttls, tls or none."),
    ({"sender": "nobody"}, "in the channel email `sender` is not an email address"),
    ({"user": "cs"}, "has only one of `user` and `password`"),
    ({"user": "cs", "password": Secret("X")}, "would send its password unencrypted. Write `security: starttls`"),
])
def test_settings_that_cannot_work(settings, expected):
    with pytest.raises(ForestallError) as caught:
        channel(**{"server": "smtp.example.com", **settings})
    assert str(caught.value).startswith("forestall.yaml: ")
    assert expected in str(caught.value)


@pytest.mark.parametrize(("server", "security", "expected"), [
    ("smtp.example.com", "starttls", ("smtp.example.com", 587)), ("smtp.example.com", "tls", ("smtp.example.com", 465)),
    ("smtp.example.com:2525", "none", ("smtp.example.com", 2525)), ("[::1]", "none", ("::1", 25)),
    ("[::1]:26", "none", ("::1", 26)),
])
def test_server_and_port(server, security, expected):
    made = channel(server, security=security)
    assert (made._host, made._port) == expected
