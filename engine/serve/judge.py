"""Rules judged and compiled in processes of their own, so that no pass that runs waits for it.

Loading and compiling is work for the interpreter. In a thread it would take turns with a pass that runs; the processes
here have interpreters of their own, are kept, and have imported everything before the first save. There are two: while
the queries of one set are compiled, the next save is judged.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from forestall.engine.errors import Location, Problem, Severity, UsageError
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.processes import process
from forestall.engine.rulebook.loader import inspect
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluate import Compiled
from forestall.engine.settings import Settings

NICENESS = 5           # of checking: a pass that runs goes first
COMPILING = 19         # of compiling, for which only a pass that begins just now can wait


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a set: a rulebook, or errors. `problems` also holds warnings."""

    rulebook: Rulebook | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What stops the set from being used."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


class Judge:
    """Holds the processes. `settings` are what the rules must fit into, `engine` is what queries are compiled for."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings, self._engine = settings, engine
        self._checking: ProcessPoolExecutor | None = None
        self._compiling: ProcessPoolExecutor | None = None
        self._last: Future[Compiled] | None = None

    def judge(self, folder: Path, shown: Path) -> Judged:
        """The set in `folder`, whose problems are told as if it stood in `shown`. UsageError when it cannot be done."""
        self._begun()
        assert self._checking is not None
        try:
            judged = self._checking.submit(_judge, folder, self._settings).result()
        except BrokenProcessPool:
            self._checking.shutdown()
            self._checking = None
            raise UsageError.one(Location(str(shown)), "reload-ended", "the process that checks new rules was ended.",
                                 "It is started again. If it stays so, give this machine more memory.") from None
        except Exception as error:      # a fault of ours: it must not stop the rules that are in force
            judged = Judged(None, (fault(error, shown),))
        return replace(judged, problems=tuple(_moved(problem, folder, shown) for problem in judged.problems))

    def compile(self, rulebook: Rulebook) -> Future[Compiled]:
        """The queries of a rulebook, when they are compiled. What was asked for before and has not begun is left."""
        self._begun()
        assert self._compiling is not None
        if self._last is not None:
            self._last.cancel()
        try:
            engine = self._engine
            self._last = self._compiling.submit(Compiled.of, rulebook, engine.dialect, engine.in_order, engine.far)
        except BrokenProcessPool:
            self._compiling.shutdown()
            self._compiling = None
            return self.compile(rulebook)
        return self._last

    def close(self) -> None:
        """End the processes."""
        for pool in (self._checking, self._compiling):
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)
        self._checking = self._compiling = None

    def _begun(self) -> None:
        """Start the processes that do not run, both at once: each takes a while to import what it needs."""
        if self._compiling is None:
            self._compiling = process("forestall.engine.score.queries", COMPILING)
            self._compiling.submit(int)
        if self._checking is None:
            self._checking = process("forestall.engine.message.templates", NICENESS)


def compiled(found: Future[Compiled]) -> Compiled | None:
    """What was compiled; None when the process was ended or the set is no longer wanted. Our own faults are raised."""
    try:
        return found.result()
    except (BrokenProcessPool, CancelledError):
        return None


def fault(error: BaseException, shown: Path) -> Problem:
    """Something that is not the rules' fault."""
    said = str(error).splitlines() or [""]
    return Problem(Location(str(shown)), "not-compiled",
                   f"these rules cannot be compiled ({type(error).__name__}: {said[0]}).",
                   "This is a fault of Forestall: please report it. What is in force goes on.")


def _judge(folder: Path, settings: Settings) -> Judged:
    found = inspect(folder, settings)
    return Judged(found.rulebook, found.problems)


def _moved(problem: Problem, folder: Path, shown: Path) -> Problem:
    """The problem told of the folder that people know, not of our copy."""
    def told(text: str) -> str:
        return text.replace(str(folder), str(shown))

    return replace(problem, location=replace(problem.location, file=told(problem.location.file)),
                   message=told(problem.message), hint=told(problem.hint))
