"""Tokens in addresses that leave the house: they name a delivery, and nobody can make one up."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

WEBHOOK_SECRET = re.compile(r"(whsec_)?(?=[A-Za-z0-9])([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2,3}={0,2})?")
_MARK = 16            # bytes: beyond guessing, and short enough for a line of a mail's header


def token(key: str, secret: str) -> str:
    """A token for the delivery with this key."""
    said = urlsafe_b64encode(key.encode()).decode().rstrip("=")
    return f"{said}.{_mark(key, secret)}"


def key_of(said: str, secret: str) -> str | None:
    """The key in a token; None when it was not made with this secret."""
    encoded, _, mark = said.partition(".")
    try:
        key = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:
        return None
    return key if hmac.compare_digest(mark.encode(), _mark(key, secret).encode()) else None


def _mark(key: str, secret: str) -> str:
    made = hmac.digest(secret.encode(), b"forestall delivery " + key.encode(), sha256)[:_MARK]
    return urlsafe_b64encode(made).decode().rstrip("=")
