"""What every channel does alike: one table of answers and receipts, repeats, silence, secrets."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from forestall.adapters.channels.apprise import AppriseChannel
from forestall.adapters.channels.email import EmailChannel
from forestall.adapters.channels.folder import FolderChannel
from forestall.adapters.channels.slack import SlackChannel
from forestall.adapters.channels.webhook import WebhookChannel
from forestall.engine.model.delivery import ReceiptStatus
from forestall.engine.model.ports import ForestallError, Secret

SENT, RETRY, REFUSED, UNCERTAIN = (ReceiptStatus.SENT, ReceiptStatus.RETRY, ReceiptStatus.REFUSED,
                                   ReceiptStatus.UNCERTAIN)
CERTIFICATE = Path(__file__).parent / "server.pem"
SECRETS = {"SLACK_URL_PATH": "services/T0/B0/veryhush", "SLACK_TOKEN": "xoxb-veryhush",
           "SMTP_PASSWORD": "correct horse", "SIGNING": "whsec_dmVyeWh1c2h2ZXJ5aHVzaA=="}


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def channel(tmp_path, monkeypatch, message, opened):
    """Makes a channel and a message for it, both meant for a server at this port."""

    def make(kind: str, port: int, timeout: float = 5, base: str = "", **settings: object):
        base = base or f"http://127.0.0.1:{port}"
        if kind == "slack":
            monkeypatch.setenv("SLACK_URL", f"{base}/{SECRETS['SLACK_URL_PATH']}")
            made = opened(SlackChannel, kind, SlackChannel.Settings(url=Secret("SLACK_URL"), timeout=timeout), tmp_path)
            return made, message("slack")
        if kind == "slack app":
            given = SlackChannel.Settings(token=Secret("SLACK_TOKEN"), timeout=timeout, base_url=f"{base}/api/")
            return opened(SlackChannel, kind, given, tmp_path), message("slack")
        if kind == "webhook":
            given = WebhookChannel.Settings(secret=Secret("SIGNING"), hosts=("127.0.0.1", "127.0.0.2"),
                                            allow_private=True, timeout=timeout, **settings)
            return opened(WebhookChannel, kind, given, tmp_path), message("webhook", to=f"{base}/hook")
        if kind == "apprise":
            monkeypatch.setenv("APPRISE_URL", f"{base.replace('http', 'json')}/{SECRETS['SLACK_URL_PATH']}")
            made = opened(AppriseChannel, kind, AppriseChannel.Settings(Secret("APPRISE_URL"), timeout), tmp_path)
            return made, message("slack")
        given = EmailChannel.Settings(**{"server": f"127.0.0.1:{port}", "sender": "cs@example.com",
                                         "security": "none", "timeout": timeout, **settings})
        return opened(EmailChannel, kind, given, tmp_path), message("email")

    return make


def port_of(side) -> int:
    return int(str(getattr(side, "url", side)).rsplit(":", 1)[1])


SERVED = ("email", "slack", "slack app", "webhook", "apprise")
OVER_HTTP = ("slack", "slack app", "webhook", "apprise")
# seconds; Slack's own client wants whole ones
QUICK = {"email": 0.5, "webhook": 0.5, "apprise": 0.5, "slack": 1, "slack app": 1}
SUCCESS = '{"ok": true, "ts": "1767600000.1"}'


# --- answers over HTTP


@pytest.mark.parametrize("kind", OVER_HTTP)
@pytest.mark.parametrize(("status", "expected"), [
    (302, REFUSED), (400, REFUSED), (401, REFUSED), (403, REFUSED), (404, REFUSED), (410, REFUSED), (413, REFUSED),
    (408, RETRY), (429, RETRY), (500, RETRY), (502, RETRY), (503, RETRY), (504, RETRY),
])
def test_http_status_and_receipt(kind, status, expected, http, channel):
    headers = {"location": f"{http.url}/elsewhere"} if status == 302 else {}
    http.says(status, '{"ok": false, "error": "because"}', headers)
    made, message = channel(kind, port_of(http))
    receipt = made.send(message)
    # a gateway that lost patience: a far side that cannot recognise a repeat may have posted it
    assert receipt.status is (UNCERTAIN if status == 504 and not made.recognises_repeats else expected)
    assert "because" in receipt.detail or str(status) in receipt.detail
    assert receipt.retry_after is None


@pytest.mark.parametrize(("kind", "status", "body"), [
    ("slack", 200, "ok"), ("slack app", 200, SUCCESS),
    ("apprise", 200, ""), ("apprise", 204, ""),
    ("webhook", 200, ""), ("webhook", 201, "{}"), ("webhook", 202, "x"), ("webhook", 204, ""),
])
def test_http_success(kind, status, body, http, channel):
    http.says(status, body)
    made, message = channel(kind, port_of(http))
    assert made.send(message).status is SENT
    assert len(http.asked) == 1


@pytest.mark.parametrize("kind", ["slack", "slack app", "webhook"])      # Apprise does not tell
@pytest.mark.parametrize(("said", "low", "high"), [
    ("30", 30, 30), ("0", 0, 0), ("in", 300, 610), ("past", 0, 0), ("9" * 400, 7 * 86400, 7 * 86400),
    ("soon", None, None), ("-5", None, None), ("1.5", None, None), ("²", None, None), ("", None, None),
])
def test_what_retry_after_asks_for(kind, said, low, high, http, channel):
    moment = {"in": datetime.now(UTC) + timedelta(seconds=605), "past": datetime(2020, 1, 1, tzinfo=UTC)}.get(said)
    header = format_datetime(moment, usegmt=True) if moment else said.encode("utf-8").decode("latin-1")
    http.says(429, '{"ok": false, "error": "ratelimited"}', {"retry-after": header})
    made, message = channel(kind, port_of(http))
    receipt = made.send(message)
    assert receipt.status is RETRY
    if low is None:
        assert receipt.retry_after is None
    else:
        assert timedelta(seconds=low) <= receipt.retry_after <= timedelta(seconds=high)


@pytest.mark.parametrize(("error", "expected", "whole"), [
    ("invalid_auth", RETRY, True), ("token_revoked", RETRY, True), ("missing_scope", RETRY, True),
    ("internal_error", UNCERTAIN, False), ("fatal_error", UNCERTAIN, False),
    ("ratelimited", RETRY, False), ("service_unavailable", RETRY, False),
    ("channel_not_found", REFUSED, False), ("is_archived", REFUSED, False), ("msg_too_long", REFUSED, False),
])
def test_what_slack_says_in_the_body(error, expected, whole, http, channel):
    http.says(200, f'{{"ok": false, "error": "{error}"}}')
    made, message = channel("slack app", port_of(http))
    receipt = made.send(message)
    assert (receipt.status, receipt.whole_channel) == (expected, whole)
    assert error in receipt.detail


@pytest.mark.parametrize("kind", ["slack", "slack app"])
def test_a_page_that_is_not_slack_has_not_taken_the_message(kind, http, channel):
    http.says(200, "<html>Please log in</html>")
    made, message = channel(kind, port_of(http))
    receipt = made.send(message)
    assert (receipt.status, receipt.whole_channel) == (RETRY, True)


def test_no_channel_follows_a_redirect_with_its_body(http, channel):
    http.says(307, "", {"location": f"{http.url}/elsewhere"})
    for kind in OVER_HTTP:
        made, message = channel(kind, port_of(http))
        assert made.send(message).status is REFUSED
    assert all(asked.path != "/elsewhere" for asked in http.asked)


# --- answers over SMTP


@pytest.mark.parametrize(("command", "answer", "expected", "whole"), [
    ("DATA", "250 fine", SENT, False),
    ("QUIT", "500 never mind", SENT, False),
    ("MAIL", "421 too busy", RETRY, True),
    ("MAIL", "451 try later", RETRY, False),
    ("MAIL", "530 log in first", RETRY, True),
    ("MAIL", "550 no such sender", REFUSED, False),
    ("RCPT", "450 mailbox busy", RETRY, False),
    ("RCPT", "452 mailbox full", RETRY, False),
    ("RCPT", "550 no such mailbox", REFUSED, False),
    ("DATA", "451 greylisted", RETRY, False),
    ("DATA", "552 too large", REFUSED, False),
    ("DATA", "554 looks like spam", REFUSED, False),
])
def test_smtp_reply_and_receipt(command, answer, expected, whole, smtp, mail_side, channel):
    mail_side.answers[command] = answer
    made, message = channel("email", port_of(smtp()))
    receipt = made.send(message)
    assert (receipt.status, receipt.whole_channel) == (expected, whole)
    assert expected is SENT or "530" in answer or answer in receipt.detail
    assert len(mail_side.mails) == (expected is SENT)


# --- no answer at all


@pytest.mark.parametrize("kind", SERVED)
def test_nobody_listens(kind, closed_port, channel):
    made, message = channel(kind, closed_port)
    receipt = made.send(message)
    if kind == "apprise":                                        # which does not tell why it could not connect
        assert (receipt.status, receipt.whole_channel) == (UNCERTAIN, True)
        return
    assert receipt.status is RETRY
    assert "cannot be reached" in receipt.detail
    assert receipt.whole_channel is (kind != "webhook")          # a webhook has many far sides


@pytest.mark.parametrize("kind", SERVED)
def test_the_far_side_says_nothing(kind, silent_port, channel):
    made, message = channel(kind, silent_port, timeout=QUICK[kind])
    # a mail goes out only after a greeting, a request at once
    assert made.send(message).status is (RETRY if kind == "email" else UNCERTAIN)


@pytest.mark.parametrize("kind", SERVED)
def test_the_far_side_takes_the_message_and_never_answers(kind, http, smtp, mail_side, channel):
    http.says(200, SUCCESS, delay=30)
    mail_side.delay = 3
    made, message = channel(kind, port_of(smtp() if kind == "email" else http), timeout=QUICK[kind])
    receipt = made.send(message)
    assert receipt.status is UNCERTAIN
    assert "no answer" in receipt.detail
    assert len(http.asked) == (kind != "email")


@pytest.mark.parametrize("kind", SERVED)
def test_the_far_side_hangs_up_instead_of_answering(kind, raw, smtp, mail_side, channel):
    mail_side.answers["DATA"] = "hang up"
    side = raw(lambda connection, over: connection.recv(100_000))
    made, message = channel(kind, port_of(smtp()) if kind == "email" else side.port)
    receipt = made.send(message)
    assert receipt.status is UNCERTAIN
    assert receipt.detail


@pytest.mark.parametrize("kind", OVER_HTTP)
@pytest.mark.parametrize("vouched", [False, True], ids=["nobody vouches for it", "it is for another name"])
def test_a_bad_certificate(kind, vouched, https, channel, monkeypatch):
    if vouched:
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    made, message = channel(kind, port_of(https), base=https.url)
    receipt = made.send(message)
    assert receipt.status is (UNCERTAIN if kind == "apprise" else RETRY)
    assert kind == "apprise" or "certificate" in receipt.detail.lower()
    assert https.asked == []


@pytest.mark.parametrize("kind", SERVED)
def test_an_answer_in_small_pieces_does_not_last_for_ever(kind, raw, channel, monkeypatch):
    monkeypatch.setattr("forestall.adapters.channels.slack.TURNS", 0.5)
    def drip(connection, over):
        connection.sendall(b"220-" if kind == "email" else b"HTTP/1.1 200 OK\r\nx: ")
        while not over.wait(0.05):
            connection.sendall(b"x")

    side = raw(drip)
    made, message = channel(kind, side.port, timeout=QUICK[kind])
    assert made.send(message).status is (RETRY if kind == "email" else UNCERTAIN)
    side.close()


@pytest.mark.parametrize("kind", ["email", "webhook"])       # what goes to Slack fits into the buffers on the way
def test_a_far_side_that_does_not_read_has_not_got_the_message(kind, raw, channel):
    def read_no_more(connection, over):
        if kind == "email":
            for answer in (b"220 hello", b"250 hello", b"250 fine", b"250 fine", b"354 go on"):
                connection.sendall(answer + b"\r\n")
                if answer[:1] != b"3":
                    connection.recv(1000)
        over.wait()

    made, message = channel(kind, raw(read_no_more).port, timeout=QUICK[kind])
    large = replace(message, text="x" * 8_000_000, html="", blocks="", body='"' + "x" * 8_000_000 + '"')
    assert made.send(large).status is RETRY


def test_an_endless_error_page_is_not_read_to_its_end(http, channel):
    http.says(500, "x" * 5_000_000)
    made, message = channel("webhook", port_of(http))
    assert len(made.send(message).detail) <= 300


# --- repeats


def test_a_repeat_bears_the_same_mark(http, smtp, mail_side, channel, tmp_path, message):
    made, note = channel("email", port_of(smtp()))
    first, second = made.send(note), made.send(note)
    assert first.reference
    assert first.reference == second.reference
    assert [content.count(first.reference.encode()) for _, _, content in mail_side.mails] == [1, 1]

    made, note = channel("webhook", port_of(http))
    made.send(note)
    made.send(note)
    assert [asked.headers["webhook-id"] for asked in http.asked] == [note.key, note.key]

    rehearsal = FolderChannel("folder", FolderChannel.Settings("out"), tmp_path)
    for kind in ("email", "slack", "webhook", "task"):
        rehearsal.send(message(kind, key=kind))
        before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
        assert rehearsal.send(message(kind, key=kind)).status is SENT
        assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    assert len(before) == 4


# --- secrets


@pytest.mark.parametrize("kind", SERVED)
def test_no_secret_reaches_a_receipt_a_text_or_a_log(kind, http, smtp, mail_side, channel, caplog, closed_port):
    caplog.set_level(logging.DEBUG)
    echo = " ".join(SECRETS.values())
    http.says(500, f'{{"ok": false, "error": "{echo} {http.url}/{SECRETS["SLACK_URL_PATH"]}"}}')
    said = []
    servers = [closed_port]
    if kind == "email":
        mail_side.answers["DATA"] = f"554 {echo}"
        servers += [port_of(smtp("starttls"))]
        extra = {"security": "starttls", "user": "cs", "password": Secret("SMTP_PASSWORD")}
    else:
        servers += [port_of(http)]
        extra = {}
    for port in servers:
        made, message = channel(kind, port, **extra)
        said += [str(made.send(message)), repr(made), str(vars(made)), repr(made._settings)]
    own = {"email": ["correct horse"], "apprise": ["T0/B0", "veryhush"],
           "slack": ["T0/B0"], "slack app": ["xoxb-veryhush"], "webhook": []}[kind]
    for secret in own:
        assert secret not in " ".join(said)
        # the test's own mail server writes down what it is told
        assert secret not in " ".join(record.getMessage() for record in caplog.records if record.name != "mail.log")


@pytest.mark.parametrize("kind", SERVED)
def test_a_secret_that_is_not_set_stops_the_channel_with_a_sentence(kind, closed_port, channel, monkeypatch):
    extra = {"security": "starttls", "user": "cs", "password": Secret("SMTP_PASSWORD")} if kind == "email" else {}
    made, message = channel(kind, closed_port, **extra)
    name = {"email": "SMTP_PASSWORD", "apprise": "APPRISE_URL",
            "slack": "SLACK_URL", "slack app": "SLACK_TOKEN", "webhook": "SIGNING"}[kind]
    monkeypatch.delenv(name)
    with pytest.raises(ForestallError, match=f"the secret {name} is not set"):
        made.send(message)
