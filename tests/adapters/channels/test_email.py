"""Emails as they arrive at a real SMTP server."""

import email
import email.policy
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forestall.adapters.channels.email import EmailChannel
from forestall.engine.model import token
from forestall.engine.model.delivery import ReceiptStatus
from forestall.engine.model.ports import ForestallError, Secret


@pytest.fixture
def channel(opened):
    def make(server: str, **settings: object) -> EmailChannel:
        given = {"server": server, "sender": "Customer Success <cs@example.com>", "security": "none", "timeout": 5}
        return opened(EmailChannel, "email", EmailChannel.Settings(**{**given, **settings}), Path())

    return make


def lines(part) -> str:
    """The text of a part with the line ends of this machine."""
    return part.get_content().replace("\r\n", "\n")


@pytest.fixture
def sent(smtp, mail_side, message, channel):
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
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
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


def test_the_links_of_both_parts_are_whole(sent):
    link = "https://example.com/help/" + "guide-" * 30 + "?a=1&b=ü"
    mail = sent(text=f"See [the guide]({link}).", html=f'<p>See <a href="{link}">the guide</a>.</p>')[2]
    assert all(link in part.get_content() for part in mail.iter_parts())


@pytest.mark.parametrize(("leave", "one_click"), [
    ("mailto:leave@example.com?subject=unsubscribe", False), ("https://example.com/leave?a=1", True)])
def test_how_to_unsubscribe_is_said_by_the_message(leave, one_click, sent):
    mail = sent(list_unsubscribe=leave)[2]
    assert mail["List-Unsubscribe"] == f"<{leave}>"
    assert (mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click") is one_click
    mail = sent({"unsubscribe": "https://example.com/all"}, list_unsubscribe=leave)[2]
    assert mail["List-Unsubscribe"] == f"<https://example.com/all>, <{leave}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_token_names_the_mail_to_unsubscribe_from(sent, monkeypatch, message):
    monkeypatch.setenv("LEAVING", "hush\n")
    settings = {"unsubscribe": "https://example.com/leave/{token}", "unsubscribe_secret": Secret("LEAVING")}
    mail = sent(settings, key="Müller/1")[2]
    said = mail["List-Unsubscribe"].removeprefix("<https://example.com/leave/").removesuffix(">")
    assert token.key_of(said, "hush") == "Müller/1"
    assert token.key_of(said, "other") is None
    for forged in ("", ".", "x", said[:-1], said[1:], said + "x", "ü" + said, said.split(".")[0] + "."):
        assert token.key_of(forged, "hush") is None
    assert sent(settings, to_customer=False)[2]["List-Unsubscribe"] is None
    assert sent()[2]["List-Unsubscribe"] is None


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
    {"list_unsubscribe": "https://e.example/\nBcc: x@example.com"}, {"list_unsubscribe": "javascript:alert(1)"},
    {"list_unsubscribe": "https://e.example/> <x"},
    {"to": "jörg@acme.example"}, {"reply_to": "nobody"}, {"to": "ann@" + "x" * 80 + ".example"},
], ids=repr)
def test_what_can_never_be_an_email_is_refused_before_anyone_is_asked(changes, closed_port, message, channel):
    receipt = channel(f"127.0.0.1:{closed_port}").send(message("email", **changes))
    assert receipt.status is ReceiptStatus.REFUSED
    assert "\n" not in receipt.detail
    assert receipt.detail


def test_a_domain_with_other_letters_is_written_in_ascii(sent):
    assert sent(to="ann@müller.example")[1] == ["ann@xn--mller-kva.example"]


def test_many_mails_go_over_one_connection(smtp, mail_side, message, channel, monkeypatch):
    monkeypatch.setenv("SMTP_PASSWORD", "correct horse")
    made = channel(smtp("starttls"), security="starttls", user="cs", password=Secret("SMTP_PASSWORD"))
    for number in range(5):
        # what one mail is refused for is no trouble of the next
        mail_side.answers["RCPT"] = "550 no such mailbox" if number == 2 else "250 fine"
        status = made.send(message("email", key=str(number))).status
        assert status is (ReceiptStatus.REFUSED if number == 2 else ReceiptStatus.SENT)
    assert len({id(session) for session in mail_side.sessions}) == 1
    assert len(mail_side.logins) == 1
    assert len(mail_side.mails) == 4


@pytest.mark.parametrize("breaks", ["hangs up", "after two mails"])
def test_a_connection_that_broke_is_made_anew(breaks, smtp, mail_side, message, channel):
    made = channel(smtp())
    mail_side.most = 2 if breaks == "after two mails" else 0
    for number in range(5):
        if breaks == "hangs up" and number:
            made._post._kept[0].sock.shutdown(socket.SHUT_RDWR)
        assert made.send(message("email", key=str(number))).status is ReceiptStatus.SENT
    assert len({id(session) for session in mail_side.sessions}) == (5 if breaks == "hangs up" else 3)
    assert len(mail_side.mails) == 5


def test_several_threads_send_at_once(smtp, mail_side, message, channel):
    made = channel(smtp())
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda number: made.send(message("email", key=str(number))), range(40)))
    assert {receipt.status for receipt in receipts} == {ReceiptStatus.SENT}
    assert len({email.message_from_bytes(content)["Message-ID"] for *_, content in mail_side.mails}) == 40
    assert len({id(session) for session in mail_side.sessions}) <= 4


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encrypted(security, smtp, mail_side, message, channel):
    assert channel(smtp(security), security=security).send(message("email")).status is ReceiptStatus.SENT
    assert len(mail_side.mails) == 1


@pytest.mark.parametrize(("password", "status"), [
    ("correct horse", ReceiptStatus.SENT), (" correct horse\n", ReceiptStatus.SENT), ("wrong", ReceiptStatus.RETRY)])
def test_login(password, status, smtp, mail_side, message, monkeypatch, channel):
    monkeypatch.setenv("SMTP_PASSWORD", password)
    made = channel(smtp("starttls"), security="starttls", user="cs", password=Secret("SMTP_PASSWORD"))
    receipt = made.send(message("email"))
    assert receipt.status is status
    assert mail_side.logins[0] == password.strip().encode()
    if status is ReceiptStatus.RETRY:
        # a mistake of ours: no message is lost for it, and none after it needs to try
        assert receipt.whole_channel
        assert "check `user` and `password`" in receipt.detail


def test_a_server_that_cannot_encrypt_gets_nothing(smtp, mail_side, message, channel):
    receipt = channel(smtp("none"), security="starttls").send(message("email"))
    assert (receipt.status, receipt.whole_channel) == (ReceiptStatus.RETRY, True)
    assert "STARTTLS" in receipt.detail
    assert mail_side.mails == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(
        security, smtp, mail_side, message, monkeypatch, channel):
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
    ({"unsubscribe": "example.com/leave"}, "`unsubscribe` of the channel email is no address. Write it like"),
    ({"unsubscribe": "https://e.example/{token}"}, "has only one of `unsubscribe_secret` and {token} in `unsubscribe`"),
    ({"user": "cs"}, "has only one of `user` and `password`"),
    ({"user": "cs", "password": Secret("X")}, "would send its password unencrypted. Write `security: starttls`"),
])
def test_settings_that_cannot_work(settings, expected, channel):
    with pytest.raises(ForestallError) as caught:
        channel(**{"server": "smtp.example.com", **settings})
    assert str(caught.value).startswith("forestall.yaml: ")
    assert expected in str(caught.value)


@pytest.mark.parametrize(("server", "security", "expected"), [
    ("smtp.example.com", "starttls", ("smtp.example.com", 587)), ("smtp.example.com", "tls", ("smtp.example.com", 465)),
    ("smtp.example.com:2525", "none", ("smtp.example.com", 2525)), ("[::1]", "none", ("::1", 25)),
    ("[::1]:26", "none", ("::1", 26)),
])
def test_server_and_port(server, security, expected, channel):
    made = channel(server, security=security)
    assert (made._server.host, made._server.port) == expected
