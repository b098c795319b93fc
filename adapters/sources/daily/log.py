"""What a source of happenings brings: rows of a log as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow

ACCOUNT, AT, NAME, ID = "account", "at", "name", "id"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The part of a log that is needed.

    `columns` beside `account` and `at`: names as the declaration has them, `name` and `id` among them where they are
    needed. `since` is the first instant in UTC, None: the beginning of the log; `until` the first instant that is not
    needed any more.
    """

    columns: tuple[str, ...]
    since: datetime | None
    until: datetime | None


class Log(Protocol):
    """Gives the rows of a log, in tables of a bounded size (some 200,000 rows) and in any order.

    Columns: `account` (string, never null), `at` (timestamp with any unit, in UTC, with or without saying so; never
    null), and those of `wanted.columns`: `name` and `id` strings, any other of any type (for `sum` numbers, or texts
    that hold numbers; for `properties.plan` a column `properties` that holds JSON as text, or a struct). A column that
    a table does not have counts as null there. Rows outside of the times that are wanted may be given or left out:
    they are cut off here, and those of days after `until` are counted, where they are given.
    Two rows with the same `id` are the same happening: the one that was given later counts.
    SourceError names the file or page, the row and the column of whatever cannot be read.
    """

    def __call__(self, wanted: Wanted) -> Iterator[pyarrow.Table]:
        """The rows."""
