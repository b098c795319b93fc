"""Receipts, worded alike by every channel."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from forestall.engine.model.delivery import Receipt, ReceiptStatus
from forestall.engine.model.ports import ForestallError, Location, Problem

LONGEST_DETAIL = 300
LONGEST_WAIT = timedelta(days=7)
# a far side that is busy or broken for the moment: too slow, too many requests, and all of 5xx
BUSY = (408, 425, 429)


def sent(reference: str = "") -> Receipt:
    """Accepted; `reference` is the far side's name for it."""
    return Receipt(ReceiptStatus.SENT, reference=reference)


def retry(detail: str, *secrets: str, wait: timedelta | None = None, whole_channel: bool = False) -> Receipt:
    """Not now. `secrets` are struck out of `detail`; `whole_channel`: nothing else would get through either."""
    return Receipt(ReceiptStatus.RETRY, clean(detail, *secrets), retry_after=wait, whole_channel=whole_channel)


def refused(detail: str, *secrets: str) -> Receipt:
    """Never as it is. `secrets` are struck out of `detail`."""
    return Receipt(ReceiptStatus.REFUSED, clean(detail, *secrets))


def uncertain(detail: str, *secrets: str, whole_channel: bool = False) -> Receipt:
    """The message went out whole and nobody answered: it may have arrived. The other arguments as for `retry`."""
    return Receipt(ReceiptStatus.UNCERTAIN, clean(detail, *secrets), whole_channel=whole_channel)


def answered(
    status: int, detail: str, *secrets: str, wait: timedelta | None = None, whole_channel: bool = False
) -> Receipt:
    """The receipt for an HTTP status that is no success; the other arguments as for `retry`."""
    if status in BUSY or status >= 500:
        return retry(detail, *secrets, wait=wait, whole_channel=whole_channel)
    return refused(detail, *secrets)


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for, in seconds or as a date; None when it is absent or makes no sense."""
    said = (header or "").strip()
    if said.isascii() and said.isdecimal():
        # a number of any length must not overflow
        return timedelta(seconds=min(int(said[:12]), LONGEST_WAIT.total_seconds()))
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    if until.tzinfo is None:                     # "-0000", which HTTP does not use
        until = until.replace(tzinfo=now.tzinfo)
    return min(max(until - now, timedelta(0)), LONGEST_WAIT)


def clean(detail: str, *secrets: str) -> str:
    """`detail` on one line, of a bounded length and without the secrets."""
    for secret in filter(None, secrets):
        detail = detail.replace(secret, "•••")
    line = " ".join("".join(char if char.isprintable() else " " for char in detail).split())
    return line if len(line) <= LONGEST_DETAIL else line[: LONGEST_DETAIL - 1] + "…"


def settings_error(code: str, message: str, hint: str) -> ForestallError:
    """An error about what forestall.yaml says of a channel."""
    return ForestallError([Problem(Location("forestall.yaml"), code, message, hint)])
