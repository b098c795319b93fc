"""The watcher: it only wakes the poll sooner. What it misses or invents changes nothing."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

from forestall.engine.serve.journal import Journal

READING = ("opened", "closed_no_write")      # our own reading makes them: heeding them would go round in a circle


class Watch:
    """Watches the folder with the rules, its templates and the folder above, where the folder itself is replaced."""

    def __init__(self, rules: Path, wake: threading.Event, journal: Journal) -> None:
        self._rules, self._journal = rules, journal
        self._handler = _Handler(wake)
        logging.getLogger("watchdog").addHandler(logging.NullHandler())      # what it misses, the poll sees
        self._observer = Observer()
        self._running = self._given_up = False
        self._armed: tuple[tuple[Path, int, int], ...] = ()
        self._watches: list[ObservedWatch] = []

    def arm(self) -> None:
        """Watch what is there now. A folder that was replaced is another one, and the old watch hears nothing."""
        wanted = self._places()
        if self._given_up or (wanted == self._armed and self._running):
            return
        try:
            if not self._running:
                self._observer.start()
                self._running = True
            for watch in self._watches:
                with suppress(KeyError, OSError):
                    self._observer.unschedule(watch)
            self._watches = []
            for path in dict.fromkeys(path for path, _, _ in wanted):
                with suppress(FileNotFoundError, NotADirectoryError):
                    self._watches.append(self._observer.schedule(self._handler, str(path)))
            self._armed = wanted
        except OSError as error:
            self._given_up = True
            self._journal.warn("watch-failed", "This machine cannot watch the folder with the rules "
                               f"({error.strerror or error}); it is looked at three times a second instead.")

    def stop(self) -> None:
        """Hear nothing more."""
        if self._running:
            self._observer.stop()
            self._observer.join()
            self._running = False
            self._given_up = True

    def _places(self) -> tuple[tuple[Path, int, int], ...]:
        """Each folder to watch, links followed, with what makes it this folder and no other of its name."""
        found: list[tuple[Path, int, int]] = []
        for path in (self._rules.absolute().parent, self._rules, self._rules / "templates"):
            with suppress(OSError):
                real = path.resolve(strict=True)
                seen = real.stat()
                found.append((real, seen.st_dev, seen.st_ino))
        return tuple(found)


class _Handler(FileSystemEventHandler):
    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in READING:
            self._wake.set()
