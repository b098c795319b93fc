"""One side in a process of its own, while the other one is decided here: they share nothing but what they evaluate."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Protocol

from forestall.engine.model.trigger import Existing
from forestall.engine.processes import process
from forestall.engine.score.changes import Changes
from forestall.engine.simulate.course import Course, Ended, Opening, Told


class Going(Protocol):
    """A course wherever it runs. What it is asked for is there when the answer is called for."""

    def begin(self, changes: Changes) -> None:
        """The evaluations of the days to come. They are taken when it returns."""

    def decide(self, day: date, existing: Existing | None, *, ending: bool) -> Callable[[], frozenset[Opening]]:
        """See `Course.decide`."""

    def tell(self, openings: Collection[Opening]) -> Callable[[], Mapping[Opening, Told]]:
        """See `Course.tell`."""

    def ended(self) -> Callable[[], Ended]:
        """See `Course.ended`."""


class Here:
    """A course in this process: it does what it is asked for when the answer is called for."""

    def __init__(self, course: Course) -> None:
        self.course = course

    def begin(self, changes: Changes) -> None:
        """As in `Going`."""
        self.course.begin(changes)

    def decide(self, day: date, existing: Existing | None, *, ending: bool) -> Callable[[], frozenset[Opening]]:
        """As in `Going`."""
        return lambda: self.course.decide(day, existing, ending=ending)

    def tell(self, openings: Collection[Opening]) -> Callable[[], Mapping[Opening, Told]]:
        """As in `Going`."""
        return lambda: self.course.tell(openings)

    def ended(self) -> Callable[[], Ended]:
        """As in `Going`."""
        return self.course.ended


class Aside:
    """A course in a process of its own, which begins at once what it is asked for. BrokenProcessPool where somebody
    ends it."""

    def __init__(self, course: Course) -> None:
        self._pool = process(__name__)
        self._taken = self._pool.submit(_take, course)

    def begin(self, changes: Changes) -> None:
        """As in `Going`. They travel through files: to send them takes longer."""
        self._taken.result()      # what it could not take would be told by nobody else
        with tempfile.TemporaryDirectory(prefix="forestall-", ignore_cleanup_errors=True) as folder:
            changes.write(Path(folder))
            self._pool.submit(_begin, Path(folder), changes.first).result()

    def decide(self, day: date, existing: Existing | None, *, ending: bool) -> Callable[[], frozenset[Opening]]:
        """As in `Going`."""
        return self._pool.submit(_decide, day, existing, ending).result

    def tell(self, openings: Collection[Opening]) -> Callable[[], Mapping[Opening, Told]]:
        """As in `Going`."""
        return self._pool.submit(_tell, openings).result

    def ended(self) -> Callable[[], Ended]:
        """As in `Going`."""
        return self._pool.submit(_ended).result

    def close(self, *, wait: bool) -> None:
        """End the process, which may take a second, or as long as what it is at."""
        self._pool.shutdown(wait=wait, cancel_futures=True)


# -- in the process of its own -----------------------------------------------------------------------------------------

_courses: list[Course] = []


def _take(course: Course) -> None:
    gc.disable()      # see `undisturbed`; this process does nothing else, and ends soon
    _courses.append(course)


def _begin(folder: Path, first: date) -> None:
    _courses[0].begin(Changes.read(folder, _courses[0].half.conditions, first))


def _decide(day: date, existing: Existing | None, ending: bool) -> frozenset[Opening]:
    return _courses[0].decide(day, existing, ending=ending)


def _tell(openings: Collection[Opening]) -> Mapping[Opening, Told]:
    return _courses[0].tell(openings)


def _ended() -> Ended:
    return _courses[0].ended()
