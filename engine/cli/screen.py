"""Lines of one screen: a hundred columns, wrapped below their heads."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from datetime import date
from enum import IntEnum

from forestall.engine.cli.report import MARGIN

WIDTH = 100
MOST_LINES = 50


class Detail(IntEnum):
    """How much is told, so that it fits one screen."""

    WHOLE = 0
    WITHOUT_FALSE = 1       # of triggers that are false only the names
    ALERTS_IN_BRIEF = 2     # and of the less severe alerts no more than what would clear them and which plays run


def headed(title: str, text: str) -> Iterator[str]:
    """Text behind a title in the margin."""
    yield from wrapped(f"{title:<{MARGIN}}  ", text)


def below(text: str) -> Iterator[str]:
    """Text that belongs to the line above."""
    yield from wrapped(" " * (MARGIN + 4), text)


def wrapped(head: str, text: str) -> Iterator[str]:
    """Text behind its head, and where one line is not enough below it, a little further in."""
    room = WIDTH - len(head) - 2
    found = textwrap.wrap(text, room + 2, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    yield (head + (found[0] if found else "")).rstrip()
    for line in found[1:]:
        yield " " * len(head) + line


def clipped(line: str) -> str:
    """A line that would be too long ends with a dot dot dot."""
    return line if len(line) <= WIDTH else line[:WIDTH - 1] + "…"


def near(day: date, around: date) -> str:
    """`3 December`, with the year where it is another one than that of the day that is spoken of."""
    return f"{day.day} {day:%B}" + ("" if day.year == around.year else f" {day.year}")


def signed(value: float) -> str:
    """`+1.2`, `-9.3` or `0`."""
    return "0" if abs(value) < 0.05 else f"{value:+.1f}"


def tenths(values: Sequence[float], total: float) -> list[float]:
    """The values to one decimal, so that they still add up to the total: the largest remainders are rounded up."""
    down = [math.floor(value * 10 + 1e-9) for value in values]
    rest = round(total * 10) - sum(down)
    by_remainder = sorted(range(len(values)), key=lambda index: down[index] - values[index] * 10)
    for turn in range(abs(rest) if values else 0):
        down[by_remainder[turn % len(values)]] += 1 if rest > 0 else -1
    return [tenth / 10 for tenth in down]
