"""Hours and days in which nobody is disturbed, and days on which people work. Local clocks are those of `zoneinfo`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MORNING = time(8)      # when a day begins for messages, after a holiday, where no quiet hours say it
NEAR = 14              # a delivery takes along the holidays of so many days: nothing waits longer for a quiet time
WEEKEND = (5, 6)


@dataclass(frozen=True, slots=True)
class Quiet:
    """When nothing may leave: from `start` until `end` by the clock of `zone` (both None: no such hours), and all of
    `holidays`. Its text travels with the delivery, so that a late attempt keeps to it as well."""

    zone: str
    start: time | None = None
    end: time | None = None
    holidays: tuple[date, ...] = ()

    def __str__(self) -> str:
        hours = f"{self.start:%H:%M}-{self.end:%H:%M}" if self.start is not None else "-"
        return " ".join((hours, self.zone, *(day.isoformat() for day in self.holidays)))

    @classmethod
    def of(cls, text: str) -> Quiet:
        """The hours and days of such a text. ValueError for another."""
        hours, zone, *days = text.split(" ")
        start, _, end = hours.partition("-")
        return cls(zone, time.fromisoformat(start) if start else None, time.fromisoformat(end) if end else None,
                   tuple(map(date.fromisoformat, days)))

    def covers(self, clock: time) -> bool:
        """Whether the hours cover this time of day; the end is outside."""
        if self.start is None or self.end is None:
            return False
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


def is_quiet(quiet: Quiet, moment: datetime) -> bool:
    """Whether nothing may leave at this moment (which has a time zone)."""
    local = moment.astimezone(zone_of(quiet.zone))
    return local.date() in quiet.holidays or quiet.covers(local.time())


@lru_cache(maxsize=4096)      # a pass asks the same of thousands of messages
def leaves_at(quiet: Quiet, moment: datetime) -> datetime:
    """The first moment from `moment` on that is not quiet, in UTC; `moment` itself where that is not quiet."""
    zone = zone_of(quiet.zone)
    while is_quiet(quiet, moment):
        local = moment.astimezone(zone)
        day, clock = local.date(), local.time()
        if day in quiet.holidays:
            moment = _at(day + timedelta(days=1), time(0) if quiet.covers(time(0)) else MORNING, zone)
        else:
            assert quiet.end is not None      # only hours make it quiet here
            moment = _at(day if clock < quiet.end else day + timedelta(days=1), quiet.end, zone)
    return moment.astimezone(UTC)


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """This local time in UTC. Where the clock shows it twice, the second; where it skips it, just as far behind."""
    return max(datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1))


@lru_cache(maxsize=1024)
def known_zone(name: str) -> bool:
    """Whether a time zone of this name exists."""
    try:
        zone_of(name)
    except (ValueError, OSError, KeyError):      # a name like `Europe` is a folder, one like `/etc` no name at all
        return False
    return True


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name. ZoneInfoNotFoundError, ValueError or OSError where there is none."""
    return ZoneInfo(name)


def holidays_near(holidays: Collection[date], day: date) -> tuple[date, ...]:
    """Those that something planned on `day` may meet, in order; elsewhere it may still be the day before."""
    return tuple(sorted(one for one in holidays if -1 <= (one - day).days <= NEAR))


def is_business_day(day: date, holidays: Collection[date]) -> bool:
    """Whether people work: not on Saturdays, Sundays and holidays."""
    return day.weekday() not in WEEKEND and day not in holidays


def after_business_days(day: date, count: int, holidays: Collection[date]) -> date:
    """The day `count` business days after `day`; 0 is `day` itself."""
    while count > 0:
        day += timedelta(days=1)
        count -= is_business_day(day, holidays)
    return day
