"""The receiving end: an HTTP server on an address of this machine, behind whatever speaks https to the world."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from datetime import datetime
from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from forestall.engine.errors import ForestallError, Location, UsageError
from forestall.engine.serve.answering import Answering, Pressed, Refused, answered
from forestall.engine.serve.journal import Journal
from forestall.engine.settings import Settings

LARGEST = 1_000_000                       # bytes of a request: Slack sends the whole message along
PATIENCE = 2.5                            # Slack wants an answer within three seconds
REPLY_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
PAGE = ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        "<title>Emails</title></head>\n<body>{}</body></html>\n")
FORM = ('<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
        "<p>No more emails to {}?</p><button>Unsubscribe</button></form>")

Start = Callable[[str, list[tuple[str, str]]], object]
Answer = tuple[HTTPStatus, str, str]


class Listener:
    """Takes what people and programs answer: /slack, /done and /unsubscribe/TOKEN."""

    def __init__(self, settings: Settings, journal: Journal, now: Callable[[], datetime],
                 reply_hosts: Iterable[str] = REPLY_HOSTS) -> None:
        """Listens from now on; `run` answers.

        SettingsError when a secret is not set, UsageError when the address is taken.
        """
        from waitress.server import create_server

        assert settings.listen is not None
        where = settings.listen
        self._answering, self._journal, self._reply_hosts = Answering(settings, now), journal, tuple(reply_hosts)
        try:
            door = socket.create_server((where.host, where.port),
                                        family=socket.AF_INET6 if ":" in where.host else socket.AF_INET)
        except OSError as error:
            raise UsageError.one(Location(settings.file), "cannot-listen",
                                 f"the service cannot listen at {where.host}:{where.port}: {error.strerror or error}.",
                                 "Name another address at `listen`, or end what listens there.") from None
        self.port = int(door.getsockname()[1])
        self._server: Any = create_server(
            self, sockets=[door], threads=8, ident=None, max_request_body_size=LARGEST, channel_timeout=15,
            connection_limit=100, clear_untrusted_proxy_headers=True)
        self._pool = ThreadPoolExecutor(4, "answers")
        journal.say("listening", f"Answers are taken at {where.host}:{self.port}.", port=self.port)

    def run(self) -> None:
        """Answer until `stop` is called."""
        self._server.run()
        self._server.task_dispatcher.shutdown()
        self._pool.shutdown()

    def stop(self) -> None:
        """End `run`."""
        from waitress import wasyncore

        # In the server's own thread: it must not lose its sockets while it looks at them. It may do so between being
        # asked and being woken, and then there is nothing left to wake it by.
        with suppress(OSError):
            self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._server._map))

    def __call__(self, environ: Mapping[str, Any], start: Start) -> list[bytes]:
        """One request (WSGI)."""
        try:
            status, kind, text = self._answer(environ)
        except Refused as error:
            status, kind, text = error.status, "text/plain", f"{error}\n"
        except ForestallError as error:
            self._journal.warn("answer-failed", "An answer could not be kept.", error.problems)
            status, kind, text = HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", "try again later\n"
        body = text.encode()
        start(f"{status.value} {status.phrase}", [
            ("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "default-src 'none'; form-action 'self'"), ("Referrer-Policy", "no-referrer")])
        return [body]

    def _answer(self, environ: Mapping[str, Any]) -> Answer:
        method, path = str(environ["REQUEST_METHOD"]), str(environ["PATH_INFO"])
        token = path.removeprefix("/unsubscribe/") if path.startswith("/unsubscribe/") else ""
        if token and method in ("GET", "HEAD"):
            # programs that look at links before people do must change nothing
            row = self._answering.leaving(token)
            return HTTPStatus.OK, "text/html", PAGE.format(FORM.format(escape(row.delivery.recipient)))
        if not token and path not in ("/slack", "/done"):
            raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
        if method != "POST":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only POST")
        body = environ["wsgi.input"].read()
        headers = {name[5:].lower().replace("_", "-"): str(value) for name, value in environ.items()
                   if name.startswith("HTTP_")}
        if token:
            address = self._answering.leave(token)
            self._journal.say("answer", "A customer has unsubscribed.")
            return HTTPStatus.OK, "text/html", PAGE.format(f"<p>No more emails go to {escape(address)}.</p>")
        if path == "/done":
            told = self._answering.done(body, headers)
            self._journal.say("answer", f"{told['account']}: {told['kind']}, says a callback.")
            return HTTPStatus.OK, "application/json", json.dumps(told) + "\n"
        pressed = self._answering.pressed(body, headers)
        if pressed is not None:
            self._in_time(pressed)
        return HTTPStatus.OK, "text/plain", ""

    def _in_time(self, pressed: Pressed) -> None:
        """Keep it, or go on keeping it when Slack would not wait so long; the message then tells what came of it."""
        kept: Future[str] = Future()
        self._pool.submit(self._keep, pressed, kept)
        try:
            kept.result(PATIENCE)
        except TooLate:
            return
        except Refused:
            return                                                  # the message in Slack says why

    def _keep(self, pressed: Pressed, kept: Future[str]) -> None:
        try:
            kept.set_result(self._answering.press(pressed))
        except Exception as error:
            kept.set_exception(error)
        self._tell(pressed, kept)

    def _tell(self, pressed: Pressed, kept: Future[str]) -> None:
        """The message in Slack in its new form, or a word to whoever pressed in vain."""
        from slack_sdk.webhook import WebhookClient

        trouble = kept.exception()
        if trouble is None:
            self._journal.say("answer", f"{kept.result()} (Slack).")
        if urlsplit(pressed.reply_to).hostname not in self._reply_hosts:
            return
        silent = logging.Logger("forestall.slack", logging.CRITICAL)      # whoever knows the address may write to it
        client = WebhookClient(pressed.reply_to, timeout=10, retry_handlers=[], logger=silent)
        try:
            if trouble is not None:
                why = str(trouble) if isinstance(trouble, Refused) else "the state database is out of reach"
                client.send(text=f"That could not be kept: {why}.", response_type="ephemeral", replace_original=False)
            else:
                client.send(text=str(pressed.message.get("text") or kept.result()), replace_original=True,
                            blocks=answered(pressed.message, pressed.action, kept.result()))
        except Exception as error:       # it is kept; that the message looks as before must not end the service
            self._journal.warn("reply-failed", f"The message in Slack could not be brought up to date: "
                               f"{type(error).__name__}.")
