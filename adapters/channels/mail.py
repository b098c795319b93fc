"""A message as an email: the same for sending and for rehearsal."""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, Policy
from typing import Any

from forestall.engine.model.delivery import Message

PAGE = (
    '<!doctype html>\n<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{title}</title></head>\n<body>\n{body}\n</body></html>\n"
)
_ATOM = r"[!#$%&'*+/=?^_`{|}~A-Za-z0-9-]+"
ADDRESS = re.compile(
    rf"(?:(?P<name>[^<>]*)(?P<open><))?(?P<user>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>[^\s@<>]+)(?(open)>)")
UNSUBSCRIBE = re.compile(r"(https?://|mailto:)[!-;=?-~]+", re.IGNORECASE)       # no blanks, no < >, ASCII
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.IGNORECASE)


class Unsendable(ValueError):
    """The message can never be an email; the text says why in one sentence."""


class _OneLine(UnstructuredHeader, BaseHeader):
    """A header whose value is one token: the standard folding would encode a long one and so break it."""

    def fold(self, *, policy: Policy[Any]) -> str:
        return f"{self.name}: {self}{policy.linesep}"


def _policy() -> EmailPolicy[EmailMessage]:
    registry = HeaderRegistry()
    for name in ("message-id", "in-reply-to", "references", "list-unsubscribe"):
        registry.map_to_type(name, _OneLine)
    return SMTP.clone(header_factory=registry)


POLICY = _policy()


def compose(message: Message, sender: str, moment: datetime, unsubscribe: str = "") -> EmailMessage:
    """`message` as an email from the address `sender` (its display name gives way to the message's own).

    The same arguments give the same bytes. Unsendable when an address is none, or when a subject, a name or an address
    holds a line break: that would let whoever supplies it write headers of their own.
    """
    origin = address(sender, "the sender's address")
    mail = EmailMessage(policy=POLICY)
    mail["From"] = _named(origin, _one_line(message.sender, "the sender's name"))
    mail["To"] = address(message.to, "the recipient's address")
    if message.reply_to:
        mail["Reply-To"] = address(message.reply_to, "the address for replies")
    mail["Subject"] = _one_line(message.subject, "the subject")
    mail["Date"] = moment
    mail["Message-ID"] = identifier(message.key, origin)
    if message.thread:
        # the root of the thread is never sent itself; mail programs group by it all the same
        mail["In-Reply-To"] = mail["References"] = identifier(message.thread, origin)
    # a page that takes one click goes before an address that somebody has to read
    ways = list(dict.fromkeys(way.strip() for way in (unsubscribe, message.list_unsubscribe) if way))
    for way in ways:
        if not UNSUBSCRIBE.fullmatch(_one_line(way, "the address to unsubscribe")):
            raise Unsendable(f"the address to unsubscribe is neither https: nor mailto: {_shown(way)}.")
    if ways:
        mail["List-Unsubscribe"] = ", ".join(f"<{way}>" for way in ways)
        if any(way.lower().startswith("https:") for way in ways):           # RFC 8058 wants https
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    # quoted-printable: every server takes it, and no line becomes too long
    mail.set_content(_ended(message.text), cte="quoted-printable")
    if message.html:
        mail.add_alternative(_page(message), subtype="html", cte="quoted-printable")
        # "==" cannot occur in quoted-printable text, so no text can end its part early
        mail.set_boundary("==" + hashlib.sha256(message.key.encode()).hexdigest()[:32] + "==")
    return mail


def identifier(key: str, origin: Address) -> str:
    """A Message-ID that is the same whenever `key` is."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{origin.domain}>"


def address(said: str, what: str) -> Address:
    """The one address in `said`, with or without a name. Unsendable when it is none or more than one."""
    # stricter than the standard library, which mends "ann@acme x" to an address that nobody wrote
    found = ADDRESS.fullmatch(_one_line(said, what))
    try:
        domain = found["domain"].encode("idna").decode() if found else ""
    except UnicodeError:
        domain = ""
    if not found or not DOMAIN.fullmatch(domain):
        raise Unsendable(f"{what} is not an email address: {_shown(said)}.")
    return Address((found["name"] or "").strip(' "'), found["user"], domain)


def _named(origin: Address, name: str) -> Address:
    return Address(name or origin.display_name, origin.username, origin.domain)


def _one_line(text: str, what: str) -> str:
    text = text.replace("\t", " ")
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") for char in text):
        raise Unsendable(f"{what} holds a line break or another control character: {_shown(text)}.")
    return text.strip()


def _shown(text: str) -> str:
    return '"' + "".join(char if char.isprintable() else " " for char in text[:60]) + '"'


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _page(message: Message) -> str:
    """The message's HTML as a page of its own, unless it is one already."""
    if message.html.lstrip().lower().startswith(("<!doctype", "<html")):
        return _ended(message.html)
    return PAGE.format(title=html.escape(message.subject), body=message.html)
