"""One-edit slips in the shipped files, made from a seed: what a hand does to YAML on a Friday afternoon."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LETTERS = "abcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"( *(?:- )?)([A-Za-z_]\w*):(?= |$)")


@dataclass(frozen=True)
class Slip:
    """The text of a file after one edit of line `line` (from 1); `lines` are the places that an error may name."""

    kind: str
    line: int
    before: str
    after: str
    text: str
    lines: frozenset[int]


def content(line: str) -> str:
    """The line without its comment."""
    found = re.match(r"""(?:[^#"']|"[^"]*"|'[^']*'|(?<=\S)[#'"])*""", line)
    return found.group().rstrip() if found else ""


def slips(texts: dict[str, str], count: int, seed: int) -> Iterator[tuple[str, Slip]]:
    """`count` slips, of all kinds in turns, in files chosen by their number of lines."""
    chance = random.Random(seed)
    files = {name: text.split("\n") for name, text in texts.items()}
    places = [(name, index) for name, lines in files.items() for index, line in enumerate(lines) if content(line)]
    kinds = list(KINDS)
    made = 0
    while made < count:
        name, index = chance.choice(places)
        slip = _slip(kinds[made % len(kinds)], files[name], index, chance)
        if slip is not None:
            made += 1
            yield name, slip


def _slip(kind: str, lines: list[str], index: int, chance: random.Random) -> Slip | None:
    line = lines[index]
    before = line
    allowed = {index + 1}
    match kind:
        case "deleted line":
            new = [*lines[:index], *lines[index + 1:]]
            allowed = {index, index + 1, _parent(lines, index) + 1}
            after = ""
        case "doubled line":
            new = [*lines[:index + 1], *lines[index:]]
            allowed |= {index + 2}
            after = f"{line}⏎{line}"
        case "swapped key":
            other = index + 1
            one, two = _KEY.match(line), _KEY.match(lines[other]) if other < len(lines) else None
            if not one or not two or one.group(2) == two.group(2) or len(one.group(1)) != len(two.group(1)):
                return None
            new = list(lines)
            new[index] = one.group(1) + two.group(2) + line[one.end(2):]
            new[other] = two.group(1) + one.group(2) + lines[other][two.end(2):]
            allowed |= {other + 1}
            before, after = f"{line}⏎{lines[other]}", f"{new[index]}⏎{new[other]}"
        case _:
            edited = KINDS[kind](content(line), chance)
            if edited is None or edited == content(line):
                return None
            after = edited + line[len(content(line)):]
            new = [*lines[:index], after, *lines[index + 1:]]
    return Slip(kind, index + 1, before, after, "\n".join(new), frozenset(allowed))


def _parent(lines: list[str], index: int) -> int:
    """The line of the key below which this line stands."""
    indent = len(lines[index]) - len(lines[index].lstrip())
    for above in range(index - 1, -1, -1):
        if content(lines[above]) and len(lines[above]) - len(lines[above].lstrip()) < indent:
            return above
    return 0


def _letter(line: str, chance: random.Random) -> str | None:
    at = chance.choice([index for index, letter in enumerate(line) if letter.isalnum()])
    match chance.randrange(4):
        case 0:
            return line[:at] + line[at + 1:]
        case 1:
            return line[:at] + chance.choice(LETTERS) + line[at:]
        case 2:
            return line[:at] + chance.choice(LETTERS) + line[at + 1:]
        case _:
            return line[:at] + line[at + 1:at + 2] + line[at] + line[at + 2:]


def _indent(line: str, chance: random.Random) -> str | None:
    new = chance.choice([" ", "  ", "\t", "-", "--"])
    if not new.startswith("-"):
        return new + line
    return line[len(new):] if line.startswith(" " * len(new)) else None


def _colon(line: str, chance: random.Random) -> str | None:
    at = [found.start() for found in re.finditer(":", line)]
    match chance.randrange(4):
        case 0 if at:
            one = chance.choice(at)
            return line[:one] + line[one + 1:]
        case 1 if at:
            one = chance.choice(at)
            return line[:one] + "::" + line[one + 1:]
        case 2 if ": " in line:
            return line.replace(": ", ":", 1)
        case _:
            return _put(line, chance.choice([":", ": "]), chance)


def _put(line: str, what: str, chance: random.Random) -> str:
    """With `what` at the beginning or the end of a word."""
    one = chance.choice([found.start() for found in re.finditer(r"\b", line)])
    return line[:one] + what + line[one:]


def _sign(signs: str) -> Callable[[str, random.Random], str | None]:
    def change(line: str, chance: random.Random) -> str | None:
        at = [index for index, letter in enumerate(line) if letter in signs]
        if at and chance.random() < 0.6:
            one = chance.choice(at)
            return line[:one] + line[one + 1:]
        return _put(line, chance.choice(signs), chance)

    return change


def _never(line: str, chance: random.Random) -> str | None:
    raise AssertionError("made from whole lines")


KINDS: dict[str, Callable[[str, random.Random], str | None]] = {
    "letter": _letter, "indent": _indent, "colon": _colon, "quote": _sign("\"'"), "bracket": _sign("()[]{}"),
    "deleted line": _never, "doubled line": _never, "swapped key": _never,
}
