"""What is posted to Slack, and Markdown in its dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from forestall.engine.model.delivery import Message

if TYPE_CHECKING:
    from markdown_it.token import Token

MARKS = {"strong_open": "*", "strong_close": "*", "em_open": "_", "em_close": "_", "s_open": "~", "s_close": "~",
         "softbreak": "\n", "hardbreak": "\n"}
LONGEST_TEXT = 39_000                    # Slack cuts at 40,000 characters
USER = re.compile(r"[UW][A-Z0-9]{6,}")
LINKED = ("https://", "http://", "mailto:")


def slack_blocks(message: Message, mention: bool) -> list[Any] | None:
    """The message's own blocks; with them its text is what notifications show. ValueError when they are none."""
    if not message.blocks:
        return None
    blocks = json.loads(message.blocks)
    if not isinstance(blocks, list):
        raise ValueError("no list")
    whom = [{"type": "section", "text": {"type": "mrkdwn", "text": f"<@{message.to}>"}}]
    return [*(whom if mention and USER.fullmatch(message.to) else []), *blocks]


def slack_text(message: Message, mention: bool) -> str:
    """The subject in bold, then the message; a webhook's message begins with whom it is for, if that is a person."""
    subject = escaped(" ".join(message.subject.split()))
    head = f"<@{message.to}> " if mention and USER.fullmatch(message.to) else ""
    head += f"*{subject}*" if subject else ""
    text = "\n".join(part for part in (head.rstrip(), mrkdwn(message.text)) if part)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def mrkdwn(text: str) -> str:
    """`text` (Markdown) as Slack shows it; a value in it can neither mention anyone nor write markup with < and >."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
    lines: list[str] = []
    lists: list[int] = []            # per open list the next number, or 0 for bullets
    bullet, quoted, heading = "", 0, False
    for token in parser.parse(text):
        match token.type:
            case "bullet_list_open":
                lists.append(0)
            case "ordered_list_open":
                lists.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                lists.pop()
                bullet = ""
            case "list_item_open":
                bullet = "    " * (len(lists) - 1) + (f"{lists[-1]}. " if lists[-1] else "• ")
                lists[-1] += bool(lists[-1])
            case "heading_open" | "heading_close":
                heading = token.type == "heading_open"
            case "blockquote_open" | "blockquote_close":
                quoted += 1 if token.type == "blockquote_open" else -1
            case "inline":
                if lines and not lists and not quoted:
                    lines.append("")
                # a heading is bold as a whole; bold inside of it would end that
                said = _inline(token.children or [], plain=heading)
                said = f"*{said}*" if heading and said else said
                for line in said.split("\n"):
                    lines.append(("> " if quoted else "") + bullet + line)
                    bullet = " " * len(bullet)
            case "fence" | "code_block":
                lines.append("```\n" + escaped(token.content.rstrip("\n")) + "\n```")
            case "hr":
                lines.append("———")
            case _:
                pass
        if token.type in ("bullet_list_open", "ordered_list_open") and len(lists) == 1 and lines:
            lines.append("")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """`text` with the three characters that Slack gives a meaning written so that they are only shown."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _inline(tokens: Sequence[Token], plain: bool = False) -> str:
    made: list[str] = []
    ends: list[str] = []
    for token in tokens:
        if token.type == "link_open":
            start, end = _link(str(token.attrGet("href") or ""))
            made.append(start)
            ends.append(end)
        elif token.type == "link_close":
            made.append(ends.pop())
        elif token.type == "image":
            start, end = _link(str(token.attrGet("src") or ""))
            made.append(start + escaped(token.content or "image") + end)
        elif token.type == "code_inline":
            made.append("`" + escaped(token.content) + "`")
        elif token.type in MARKS:
            made.append("" if plain and token.type.startswith("strong") else MARKS[token.type])
        else:
            made.append(escaped(token.content))
    return "".join(made)


def _link(target: str) -> tuple[str, str]:
    """What stands before and after the words of a link. Only web and mail addresses: `<!channel|x>` would ping."""
    if not target.lower().startswith(LINKED):
        return "", ""
    return f"<{escaped(target).replace('|', '%7C')}|", ">"
