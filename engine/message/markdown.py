"""Markdown with slots, read once for all messages that differ in values only."""

from __future__ import annotations

import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from forestall.engine.message.slots import LINKED_SLOT, SLOT

_STAND_IN = re.compile(r"slot(\d+)tols")


class _Reader(MarkdownIt):
    """CommonMark with tables, without HTML and pictures. A value in the address of a link stays in it."""

    def normalizeLink(self, url: str) -> str:
        """The address as a browser takes it; slots would be encoded with it, so letters stand in for them."""
        normal = super().normalizeLink(SLOT.sub(r"slot\2tols", url))
        return _STAND_IN.sub(LINKED_SLOT, normal)


@lru_cache(maxsize=1)
def reader() -> MarkdownIt:
    """What reads all our Markdown."""
    # A line break in a template is one in the message: people end a greeting so, and know nothing of two spaces.
    made = _Reader("commonmark", {"html": False, "breaks": True})
    # No pictures: mail programs would fetch them from elsewhere.
    return made.enable(["table", "strikethrough"]).disable("image")


def tokens(body: str) -> list[Token]:
    """The tokens of a Markdown text."""
    return reader().parse(body)


def lone_link(inline: Token) -> tuple[str, str] | None:
    """The address and the words of a link that is a paragraph by itself: what a reader should click."""
    children = inline.children or []
    if len(children) < 3 or children[0].type != "link_open" or children[-1].type != "link_close":
        return None
    inside = children[1:-1]
    if any(one.type in ("link_open", "link_close") for one in inside):
        return None
    return str(children[0].attrGet("href") or ""), "".join(one.content for one in inside)
