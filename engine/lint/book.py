"""What a check looks at: the rulebook, the texts of its files, and the days that the history holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from forestall.engine.errors import Location, Severity
from forestall.engine.model.play import MessageStep, Play, StopIfStep, TaskStep, WaitStep
from forestall.engine.model.rulebook import Rulebook

CUSTOMER = "contact"
COLLEAGUES = ("csm", "executive", "csm.manager")


@dataclass(frozen=True, slots=True)
class Book:
    """The rules as they are written. `texts`: what each file says, by its name. `days`: how many the history holds."""

    rulebook: Rulebook
    texts: Mapping[str, str]
    days: int | None = None

    def place(self, file: str, key: str) -> Location:
        """Where a key of the outermost level stands; the file as a whole where it does not."""
        for name, text in self.texts.items():
            if Path(name).name == file:
                for number, line in enumerate(text.splitlines(), 1):
                    if line.startswith(f"{key}:"):
                        return Location(name, number, 1)
                return Location(name)
        return Location(file)


@dataclass(frozen=True, slots=True)
class Found:
    """One place that a check would change: what is so there, and what to do."""

    location: Location
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Check:
    """One piece of advice: its code never changes its meaning, `why` says what it is good for."""

    code: str
    severity: Severity
    why: str
    look: Callable[[Book], Iterator[Found]]


def read_texts(rules: Path) -> dict[str, str]:
    """Every file of the rules: the YAML files, the messages and the stories."""
    found = [*rules.glob("*.yaml"), *rules.glob("templates/*.md"), *rules.glob("tests/*.yaml")]
    return {str(path): path.read_text(encoding="utf-8-sig", errors="replace") for path in sorted(found)
            if path.is_file()}


def messages(play: Play) -> list[MessageStep]:
    """The steps that say something to somebody."""
    return [step for step in play.steps if not isinstance(step, (WaitStep, StopIfStep))]


def writes_to_the_customer(play: Play) -> bool:
    """Whether any step goes to the customer's own address."""
    return any(step.to == CUSTOMER for step in messages(play))


def has_a_person(play: Play) -> bool:
    """Whether somebody on our side hears of it: by a task, or by a message to a role."""
    return any(isinstance(step, TaskStep) or step.to in COLLEAGUES for step in messages(play))
