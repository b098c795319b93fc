"""What the text, the Markdown and the page have in common: sections with sentences and tables, in plain words.

The three differ in how they draw these, never in what they say or in which order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Shift:
    """A figure with the rules in force and with the candidate, in one cell: `12 → 19`, or `12` where both are so."""

    base: str
    candidate: str

    def __str__(self) -> str:
        return self.candidate if self.base == self.candidate else f"{self.base} → {self.candidate}"


Cell = str | Shift


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column. `right`: figures stand flush right. `below`: where room is short, on a line of its own.

    `wide` is how many characters a cell may take where there is no end of room.
    """

    name: str
    right: bool = False
    below: bool = False
    wide: int = 60


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under heads; the first column says what each row is about.

    `folded`: long or of second rank, so that it is opened on demand. `of_chart`: the figures of a chart, for those who
    do not see it. `shades` colours cells by row and column: above 0 for the worse, below 0 for the better, up to 1.
    `marked` rows stand out. `more` says what else there is, below it.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: bool = False
    of_chart: bool = False
    shades: Mapping[tuple[int, int], float] = field(default_factory=dict)
    marked: frozenset[int] = frozenset()
    more: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the answer. `key` is its name in addresses and in charts."""

    key: str
    title: str
    said: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
