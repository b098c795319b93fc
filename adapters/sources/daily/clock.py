"""Where days end in a time zone, in a form that a database adds up quickly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def offsets(zone: ZoneInfo, first: datetime, last: datetime) -> list[tuple[datetime, int]]:
    """The instants from `first` through `last` at which the zone's clocks change, each with the seconds that they are
    ahead of UTC from then on; the first of them is `first`.
    """
    first = first.replace(microsecond=0)
    found = [(first, _ahead(zone, first))]
    at = first
    while at < last:
        after = min(at + timedelta(days=1), last)
        if _ahead(zone, after) != found[-1][1]:
            low, high = at, after
            while high - low > SECOND:
                middle = low + (high - low) // 2
                if _ahead(zone, middle) == found[-1][1]:
                    low = middle
                else:
                    high = middle
            high = high.replace(microsecond=0)
            found.append((high, _ahead(zone, high)))
        at = after
    return found


def local_day(column: str, zone: ZoneInfo, first: datetime, last: datetime) -> str:
    """SQL for the local day, as days since 1970, of a column of microseconds since 1970 between these instants."""
    changes = offsets(zone, first, last)
    ahead = str(changes[0][1] * 1_000_000)
    cases = "".join(f" WHEN {column} >= {microseconds(at)} THEN {seconds * 1_000_000}"
                    for at, seconds in reversed(changes[1:]))
    moved = f"({column} + CASE{cases} ELSE {ahead} END)" if cases else f"({column} + {ahead})"
    return f"CAST({moved} // 86400000000 AS INTEGER)"


def starts(day: datetime, zone: ZoneInfo) -> datetime:
    """The instant in UTC at which the day of this (naive) date begins in the zone."""
    return day.replace(tzinfo=zone).astimezone(UTC)


def microseconds(at: datetime) -> int:
    """Since 1970."""
    return (at - EPOCH) // timedelta(microseconds=1)


def _ahead(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
