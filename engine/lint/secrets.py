"""Secrets in rule files, by the forms that those who issue them document. Nothing is asked of any network."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forestall.engine.errors import Location
from forestall.engine.lint.book import Book, Found

# What it is, and how it looks. All have a prefix or a place that nothing else has: a long word alone is no secret.
FORMS = (
    ("a private key", re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}")),
    ("a Slack webhook address", re.compile(r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[\w/]{10,}")),
    ("a Teams or Discord webhook address",
     re.compile(r"https://(?:[\w.-]+\.webhook\.office\.com/webhookb2/|discord(?:app)?\.com/api/webhooks/)[\w@/-]{10,}")),
    ("a GitHub token", re.compile(r"\b(?:gh[opusr]_[0-9A-Za-z]{36,}|github_pat_\w{22,})")),
    ("a GitLab token", re.compile(r"\bglpat-[\w-]{20,}")),
    ("a Stripe key", re.compile(r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}")),
    ("a webhook signing secret", re.compile(r"\bwhsec_[0-9A-Za-z+/=]{16,}")),
    ("a SendGrid key", re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}")),
    ("a HubSpot token", re.compile(r"\bpat-(?:na|eu)\d-[0-9a-f-]{36}\b")),
    ("a Google key", re.compile(r"\bAIza[\w-]{35}")),
    ("an OpenAI or Anthropic key", re.compile(r"\bsk-(?:proj-|ant-)[\w-]{20,}")),
    ("a signed token (JWT)", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    ("a password in an address", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@{}]+:(?!\$\{|\{\{)[^\s/@{}]{3,}@")),
    ("a password", re.compile(
        r"(?i)(?<!\$\{)\b(?:password|passwd|secret|api[_-]?key|access[_-]?token|auth[_-]?token|bearer)\b\s*[:=]\s*"
        r"[\"']?(?!\$\{|\{\{)(?=[^\s\"']*\d)(?=[^\s\"']*[A-Za-z])[^\s\"'{}]{12,}")),
)


def secrets(book: Book) -> Iterator[Found]:
    """The secret itself is never said: what a check prints ends up in build logs."""
    for file, text in book.texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            found = next(((what, seen) for what, form in FORMS if (seen := form.search(line))), None)
            if found is not None:
                what, seen = found
                yield Found(Location(file, number, seen.start() + 1), f"{what} stands in this file.",
                            "Take it out, and replace it where it was issued. What a channel needs stands in "
                            "forestall.yaml as ${secret:NAME}.")
