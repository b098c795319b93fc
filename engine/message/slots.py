"""Places in a Markdown text where values belong: a value is put in at the very end, and so is never read as markup.

A slot is a number between two characters that no text may hold (Unicode keeps them for use inside of programs).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import quote

_OPEN, _CLOSE, _IN_LINK = "\ufdd0", "\ufdd1", "\ufdd2"
SLOT = re.compile(f"([{_OPEN}{_IN_LINK}])(\\d+){_CLOSE}")
LINKED_SLOT = f"{_IN_LINK}\\1{_CLOSE}"      # a replacement: the slot with number 1 inside the address of a link
_RESERVED = re.compile(f"[{_OPEN}{_CLOSE}{_IN_LINK}]")
_WEB = ("https://", "http://", "mailto:")

Pieces = tuple[tuple[str, int, bool], ...]


class Slots:
    """Takes the values of one message and gives a slot for each."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: list[str] = []

    def put(self, value: str) -> str:
        """The slot in which `value` will stand."""
        values = self.values
        values.append(value)
        return f"{_OPEN}{len(values) - 1}{_CLOSE}"


def slot(number: int, *, in_link: bool = False) -> str:
    """The slot with this number."""
    return f"{_IN_LINK if in_link else _OPEN}{number}{_CLOSE}"


def without_reserved(text: str) -> str:
    """The text of a template, in which nobody can write a slot."""
    return _RESERVED.sub("", text)


@lru_cache(maxsize=4096)
def pieces(text: str) -> Pieces:
    """A text cut at its slots: what stands before each, its number (-1 at the end) and whether it is in a link."""
    found: list[tuple[str, int, bool]] = []
    end = 0
    for slot in SLOT.finditer(text):
        found.append((text[end:slot.start()], int(slot[2]), slot[1] == _IN_LINK))
        end = slot.end()
    return (*found, (text[end:], -1, False))


def filled(cut: Pieces, values: Sequence[str], written: Callable[[str], str],
           linked: Callable[[str], str] | None = None) -> str:
    """The text with its values, each as `written` makes it safe; in a link as part of an address, as `linked` does."""
    if len(cut) == 1:
        return cut[0][0]
    return "".join([before if number < 0 else
                    before + ((linked or written)(address(values[number])) if in_link else written(values[number]))
                    for before, number, in_link in cut])


def address(value: str) -> str:
    """A value inside of a link: a whole web address as it is, anything else as one part of one."""
    return quote(value, safe="/:?#@!$&'*+,;=%~" if value.startswith(_WEB) else "")
