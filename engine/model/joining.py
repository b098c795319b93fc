"""How the rows of a source find their account, where the source knows it by another key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from forestall.engine.errors import Location


@dataclass(frozen=True, slots=True)
class Joining:
    """`keys:` and `on_unknown:` of a source in forestall.yaml.

    `file` has the columns `key` and `account`; or `metric` is the text metric by which another source says the key of
    each account; with neither the source names accounts as everybody does. `location` is where that stands.
    `only_known`: rows of accounts that no other source names are left out.
    """

    location: Location
    file: Path | None = None
    metric: str = ""
    only_known: bool = False

    @property
    def waits(self) -> bool:
        """Whether the other sources must have been read before."""
        return bool(self.metric) or self.only_known
