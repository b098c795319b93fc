"""A table of a database that is the history: where it is, and what its columns mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from forestall.engine.errors import Location
from forestall.engine.model.places import PostgresPlace

_PART = re.compile(r'`([^`]+)`|"([^"]+)"|([^.`"\s]+)')
MOST_PARTS = 3      # catalog, schema, table


class Holds(StrEnum):
    """What the rows of the table are."""

    DAYS = "days"              # one for each account and day, with the values that count on that day
    ARRIVALS = "arrivals"      # one whenever something was said: days are filled in the warehouse


@dataclass(frozen=True, slots=True)
class Warehouse:
    """The table that is the history, and its columns. `place` None: Spark reads it.

    `metrics` are columns with another name than their metric. An empty `first_day` is worked out, an empty `named_day`
    is the day of each row.
    """

    table: tuple[str, ...]
    location: Location
    place: PostgresPlace | None = None
    account: str = "account"
    as_of: str = "as_of"
    holds: Holds = Holds.DAYS
    first_day: str = ""
    named_day: str = ""
    metrics: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The table as people write it."""
        return ".".join(self.table)


def table_name(written: str) -> tuple[str, ...] | None:
    """The parts of a table's name, `sales.account_days`; one with a dot in it stands in backticks. None: unreadable."""
    found: list[str] = []
    at = 0
    while at <= len(written):
        part = _PART.match(written, at)
        if part is None:
            return None
        found.append(part[1] or part[2] or part[3])
        at = part.end() + 1
        if part.end() == len(written):
            break
        if written[part.end()] != ".":
            return None
    return tuple(found) if len(found) <= MOST_PARTS else None
