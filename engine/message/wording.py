"""How values read in a message: numbers, dates and flags as people write them, and text that stays text."""

from __future__ import annotations

import re
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from forestall.engine.model.evaluation import Value

NOT_KNOWN = "not known yet"

_SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# Control characters and those that turn the direction of writing: they can hide what a line says.
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdd2\ufeff]")
_SPECIAL = re.compile(r"""
    [\\`*\[\]<]                           # these begin something wherever they stand
  | (?<![^\W_])_ | _(?![^\W_])            # emphasis; inside of a word it is none
  | &(?=\#?\w+;)                          # a character by its name
""", re.VERBOSE)
_RISKY = re.compile(r"[\\`*\[\]<>_&~#+=.)-]")      # whatever any of the three might escape
_AT_START = re.compile(r"^(?:[>~]|(?:\#{1,6}|[-+]+|=+)(?=\s|$))")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


@lru_cache(maxsize=65_536)
def number(value: float) -> str:
    """12, 3.5, 1,200: at most two decimals, fewer for large numbers, more only where nothing else would be left."""
    exact = Decimal(repr(value))
    size = abs(exact)
    if size and size < Decimal("0.01"):
        return f"{value:.1g}" if size >= Decimal("0.0001") else "0"
    places = 2 if size < 100 else 1 if size < 10_000 else 0
    rounded = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    if not rounded:
        return "0"
    text = f"{rounded:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(maxsize=4096)
def day(value: date) -> str:
    """3 December 2014."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def short_day(value: date) -> str:
    """3 Dec: where the year is plain and room is short."""
    return f"{value.day} {_MONTHS[value.month - 1][:3]}"


def value_text(value: Value) -> str:
    """Any value of an account as people read it; text on one line."""
    match value:
        case None:
            return NOT_KNOWN
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return number(value)
        case date():
            return day(value)
        case _:
            return one_line(value)


def one_line(text: str) -> str:
    """The text on one line, without characters that nobody sees."""
    if text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]:
        return text      # most texts are, and this is quicker
    return " ".join(_INVISIBLE.sub("", text).split())


def counted(count: int, one: str, many: str) -> str:
    """`seven days`: small numbers as words."""
    return f"{_SMALL[count] if 0 <= count < len(_SMALL) else number(count)} {one if count == 1 else many}"


@lru_cache(maxsize=65_536)
def escaped(text: str) -> str:
    """The text so that Markdown shows just it. Ordinary names (`O'Brien & Sons (EU)`) stay as they are."""
    if not _RISKY.search(text):
        return text
    text = _SPECIAL.sub(lambda found: f"\\{found.group()}", text)
    text = _AT_START.sub(lambda found: f"\\{found.group()}", text)
    return _NUMBERED.sub(r"\1\\\2", text)


def same(text: str) -> str:
    """The text as it is, where nothing can be mistaken for markup."""
    return text


def unescaped(markdown: str) -> str:
    """Markdown as people read it in plain text: without the backslashes that only a program needs."""
    return _ESCAPED.sub(r"\1", markdown)


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")
