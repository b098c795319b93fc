"""Slack's buttons, callbacks and one-click unsubscribing, over HTTP and with real signatures."""

import email
import io
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from urllib.parse import quote

import httpx
import pytest
from aiosmtpd.controller import Controller
from jsonschema import Draft7Validator
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from forestall.engine.errors import ForestallError
from forestall.engine.model.alert import Alert, AlertStatus, Transition, TransitionKind
from forestall.engine.model.delivery import (
    Delivery,
    DeliveryStatus,
    Message,
    MessageKind,
    OutboxRow,
    PlayRun,
    RunStatus,
    SilenceReason,
    StartedBy,
)
from forestall.engine.model.outcome import AnswerKind
from forestall.engine.model.state import Decisions
from forestall.engine.model.token import token
from forestall.engine.model.trigger import Existing
from forestall.engine.runtime import open_project, passes
from forestall.engine.serve import listener as module
from forestall.engine.serve.answering import SNOOZE, Answering, answered
from forestall.engine.serve.journal import Journal
from forestall.engine.serve.listener import Listener
from forestall.engine.settings import Settings, read_settings
from forestall.engine.store import Store

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "output"
DAY = date(2026, 1, 5)
SIGNING, DONE, LEAVING = "8f742231b10e8888abcd99yyyzzz85a5", "whsec_dmVyeWh1c2h2ZXJ5aHVzaA==", "leaving hush"
MAIL, COLLEAGUE, TASK = "key-mail", "key-slack", "key-task"
YAML = """
listen:
  at: 127.0.0.1:0
  slack_secret: "${secret:SLACK_SIGNING}"
  done_secret: "${secret:DONE}"
  unsubscribe_secret: "${secret:LEAVING}"
people:
  dana: {name: Dana Whitlock, slack: U024BE7LH}
delivery: rehearsal
"""
BLOCKS = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*Acme*"}},
    {"type": "actions", "elements": [{"type": "button", "action_id": "link_0", "url": "https://e.example"}]},
    {"type": "actions", "elements": [{"type": "button", "action_id": action, "value": COLLEAGUE}
                                     for action in ("acknowledge", "snooze", "saved", "lost")]},
]


def row(key: str, kind: MessageKind, recipient: str, to_customer: bool = False, person: str = "") -> OutboxRow:
    delivery = Delivery(key, "acme", "re_engage", "inactivity", DAY, DAY, key, kind, kind.value, recipient, "note",
                        to_customer, "at_risk", person=person)
    return OutboxRow(delivery, Message(key, kind, recipient, "Subject", "Text"), DeliveryStatus.QUEUED)


ROWS = (row(MAIL, MessageKind.EMAIL, "Ann <Ann@acme.example>", to_customer=True),
        row("key-later", MessageKind.EMAIL, "ann@acme.example", to_customer=True),
        row("key-joanne", MessageKind.EMAIL, "joann@acme.example", to_customer=True),
        row(COLLEAGUE, MessageKind.SLACK, "U024BE7LH"), row("key-work", MessageKind.EMAIL, "dana@example.com"),
        row(TASK, MessageKind.TASK, "https://crm.example/in", person="dana"))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A project whose last pass opened an alert, started a play and planned its messages."""
    for name, value in (("SLACK_SIGNING", SIGNING), ("DONE", DONE), ("LEAVING", f"{LEAVING}\n")):
        monkeypatch.setenv(name, value)
    (tmp_path / "forestall.yaml").write_text(YAML)
    settings = read_settings(tmp_path)
    alert = Alert("acme", "inactivity", AlertStatus.OPEN, DAY, "at_risk")
    run = PlayRun("acme", "re_engage", "inactivity", DAY, "at_risk", RunStatus.RUNNING, "digest")
    with Store.open(place(settings)) as store:
        store.commit(Decisions(DAY, "digest", "scoring", (Transition(TransitionKind.OPENED, alert, DAY),), runs=(run,),
                               deliveries=tuple(one.delivery for one in ROWS)), ROWS, datetime(2026, 1, 5, tzinfo=UTC))
    return settings


def place(settings: Settings) -> Path:
    return settings.state / "rehearsal.db"


class Service:
    """The listener at work, and the far side to which it sends the new form of a message."""

    def __init__(self, settings: Settings) -> None:
        self.replies: Queue[dict] = Queue()
        self.log = io.StringIO()
        side = self

        class Slack(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                side.replies.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self._slack = HTTPServer(("127.0.0.1", 0), Slack)
        self.reply_to = f"http://127.0.0.1:{self._slack.server_port}/actions/T0/B0"
        journal = Journal(self.log, UTC, lambda: datetime.now(UTC))
        self.now = datetime.now(UTC).replace(microsecond=0)      # stands still: five minutes are five minutes
        self._listener = Listener(settings, journal, lambda: self.now, reply_hosts=("127.0.0.1",))
        self.url = f"http://127.0.0.1:{self._listener.port}"
        self._threads = [threading.Thread(target=self._slack.serve_forever, args=(0.01,)),
                         threading.Thread(target=self._listener.run)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._listener.stop()
        self._slack.shutdown()
        for thread in self._threads:
            thread.join()
        self._slack.server_close()

    def press(self, action: str, key: str = COLLEAGUE, user: str = "U024BE7LH", **changes: object) -> httpx.Response:
        """A button as Slack sends it."""
        payload = {"type": "block_actions", "user": {"id": user, "username": "eve"}, "response_url": self.reply_to,
                   "message": {"text": "Acme", "blocks": BLOCKS},
                   "actions": [{"action_id": action, "value": key, "action_ts": "1767600000.123"}]} | changes
        return self.slack(f"payload={quote(json.dumps(payload))}")

    def slack(self, body: str, age: int = 0, secret: str = SIGNING, **headers: str) -> httpx.Response:
        at = str(int(self.now.timestamp()) - age)
        signed = SignatureVerifier(secret).generate_signature(timestamp=at, body=body)
        return httpx.post(f"{self.url}/slack", content=body, headers={
            "content-type": "application/x-www-form-urlencoded", "x-slack-request-timestamp": at,
            "x-slack-signature": str(signed)} | headers)

    def done(self, said: object, secret: str = DONE, at: datetime | None = None) -> httpx.Response:
        at, body = at or datetime.now(UTC), json.dumps(said)
        headers = {"webhook-id": "msg-1", "webhook-timestamp": str(int(at.timestamp())),
                   "webhook-signature": Webhook(secret).sign("msg-1", at, body)}
        return httpx.post(f"{self.url}/done", content=body, headers=headers)


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    running = Service(settings)
    yield running
    running.close()


# --- Slack


@pytest.mark.parametrize(("action", "kind", "left", "sentence"), [
    ("acknowledge", "acknowledged", ["snooze", "saved", "lost"], "Acknowledged: Dana Whitlock"),
    ("snooze", "snoozed", ["acknowledge", "saved", "lost"], "Snoozed until"),
    ("saved", "saved", [], "Saved: Dana Whitlock"), ("lost", "lost", [], "Lost: Dana Whitlock")])
def test_a_button_is_kept_and_the_message_says_so(action, kind, left, sentence, service, settings):
    assert (service.press(action).status_code, service.press(action).text) == (200, "")      # twice: a hasty finger
    with Store.open(place(settings)) as store:
        (said,) = store.answers()
        alert = store.state().alerts["acme", "inactivity"]
        run = store.state().runs[0]
    assert (said.kind, said.by, said.play, said.group, said.occurrence) == (
        AnswerKind(kind), "dana", "re_engage", "inactivity", DAY)
    assert said.at == datetime(2026, 1, 5, 8, tzinfo=UTC) + timedelta(milliseconds=123)
    assert (alert.acknowledged_by == "dana") is (action != "snooze")
    assert (alert.snoozed_until == said.day + SNOOZE) is (action == "snooze")
    assert (run.done_by == "dana") is (action in ("saved", "lost"))
    reply = service.replies.get(timeout=10)
    assert reply["replace_original"] is True
    assert reply["blocks"][:2] == BLOCKS[:2]
    buttons = [one["action_id"] for block in reply["blocks"][2:-1] for one in block["elements"]]
    assert buttons == left
    assert reply["blocks"][-1]["elements"][0]["text"].startswith(sentence)


def test_somebody_unknown_to_the_settings_goes_by_their_name_in_slack(service, settings):
    service.press("acknowledge", user="U999")
    with Store.open(place(settings)) as store:
        assert [one.by for one in store.answers()] == ["eve"]


def test_a_message_that_nobody_knows_is_told_to_whoever_pressed(service, settings):
    assert service.press("saved", key="key").status_code == 200
    assert service.replies.get(timeout=10) == {"text": "That could not be kept: no message has this key.",
                                               "response_type": "ephemeral", "replace_original": False}
    with Store.open(place(settings)) as store:
        assert store.answers() == ()


def test_links_and_other_interactions_need_no_answer(service, settings):
    assert service.press("link_0").status_code == 200
    assert service.press("saved", type="view_submission").status_code == 200
    assert "Saved" not in service.log.getvalue()


def test_slack_is_told_in_time_though_the_database_is_not(settings, monkeypatch, service):
    free, kept = threading.Event(), Answering.press

    def slow(self, pressed):
        free.wait(10)
        return kept(self, pressed)

    monkeypatch.setattr(Answering, "press", slow)
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    assert service.press("saved").status_code == 200
    free.set()
    assert service.replies.get(timeout=10)["replace_original"] is True
    with Store.open(place(settings)) as store:
        assert len(store.answers()) == 1


@pytest.mark.parametrize("changes", [
    {"secret": "another"}, {"age": 301}, {"age": -301}, {"x-slack-signature": "v0=0"}, {"x-slack-signature": ""},
    {"x-slack-signature": "v0=\xfc"}, {"x-slack-request-timestamp": "now"}, {"x-slack-request-timestamp": "1"}])
def test_a_request_that_is_not_slack_s_changes_nothing(changes, service, settings):
    changes = {name: value.encode("latin-1") if isinstance(value, str) and not value.isascii() else value
               for name, value in changes.items()}
    body = f"payload={quote(json.dumps({'type': 'block_actions'}))}"
    answer = service.slack(body, **changes)
    assert (answer.status_code, answer.text) == (
        401, "the signature is not Slack's, or older than five minutes\n")
    with Store.open(place(settings)) as store:
        assert store.answers() == ()


@pytest.mark.parametrize("body", ["", "payload=", "payload={", "payload=3", "x=1", "payload=%ff",
                                  'payload={"type":"block_actions","actions":[{"action_id":"saved"}]}',
                                  'payload={"type":"block_actions","actions":[3]}'])
def test_a_payload_that_cannot_be_read(body, service):
    answer = service.slack(body)
    assert answer.status_code == 400
    assert "Traceback" not in service.log.getvalue() + answer.text


def test_fifty_blocks_are_the_most():
    assert len(answered({"blocks": [{"type": "divider"}] * 50}, "saved", "x" * 5000)) == 50
    assert answered({}, "saved", "Saved: Dana")[0]["elements"][0]["text"] == "Saved: Dana"


# --- callbacks


def test_a_program_says_that_a_task_is_done(service, settings):
    said = {"key": TASK, "by": "robin", "note": "called them"}
    at = datetime.now(UTC)
    answer = service.done(said, at=at)
    assert (answer.status_code, answer.json()) == (
        200, {"version": 1, "kind": "done", "account": "acme", "play": "re_engage", "new": True})
    Draft7Validator(json.loads((SCHEMAS / "done.json").read_text())).validate(answer.json())
    assert service.done(said, at=at).json()["new"] is False       # a repeat
    assert service.done({"key": TASK, "kind": "expanded", "revenue": 1200, "reason": "more seats"}).status_code == 200
    with Store.open(place(settings)) as store:
        done, expanded = store.answers()
        assert store.state().runs[0].done_by == "robin"
    assert (done.kind, done.by, done.note, done.source) == (AnswerKind.DONE, "robin", "called them", StartedBy.PERSON)
    assert (expanded.by, expanded.revenue, expanded.reason) == ("dana", 1200.0, "more seats")


@pytest.mark.parametrize(("said", "status"), [
    ({"key": "key"}, 404), ({}, 404), ([], 400), ({"key": 3}, 400), ({"key": TASK, "kind": "unsubscribed"}, 400),
    ({"key": TASK, "revenue": "much"}, 400), ({"key": TASK, "revenue": True}, 400), ({"key": TASK, "note": []}, 400)])
def test_a_callback_that_makes_no_sense(said, status, service):
    assert service.done(said).status_code == status


def test_a_callback_that_nobody_signed(service, settings):
    assert service.done({"key": TASK}, secret="b3RoZXJvdGhlcm90aGVy").status_code == 401
    assert service.done({"key": TASK}, at=datetime.now(UTC) - timedelta(minutes=6)).status_code == 401
    assert httpx.post(f"{service.url}/done", content=json.dumps({"key": TASK})).status_code == 401
    with Store.open(place(settings)) as store:
        assert store.answers() == ()


# --- unsubscribing


def test_one_click_and_what_waits_for_that_address_is_cancelled(service, settings):
    url = f"{service.url}/unsubscribe/{token(MAIL, LEAVING)}"
    page = httpx.get(url)      # a program that looks at links first
    assert (page.status_code, "Ann &lt;Ann@acme.example&gt;" in page.text) == (200, True)
    with Store.open(place(settings)) as store:
        assert store.answers() == ()
    for _ in range(2):
        answer = httpx.post(url, data={"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, "ann@acme.example" in answer.text) == (200, True)
    with Store.open(place(settings)) as store:
        (said,) = store.answers()
        assert store.state().unsubscribed == {"ann@acme.example"}
        cancelled = [one.delivery.key for one in store.outbox((DeliveryStatus.CANCELLED,))]
    assert (said.kind, said.by, said.source) == (AnswerKind.UNSUBSCRIBED, "ann@acme.example", StartedBy.CUSTOMER)
    assert cancelled == [MAIL, "key-later"]


def test_what_a_pass_decided_before_it_heard_is_cancelled_when_it_is_written(settings):
    with Store.open(place(settings)) as store:
        before = store.state()
        Answering(settings, lambda: datetime.now(UTC)).leave(token(MAIL, LEAVING))
        late = row("key-late", MessageKind.EMAIL, "ANN@acme.example", to_customer=True)
        store.commit(Decisions(DAY, "digest", "scoring", heard=before.heard, deliveries=(late.delivery,)), (late,),
                     datetime.now(UTC))
        assert "key-late" in [one.delivery.key for one in store.outbox((DeliveryStatus.CANCELLED,))]


def test_from_a_mail_that_arrived_to_the_next_pass_that_is_silent(project, monkeypatch):
    """Live, over SMTP: the address in the mail's own header is asked, and a later play hears of it."""
    monkeypatch.setenv("LEAVING", LEAVING)
    arrived = []

    class Inbox:
        async def handle_DATA(self, server, session, envelope) -> str:
            arrived.append(email.message_from_bytes(envelope.content))
            return "250 fine"

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    inbox = Controller(Inbox(), hostname="127.0.0.1", port=port)
    inbox.start()
    try:
        file = project / "forestall.yaml"
        file.write_text(file.read_text().replace("delivery: rehearsal", "delivery: live").replace(
            'server: "smtp.example.com:587"', f'server: "127.0.0.1:{port}", security: none, unsubscribe_secret: '
            '"${secret:LEAVING}", unsubscribe: "https://cs.example.com/unsubscribe/{token}"')
            + 'listen: {at: "127.0.0.1:0", unsubscribe_secret: "${secret:LEAVING}"}\n')
        whole = open_project(project)
        yesterday = whole.today() - timedelta(days=1)
        with passes(whole, send=True, existing=Existing.OPEN) as some:
            assert some.one(yesterday).delivery.sent == 1
        (mail,) = arrived
        assert mail["To"] == "ann@acme.example"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        running = Service(whole.settings)
        try:
            path = mail["List-Unsubscribe"].split(">")[0].removeprefix("<https://cs.example.com")
            assert httpx.post(running.url + path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
        finally:
            running.close()
        with (project / "facts.csv").open("a") as facts:
            facts.write(f"b,{whole.today()},Bolt,Ann@acme.example,10\n")
        with passes(whole, send=True) as some:
            report = some.one(whole.today())
        assert (report.rows, [(one.account, one.reason) for one in report.decided.decisions.silences]) == (
            (), [("b", SilenceReason.OPTED_OUT)])
        assert len(arrived) == 1
    finally:
        inbox.stop()


@pytest.mark.parametrize(("key", "secret", "status"), [
    (MAIL, "other", 404), ("no such", LEAVING, 404), ("key-work", LEAVING, 403), (COLLEAGUE, LEAVING, 403)])
def test_who_cannot_unsubscribe(key, secret, status, service, settings):
    assert httpx.post(f"{service.url}/unsubscribe/{token(key, secret)}").status_code == status
    with Store.open(place(settings)) as store:
        assert store.answers() == ()


# --- the server


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/", 404), ("POST", "/", 404), ("GET", "/slack", 405), ("PUT", "/done", 405),
    ("POST", "/unsubscribe/", 404), ("POST", "/unsubscribe/x", 404), ("DELETE", "/unsubscribe/x", 405),
    ("POST", "/slack/x", 404)])
def test_other_addresses_and_methods(method, path, status, service):
    assert httpx.request(method, service.url + path).status_code == status


def test_too_large_a_request_is_not_read(service):
    assert httpx.post(f"{service.url}/slack", content=b"x" * 1_100_000).status_code == 413


def test_what_has_no_secret_is_not_listened_for(tmp_path, settings):
    (tmp_path / "forestall.yaml").write_text("listen: {at: '127.0.0.1:0'}\ndelivery: rehearsal\n")
    bare = Service(read_settings(tmp_path))
    try:
        for path in ("slack", "done", "unsubscribe/x.y"):
            assert httpx.post(f"{bare.url}/{path}").status_code == 404
    finally:
        bare.close()


def test_no_secret_is_in_the_log_and_a_state_that_is_gone_is_a_sentence(service, settings):
    service.press("acknowledge")
    place(settings).write_bytes(b"no database" * 100)
    assert service.press("saved").status_code == 503
    assert service.done({"key": TASK}).text == "try again later\n"
    assert "Acknowledged: Dana Whitlock (Slack)." in service.log.getvalue()
    assert "An answer could not be kept." in service.log.getvalue()
    assert not any(secret in service.log.getvalue() for secret in (SIGNING, DONE, LEAVING, "actions/T0"))


def test_what_keeps_it_from_listening(settings, monkeypatch):
    journal = Journal(io.StringIO(), UTC, lambda: datetime.now(UTC))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (settings.project / "forestall.yaml").write_text(YAML.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        with pytest.raises(ForestallError, match=f"cannot listen at 127.0.0.1:{port}"):
            Listener(read_settings(settings.project), journal, lambda: datetime.now(UTC))
    monkeypatch.setenv("DONE", "!")
    with pytest.raises(ForestallError, match="`done_secret` of `listen` is no base64"):
        Listener(settings, journal, lambda: datetime.now(UTC))
    monkeypatch.delenv("DONE")
    with pytest.raises(ForestallError, match="the secret DONE is not set"):
        Listener(settings, journal, lambda: datetime.now(UTC))
