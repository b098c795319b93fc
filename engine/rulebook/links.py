"""Links and email addresses: a quote or a bracket too many in them would only show when nobody answers."""

from __future__ import annotations

import re

from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import Node, ScalarNode

_LINK = re.compile(r"https?://[^\s\"'<>\[\]{}|\\^`]+")
_EMAIL = re.compile(r"[^\s\"'<>\[\]{}()|\\,;:@]+@[^\s\"'<>\[\]{}()|\\,;:@]+")


def link(written: Node | None, what: str, findings: Findings) -> None:
    """Say it when this is a text and no link."""
    _must(written, _LINK, f"{what} is no link", "Write it like https://example.com/page.", findings)


def email(written: Node | None, what: str, findings: Findings) -> None:
    """Say it when this is a text and no email address."""
    _must(written, _EMAIL, f"{what} is no email address", "Write it like name@example.com.", findings)


def _must(written: Node | None, form: re.Pattern[str], sentence: str, cure: str, findings: Findings) -> None:
    if isinstance(written, ScalarNode) and isinstance(written.value, str) and not form.fullmatch(written.text):
        findings.say(written.location, "wrong-form", f"{sentence}: `{written.text}`.", cure)
