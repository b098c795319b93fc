"""When passes happen: at a time of the day, or every so often."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_INTERVAL = re.compile(r"(\d{1,4})\s*(minute|hour|day)s?")
_LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Passes at a time of each day (`at`), or every so often (`every`); one of the two is None."""

    at: time | None = None
    every: timedelta | None = None

    def first_due(self, now: datetime, zone: tzinfo, last_day: date | None) -> datetime:
        """When a service that begins at `now` owes its first pass. `last_day` is the last day that was decided.

        With `at` a pass that was missed is owed at once, but only today's: the latest state counts, never a day before.
        """
        if self.at is None:
            return now
        today = now.astimezone(zone).date()
        due = self._on(today, self.at, zone)
        return self.next_due(due, now, zone) if due <= now and last_day is not None and last_day >= today else due

    def next_due(self, due: datetime, now: datetime, zone: tzinfo) -> datetime:
        """When the next pass is owed, after the one of `due` ended at `now`: what passed by meanwhile is left out."""
        if self.at is None:
            assert self.every is not None
            missed = max(0, (now - due) // self.every)
            return due + self.every * (missed + 1)
        day = max(due, now).astimezone(zone).date()
        found = self._on(day, self.at, zone)
        return found if found > max(due, now) else self._on(day + timedelta(days=1), self.at, zone)

    def __str__(self) -> str:
        if self.at is not None:
            return f"every day at {self.at:%H:%M}"
        assert self.every is not None
        minutes = int(self.every.total_seconds()) // 60
        for unit, length in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
            if minutes % length == 0:
                count = minutes // length
                return f"every {unit}" if count == 1 else f"every {count} {unit}s"
        raise AssertionError("a minute divides every interval")

    @staticmethod
    def _on(day: date, at: time, zone: tzinfo) -> datetime:
        """The moment, once on every day: a time that the clocks skip is as far after midnight as ever."""
        return datetime.combine(day, at, zone).astimezone(UTC)


def clock_time(text: str) -> time | None:
    """`06:00` as a time of the day; None when it is none."""
    found = _CLOCK.fullmatch(text.strip())
    return time(int(found.group(1)), int(found.group(2))) if found else None


def interval(text: str) -> timedelta | None:
    """`1 hour` as the time between two passes, from a minute to a week; None when it is none."""
    found = _INTERVAL.fullmatch(text.strip())
    if not found:
        return None
    length = timedelta(**{f"{found.group(2)}s": int(found.group(1))})
    return length if timedelta(minutes=1) <= length <= _LONGEST else None
