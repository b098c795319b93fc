"""The letters of an mbox file or a Maildir: from whom, and when they arrived. Nothing else of them is read."""

from __future__ import annotations

import mailbox
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parseaddr, parsedate_to_datetime
from pathlib import Path

from forestall.engine.model.ports import Location, SourceError

Box = mailbox.mbox | mailbox.Maildir
LONGEST_HEADER = 1 << 18      # bytes; nobody's letter needs more


@dataclass(frozen=True, slots=True)
class Letter:
    """Who wrote, in small letters, and when it arrived."""

    sender: str
    arrived: datetime


def letters(place: Path, shown: str) -> Iterator[Letter]:
    """Every letter that names its sender. `shown` is what the place is called in a sentence."""
    with closing(_opened(place, shown)) as box:
        for number, key in enumerate(box.keys(), 1):
            try:
                head = _head(box, key)
            except (OSError, KeyError):
                raise SourceError.one(Location(shown), "unreadable", f"letter {number} cannot be read.",
                                      "Look again when nobody writes to the mailbox.") from None
            sender = parseaddr(str(head.get("From", "")))[1].lower()
            if "@" not in sender.strip("@"):
                continue
            arrived = _arrived(head)
            if arrived is None:
                raise SourceError.one(Location(shown), "no-date",
                                      f"nothing says when letter {number}, from {sender}, arrived.",
                                      "Give it a line `Date:`, or take it out of this folder.")
            yield Letter(sender, arrived)


def _opened(place: Path, shown: str) -> Box:
    if (place / "cur").is_dir() and (place / "new").is_dir():
        return mailbox.Maildir(place, create=False)
    if not place.is_file():
        raise SourceError.one(Location("forestall.yaml"), "no-file", f"`path` names no mailbox: {shown}.",
                              "Name an mbox file, or a Maildir with its folders `cur` and `new`.")
    try:
        with place.open("rb") as file:
            begins = file.read(5)
    except OSError as error:
        raise SourceError.one(Location(shown), "unreadable", f"the mailbox cannot be read ({error.strerror}).",
                              "Give the user who runs Forestall the right to read it.") from None
    if begins not in (b"", b"From "):
        raise SourceError.one(Location(shown), "no-mailbox", "this is no mbox: it does not begin with `From `.",
                              "Export it as mbox, or name a Maildir.")
    return mailbox.mbox(place, create=False)


def _head(box: Box, key: str) -> Message:
    """The lines above the first empty one."""
    lines: list[bytes] = []
    length = 0
    with closing(box.get_file(key)) as file:
        for line in iter(file.readline, b""):
            length += len(line)
            if not line.strip() or length > LONGEST_HEADER:
                break
            lines.append(line)
    return BytesHeaderParser().parsebytes(b"".join(lines))


def _arrived(head: Message) -> datetime | None:
    """When our own server took the letter in; what the sender's clock said is second best."""
    received = str((head.get_all("Received") or [""])[0]).rpartition(";")[2]
    for said in (received, str(head.get("Date", ""))):
        try:
            found = parsedate_to_datetime(" ".join(said.split()))
        except (ValueError, TypeError, IndexError, HeaderParseError):
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
