"""Hot reload: the folder is taken whole, judged, and put in force in one step, or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from forestall.engine.errors import ForestallError, Location, Problem, RulesError, StoreError
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluate import Compiled, Evaluator
from forestall.engine.serve.journal import Journal
from forestall.engine.serve.judge import Judge, Judged, compiled, fault
from forestall.engine.serve.shelf import Rejected, Shelf
from forestall.engine.serve.snapshot import Snapshot, settled, signature
from forestall.engine.serve.watch import Watch

POLL = 0.3          # seconds between two looks at names, sizes and times
EVERY_BYTE = 5.0    # seconds between two readings of everything, whatever names, sizes and times say
REMOVAL = "rules-removed"
_SHORT = 12         # letters of a hash that people are shown


class Reports(Protocol):
    """Whom a rejected set is reported to."""

    def rejected(self, rejected: Rejected, in_force: str, problems: tuple[Problem, ...]) -> None:
        """The folder cannot be used; its owners do not know yet."""

    def mended(self) -> None:
        """It can be used again."""


@dataclass(frozen=True)
class InForce:
    """The rules that decide: what a pass began with stays its own, whatever comes into force meanwhile.

    They are checked; their queries are still compiled for a moment, and a pass that begins within it waits for them.
    """

    rulebook: Rulebook
    digest: str
    since: datetime
    compiling: Future[Compiled]
    engine: Engine

    @cached_property
    def evaluator(self) -> Evaluator:
        """Evaluates these rules. It compiles them itself where the process that should have done it was ended."""
        return Evaluator(self.rulebook, self.engine, compiled(self.compiling))

    @property
    def fault(self) -> BaseException | None:
        """Why they cannot be compiled, which is a fault of ours; waits until that is known."""
        try:
            compiled(self.compiling)
        except Exception as error:
            return error
        return None


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
        self._proven: InForce | None = None      # the last that was compiled, and is kept for a restart
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

    def for_a_pass(self) -> InForce:
        """What is in force for a pass that begins now, compiled: it may have to wait for that. From any thread."""
        made = self.current
        if made.fault is None:
            return made
        assert self._proven is not None
        return self._proven

    def begin(self) -> None:
        """Put in force what the folder holds, or else the last good set. RulesError when there is neither."""
        if self._watch is not None:
            self._watch.arm()
        known = self._shelf.in_force()
        before = self._judge.judge(self._shelf.place(known), self.rules) if known else None
        if before is not None and before.rulebook is not None:
            made = self._made(before.rulebook, known)
            if made.fault is None:
                self._current = self._proven = made
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
        while True:
            self._wake.wait(POLL)
            self._wake.clear()
            if self._stopped.is_set():
                self._prove(wait=True)
                return
            try:
                self.look()
                self._failed = ""
            except Exception as error:      # not the rules' fault: the disk, the process that judges them, or we
                self._note(error)

    def look(self) -> None:
        """Look once, and take over what has changed."""
        self._prove()
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
            if not problems and judged.rulebook is not None:
                problems = self._take_over(judged.rulebook, found.digest)
            if problems:
                self._shelf.drop(found.digest)
        if problems:
            self._reject(found.digest, problems)
        self._judged = found.digest
        return problems

    def _take_over(self, rulebook: Rulebook, digest: str) -> tuple[Problem, ...]:
        """Put a sound set in force. The first one of all must be compiled as well: there is nothing to go back to."""
        made = self._made(rulebook, digest)
        first = self._current is None
        if first and made.fault is not None:
            return (fault(made.fault, self.rules),)
        self._current = made
        made.compiling.add_done_callback(lambda _done: self._wake.set())
        self._mended()
        said = "The rules are in force" if first else "New rules are in force"
        self._journal.say("rules-in-force", f"{said}: {_held(made)}.", digest=digest)
        if first:
            self._prove()
        return ()

    def _prove(self, *, wait: bool = False) -> None:
        """Once they are compiled, keep the rules in force for a restart; take them back where that cannot be done."""
        made = self._current
        if made is None or made is self._proven or not (wait or made.compiling.done()):
            return
        if made.fault is not None and self._proven is not None:
            self._current = self._proven
            self._shelf.drop(made.digest)
            self._reject(made.digest, (fault(made.fault, self.rules),))
            return
        self._proven = made
        try:
            self._shelf.put_in_force(made.digest, made.since)
        except StoreError as error:
            self._journal.warn("reload-failed", "The rules in force cannot be kept for a restart.", error.problems)

    def _mended(self) -> None:
        self._shelf.nothing_rejected()
        self._reports.mended()

    def _made(self, rulebook: Rulebook, digest: str) -> InForce:
        return InForce(rulebook, digest, self._now(), self._judge.compile(rulebook), self._engine)

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
