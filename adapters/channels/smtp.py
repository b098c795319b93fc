"""One mail server and the connections to it: each serves many mails, and one that broke is made anew."""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from collections import deque
from dataclasses import dataclass

from forestall.adapters.channels.clock import Clock, Encrypted, Plain

KEPT = 8                                  # connections while nothing is sent; each thread that sends uses one
TURNS = 3                                 # so many times `timeout` is what a whole mail may take, login included


class Unanswered(Exception):
    """The mail went out whole, and the server did not say whether it took it."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is and how it is spoken to: `security` starttls, tls or none, `timeout` in seconds for each turn."""

    host: str
    port: int
    security: str
    user: str
    timeout: float


class Post:
    """Hands mails over, for several threads at once."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._kept: deque[smtplib.SMTP] = deque()

    def hand_over(self, origin: str, to: str, content: bytes, password: str) -> None:
        """One mail, once. Unanswered when nobody knows; SMTPException or OSError when the server has not taken it."""
        with Clock(self._server.timeout * TURNS) as clock:
            line = self._begun(clock, origin, len(content)) or self._connect(clock, origin, len(content), password)
            try:
                _transmit(line, to, content)
            except BaseException as error:
                self._keep_or_close(line, error)
                raise
            self._keep(line)

    def close(self) -> None:
        """Take leave of the server."""
        while (line := self._one_kept()) is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                line.quit()
            line.close()

    def _begun(self, clock: Clock, origin: str, size: int) -> smtplib.SMTP | None:
        """A connection that was kept, if it still stands: servers hang up when idle, or after so many mails."""
        line = self._one_kept()
        if line is None:
            return None
        clock.watch(line)
        with contextlib.suppress(smtplib.SMTPException, OSError):
            if line.mail(origin, _size(line, size))[0] == 250:
                return line
        line.close()
        return None

    def _connect(self, clock: Clock, origin: str, size: int, password: str) -> smtplib.SMTP:
        at = self._server
        line: smtplib.SMTP
        if at.security == "tls":
            line = Encrypted(clock, at.host, at.port, timeout=at.timeout, context=ssl.create_default_context())
        else:
            line = Plain(clock, at.host, at.port, timeout=at.timeout)
        try:
            if at.security == "starttls":
                line.starttls(context=ssl.create_default_context())
            if at.user:
                line.login(at.user, password)
            line.ehlo_or_helo_if_needed()
            _expect(line.mail(origin, _size(line, size)), 250)
        except BaseException as error:
            self._keep_or_close(line, error)
            raise
        return line

    def _one_kept(self) -> smtplib.SMTP | None:
        try:
            return self._kept.pop()
        except IndexError:
            return None

    def _keep(self, line: smtplib.SMTP) -> None:
        if len(self._kept) < KEPT:
            self._kept.append(line)
        else:
            line.close()

    def _keep_or_close(self, line: smtplib.SMTP, error: BaseException) -> None:
        """After a plain no the next mail may go over the same connection, unless the server has hung up with it."""
        if type(error) is smtplib.SMTPResponseException and error.smtp_code != 421:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                if line.rset()[0] == 250:
                    self._keep(line)
                    return
        line.close()


def _transmit(line: smtplib.SMTP, to: str, content: bytes) -> None:
    _expect(line.rcpt(to), 250, 251)
    _expect(line.docmd("DATA"), 354)
    # a line with a single dot would end the mail
    line.send(re.sub(rb"(?m)^\.", b"..", content) + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n")
    try:
        answer = line.getreply()
    except (smtplib.SMTPException, OSError) as error:
        raise Unanswered(str(error)) from None
    _expect(answer, 250)


def _size(line: smtplib.SMTP, size: int) -> list[str]:
    return [f"size={size}"] if line.does_esmtp and line.has_extn("size") else []


def _expect(answer: tuple[int, bytes], *codes: int) -> None:
    if answer[0] not in codes:
        raise smtplib.SMTPResponseException(*answer)
