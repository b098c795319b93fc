"""What a person wrote, out of what a help desk keeps of a message."""

from __future__ import annotations

import html
import re

MOST = 4000      # letters that are looked at: the rest of a longer text is a log file or a thread

_UNSEEN = re.compile(r"<(style|script|head|blockquote)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/tr|/h\d)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->", re.DOTALL)
# What begins the part that somebody else wrote, or that stands below every message: all from there on goes.
_END = re.compile(
    r"^(?:"
    r"-- ?$|_{10,}\s*$|-{2,} ?(?:original message|forwarded message|please type your reply above)"
    r"|(?:on|am|le|el) [^\n]{6,200}(?:\n[^\n]{0,80})?(?:wrote|schrieb[^\n]*|a écrit|escribió) ?:\s*$"
    r"|from: [^\n]+\n(?:sent|to|date|cc|subject): "
    r"|sent from my |get outlook for )", re.IGNORECASE | re.MULTILINE)
_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_PLACES = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\S+")
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")


def written(text: str, *, tags: bool = True) -> str:
    """The words of the message itself: no markup, no quoted mail, no signature, no addresses."""
    text = text[:4 * MOST].replace("\r\n", "\n")
    if tags and "<" in text:
        text = _TAG.sub(" ", _BREAK.sub("\n", _UNSEEN.sub(" ", text)))
    if tags and "&" in text:
        text = html.unescape(text)
    begins_quoting = _END.search(text)
    if begins_quoting and text[:begins_quoting.start()].strip():
        text = text[:begins_quoting.start()]
    return _PLACES.sub(" ", _QUOTED.sub("", text))[:MOST].replace("’", "'").strip()


def words(text: str) -> int:
    """How many words it has."""
    return sum(1 for _ in _WORD.finditer(text))


def tokens(text: str) -> list[str]:
    """Its words in small letters."""
    return _WORD.findall(text.lower())
