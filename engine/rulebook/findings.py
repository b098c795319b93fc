"""Collecting problems while reading, instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Iterable

from forestall.engine.errors import Location, Problem, Severity


class Findings:
    """The problems found so far."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    @property
    def count(self) -> int:
        """How many there are so far; the same one may be among them twice."""
        return len(self._problems)

    def say(self, location: Location, code: str, message: str, hint: str = "", *, word: str = "") -> None:
        """An error: the rules cannot be used like this. `word` is the name that it is about."""
        self._problems.append(Problem(location, code, message, hint, word=word))

    def warn(self, location: Location, code: str, message: str, hint: str = "") -> None:
        """Something that deserves a look but stops nothing."""
        self._problems.append(Problem(location, code, message, hint, Severity.WARNING))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Problems that somebody else found."""
        self._problems.extend(problems)

    def found(self) -> tuple[Problem, ...]:
        """All of them, each once, as they were found."""
        return tuple(dict.fromkeys(self._problems))

    def sorted(self) -> tuple[Problem, ...]:
        """All of them, each once, by file and place."""
        unique = dict.fromkeys(self._problems)
        return tuple(sorted(unique, key=lambda problem: (problem.location, problem.code, problem.message)))
