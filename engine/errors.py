"""What can go wrong, said so that the person who caused it can mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file; line and column count from 1, 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"

    def moved(self, columns: int, lines: int = 0) -> Location:
        """The place `lines` further down and `columns` further right."""
        return Location(self.file, self.line + lines, self.column + columns)


class Severity(StrEnum):
    """Whether a problem stops the rules from loading or only deserves a look. A note is advice (`forestall lint`)."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing a person can mend: where it is, what it is, and how to mend it.

    `code` is short, lower case with dashes and never changes its meaning (`unknown-name`). `word` is the name that it
    is about, where there is one: the same name need not be said many times.
    """

    location: Location
    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    word: str = ""

    def __str__(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.location}: {self.message}{hint}"


class ForestallError(Exception):
    """The root of every error that a person can cause. Carries the problems that explain it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(
            sorted(problems, key=lambda problem: (problem.location, problem.code, problem.message))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Problem, ...]]]:
        """It keeps its problems on the way from another process."""
        return type(self), (self.problems,)

    @classmethod
    def one(cls, location: Location, code: str, message: str, hint: str = "") -> Self:
        """An error of this class with a single problem."""
        return cls([Problem(location, code, message, hint)])


class RulesError(ForestallError):
    """The rule files cannot be used."""


class SettingsError(ForestallError):
    """forestall.yaml cannot be used."""


class SourceError(ForestallError):
    """A source could not deliver; nothing of what it read is kept."""


class HistoryError(ForestallError):
    """The stored history cannot be read or written."""


class StoreError(ForestallError):
    """The state database cannot be read or written."""


class UsageError(ForestallError):
    """The command was asked for something that does not exist or does not fit."""
