"""Places in a Markdown text where values belong: a value is put in at the very end, and so is never read as markup.

A slot is a number between two characters that no text may hold (Unicode keeps them for use inside of programs).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from forestall.engine.model.filled import Filled

_OPEN, _CLOSE, _IN_LINK = "\ufdd0", "\ufdd1", "\ufdd2"
SLOT = re.compile(f"([{_OPEN}{_IN_LINK}])(\\d+){_CLOSE}")
LINKED_SLOT = f"{_IN_LINK}\\1{_CLOSE}"      # a replacement: the slot with number 1 inside the address of a link
_RESERVED = re.compile(f"[{_OPEN}{_CLOSE}{_IN_LINK}]")
_WEB = ("https://", "http://", "mailto:")

AROUND = 1_000_000      # from this number on a slot is for what stands around a body: see `filled`


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text cut at its slots: what stands around them, and of each its number and whether it is in a link."""

    form: tuple[str, ...]
    slots: tuple[tuple[int, bool], ...]

    def again(self) -> str:
        """The text, whole again."""
        whole = [slot(number, in_link=in_link) for number, in_link in self.slots]
        return Filled(self.form, whole)


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
    """The text cut at its slots."""
    form, slots = [], []
    end = 0
    for found in SLOT.finditer(text):
        form.append(text[end:found.start()])
        slots.append((int(found[2]), found[1] == _IN_LINK))
        end = found.end()
    return Pieces((*form, text[end:]), tuple(slots))


def filled(cut: Pieces, values: Sequence[str], written: Callable[[str], str],
           linked: Callable[[str], str] | None = None, around: Sequence[str] = ()) -> str:
    """The text with its values, each as `written` makes it safe; in a link as part of an address, as `linked` does.

    What stands `around` the body is safe already; its slots are numbered from AROUND on.
    """
    return Filled(cut.form, [
        around[number - AROUND] if number >= AROUND else
        (linked or written)(address(values[number])) if in_link else written(values[number])
        for number, in_link in cut.slots])


def address(value: str) -> str:
    """A value inside of a link: a whole web address as it is, anything else as one part of one."""
    return quote(value, safe="/:?#@!$&'*+,;=%~" if value.startswith(_WEB) else "")
