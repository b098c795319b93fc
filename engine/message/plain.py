"""Markdown as plain text that a person could have typed: the text part of an email."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from markdown_it.token import Token

from forestall.engine.message.markdown import tokens
from forestall.engine.message.slots import Pieces, filled, pieces
from forestall.engine.message.story import Rendered
from forestall.engine.message.wording import same


def plain(rendered: Rendered) -> str:
    """The message as text."""
    return filled(_cut(rendered.body), rendered.values, same)


@lru_cache(maxsize=4096)
def _cut(body: str) -> Pieces:
    return pieces(_Text().of(tokens(body)))


class _Text:
    """Writes blocks one after another, with an empty line between them."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._lists: list[int] = []        # of each open list the next number, 0 for one without
        self._bullet = ""
        self._quoted = 0
        self._rows: list[list[str]] | None = None

    def of(self, found: Sequence[Token]) -> str:
        """The text of all tokens."""
        for token in found:
            self._take(token)
        return "\n\n".join(self._blocks) + "\n"

    def _take(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                self._lists.append(int(token.attrGet("start") or 1) if token.tag == "ol" else 0)
                if len(self._lists) == 1:
                    self._blocks.append("")
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                number = self._lists[-1]
                self._bullet = "  " * (len(self._lists) - 1) + (f"{number}. " if number else "- ")
                self._lists[-1] += 1 if number else 0
            case "blockquote_open" | "blockquote_close":
                self._quoted += 1 if token.type.endswith("open") else -1
            case "table_open":
                self._rows = []
            case "tr_open" if self._rows is not None:
                self._rows.append([])
            case "table_close" if self._rows is not None:
                self._blocks.append("\n".join(row_text(row) for row in self._rows))
                self._rows = None
            case "inline":
                self._inline(inline_text(token.children or []))
            case "fence" | "code_block":
                self._blocks.append(token.content.rstrip("\n"))
            case "hr":
                self._blocks.append("—" * 12)

    def _inline(self, said: str) -> None:
        if self._rows is not None:
            self._rows[-1].append(said)
        elif self._lists:
            lines = "\n".join((self._bullet if not number else " " * len(self._bullet)) + line
                              for number, line in enumerate(said.split("\n")))
            self._blocks[-1] += ("\n" if self._blocks[-1] else "") + lines
            self._bullet = " " * len(self._bullet)
        else:
            self._blocks.append(said)


def row_text(cells: Sequence[str]) -> str:
    """A row of a table on one line: `Health score: 74 → 61`, and of its head only what says something."""
    first, *rest = cells or [""]
    values = " → ".join(one for one in rest if one)
    return f"{first}: {values}" if first and values else first or values


def inline_text(found: Sequence[Token]) -> str:
    """A line without marks; a link as its words and its address."""
    said: list[str] = []
    target, start = "", 0
    for token in found:
        match token.type:
            case "text" | "code_inline":
                said.append(token.content)
            case "softbreak" | "hardbreak":
                said.append("\n")
            case "link_open":
                target, start = str(token.attrGet("href") or ""), len(said)
            case "link_close":
                words = "".join(said[start:])
                address = target.removeprefix("mailto:")
                said[start:] = [words if not address or address == words else f"{words} ({address})" if
                                token.markup != "autolink" else address]
    return "".join(said)
