"""Which line is to blame when YAML gives up: often not the one where it gives up, but one above that looks odd."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_VALUE_BEGINS = re.compile(r"(?:^\s*|- +|: +|[\[{,]\s*)(?=[\"'])")
_CLOSED = re.compile(r"\s*($|#|[,\]}]|:(\s|$))")
_HAS_COLON = re.compile(r":(\s|$)|^\s*- ?|[\[{]")


@dataclass(frozen=True, slots=True)
class Suspect:
    """A line (from 0) and column (from 0) that looks odd, what is odd, and the cure."""

    line: int
    column: int
    message: str
    hint: str


def suspect(lines: Sequence[str], stopped: int) -> Suspect | None:
    """The line that most likely made YAML stop at line `stopped` (from 0); None when none looks odd."""
    return _open_quote(lines, stopped) or _odd_line(lines, stopped)


def without_comment(line: str) -> str:
    """The line without its comment and the blanks at its end."""
    found = re.match(r"""(?:[^#"']|"[^"]*"|'[^']*'|(?<=\S)[#"']|["'])*""", line)
    return found.group().rstrip() if found else ""


def _open_quote(lines: Sequence[str], stopped: int) -> Suspect | None:
    """A quote that begins a value and ends in the middle of another one, lines below."""
    at, line = 0, 0
    while line <= min(stopped, len(lines) - 1):
        found = None if lines[line].lstrip().startswith("#") else _VALUE_BEGINS.search(lines[line], at)
        if found is None:
            line, at = line + 1, 0
            continue
        closed = _closing(lines, line, found.end())
        if closed is None or (closed[0] > line and not _CLOSED.match(lines[closed[0]], closed[1] + 1)):
            return Suspect(line, found.end(), "this quote is never closed.", "Close it with the same quote.")
        line, at = closed[0], closed[1] + 1
    return None


def _closing(lines: Sequence[str], line: int, column: int) -> tuple[int, int] | None:
    quote = lines[line][column]
    pattern = re.compile(r'(?:[^"\\]|\\.)*"' if quote == '"' else r"(?:[^']|'')*'")
    found = pattern.match(lines[line], column + 1)
    if found:
        return line, found.end() - 1
    below = next((number for number in range(line + 1, len(lines)) if quote in lines[number]), None)
    return None if below is None else (below, lines[below].index(quote))


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that says something."""

    number: int
    indent: int
    text: str

    @property
    def opens(self) -> bool:
        """Whether what follows stands below it."""
        return self.text.endswith(":")

    @property
    def is_item(self) -> bool:
        """Whether it is an entry of a list."""
        return self.text.lstrip().startswith("- ")

    def odd(self, message: str, hint: str) -> Suspect:
        return Suspect(self.number, self.indent, message, hint)


def _odd_line(lines: Sequence[str], stopped: int) -> Suspect | None:
    said = list(_said(lines, stopped))
    if len(said) < 2:
        return None
    if said[0].indent and any(line.indent < said[0].indent for line in said):
        return said[0].odd("this line is indented, and nothing stands above it that it could belong to.",
                           "Write the key that it belongs to above it, or indent nothing here.")
    step = _step(list(_said(lines, len(lines))))
    before, last, here = (said[-3] if len(said) > 2 else None), said[-2], said[-1]
    continues = before is not None and not before.opens and last.indent > before.indent
    if not _HAS_COLON.search(last.text) and not continues:
        if re.match(r"\s*[\w.]+:\S", last.text):
            return last.odd("there is no space after the colon of this line.", "Write `key: value` with a space.")
        return last.odd("this line has no colon.", "Write `key: value`, or indent it below its key.")
    if before is not None and last.indent < here.indent and not last.opens:
        level = before.indent + (step if before.opens else 0)
        if level == here.indent:
            return last.odd("this line is indented less than the lines around it.", "Indent it like them.")
    return _badly_opened(said, step)


def _said(lines: Sequence[str], through: int) -> Iterator[_Line]:
    for number, line in enumerate(lines[: through + 1]):
        text = without_comment(line)
        if text:
            yield _Line(number, len(text) - len(text.lstrip()), text)


def _step(said: Sequence[_Line]) -> int:
    """By how much people indent in this file."""
    steps = Counter(two.indent - one.indent for one, two in pairwise(said)
                    if one.opens and not one.is_item and two.indent > one.indent)
    return steps.most_common(1)[0][0] if steps else 2


def _badly_opened(said: Sequence[_Line], step: int) -> Suspect | None:
    """A key whose first line below it stands further right than everywhere else in the file."""
    for index, (key, below) in enumerate(pairwise(said)):
        if not key.opens or key.is_item or below.indent - key.indent in (step, *([0] if below.is_item else [])):
            continue
        if below.indent <= key.indent:
            continue
        after = said[index + 2] if index + 2 < len(said) else None
        if after is not None and after.indent - key.indent == step:
            return below.odd("this line is indented more than the lines around it.", "Indent it like them.")
        if any(other.indent == below.indent - step for other in said[max(0, index - 12):index]):
            return key.odd("this line is indented less than the lines around it.", "Indent it like them.")
        return below.odd("this line is indented more than others below such a key.",
                         f"Indent it by {step} more than its key.")
    return None
