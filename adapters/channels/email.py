"""Email by SMTP."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from forestall.adapters.channels.mail import UNSUBSCRIBE, Unsendable, address, compose
from forestall.adapters.channels.receipts import refused, retry, sent, settings_error, uncertain
from forestall.adapters.channels.smtp import Post, Server, Unanswered
from forestall.engine.model.delivery import Message, Receipt
from forestall.engine.model.ports import Secret
from forestall.engine.model.token import token

PORTS = {"starttls": 587, "tls": 465, "none": 25}
# the server wants other credentials: that is for us to mend, the message itself is fine
LOGIN_CODES = (454, 530, 534, 535, 538)


@dataclass(frozen=True, slots=True)
class EmailSettings:
    """`server` is host:port (the port may be left out), `security` starttls, tls or none, `timeout` in seconds.

    `sender` is the From address. `unsubscribe` is the address for the header List-Unsubscribe; `{token}` in it names
    the mail, signed with `unsubscribe_secret`.
    """

    server: str
    sender: str
    security: str = "starttls"
    user: str = ""
    password: Secret | None = None
    timeout: float = 20.0
    unsubscribe: str = ""
    unsubscribe_secret: Secret | None = None


class EmailChannel:
    """One SMTP server, over connections that are kept from one mail to the next."""

    Settings = EmailSettings
    recognises_repeats = True

    def __init__(self, name: str, settings: EmailSettings, folder: Path) -> None:
        del folder
        self.name = name
        self._settings = settings
        if settings.security not in PORTS:
            raise settings_error("security", f"`security` of the channel {name} is {settings.security!r}.",
                                 "Write starttls, tls or none.")
        host, port = _host_and_port(name, settings)
        self._server = Server(host, port, settings.security, settings.user, settings.timeout)
        self._post = Post(self._server)
        if bool(settings.user) != bool(settings.password):
            raise settings_error("login", f"the channel {name} has only one of `user` and `password`.",
                                 "Give both, or none when the server asks for no login.")
        if settings.user and settings.security == "none":
            raise settings_error("login", f"the channel {name} would send its password unencrypted.",
                                 "Write `security: starttls`, or take `user` and `password` out.")
        try:
            self._origin = address(settings.sender, "`sender`")
        except Unsendable as error:
            raise settings_error("sender", f"in the channel {name} {error}", "Write it like cs@example.com.") from None
        if not UNSUBSCRIBE.fullmatch(settings.unsubscribe or "mailto:nobody"):
            raise settings_error("unsubscribe", f"`unsubscribe` of the channel {name} is no address.",
                                 "Write it like https://example.com/unsubscribe or mailto:leave@example.com.")
        if ("{token}" in settings.unsubscribe) != bool(settings.unsubscribe_secret):
            raise settings_error("unsubscribe", f"the channel {name} has only one of "
                                 "`unsubscribe_secret` and {token} in `unsubscribe`.", "Give both, or none.")

    def send(self, message: Message) -> Receipt:
        """Hand the message to the server once. ForestallError when the password is not set."""
        password = self._settings.password.reveal().strip() if self._settings.password else ""
        signs = self._settings.unsubscribe_secret
        leave = self._settings.unsubscribe if message.to_customer else ""      # nobody unsubscribes from their work
        if leave and signs:
            leave = leave.replace("{token}", token(message.key, signs.reveal().strip()))
        try:
            mail = compose(message, self._settings.sender, datetime.now(UTC), leave)
            to = address(message.to, "the recipient's address").addr_spec
        except Unsendable as error:
            return refused(str(error))
        where = f"the mail server {self._server.host}:{self._server.port}"
        try:
            self._post.hand_over(self._origin.addr_spec, to, mail.as_bytes(), password)
        except Unanswered as error:
            return uncertain(f"{where} got the mail and gave no answer: {error}", password, whole_channel=True)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return _receipt(error, where, password)
        return sent(str(mail["Message-ID"]))

    def close(self) -> None:
        """Take leave of the server."""
        self._post.close()


def _host_and_port(name: str, settings: EmailSettings) -> tuple[str, int]:
    host, colon, port = settings.server.rpartition(":")
    if not colon or settings.server.endswith("]"):          # no port; "[::1]" is a host
        host, port = settings.server, str(PORTS[settings.security])
    host = host.strip("[] ")
    if not host or not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise settings_error("server", f"`server` of the channel {name} is {settings.server!r}.",
                             "Write it like smtp.example.com:587.")
    return host, int(port)


def _receipt(error: Exception, where: str, password: str) -> Receipt:
    """What an exception of smtplib means for the message."""
    if isinstance(error, smtplib.SMTPResponseException):
        code = error.smtp_code
        if isinstance(error, smtplib.SMTPAuthenticationError) or code in LOGIN_CODES:
            # what the server says here may repeat what we sent it
            return retry(f"{where} refused the login ({code}): check `user` and `password`.", whole_channel=True)
        answer = error.smtp_error
        said = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
        if isinstance(error, (smtplib.SMTPConnectError, smtplib.SMTPHeloError)) or code == 421 or code < 400:
            return retry(f"{where} is not ready ({code} {said})", password, whole_channel=True)
        return (refused if code >= 500 else retry)(f"{where} answered {code} {said}", password)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return retry(f"{where} cannot do what `security` and `user` ask for: {error}", password, whole_channel=True)
    if isinstance(error, ValueError) and not isinstance(error, OSError):      # a bad certificate is both
        return refused(f"the message cannot be written as an email: {error}", password)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return retry(f"{where} cannot be reached: {reason}", password, whole_channel=True)
