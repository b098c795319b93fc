"""The protocols that adapters fulfil, and the few types that cross that border."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from forestall.engine.errors import ForestallError, Location, Problem, SettingsError, Severity, SourceError
from forestall.engine.model.catalogue import Metric

if TYPE_CHECKING:
    import pyarrow

    from forestall.engine.model.delivery import Message, Receipt

__all__ = ["Channel", "ChannelType", "ForestallError", "Location", "OnUncertain", "Problem", "Secret", "Severity",
           "Source", "SourceError", "SourceType"]


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference to a secret, `${secret:NAME}` in forestall.yaml, kept in the environment variable NAME.

    Its text never contains the secret, so it cannot reach a log by accident.
    """

    name: str

    def reveal(self) -> str:
        """The secret itself. SettingsError when the variable is not set."""
        value = os.environ.get(self.name)
        if not value:
            raise SettingsError.one(
                Location("forestall.yaml"), "secret-not-set", f"the secret {self.name} is not set.",
                f"Set the environment variable {self.name} before this command.",
            )
        return value


class Source(Protocol):
    """Supplies facts about accounts. It fails whole (SourceError) or delivers whole, and carries no rules."""

    name: str

    def supplies(self) -> tuple[str, ...]:
        """The metrics of the catalogue that it supplies. SourceError when it cannot be read."""

    def snapshots(self, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        """Rows of days from `since` through `until` (None: no bound), in tables of a bounded size.

        Columns: `account` (string, never null), `as_of` (date32, never null), and one per supplied metric in the type
        of its kind: number float64, text string, flag bool, date date32. A null says nothing. A column may carry its
        `unit` in the metadata of its field; it must be that of the catalogue. SourceError names the file or page, the
        row and the column of whatever cannot be read. `forestall source check` and engine/conformance/ ask all this.

        What it notices meanwhile that stops nothing (rows of days after `until`, which are left out) it may keep in an
        attribute `noticed`: `Problem`s of severity WARNING, each time those of the last reading. People are shown them.
        A source that may take minutes may have an attribute `progress`: before it is read it is set to a function, to
        be called with what is being done, how much of it is done, and how much there is as far as that is known.
        """


class SourceType(Protocol):
    """What the entry point group `forestall.sources` names: a class with a frozen dataclass of settings.

    The engine fills `Settings` from forestall.yaml. A field is a str, int, float, bool, StrEnum or Secret, another
    frozen dataclass, a `tuple[…, ...]` or `dict[str, …]` of any of these, or one of them or None; a default makes it
    optional. A nested dataclass may name a field as `shorthand: ClassVar[str]`: a bare value fills that one. What the
    fields must be to each other is checked in `__post_init__`, which raises ValueError(what is wrong, how to mend it).
    A source's `time_zone: str = ""` that stays empty is given that of forestall.yaml.

    `folder` is where forestall.yaml stands: relative paths start there. A class may say `supplies_at_once = True`: then
    `forestall check` asks it which metrics it supplies, so that must take no network, no heavy library and no more than
    the first lines of files. A class that says `keeps = True` is also given `keep`, a folder of its own that may not
    exist yet, for what it has fetched. Thrown away, that costs time and never facts.
    """

    Settings: ClassVar[type]

    def __call__(self, name: str, settings: object, metrics: Mapping[str, Metric], folder: Path,
                 **kept: Path) -> Source:
        """A source of this name for the supplied metrics of the catalogue; `kept` holds `keep`, or nothing."""


class OnUncertain(StrEnum):
    """What becomes of a message of which nobody knows whether it arrived."""

    RESEND = "resend"      # again under the same key, which the far side recognises
    HOLD = "hold"          # a person decides: twice may be worse than not at all


class Channel(Protocol):
    """Takes messages to one far side. `send` may be called by several threads at once.

    `recognises_repeats` says whether the far side, or the reader's program, can tell by `message.key` that it has this
    message already; it decides what is done after an uncertain attempt where forestall.yaml does not say
    `on_uncertain`. A channel without the attribute counts as one that cannot tell. A channel may have a method `close`.
    """

    name: str
    recognises_repeats: bool

    def send(self, message: Message) -> Receipt:
        """Try once. Never raises for what the far side or the network does: that is the receipt's to say."""


class ChannelType(Protocol):
    """What the entry point group `forestall.channels` names: a class with a frozen dataclass of settings.

    A field of type `tuple[Destination, ...]` gets the destinations of forestall.yaml that name the channel.
    """

    Settings: ClassVar[type]

    def __call__(self, name: str, settings: object, folder: Path) -> Channel:
        """A channel of this name."""
