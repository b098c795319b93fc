"""Whom and what a message can reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
    """A place that rules can name: a channel, and the address on it (a URL, a Slack channel, an email address)."""

    name: str
    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody and everything that rules can address."""

    people: Mapping[str, Person]
    destinations: Mapping[str, Destination]
    email_channel: str = "email"      # the channel by which an email to a role travels
    slack_channel: str = "slack"

    def person(self, said: str | None) -> Person | None:
        """The person whose key, email address or name a metric says; an address unknown to us stands for itself."""
        if not said:
            return None
        for person in self.people.values():
            if said in (person.key, person.email, person.name):
                return person
        return Person(key=said, name=said.split("@")[0], email=said) if "@" in said else None
