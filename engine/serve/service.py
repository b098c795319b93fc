"""The service: passes by the clock with the rules in force, a reloader beside them, and an end without halves."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Protocol, TextIO

from forestall.engine.errors import ForestallError, Location, SettingsError, StoreError, UsageError
from forestall.engine.model.alert import CLOSING, TransitionKind
from forestall.engine.model.schedule import Schedule
from forestall.engine.rulebook.by_hand import FILE as BY_HAND
from forestall.engine.runtime import PassReport, Project, chosen_engine, passes, store_path
from forestall.engine.score.engine import Engine
from forestall.engine.serve.journal import Journal
from forestall.engine.serve.judge import Judge
from forestall.engine.serve.owners import Owners
from forestall.engine.serve.reload import Reloader
from forestall.engine.serve.sending import Sender
from forestall.engine.serve.shelf import Shelf
from forestall.engine.serve.snapshot import settled
from forestall.engine.settings import FILE, Settings
from forestall.engine.store import Store

DEFAULT = Schedule(at=time(6))
LOOK = 2.0      # seconds between two looks at the clock, which may be set right, and at forestall.yaml


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the service shall run. `rules` None: the project's own; `schedule` None: that of the settings."""

    settings: Settings
    rules: Path | None = None
    schedule: Schedule | None = None
    send: bool = False
    once: bool = False
    accept_removal: bool = False
    watched: bool = True


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


class _Part(Protocol):
    """What runs beside the passes, in a thread of its own."""

    def run(self) -> None:
        """Work until `stop` is called."""

    def stop(self) -> None:
        """End `run`."""


class Service:
    """Passes by the clock."""

    def __init__(self, wanted: Wanted, journal: Journal) -> None:
        self._wanted, self._journal = wanted, journal
        self._settings = wanted.settings
        self._schedule = wanted.schedule or wanted.settings.passes or DEFAULT
        self._end = threading.Event()
        self._sender = Sender(self._settings, journal, now)
        self._settings_seen = _hash(self._settings.project / FILE)

    def stop(self) -> None:
        """End after the pass that runs."""
        self._end.set()

    def run(self) -> int:
        """Serve until `stop` is called; the exit code."""
        settings, wanted = self._settings, self._wanted
        shelf, rules = Shelf(settings.state / "rules"), wanted.rules or settings.project / "rules"
        engine = chosen_engine(settings)
        engine.start()
        with ExitStack() as ending:
            judge = Judge(settings, engine)
            ending.callback(judge.close)
            owners = Owners(settings, shelf, self._journal, now, send=wanted.send)
            reloader = Reloader(rules, shelf, judge, engine, self._journal, now, owners, watched=wanted.watched)
            ending.callback(reloader.stop)
            if wanted.accept_removal:
                accept(shelf, rules)
            try:
                reloader.begin()
            finally:
                if wanted.once or self._end.is_set():
                    owners.send_now()
            if wanted.once:
                return 0 if self._pass(reloader, engine) else 1
            parts: list[tuple[str, _Part]] = [("owners", owners), ("reload", reloader)]
            if wanted.send:
                parts.append(("sender", self._sender))
            if settings.listen is not None and wanted.send:
                from forestall.engine.serve.listener import Listener

                parts.append(("listener", Listener(settings, self._journal, now)))
            for name, part in parts:
                thread = threading.Thread(target=part.run, name=name)
                thread.start()
                ending.callback(thread.join)
                ending.callback(part.stop)
            self._by_the_clock(reloader, engine)
        self._journal.say("stopped", "Stopped.")
        return 0

    def _by_the_clock(self, reloader: Reloader, engine: Engine) -> None:
        zone = self._settings.time_zone
        due = self._schedule.first_due(now(), zone, self._last_day())
        how = "sending" if self._wanted.send else "dry: nothing is written or sent without --send"
        self._journal.say("started", f"Passes {self._schedule} ({zone.key}), {how}; the next one "
                          f"{'now' if due <= now() else f'on {due.astimezone(zone):%Y-%m-%d at %H:%M}'}.")
        while not self._end.is_set():
            wait = (due - now()).total_seconds()
            if wait > 0:
                self._end.wait(min(wait, LOOK))
                self._settings_changed()
                continue
            self._pass(reloader, engine)
            due = self._schedule.next_due(due, now(), zone)

    def _last_day(self) -> date | None:
        with Store.open(store_path(self._settings), read_only=True) as store:
            return store.state().previous_pass

    def _pass(self, reloader: Reloader, engine: Engine) -> bool:
        """One pass over today with the rules that are in force as it begins; whether it came to an end."""
        rules = reloader.for_a_pass()
        project = Project(self._settings, rules.rulebook, rules.evaluator)
        try:
            stop = self._sender.until(self._end.is_set)
            with self._sender.making_way(), passes(project, send=self._wanted.send, stop=stop) as running:
                report = running.one(project.today())
        except ForestallError as error:
            self._journal.warn("pass-failed", "The pass failed. It is tried again at its next time.", error.problems)
            return False
        noticed = [problem for one in report.collected for problem in one.noticed]
        self._journal.say("pass", summary(report), [*noticed, *(report.delivery.problems if report.delivery else ())],
                          day=report.day.isoformat(), digest=rules.digest, rulebook=rules.rulebook.digest)
        return True

    def _settings_changed(self) -> None:
        seen = _hash(self._settings.project / FILE)
        if seen != self._settings_seen:
            self._settings_seen = seen
            self._journal.warn("settings-changed", f"{self._settings.file} has changed. It is read when the service "
                               "starts: start it anew for the change to count.")


def summary(report: PassReport) -> str:
    """What a pass did, in one line."""
    kinds = Counter(one.kind for one in report.decided.decisions.transitions)
    opened, closed = kinds[TransitionKind.OPENED], sum(kinds[kind] for kind in CLOSING)
    accounts = sum(report.decided.tiers.values())
    said = f"Pass of {report.day}: {accounts:,} accounts, {opened:,} alerts opened, {closed:,} closed, "
    if report.delivery is None:
        return said + f"{len(report.rows):,} messages would be sent."
    waiting = f", {report.delivery.waiting:,} waiting" if report.delivery.waiting else ""
    return said + f"{report.delivery.sent:,} messages sent{waiting}."


def accept(shelf: Shelf, rules: Path) -> None:
    """Confirm the set that the folder holds now, however much it has lost."""
    found = settled(rules, threading.Event().wait)
    assert found is not None
    shelf.accept(found.digest)


def serve(wanted: Wanted, stream: TextIO, *, as_json: bool = False) -> int:
    """Run the service until it is told to end by a signal. The exit code; UsageError and others when it cannot begin.

    A second signal does not wait for the pass that runs: KeyboardInterrupt, and nothing half written either.
    """
    settings = wanted.settings
    by_hand = (wanted.rules or settings.project / "rules") / BY_HAND
    if not settings.sources and settings.warehouse is None and not by_hand.exists():
        raise SettingsError.one(Location(settings.file), "no-source", "there is nothing to serve: no source is named.",
                                "Add one below `sources:`.")
    journal = Journal(stream, settings.time_zone, now, as_json=as_json)
    shelf = Shelf(settings.state / "rules")
    with _only_one(settings) as alone:
        if not alone:
            if not wanted.accept_removal:
                raise UsageError.one(Location(str(settings.state)), "served-already",
                                     "another `forestall serve` runs for this project.",
                                     "End it first, or leave it to its work.")
            accept(shelf, wanted.rules or settings.project / "rules")
            journal.say("accepted", "Confirmed: the service that runs takes over the folder as it is now.")
            return 0
        service = Service(wanted, journal)
        with _signals(service.stop):
            return service.run()


@contextmanager
def _only_one(settings: Settings) -> Iterator[bool]:
    """Whether no other service runs for the project; the lock goes with the process, however it ends."""
    path = settings.state / "serve.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError.one(Location(str(path)), "state-not-usable",
                             f"the service cannot keep its records: {error.strerror or error}.",
                             "Check that the folder may be written, or name another with `state:`.") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(file)


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT call `stop`; the second one interrupts."""
    asked = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        stop()

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _hash(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
