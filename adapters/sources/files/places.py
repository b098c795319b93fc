"""Which files a `path` of forestall.yaml means, and the days that their names say."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

COMPRESSED = (".gz", ".zst", ".bz2")
# What a path may say of the day in the names of files: all of it, or its parts.
_TOKENS = {"{day}": r"(?P<day>\d{4}-\d{2}-\d{2}|\d{8})", "{yyyy}": r"(?P<year>\d{4})", "{mm}": r"(?P<month>\d{2})",
           "{dd}": r"(?P<date>\d{2})"}
_PART = re.compile(r"\{(?:day|yyyy|mm|dd)\}|\*\*/|\*|\?|\[[!^]?[^]]+\]|.", re.DOTALL)
_WILD = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


class BadPath(ValueError):
    """A path says the day in a way that cannot be read."""


class BadDay(ValueError):
    """A file's name has digits where its day belongs, and they are none. The text names the file."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What files are called: `wild` for whoever lists them, and how a name tells its day, if it does."""

    wild: str
    names: re.Pattern[str] | None

    def day(self, name: str) -> date | None:
        """The day of a name that was found. BadDay when it is none."""
        found = self.names.search(name) if self.names is not None else None
        if found is None:
            return None
        parts = found.groupdict()
        digits = (parts.get("day") or "".join(parts[key] for key in ("year", "month", "date"))).replace("-", "")
        try:
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        except ValueError:
            raise BadDay(name) from None

    def fitting(self, names: Iterable[str]) -> Iterator[str]:
        """The names that fit: `*` in place of a day finds others too."""
        return (name for name in names if self.names is None or self.names.search(name) is not None)


def pattern(path: str) -> Pattern:
    """A path with `{day}`, or with `{yyyy}`, `{mm}` and `{dd}`, as a pattern. BadPath when they do not go together."""
    there = [token for token in _TOKENS if token in path]
    if not there:
        return Pattern(path, None)
    if there != ["{day}"] and there != ["{yyyy}", "{mm}", "{dd}"]:
        raise BadPath
    seen: set[str] = set()
    named, wild = "", ""
    for part in _PART.findall(path):
        if part in _TOKENS:
            name = re.findall(r"\?P<(\w+)>", _TOKENS[part])[0]
            named += f"(?P={name})" if part in seen else _TOKENS[part]
            seen.add(part)
            wild += "*"
        else:
            named += _WILD.get(part) or (_one_of(part) if len(part) > 1 else re.escape(part))
            wild += part
    return Pattern(wild, re.compile(named + r"\Z"))


def _one_of(part: str) -> str:
    """`[!0-9]` of a pattern as an expression says it."""
    inside = part[1:-1]
    negated, inside = ("^", inside[1:]) if inside[0] in "!^" else ("", inside)
    meant = "".join("\\" + char if char in "[&~|^\\" else char for char in inside)
    return f"[{negated}{meant}]"


def is_wild(path: str) -> bool:
    """Whether a path stands for more than one file."""
    return glob.has_magic(path)


def fits(name: str, endings: tuple[str, ...]) -> bool:
    """Whether a file of a folder is a table: tools leave _SUCCESS marks and dot files beside theirs."""
    return name.endswith(endings) and not name.startswith((".", "_"))


def local(folder: Path, path: str, endings: tuple[str, ...]) -> list[tuple[Path, date | None]]:
    """The files that `path` means, from `folder` on, with the days of their names. OSError, BadPath or BadDay."""
    wanted = pattern(path)
    place = folder / path
    if wanted.names is None and place.is_dir():
        return [(file, None) for file in sorted(place.iterdir()) if fits(file.name, endings) and file.is_file()]
    if wanted.names is None and place.exists():
        return [(place, None)]
    # only the setting is a pattern: the project's own folder may hold brackets
    found = wanted.fitting(sorted(glob.glob(wanted.wild, root_dir=folder, recursive=True)))
    return [(folder / name, wanted.day(name)) for name in found if (folder / name).is_file()]
