"""A query as people write it, with `{{ since }}` in it. What stands for a day is bound, never pasted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

PARAMETERS = ("since", "until")
_BRACES = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_QUOTED = re.compile(r"'\s*(\{\{[^}']*\}\})\s*'")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_ROWS = "forestall_rows"


class BadQuery(ValueError):
    """A query that cannot be used; the arguments are what is wrong, and the cure."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Pieces of SQL with the names of parameters between them, as often as they stand there."""

    pieces: tuple[str, ...]
    names: tuple[str, ...] = ()

    def written(self, parameter: Callable[[int, str], str], text: Callable[[str], str] = str) -> str:
        """The SQL, with `parameter(position, name)` for each parameter and the pieces between them as `text` has it."""
        marks = [parameter(position, name) for position, name in enumerate(self.names, start=1)]
        return "".join(text(piece) + mark for piece, mark in zip(self.pieces, [*marks, ""], strict=True))

    def only_columns(self) -> Statement:
        """The same query without any row."""
        return self._inside(f"\n) {_ROWS} WHERE 1 = 0")

    def changed_since(self, column: str) -> Statement:
        """Only the rows whose column is at least the parameter `mark`."""
        around = self._inside(f"\n) {_ROWS} WHERE {_ROWS}.{column} >= ")
        return Statement((*around.pieces, ""), (*around.names, "mark"))

    def _inside(self, end: str) -> Statement:
        pieces = [f"SELECT * FROM (\n{self.pieces[0]}", *self.pieces[1:]]
        return Statement((*pieces[:-1], pieces[-1] + end), self.names)


def statement(query: str) -> Statement:
    """The query of a source. BadQuery when its braces cannot be filled."""
    text = query.strip().rstrip(";").rstrip()
    if not text:
        raise BadQuery("is empty.", "Write a SELECT with a row for each account and day.")
    if (quoted := _QUOTED.search(text)) is not None:
        raise BadQuery(f"has {quoted[1]} in quotes.", "Take the quotes away: it is a parameter, and no text.")
    pieces, names = [], []
    at = 0
    for found in _BRACES.finditer(text):
        if found[1] not in PARAMETERS:
            raise BadQuery(f"has {{{{ {found[1]} }}}}, which nobody fills.", "There are {{ since }} and {{ until }}.")
        pieces.append(text[at:found.start()])
        names.append(found[1])
        at = found.end()
    return Statement((*pieces, text[at:]), tuple(names))


def is_column(name: str) -> bool:
    """Whether a name can stand in a query as it is."""
    return _COLUMN.fullmatch(name) is not None
