"""Hot reload: the folder is taken whole, judged, and put in force in one step, or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from forestall.engine.errors import ForestallError, Location, Problem, RulesError, StoreError
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.serve.journal import Journal
from forestall.engine.serve.judge import Judge, Judged
from forestall.engine.serve.shelf import Rejected, Shelf
from forestall.engine.serve.snapshot import Snapshot, settled, signature
from forestall.engine.serve.watch import Watch

POLL = 0.5          # seconds between two looks at names, sizes and times
EVERY_BYTE = 5.0    # seconds between two readings of everything, whatever names, sizes and times say
REMOVAL = "rules-removed"
_SHORT = 12         # letters of a hash that people are shown


class Reports(Protocol):
    """Whom a rejected set is reported to."""

    def rejected(self, rejected: Rejected, in_force: str, problems: tuple[Problem, ...]) -> None:
        """The folder cannot be used; its owners do not know yet."""

    def mended(self) -> None:
        """It can be used again."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules that decide: what a pass began with stays its own, whatever comes into force meanwhile."""

    rulebook: Rulebook
    evaluator: Evaluator
    digest: str
    since: datetime


class Reloader:
    """Keeps the rules of a folder in force. `current` may be read from any thread; everything else is for one."""

    def __init__(self, rules: Path, shelf: Shelf, judge: Judge, engine: Engine, journal: Journal,
                 now: Callable[[], datetime], reports: Reports, *, watched: bool = True) -> None:
        """`watched` False: on a disk that reports no events, only the poll looks."""
        self.rules, self._shelf, self._judge, self._engine = rules, shelf, judge, engine
        self._journal, self._now, self._reports = journal, now, reports
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._watch = Watch(rules, self._wake, journal) if watched else None
        self._current: InForce | None = None
        self._seen: tuple[object, ...] = ()
        self._judged = ""            # the set that was judged last
        self._asked = ""             # the confirmation that was known then
        self._read_at = -EVERY_BYTE
        self._failed = ""

    @property
    def current(self) -> InForce:
        """What is in force now."""
        assert self._current is not None, "begin() comes first"
        return self._current

    def begin(self) -> None:
        """Put in force what the folder holds, or else the last good set. RulesError when there is neither."""
        if self._watch is not None:
            self._watch.arm()
        known = self._shelf.in_force()
        before = self._judge.judge(self._shelf.place(known), self.rules) if known else None
        if before is not None and before.rulebook is not None:
            self._current = self._made(before, known)
        self._seen = signature(self.rules)
        found = settled(self.rules, self._stopped.wait)
        assert found is not None
        problems = self._consider(found)
        if self._current is None:
            raise RulesError(problems)
        if found.digest == known:
            self._journal.say("rules-in-force", f"The rules are in force: {_held(self.current)}.", digest=known)
        elif self.current.digest == known:
            self._journal.warn("last-good", "The last good rules are in force until the folder is mended: "
                               f"{_held(self.current)}.", digest=known)

    def run(self) -> None:
        """Look at the folder until `stop` is called."""
        while not self._stopped.is_set():
            self._wake.wait(POLL)
            self._wake.clear()
            if self._stopped.is_set():
                return
            try:
                self.look()
                self._failed = ""
            except Exception as error:      # not the rules' fault: the disk, the process that judges them, or we
                self._note(error)

    def look(self) -> None:
        """Look once, and take over what has changed."""
        if self._watch is not None:
            self._watch.arm()
        seen, confirmed = signature(self.rules), self._shelf.accepted()
        due = time.monotonic() - self._read_at >= EVERY_BYTE
        if seen == self._seen and confirmed == self._asked and not due:
            return
        found = settled(self.rules, self._stopped.wait)
        if found is None:
            return
        self._seen = seen      # from before the readings: what changed meanwhile is looked at again
        self._read_at = time.monotonic()
        if found.digest != self._judged or confirmed != self._asked:
            self._consider(found)

    def _note(self, error: Exception) -> None:
        """Say once that the folder could not be looked at, and look again after a while: what is in force goes on."""
        said = f"{type(error).__name__}: {error}"
        if said != self._failed:
            ours = "" if isinstance(error, ForestallError) else f" ({said})"
            self._journal.warn("reload-failed", f"New rules could not be looked at{ours}; this is tried again.",
                               error.problems if isinstance(error, ForestallError) else ())
        self._failed = said
        self._judged, self._read_at = "", time.monotonic()

    def stop(self) -> None:
        """End `run`, and the watch with it."""
        self._stopped.set()
        self._wake.set()
        if self._watch is not None:
            self._watch.stop()

    # -- a set -------------------------------------------------------------------------------------------------------

    def _consider(self, found: Snapshot) -> tuple[Problem, ...]:
        """Put a set in force, or say why not: the problems, none when it is in force."""
        self._asked = self._shelf.accepted()
        if self._current is not None and found.digest == self._current.digest:
            if self._shelf.rejected() is not None:
                self._journal.say("rules-back", "The folder holds the rules in force again.", digest=found.digest)
            self._mended()
            self._judged = found.digest
            return ()
        problems = _unusable(found, self.rules)
        if not problems:
            judged = self._judge.judge(self._shelf.keep(found), self.rules)
            problems = judged.errors
            if not problems and self._asked != found.digest:
                problems = self._removed(judged)
            if not problems:
                self._take_over(judged, found.digest)
            else:
                self._shelf.drop(found.digest)
        if problems:
            self._reject(found.digest, problems)
        self._judged = found.digest
        return problems

    def _take_over(self, judged: Judged, digest: str) -> None:
        made = self._made(judged, digest)
        first, self._current = self._current is None, made
        try:
            self._shelf.put_in_force(digest, made.since)
        except StoreError as error:
            self._journal.warn("reload-failed", "The rules in force cannot be kept for a restart.", error.problems)
        self._mended()
        said = "The rules are in force" if first else "New rules are in force"
        self._journal.say("rules-in-force", f"{said}: {_held(made)}.", digest=digest)

    def _mended(self) -> None:
        self._shelf.nothing_rejected()
        self._reports.mended()

    def _made(self, judged: Judged, digest: str) -> InForce:
        assert judged.rulebook is not None
        evaluator = Evaluator(judged.rulebook, self._engine, judged.compiled)
        return InForce(judged.rulebook, evaluator, digest, self._now())

    def _reject(self, digest: str, problems: tuple[Problem, ...]) -> None:
        before = self._shelf.rejected() or Rejected(digest, self._now())
        known = replace(before, digest=digest)
        still = f" What is in force stays so: {_held(self._current)}." if self._current else ""
        self._journal.warn("rules-rejected", f"The rules in {self.rules} are not taken over.{still}", problems,
                           digest=digest)
        try:
            self._shelf.reject(known, problems)
        except StoreError as error:
            self._journal.warn("reload-failed", "The rejected rules cannot be noted down.", error.problems)
        if not known.reported:
            self._reports.rejected(known, self._current.digest if self._current else "", problems)

    def _removed(self, judged: Judged) -> tuple[Problem, ...]:
        """A set that lost more than half of its triggers or plays at once is more likely an accident than meant."""
        if self._current is None:
            return ()
        assert judged.rulebook is not None
        before, after = self._current.rulebook, judged.rulebook
        return tuple(
            Problem(Location(str(self.rules / file)), REMOVAL,
                    f"{len(gone)} of {len(old)} {what} are gone at once, more than half: {_some(gone)}.",
                    "If that is meant, confirm it with `forestall serve --accept-removal`; else bring them back.")
            for what, file, old, new in (("triggers", "triggers.yaml", before.triggers, after.triggers),
                                         ("plays", "playbook.yaml", before.plays, after.plays))
            if len(gone := [name for name in old if name not in new]) * 2 > len(old))


def _unusable(found: Snapshot, rules: Path) -> tuple[Problem, ...]:
    """What keeps a set from being judged at all."""
    if found.empty:
        return (Problem(Location(str(rules)), "rules-empty", "the folder with the rules is empty, or not there.",
                        "Put the rules back."),)
    return tuple(Problem(Location(str(rules / name)), "unreadable-file", f"this file cannot be read: {why}.",
                         "Check who may read it.") for name, why in sorted(found.unreadable.items()))


def _held(made: InForce) -> str:
    triggers, plays = len(made.rulebook.triggers), len(made.rulebook.plays)
    return f"{triggers:,} triggers and {plays:,} plays, set {made.digest[:_SHORT]}"


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
