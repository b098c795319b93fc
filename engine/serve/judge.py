"""Rules judged in a process of their own: loaded, checked and compiled there, so that no pass waits for it.

Loading and compiling is work for the interpreter. In a thread it would take turns with a pass that runs; the process
here has an interpreter of its own, is kept, and has imported everything before the first save.
"""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing import get_context, parent_process
from pathlib import Path

from forestall.engine.errors import Location, Problem, Severity, UsageError
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.rulebook.loader import inspect
from forestall.engine.score.evaluate import Compiled
from forestall.engine.settings import Settings

NICENESS = 5      # a pass that runs goes first


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a set: a rulebook with its compiled queries, or errors. `problems` also holds warnings."""

    rulebook: Rulebook | None
    compiled: Compiled | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What stops the set from being used."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


class Judge:
    """Holds the process. `settings` are what the rules must fit into, `dialect` what queries are compiled to."""

    def __init__(self, settings: Settings, dialect: str) -> None:
        self._settings, self._dialect = settings, dialect
        self._pool: ProcessPoolExecutor | None = None

    def judge(self, folder: Path, shown: Path) -> Judged:
        """The set in `folder`, whose problems are told as if it stood in `shown`. UsageError when it cannot be done."""
        try:
            found: Future[Judged] = self._process().submit(_judge, folder, self._settings, self._dialect)
            judged = found.result()
        except BrokenProcessPool:
            self.close()
            raise UsageError.one(Location(str(shown)), "reload-ended", "the process that checks new rules was ended.",
                                 "It is started again. If it stays so, give this machine more memory.") from None
        except Exception as error:      # a fault of ours: it must not stop the rules that are in force
            said = str(error).splitlines() or [""]
            judged = Judged(None, None, (Problem(
                Location(str(shown)), "not-compiled", f"these rules cannot be compiled ({type(error).__name__}: "
                f"{said[0]}).", "This is a fault of Forestall: please report it. What is in force goes on."),))
        return replace(judged, problems=tuple(_moved(problem, folder, shown) for problem in judged.problems))

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _process(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, get_context("spawn"), _begin)
        return self._pool


def _begin() -> None:
    """In the new process: whoever started it ends it, and what it will need is imported before it is asked."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(OSError):
        os.nice(NICENESS)
    import_module("forestall.engine.intervene.templates")
    import_module("forestall.engine.score.queries")


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _judge(folder: Path, settings: Settings, dialect: str) -> Judged:
    found = inspect(folder, settings)
    if found.rulebook is None:
        return Judged(None, None, found.problems)
    return Judged(found.rulebook, Compiled.of(found.rulebook, dialect), found.problems)


def _moved(problem: Problem, folder: Path, shown: Path) -> Problem:
    """The problem told of the folder that people know, not of our copy."""
    def told(text: str) -> str:
        return text.replace(str(folder), str(shown))

    return replace(problem, location=replace(problem.location, file=told(problem.location.file)),
                   message=told(problem.message), hint=told(problem.hint))
