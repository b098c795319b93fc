"""Conversations with a mail server that end in time."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading


class Clock:
    """Ends a conversation whose time is over, in however small pieces the other side answers."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._line: smtplib.SMTP | None = None

    def __enter__(self) -> Clock:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, line: smtplib.SMTP) -> None:
        """Watch this connection from now on."""
        self._line = line

    def _end(self) -> None:
        wire = getattr(self._line, "sock", None)
        if wire is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(wire, socket.SHUT_RDWR)     # whoever waits on it reads its end


class Plain(smtplib.SMTP):
    """Watched from its first word on."""

    def __init__(self, clock: Clock, host: str, port: int, *, timeout: float) -> None:
        clock.watch(self)
        super().__init__(host, port, timeout=timeout)


class Encrypted(smtplib.SMTP_SSL):
    """Watched from its first word on."""

    def __init__(self, clock: Clock, host: str, port: int, *, timeout: float, context: ssl.SSLContext) -> None:
        clock.watch(self)
        super().__init__(host, port, timeout=timeout, context=context)
