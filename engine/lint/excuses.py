"""Exclusion comments: `# lint: allow CODE: reason` on the line of a finding, or in the comment right above it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from forestall.engine.errors import Location

_COMMENT = re.compile(r"(?:^|(?<=\s)|(?<=\{))#\s*lint:\s*allow\s+(?P<codes>[\w-]+(?:\s*,\s*[\w-]+)*)\s*"
                      r"(?::\s*(?P<reason>.*?))?\s*(?:#?\}.*)?$")


@dataclass(frozen=True, slots=True)
class Excuse:
    """One code that a comment excuses, and why. `location` is the comment, `line` the line that it is about."""

    location: Location
    line: int
    code: str
    reason: str


def excuses(texts: Mapping[str, str]) -> Iterator[Excuse]:
    """Every excuse of the files, in their order."""
    for file, text in texts.items():
        lines = text.splitlines()
        for number, line in enumerate(lines, 1):
            found = _COMMENT.search(line)
            if found is None:
                continue
            place = Location(file, number, found.start() + 1)
            about = number if line[:found.start()].strip(" {") else _below(lines, number)
            for code in re.split(r"\s*,\s*", found["codes"]):
                yield Excuse(place, about, code, (found["reason"] or "").strip())


def _below(lines: list[str], number: int) -> int:
    """The first line below a comment that is no comment: what the comment is about."""
    for later, line in enumerate(lines[number:], number + 1):
        if not line.lstrip().startswith(("#", "{#")):
            return later
    return number
