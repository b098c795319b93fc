"""How well the facts of a day arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Silent:
    """A source that has said nothing for longer than is usual for it: since when, in words, and what it supplies."""

    reason: str
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Supply:
    """`known`: metric → for how many accounts it is known today, and for how many it was on the days compared with.
    `silent`: the sources that have gone silent, by name."""

    known: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    silent: Mapping[str, Silent] = field(default_factory=dict)
