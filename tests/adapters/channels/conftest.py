"""Real servers on the loopback for the channels to talk to."""

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from forestall.engine.model.delivery import Message, MessageKind

CERTIFICATE = Path(__file__).parent / "server.pem"
HANG_UP = "hang up"


@dataclass
class Answer:
    """What the far side says next: an HTTP status, headers and a body; `delay` seconds late."""

    status: int = 200
    body: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


@dataclass
class Asked:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)


class HttpSide:
    """An HTTP server that says what it is told to and remembers what it was asked."""

    def __init__(self, secure: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.answer = Answer()
        self.asked: list[Asked] = []
        self._free = threading.Event()
        side = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                side.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                if side.answer.delay:
                    side._free.wait(side.answer.delay)
                with contextlib.suppress(OSError):
                    self.send_response(side.answer.status)
                    said = side.answer.body.encode()
                    for name, value in {"content-length": str(len(said)), **side.answer.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(said)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self._server.daemon_threads = True
        if secure is not None:
            self._server.socket = secure.wrap_socket(self._server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
            self._server.handle_error = lambda *_: None      # a refused certificate breaks the handshake
        self.url = f"{'https' if secure else 'http'}://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def says(self, status: int, body: str = "ok", headers: dict[str, str] | None = None, delay: float = 0.0) -> None:
        """What every request is answered from now on."""
        self.answer = Answer(status, body, headers or {}, delay)

    def close(self) -> None:
        self._free.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class MailSide:
    """What an SMTP server does: the answers to each command, and the mails that it took."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.delay = 0.0
        self.mails: list[tuple[str, list[str], bytes]] = []
        self.logins: list[bytes] = []
        self.sessions: list = []
        self.most = 0            # mails over one connection, then 421; 0: any number

    async def handle_MAIL(self, server, session, envelope, address, options) -> str:
        self.sessions.append(session)
        if self.most and self.sessions.count(session) > self.most:
            return "421 too many mails"
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 fine")

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 fine")

    async def handle_DATA(self, server, session, envelope) -> str:
        await asyncio.sleep(self.delay)
        answer = self.answers.get("DATA", "250 fine")
        if answer == HANG_UP:
            server.transport.abort()
        if answer.startswith("250"):
            self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return answer

    async def handle_QUIT(self, server, session, envelope) -> str:
        return self.answers.get("QUIT", "221 bye")

    def authenticate(self, server, session, envelope, mechanism, credentials) -> AuthResult:
        self.logins.append(credentials.password)
        return AuthResult(success=credentials.password == b"correct horse", handled=False)


@pytest.fixture
def opened():
    """Makes channels, and closes in the end what they keep open."""
    made: list = []

    def make(kind, *arguments: object):
        made.append(kind(*arguments))
        return made[-1]

    yield make
    for channel in made:
        getattr(channel, "close", lambda: None)()


@pytest.fixture
def http():
    side = HttpSide()
    yield side
    side.close()


@pytest.fixture
def https():
    """The same with a certificate that nobody vouches for, and that is for 127.0.0.1 and localhost."""
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(CERTIFICATE)
    side = HttpSide(secure, "127.0.0.2")
    yield side
    side.close()


@pytest.fixture
def mail_side():
    return MailSide()


@pytest.fixture
def smtp(mail_side, monkeypatch):
    """Starts SMTP servers: smtp("starttls") → "127.0.0.1:PORT". Their certificate is trusted for the test."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    started: list[Controller] = []

    def start(security: str = "none") -> str:
        secure = None
        if security != "none":
            secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            secure.load_cert_chain(CERTIFICATE)
        controller = Controller(
            mail_side, hostname="127.0.0.1", port=free_port(),
            ssl_context=secure if security == "tls" else None,
            tls_context=secure if security == "starttls" else None,
            authenticator=mail_side.authenticate if security == "starttls" else None,
        )
        controller.start()
        started.append(controller)
        return f"127.0.0.1:{controller.port}"

    yield start
    for controller in started:
        controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def closed_port():
    """A port on which nobody listens."""
    return free_port()


@pytest.fixture
def silent_port():
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener.getsockname()[1]


class RawSide:
    """A server that does with each connection, in a thread of its own, what it was made for."""

    def __init__(self, does) -> None:
        self.connections = 0
        self.over = threading.Event()
        self._does = does
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._one, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            self._does(connection, self.over)

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def raw():
    """Starts raw servers: raw(function of a connection and an event that ends it)."""
    started: list[RawSide] = []

    def start(does) -> RawSide:
        started.append(RawSide(does))
        return started[-1]

    yield start
    for side in started:
        side.close()


@pytest.fixture
def message():
    """Makes messages: message("email", subject=…)."""

    def make(kind: str, **changes: object) -> Message:
        to = {"email": "ann@acme.example", "slack": "U024BE7LH", "webhook": "https://crm.example/hook"}
        given = {
            "key": "acme/re_engage/2026-01-05/email/ann", "kind": MessageKind(kind), "to": to.get(kind, "crm"),
            "subject": "Your logins fell from 20 to 6", "text": "Hello **Ann**,\n\nsee [the guide](https://e.example).",
            "thread": "acme/re_engage/2026-01-05", "sent_on": date(2026, 1, 5), "label": "acme re_engage email",
        }
        if kind == "email":
            given |= {"html": "<p>Hello <strong>Ann</strong></p>"}
        if kind in ("webhook", "task"):
            given |= {"body": '{"account": "Ümläut"}'}
        return Message(**{**given, **changes})

    return make
