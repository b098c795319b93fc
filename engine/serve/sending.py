"""Between passes the service sends what has become due: retries, and what waited for the end of quiet hours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from forestall.engine.errors import ForestallError
from forestall.engine.runtime import open_channels, send_due, store_path
from forestall.engine.serve.journal import Journal
from forestall.engine.settings import Settings
from forestall.engine.store import Store

LOOK = 5.0          # seconds between two looks into the outbox
AFTER_PASS = 60.0   # seconds for which a pass sends by itself; what is left then does not hold up the next one
AT_THE_END = 10.0   # seconds for which it does once the service has been told to end


class Sender:
    """Looks into the outbox every few seconds, in a thread of its own, and makes way while a pass runs."""

    def __init__(self, settings: Settings, journal: Journal, now: Callable[[], datetime], *,
                 look: float = LOOK) -> None:
        self._settings, self._journal, self._now, self._look = settings, journal, now, look
        self._ended = threading.Event()
        self._pass = threading.Event()
        self._told: tuple[str, ...] = ()

    def run(self) -> None:
        """Send what is due, again and again, until `stop` is called."""
        while not self._ended.wait(self._look):
            if not self._pass.is_set():
                self._once()

    def stop(self) -> None:
        """End `run`. What is on its way is waited for; the rest is sent after the next start."""
        self._ended.set()

    @contextmanager
    def making_way(self) -> Iterator[None]:
        """While a pass runs, which sends what it has planned by itself."""
        self._pass.set()
        try:
            yield
        finally:
            self._pass.clear()

    def until(self, end: Callable[[], bool]) -> Callable[[], bool]:
        """When a pass stops sending: when it takes too long, and sooner once the service is to end."""
        begun: list[float] = []

        def stop() -> bool:
            if not begun:
                begun.append(time.monotonic())
            return time.monotonic() - begun[0] > (AT_THE_END if end() else AFTER_PASS)

        return stop

    def _once(self) -> None:
        """One look. The same trouble is told once."""
        try:
            channels = open_channels(self._settings, ())
            where = store_path(self._settings)
            with Store.open(where, read_only=True) as store:
                if not store.is_due(self._now(), set(channels)):
                    return
            with Store.open(where) as store:
                done = send_due(self._settings, store, channels,
                                stop=lambda: self._ended.is_set() or self._pass.is_set())
            problems = done.problems
        except ForestallError as error:
            done, problems = None, error.problems
        told = tuple(map(str, problems))
        if told and told != self._told:
            self._journal.warn("send-failed", "What is due could not be sent. It is tried again.", problems)
        self._told = told
        if done is not None and done.sent + done.retried + done.dead + done.uncertain:
            parts = [f"{count:,} {what}" for count, what in (
                (done.sent, "sent"), (done.retried, "to be tried again"), (done.dead, "undeliverable"),
                (done.uncertain, "uncertain"), (done.waiting, "waiting")) if count]
            self._journal.say("sent", f"From the outbox: {', '.join(parts)}.")
