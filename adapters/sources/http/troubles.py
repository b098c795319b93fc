"""What can go wrong between us and an API, as sentences with a place: source, path and page, never a query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from forestall.engine.model.ports import Location, Problem, Severity, SourceError

Progress = Callable[[str, int, int], None]      # what is being done, how much is done, how much there is
SETTINGS_FILE = "forestall.yaml"


@dataclass(frozen=True, slots=True)
class Place:
    """A page of an API as people are told of it: the source, the path without its query, the page if there are any."""

    source: str
    path: str = ""
    page: int = 0

    def __str__(self) -> str:
        return " ".join(filter(None, (self.source, self.path, f"page {self.page}" if self.page else "")))

    def fault(self, code: str, message: str, hint: str = "") -> SourceError:
        """An error about this page."""
        return SourceError([Problem(Location(str(self)), code, message, hint)])


def quiet(_what: str, _done: int, _whole: int) -> None:
    """Report no progress."""


class Later(Exception):
    """Something that may pass by itself; `wait` is how long the far side asks us to wait, in seconds."""

    def __init__(self, code: str, said: str, hint: str, wait: float | None = None) -> None:
        self.code, self.said, self.hint, self.wait = code, said, hint, wait
        super().__init__(said)


class Refusal(Exception):
    """The far side does not want this question: its status, and what it says of it."""

    def __init__(self, status: int, said: str) -> None:
        self.status, self.said = status, said
        super().__init__(said)

    def error(self, place: Place) -> SourceError:
        """The same as a sentence."""
        cures = {401: "Check the token or password and that it is still in force.",
                 403: "Give the token or user the right to read this.",
                 404: "Correct the address, or ask whether this account has such records."}
        return place.fault("http-refused", f"the answer is {self.status}{self.said}.",
                             cures.get(self.status, "Correct what is asked for, or ask those who keep the API."))


def setting_error(code: str, message: str, hint: str) -> SourceError:
    """An error about what forestall.yaml says of a source; its line is found by the names in backticks."""
    return SourceError([Problem(Location(SETTINGS_FILE), code, message, hint)])


def notice(place: Place, message: str, hint: str = "") -> Problem:
    """Something that stops nothing and that people should know."""
    return Problem(Location(str(place)), "http-left-out", message, hint, Severity.WARNING)
