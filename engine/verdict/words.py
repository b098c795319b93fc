"""Figures, days and names as the verdict writes them, and the few words that all its parts share."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date

from forestall.engine.model.delivery import MessageKind
from forestall.engine.simulate.comparison import OneSide, Rate

NOTHING = "–"      # a figure that there is not
KINDS: Mapping[str, str] = {
    MessageKind.EMAIL: "emails", MessageKind.SLACK: "Slack messages", MessageKind.WEBHOOK: "webhooks",
    MessageKind.TASK: "tasks"}
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")
# Control characters, and those that turn the direction of writing: they can hide what a line says.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")


def amount(count: int, one: str, many: str) -> str:
    """`1 email`, `1,200 emails`."""
    return f"{count:,} {one if count == 1 else many}"


def accounts(count: int) -> str:
    """`1 account`, `9 accounts`."""
    return amount(count, "account", "accounts")


def alerts(count: int) -> str:
    """`1 alert`, `9 alerts`."""
    return amount(count, "alert", "alerts")


def figure(value: float) -> str:
    """A count or a sum: `1,204`, and with one place what is no whole number and small enough for it to matter."""
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:,.1f}"


def mean(value: float) -> str:
    """A mean, always with one place, so that columns of them stand in line."""
    return f"{value:,.1f}"


def share(value: float) -> str:
    """`48 %`."""
    return f"{100 * value:.0f} %"


def complete(value: float) -> str:
    """`98 %`; what is not whole never reads as 100 %."""
    if value >= 1:
        return "100 %"
    whole = math.floor(100 * value)
    return f"{whole} %" if whole < 99 else f"{math.floor(1000 * value) / 10:g} %"


def rate(one: Rate) -> str:
    """`48 % (40–55)`: a share with its interval."""
    return NOTHING if one.share is None else f"{share(one.share)} ({100 * one.low:.0f}–{100 * one.high:.0f})"


def day(value: date) -> str:
    """`3 December 2014`."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def day_of_year(value: date) -> str:
    """`3 December`, where the year is plain."""
    return f"{value.day} {_MONTHS[value.month - 1]}"


def short_day(value: date) -> str:
    """`3 Dec`: where room is short."""
    return f"{value.day} {_MONTHS[value.month - 1][:3]}"


def period(first: date, last: date) -> str:
    """`4 November to 3 December 2014`."""
    if first == last:
        return day(last)
    return f"{day_of_year(first) if first.year == last.year else day(first)} to {day(last)}"


def tier(name: str) -> str:
    """A tier as people say it: `at risk`; `unscored` for accounts in none."""
    return name.replace("_", " ") if name else "unscored"


def kind(name: str) -> str:
    """What is sent, in the plural, whether it is told as a kind of message or in words already."""
    return KINDS.get(name, name)


def one_line(text: str) -> str:
    """The text on one line, without characters that nobody sees."""
    return " ".join(_INVISIBLE.sub(" ", text).split())


def cut(text: str, most: int) -> str:
    """At most so many characters, the last one a sign that there were more."""
    return text if len(text) <= most else text[:max(most - 1, 0)].rstrip() + "…"


def called(name: str, account: str) -> str:
    """An account by its name with its id: `Northwind (a-12)`."""
    name, account = one_line(name), one_line(account)
    return f"{name} ({account})" if name and name != account else account


def loaded(side: OneSide | None) -> bool:
    """Whether there are rules to compare with."""
    return side is not None and not side.problems


def listed(parts: list[str]) -> str:
    """`a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
