"""Rehearsal: every delivery becomes a file that opens by itself."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from forestall.adapters.channels.mail import Unsendable, compose
from forestall.adapters.channels.receipts import refused, retry, sent
from forestall.engine.model.delivery import Message, MessageKind, Receipt

LONGEST_NAME = 150                        # bytes; file systems take 255


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """`path` is the folder, relative to the project; `sender` the From address of the emails in it."""

    path: str = "deliveries"
    sender: str = "Rehearsal <rehearsal@forestall.invalid>"


class FolderChannel:
    """Takes messages of every kind; the same key always becomes the same file."""

    Settings = FolderSettings
    recognises_repeats = True

    def __init__(self, name: str, settings: FolderSettings, folder: Path) -> None:
        self.name = name
        self._sender = settings.sender
        self._folder = folder / settings.path

    def send(self, message: Message) -> Receipt:
        """Write the file. What could never be sent in earnest is refused here too."""
        try:
            ending, content = self._content(message)
        except Unsendable as error:
            return refused(str(error))
        file = self._folder / (file_name(message) + ending)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(file, content)
        except OSError as error:
            return retry(f"{file} cannot be written: {error.strerror or error}", whole_channel=True)
        return sent(file.name)

    def _content(self, message: Message) -> tuple[str, bytes]:
        match message.kind:
            case MessageKind.EMAIL:
                # noon of its day, so that a repeat writes the same bytes
                day = message.sent_on or datetime.fromtimestamp(0, UTC).date()
                return ".eml", compose(message, self._sender, datetime.combine(day, time(12), UTC)).as_bytes()
            case MessageKind.SLACK:
                return ".txt", f"To: {message.to}\nSubject: {message.subject}\n\n{message.text}\n".encode()
            case _:
                return ".json", _document(message).encode()


def file_name(message: Message) -> str:
    """Day, then what people call the message, then a mark that no other key has; without an ending."""
    words = [message.sent_on.isoformat() if message.sent_on else "undated", _safe(message.label or message.subject)]
    mark = hashlib.sha256(message.key.encode()).hexdigest()[:8]
    start = "-".join(words).encode()[:LONGEST_NAME].decode("utf-8", "ignore").rstrip("-")
    return f"{start}-{mark}"


def _safe(text: str) -> str:
    """Letters and digits of any script, everything else as one dash: no dots or slashes that lead elsewhere."""
    text = unicodedata.normalize("NFC", text)
    dashed = "".join(char if char.isalnum() or char == "_" else "-" for char in text)
    return "-".join(part for part in dashed.split("-") if part)


def _document(message: Message) -> str:
    """What would be posted, and where to."""
    envelope: dict[str, object] = {"to": message.to, "kind": message.kind.value, "webhook-id": message.key}
    if message.body:
        try:
            envelope["body"] = json.loads(message.body)
        except ValueError:
            envelope["body"] = message.body
    else:
        envelope |= {"subject": message.subject, "text": message.text}
    return json.dumps(envelope, ensure_ascii=False, indent=2) + "\n"


def _write(file: Path, content: bytes) -> None:
    """All or nothing: a reader, or a crash, never finds half a file."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
