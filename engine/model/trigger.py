"""Conditions that are worth an alert."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from forestall.engine.errors import Location
from forestall.engine.model.delivery import StartedBy
from forestall.engine.model.expression import Expression


class Existing(StrEnum):
    """What a new trigger, or the first sight of an account in a tier, does with accounts that already match."""

    OPEN = "open"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A condition worth an alert. `cooldown` and `lasts` are in days.

    `severity` is a tier's name, or empty for the account's own tier: the worst since the alert opened. `clear_when`
    None: clears when `when` is false. `repeat` None: the owner is told once. `renamed_from` are names it had before.
    """

    name: str
    when: Expression
    location: Location
    clear_when: Expression | None = None
    about: str = ""
    severity: str = ""
    cooldown: int = 14
    lasts: int = 30
    existing: Existing = Existing.OPEN
    repeat: int | None = None
    renamed_from: tuple[str, ...] = ()
    started_by: StartedBy = StartedBy.DATA
