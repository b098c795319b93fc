"""Whom and what a message can reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forestall.engine.model.ports import Secret


def bare_address(said: str) -> str:
    """The address in `Ann <Ann@acme.example>`, in small letters: two that differ in case are one to every server."""
    return (said.rpartition("<")[2].rstrip("> ") if said.rstrip().endswith(">") else said).strip().casefold()


@dataclass(frozen=True, slots=True)
class Person:
    """A colleague, as forestall.yaml names them. `manager` is another person's key."""

    key: str
    name: str
    email: str = ""
    slack: str = ""
    manager: str = ""
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """A place that rules can name: a channel, and the address on it (a URL, a Slack channel, an email address).

    `secret` signs what goes there, in the place of the channel's own.
    """

    name: str
    channel: str
    address: str
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody and everything that rules can address. `time_zone` is the project's: for whom no other is known."""

    people: Mapping[str, Person]
    destinations: Mapping[str, Destination]
    email_channel: str = "email"      # the channel by which an email to a role travels
    slack_channel: str = "slack"
    answers: bool = False
    time_zone: str = "UTC"
    _by_word: Mapping[str, Person] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, Person] = {}
        for person in self.people.values():
            for word in (person.key, person.email, person.name):
                found.setdefault(word, person)
        object.__setattr__(self, "_by_word", found)

    def person(self, said: str | None) -> Person | None:
        """The person whose key, email address or name a metric says; an address unknown to us stands for itself."""
        if not said:
            return None
        known = self._by_word.get(said)
        if known is not None:
            return known
        return Person(key=said, name=said.split("@")[0], email=said) if "@" in said else None
