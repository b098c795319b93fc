"""A message as a person looks at it before it is sent: on the terminal, or as a page in the browser."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from forestall.engine.message.rendering import page
from forestall.engine.model.delivery import Message

_BOLD = re.compile(r"(?<!\w)\*([^*\n]+)\*(?!\w)")
_LINK = re.compile(r"<((?:https?|mailto):[^|>]+)\|([^>]*)>")


def as_text(message: Message) -> str:
    """Who gets it, its subject, and what the reader sees."""
    head = [f"To: {message.to}"]
    if message.sender:
        head.append(f"From: {message.sender}" + (f" <{message.reply_to}>" if message.reply_to else ""))
    if message.blocks:
        seen = "\n".join(_block_lines(json.loads(message.blocks)))
    else:
        head.append(f"Subject: {message.subject}")
        seen = message.text
    return "\n".join([*head, "", seen.rstrip("\n")]) + "\n"


def as_page(message: Message) -> str:
    """The page of an email as it is; for Slack and webhooks their Markdown as a page."""
    if message.html:
        return message.html
    return page(message.subject, f"## {message.subject}\n\n{message.text}")


def _block_lines(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for number, block in enumerate(blocks):
        if number:
            yield ""
        match block:
            case {"type": "header", "text": {"text": str(text)}}:
                yield text
                yield "=" * len(text)
            case {"type": "section", "fields": list(fields)}:
                for field in fields:
                    label, _, value = _words(field["text"]).partition("\n")
                    yield f"{label.strip('*')}: {value}" if value else label
            case {"type": "section", "text": {"text": str(text)}}:
                yield _words(text).replace("```", "")
            case {"type": "context", "elements": list(elements)}:
                yield " ".join(_words(one["text"]) for one in elements)
            case {"type": "actions", "elements": list(elements)}:
                yield " ".join(f"[{one['text']['text']}]" + (f" {one['url']}" if "url" in one else "")
                               for one in elements)
            case {"type": "divider"}:
                yield "———"


def _words(mrkdwn: str) -> str:
    return html.unescape(_BOLD.sub(r"\1", _LINK.sub(r"\2 (\1)", mrkdwn)))
