"""Markdown as Block Kit blocks: what Slack shows of a message, within its limits.

A table becomes fields (then → now), code a block of its own (charts), a quote small print, a link that stands alone a
button. No value can mention anyone, begin a link or be set in bold: see `shown`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from markdown_it.token import Token

from forestall.engine.message.markdown import lone_link, tokens
from forestall.engine.message.slots import AROUND, Pieces, filled, pieces, slot
from forestall.engine.message.story import Rendered
from forestall.engine.message.wording import same

MOST_BLOCKS, MOST_FIELDS, MOST_BUTTONS = 50, 10, 25
LONGEST_SECTION, LONGEST_FIELD, LONGEST_HEADER, LONGEST_LABEL, LONGEST_URL = 3000, 2000, 150, 75, 3000
# What a colleague can say about an alert, by the action_id under which the service hears it.
BUTTONS = {"acknowledge": "Acknowledge", "snooze": "Snooze", "saved": "Saved", "lost": "Lost"}

_LONGEST_SIGN = 6      # of one sign of a value, once it is safe: &quot; at most

Block = dict[str, Any]

_MARKS = {"strong_open": "*", "strong_close": "*", "em_open": "_", "em_close": "_", "s_open": "~", "s_close": "~",
          "softbreak": "\n", "hardbreak": "\n"}
_LINKED = ("https://", "http://", "mailto:")
# Slack has no way to escape these: signs that look the same stand for them.
_LIKE = str.maketrans({"*": "∗", "`": "ˋ", "~": "∼"})
_EMPHASIS = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_CUT_SHORT = re.compile(r"(&\w{0,4}|<[^>]*)$")


class _Form(StrEnum):
    TEXT = "text"
    FIELDS = "fields"
    CODE = "code"
    SMALL = "small"
    LINK = "link"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class _Part:
    """A block before its values are known: one text, or of fields and links several."""

    form: _Form
    texts: tuple[Pieces, ...]


def blocks(rendered: Rendered, key: str, *, buttons: bool) -> list[Block]:
    """The blocks of a message. With `buttons` a colleague can answer; their value is the delivery's `key`."""
    made: list[Block] = []
    if rendered.subject:
        made.append({"type": "header", "text": _plain(rendered.subject, LONGEST_HEADER)})
    linked: list[list[str]] = []
    for part in _parts(rendered.body):
        texts = [filled(text, rendered.values, *((same, same) if part.form is _Form.LINK else (shown, _safe)))
                 for text in part.texts]
        if part.form is _Form.LINK:
            linked.append(texts)
        else:
            made.extend(_blocks(part.form, texts))
    last = [{"type": "actions", "elements": _links(linked)}] if linked else []
    last += [_answers(key)] if buttons else []
    return [*_at_most(made, MOST_BLOCKS - len(last)), *last]


def as_json(rendered: Rendered, key: str, *, buttons: bool) -> str:
    """The blocks as JSON. Where no value can make a text too long, they are written once for each body."""
    written = _written(rendered.body, bool(rendered.subject), buttons)
    if written is None or sum(map(len, rendered.values)) * _LONGEST_SIGN + written.longest > LONGEST_FIELD:
        return json.dumps(blocks(rendered, key, buttons=buttons), ensure_ascii=False)
    around = (_dumped(shortened(rendered.subject, LONGEST_HEADER))[1:-1], _dumped(key)[1:-1])
    return filled(written.blocks, rendered.values, _shown_in_json, _linked_in_json, around)


@dataclass(frozen=True, slots=True)
class _Written:
    """The blocks of a body as JSON with slots, also for its subject and its key; and how long the longest text is."""

    blocks: Pieces
    longest: int


@lru_cache(maxsize=4096)
def _written(body: str, headed: bool, buttons: bool) -> _Written | None:
    """None where only the values can say which blocks there are: many of them, or values in the words of a button."""
    parts = _parts(body)
    if any(part.form is _Form.LINK and any(text.slots for text in part.texts) for part in parts):
        return None
    made: list[Block] = []
    for part in parts:
        if part.form is not _Form.LINK:
            made.extend(_blocks(part.form, [text.again() for text in part.texts]))
    if len(made) > MOST_BLOCKS - 3:
        return None
    links = _links([[text.form[0] for text in part.texts] for part in parts if part.form is _Form.LINK])
    longest = max((len(text.again()) for part in parts for text in part.texts), default=0)
    head = [{"type": "header", "text": _plain(slot(AROUND), LONGEST_HEADER)}] if headed else []
    last: list[Block] = [{"type": "actions", "elements": links}] if links else []
    last += [_answers(slot(AROUND + 1))] if buttons else []
    return _Written(pieces(_dumped([*head, *made, *last])), longest)


_dumped = json.JSONEncoder(ensure_ascii=False).encode


@lru_cache(maxsize=65_536)
def _shown_in_json(value: str) -> str:
    return _dumped(shown(value))[1:-1]


def _linked_in_json(value: str) -> str:
    return _dumped(_safe(value))[1:-1]


def _answers(key: str) -> Block:
    return {"type": "actions", "elements": [
        {"type": "button", "text": _plain(words, LONGEST_LABEL), "action_id": action, "value": key}
        for action, words in BUTTONS.items()]}


def _links(found: list[list[str]]) -> list[Block]:
    """A button for each link: its words and its address."""
    return [{"type": "button", "text": _plain(words, LONGEST_LABEL), "url": url[:LONGEST_URL],
             "action_id": f"link_{number}"} for number, (words, url) in enumerate(found[:MOST_BUTTONS])]


@lru_cache(maxsize=65_536)
def shown(value: str) -> str:
    """A value so that Slack only shows it: nobody is mentioned, nothing is linked or set in bold."""
    text = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").translate(_LIKE)
    return _EMPHASIS.sub("ˍ", text) if "_" in text else text


def _blocks(form: _Form, texts: list[str]) -> list[Block]:
    match form:
        case _Form.FIELDS:
            return [{"type": "section", "fields": [_mrkdwn(text, LONGEST_FIELD) for text in texts[start:start + 10]]}
                    for start in range(0, len(texts), MOST_FIELDS)]
        case _Form.SMALL:
            return [{"type": "context", "elements": [_mrkdwn(texts[0], LONGEST_SECTION)]}]
        case _Form.LINE:
            return [{"type": "divider"}]
        case _Form.CODE:
            return [_section(f"```{text}```") for text in split(texts[0], LONGEST_SECTION - 6)]
    return [_section(text) for text in split(texts[0], LONGEST_SECTION)]


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text, LONGEST_SECTION)}


def _mrkdwn(text: str, longest: int) -> Block:
    # verbatim: Slack looks for no names, channels and addresses in the text
    return {"type": "mrkdwn", "text": shortened(text, longest) or " ", "verbatim": True}


def _plain(text: str, longest: int) -> Block:
    return {"type": "plain_text", "text": shortened(text, longest) or " ", "emoji": False}


def _at_most(made: list[Block], most: int) -> list[Block]:
    """The first blocks, and a word about those that found no room."""
    if len(made) <= most:
        return made
    return [*made[:most - 1], {"type": "context", "elements": [_mrkdwn("_This message goes on; Slack shows no more._",
                                                                      LONGEST_SECTION)]}]


def shortened(text: str, longest: int) -> str:
    """The text, cut at a word and with `…` where it is too long; never in the middle of a link."""
    if len(text) <= longest:
        return text
    cut = _CUT_SHORT.sub("", text[:longest - 1])
    at = cut.rfind(" ")
    return f"{cut[:at] if at > longest // 2 else cut}…"


def split(text: str, longest: int) -> list[str]:
    """The text in parts that are short enough, cut between lines where that is possible."""
    made: list[str] = []
    for line in text.split("\n"):
        if made and len(made[-1]) + len(line) < longest:
            made[-1] += f"\n{line}"
        else:
            made.append(shortened(line, longest))
    return [one for one in made if one.strip()]


# -- Markdown to parts -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _parts(body: str) -> tuple[_Part, ...]:
    return tuple(_Reader().of(tokens(body)))


class _Reader:
    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._lists: list[int] = []          # of each open list the next number, 0 for one without
        self._lines: list[str] = []          # of the open list or quote
        self._bullet = ""
        self._quoted = 0
        self._heading = False
        self._rows: list[list[str]] | None = None

    def of(self, found: Sequence[Token]) -> list[_Part]:
        """The parts of all tokens."""
        for token in found:
            self._take(token)
        return self._parts

    def _add(self, form: _Form, *texts: str) -> None:
        self._parts.append(_Part(form, tuple(pieces(text) for text in texts)))

    def _take(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                self._lists.append(int(token.attrGet("start") or 1) if token.tag == "ol" else 0)
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
                self._end_of_lines(_Form.TEXT)
            case "list_item_open":
                number = self._lists[-1]
                self._bullet = "    " * (len(self._lists) - 1) + (f"{number}. " if number else "• ")
                self._lists[-1] += 1 if number else 0
            case "blockquote_open":
                self._quoted += 1
            case "blockquote_close":
                self._quoted -= 1
                self._end_of_lines(_Form.SMALL)
            case "heading_open" | "heading_close":
                self._heading = token.type == "heading_open"
            case "table_open":
                self._rows = []
            case "tr_open" if self._rows is not None:
                self._rows.append([])
            case "table_close" if self._rows is not None:
                self._table(self._rows)
                self._rows = None
            case "fence" | "code_block":
                self._add(_Form.CODE, _safe(token.content.rstrip("\n")).replace("```", "ˋˋˋ"))
            case "hr":
                self._add(_Form.LINE, "")
            case "inline":
                self._inline(token)

    def _inline(self, token: Token) -> None:
        link = lone_link(token) if not self._lists and not self._quoted and self._rows is None else None
        if link is not None and link[0].lower().startswith(_LINKED):
            self._add(_Form.LINK, link[1], link[0])
            return
        said = _line(token.children or [], self._heading)
        if self._rows is not None:
            self._rows[-1].append(said)
        elif self._lists:
            for line in said.split("\n"):
                self._lines.append(self._bullet + line)
                self._bullet = " " * len(self._bullet)
        elif self._quoted:
            self._lines.append(said)
        else:
            self._add(_Form.TEXT, f"*{said}*" if self._heading and said else said)

    def _end_of_lines(self, form: _Form) -> None:
        if self._lines and not self._lists and not self._quoted:
            self._add(form, "\n".join(self._lines))
            self._lines, self._bullet = [], ""

    def _table(self, rows: list[list[str]]) -> None:
        head, *body = rows
        said = [one for one in head[1:] if one]
        if said:
            self._add(_Form.SMALL, " → ".join(said))
        fields = [f"*{row[0]}*\n{' → '.join(one for one in row[1:] if one)}" for row in body if row]
        if fields:
            self._add(_Form.FIELDS, *fields)


def _line(found: Sequence[Token], heading: bool) -> str:
    """Inline Markdown in Slack's dialect. Bold inside of a heading, which is bold as a whole, would end it."""
    said: list[str] = []
    ends: list[str] = []
    for token in found:
        if token.type == "link_open":
            target = str(token.attrGet("href") or "")
            web = target.lower().startswith((*_LINKED, "\ufdd2"))
            said.append(f"<{_safe(target).replace('|', '%7C')}|" if web else "")
            ends.append(">" if web else "")
        elif token.type == "link_close":
            said.append(ends.pop())
        elif token.type == "code_inline":
            said.append(f"`{_safe(token.content).replace('`', 'ˋ')}`")
        elif token.type in _MARKS:
            said.append("" if heading and token.type.startswith("strong") else _MARKS[token.type])
        else:
            said.append(_safe(token.content))
    return "".join(said)


def _safe(text: str) -> str:
    """What the template's author wrote: shown as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
