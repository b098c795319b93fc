"""A web server and a mail server on this machine that keep what arrives, and know a repeat by its key."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Received:
    """What arrived, by key, each once, and how often something came again. `changed` are repeats that differ."""

    messages: dict[str, str] = field(default_factory=dict)
    repeats: int = 0
    changed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, content: str) -> None:
        with self.lock:
            known = self.messages.setdefault(key, content)
            if known is not content:
                self.repeats += 1
                if known != content:
                    self.changed.append(key)

    def clear(self) -> None:
        with self.lock:
            self.messages, self.repeats, self.changed = {}, 0, []


@dataclass(frozen=True)
class Receivers:
    """Both servers."""

    received: Received
    http: int
    smtp: int


@contextmanager
def receivers() -> Iterator[Receivers]:
    """Both, as long as it is used."""
    received = Received()

    class Web(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) == length:      # whoever was killed while writing has sent nothing
                received.take(self.headers["webhook-id"], body.decode())
                self.send_response(204)
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Mail:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            mail = message_from_bytes(envelope.content, policy=policy.default)
            text = mail.get_body(("plain",))
            assert text is not None
            received.take(str(mail["Message-ID"]), f"{envelope.rcpt_tos} {mail['Subject']}\n{text.get_content()}")
            return "250 taken"

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A connection that broke off is what this is about."""

    web = Server(("127.0.0.1", 0), Web)
    serving = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mail = Controller(Mail(), hostname="127.0.0.1", port=port)
    mail.start()
    try:
        yield Receivers(received, web.server_address[1], port)
    finally:
        mail.stop()
        web.shutdown()
        web.server_close()
