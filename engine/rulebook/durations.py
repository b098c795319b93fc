"""Durations, percentages and rates as people write them."""

from __future__ import annotations

import math
import re

from forestall.engine.model.play import Every
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import MapNode, ScalarNode

_DURATION = re.compile(r"(\d{1,5})\s*(hour|day|week|month|business\s+day)s?")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*(?:percent|%)")
_RATE = re.compile(r"(\d{1,6})\s+per\s+(?:(\d{1,4})\s+)?(day|week|month)s?")
_DAYS = {"day": 1, "week": 7, "month": 30}
FORMS = "Write at once, same day, 24 hours, 3 days, 2 weeks or 1 month."


def days(node: MapNode, key: str, what: str, findings: Findings, *, business: bool = False,
         least: int = 0) -> int | None:
    """The duration of `key` in whole days; None when it is missing or wrong (then that is said).

    Hours round up to days, a month is 30 days, N business days are ceil(N × 7/5) days.
    """
    written = node.scalar(key)
    if written is None:
        return None
    return _days(written, f"`{key}` of {what}", findings, business, least)


def whole_days(written: ScalarNode, what: str, findings: Findings) -> tuple[int, bool] | None:
    """The duration that stands in `written`, in whole days, and whether these are business days."""
    business = re.fullmatch(r"(\d{1,5})\s*business\s+days?", written.text.strip())
    if business:
        return int(business.group(1)), True
    count = _days(written, what, findings, business=False, least=0)
    return None if count is None else (count, False)


def _days(written: ScalarNode, what: str, findings: Findings, business: bool, least: int) -> int | None:
    text = written.text.strip()
    if text in ("at once", "same day"):
        count = 0
    elif isinstance(written.value, int | float) and not isinstance(written.value, bool):
        findings.say(written.location, "duration", f"{what} is the bare number {text}.", f"Say the unit: {text} days.")
        return None
    else:
        found = _DURATION.fullmatch(text)
        if not found:
            findings.say(written.location, "duration", f"{what} is no duration: `{text}`.", FORMS)
            return None
        number, unit = int(found.group(1)), found.group(2)
        if unit.startswith("business"):
            if not business:
                findings.say(written.location, "not-built", f"business days in {what} are not built yet.",
                             f"Write calendar days: {math.ceil(number * 7 / 5)} days.")
                return None
            count = math.ceil(number * 7 / 5)
        else:
            count = math.ceil(number / 24) if unit == "hour" else number * _DAYS[unit]
    if count < least:
        findings.say(written.location, "duration", f"{what} is too short: `{text}`.", "Write 1 day or more.")
        return None
    return count


def every(node: MapNode, what: str, findings: Findings) -> Every | None:
    """How often a play recurs; None when `every` is missing or wrong."""
    written = node.scalar("every")
    if written is None:
        return None
    months = re.fullmatch(r"(\d{1,3})\s*months?", written.text.strip())
    if months and int(months.group(1)):
        return Every(int(months.group(1)), monthly=True)
    count = days(node, "every", what, findings, least=1)
    return None if count is None else Every(count)


def share(node: MapNode, key: str, what: str, findings: Findings) -> float | None:
    """The percentage of `key` as a share from 0 to 1; None when it is missing or wrong."""
    written = node.scalar(key)
    if written is None:
        return None
    found = _PERCENT.fullmatch(written.text.strip())
    if not found:
        bare = isinstance(written.value, int | float) and not isinstance(written.value, bool)
        problem = f"is the bare number {written.text}" if bare else f"is no percentage: `{written.text}`"
        findings.say(written.location, "percentage", f"`{key}` of {what} {problem}.",
                     f"Write {_percent(written) if bare else '10'} percent.")
        return None
    if float(found.group(1)) > 100:
        findings.say(written.location, "percentage", f"`{key}` of {what} is more than 100 percent.")
        return None
    return float(found.group(1)) / 100


def _percent(written: ScalarNode) -> str:
    """What a bare number most likely means: 0.1 is a share, 10 is a percentage."""
    value = float(written.text)
    return f"{100 * value:g}" if 0 < value < 1 else written.text


def rate(node: MapNode, key: str, what: str, findings: Findings, *, daily: bool = False) -> tuple[int, int] | None:
    """`1 per 3 days` as (count, days); with `daily` only `8 per day`. None when it is missing or wrong."""
    written = node.scalar(key)
    if written is None:
        return None
    found = _RATE.fullmatch(written.text.strip())
    window = int(found.group(2) or 1) * _DAYS[found.group(3)] if found else 0
    if not found or not window or (daily and window != 1):
        findings.say(written.location, "rate", f"`{key}` of {what} cannot be read: `{written.text}`.",
                     "Write 8 per day." if daily else "Write 1 per 3 days.")
        return None
    return int(found.group(1)), window


def unscored_days(node: MapNode, findings: Findings) -> int | None:
    """`new_accounts: unscored for 14 days` in days; None when it is missing or wrong."""
    written = node.scalar("new_accounts")
    if written is None:
        return None
    text = written.text.strip()
    if text == "scored":
        return 0
    found = re.fullmatch(r"unscored\s+for\s+(.+)", text, re.DOTALL)
    if not found:
        findings.say(written.location, "new-accounts", f"`new_accounts` cannot be read: `{text}`.",
                     "Write `unscored for 14 days`, or `scored`.")
        return None
    inner = ScalarNode(found.group(1), found.group(1), written.place(written.text.find(found.group(1))))
    return _days(inner, "`new_accounts`", findings, business=False, least=0)
