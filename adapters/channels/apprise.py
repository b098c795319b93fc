"""Places that Apprise knows: a hundred other messengers and services, each by one URL."""

from __future__ import annotations

import importlib.util
import logging
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from forestall.adapters.channels.receipts import answered, refused, sent, settings_error, uncertain
from forestall.engine.model.delivery import Message, Receipt
from forestall.engine.model.ports import Secret

if importlib.util.find_spec("apprise") is None:
    raise ImportError("it needs the extra: pip install 'forestall[apprise]'")

STATUS = re.compile(r"error=(\d{3})\b")   # how Apprise tells the HTTP status of an answer
TURNS = 3


@dataclass(frozen=True, slots=True)
class AppriseSettings:
    """`url` is the address in the form that Apprise documents, a secret; `{to}` in it is the destination's own `to`.

    `timeout` is in seconds, for connecting and for each turn of an answer.
    """

    url: Secret
    timeout: float = 20.0


class AppriseChannel:
    """One service. It cannot tell a repeat, and Apprise does not tell why it could not connect."""

    Settings = AppriseSettings
    recognises_repeats = False

    def __init__(self, name: str, settings: AppriseSettings, folder: Path) -> None:
        del folder
        self.name = name
        self._settings = settings
        self._lock = threading.Lock()         # its parts keep the pace that a service asks for, and no threads apart
        self._ways: dict[str, Any] = {}

    def send(self, message: Message) -> Receipt:
        """Hand the message on once. ForestallError when the secret is not set or no URL of Apprise's."""
        from apprise import Apprise, AppriseResultStatus, NotifyFormat

        url = self._settings.url.reveal().strip()
        body = message.text or message.body
        if not body.strip():
            return refused("the message has no text")
        _silence()
        turn = f"cto={self._settings.timeout}&rto={self._settings.timeout}&redirect=no"
        target = f"{url.replace('{to}', quote(message.to, safe=''))}{'&' if '?' in url else '?'}{turn}"
        with self._lock:
            if message.to not in self._ways:
                way = Apprise()
                if not way.add(target):
                    raise settings_error("apprise", f"the secret of the channel {self.name} is no URL of Apprise's.",
                                         "Write it as Apprise documents the service, like json://example.com/path.")
                self._ways[message.to] = way
            result = self._ways[message.to].notify(
                body=body, title=" ".join(message.subject.split()), body_format=NotifyFormat.MARKDOWN,
                timeout=self._settings.timeout * TURNS)
            said = " ".join(entry.message for entry in result.logs())
        if result.status is AppriseResultStatus.SUCCESS:
            return sent()
        found = STATUS.search(said)
        if found and found[1] != "504":       # some gateway lost patience; the service may not have
            return answered(int(found[1]), f"the service answered {found[1]}")
        return uncertain(f"no answer that Apprise could make out{' (504)' if found else ''}", whole_channel=True)


def _silence() -> None:
    """Whatever is told below a warning, and to others than us, names addresses; a path may be a token."""
    for name in ("apprise", "urllib3"):
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
