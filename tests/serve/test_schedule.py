"""When a pass is owed: by the clock of the project's time zone, on days on which the clocks change too."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from forestall.engine.model.schedule import Schedule, clock_time, interval

BERLIN = ZoneInfo("Europe/Berlin")
SIX = Schedule(at=time(6))
HOURLY = Schedule(every=timedelta(hours=1))


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(("now", "last_day", "due"), [
    ("2026-05-04 05:00", None, "2026-05-04 06:00"),
    ("2026-05-04 07:00", None, "2026-05-04 06:00"),                   # missed: owed at once
    ("2026-05-04 07:00", date(2026, 4, 1), "2026-05-04 06:00"),       # a month missed: one pass, not thirty
    ("2026-05-04 07:00", date(2026, 5, 4), "2026-05-05 06:00"),       # done already
    ("2026-05-04 06:00", date(2026, 5, 3), "2026-05-04 06:00"),
    ("2026-05-04 05:00", date(2026, 5, 4), "2026-05-04 06:00"),       # by hand, earlier than its time: once more
])
def test_what_is_owed_when_the_service_begins(now: str, last_day: date | None, due: str) -> None:
    assert SIX.first_due(berlin(now), BERLIN, last_day) == berlin(due)


def test_every_so_often_begins_at_once() -> None:
    now = berlin("2026-05-04 07:12")
    assert HOURLY.first_due(now, BERLIN, date(2026, 5, 4)) == now


@pytest.mark.parametrize(("due", "ended", "then"), [
    ("2026-05-04 06:00", "2026-05-04 06:05", "2026-05-05 06:00"),
    ("2026-05-04 06:00", "2026-05-07 12:00", "2026-05-08 06:00"),     # the machine slept
    ("2026-03-28 06:00", "2026-03-28 06:05", "2026-03-29 06:00"),     # 23 hours later
    ("2026-10-24 06:00", "2026-10-24 06:05", "2026-10-25 06:00"),     # 25 hours later
])
def test_the_next_time_of_day(due: str, ended: str, then: str) -> None:
    assert SIX.next_due(berlin(due), berlin(ended), BERLIN) == berlin(then)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_a_time_that_is_skipped_or_comes_twice_is_one_pass(day: date) -> None:
    schedule = Schedule(at=time(2, 30))
    due = schedule.next_due(berlin(f"{day - timedelta(days=1)} 02:30"), berlin(f"{day - timedelta(days=1)} 02:31"),
                            BERLIN)
    assert due.astimezone(BERLIN).date() == day
    assert schedule.next_due(due, due + timedelta(minutes=1), BERLIN).astimezone(BERLIN).date() == day + timedelta(1)


@pytest.mark.parametrize(("ended", "then"), [
    ("2026-05-04 06:05", "2026-05-04 07:00"), ("2026-05-04 07:00", "2026-05-04 08:00"),
    ("2026-05-04 11:59", "2026-05-04 12:00"),                         # what passed by is left out
])
def test_the_next_hour(ended: str, then: str) -> None:
    assert HOURLY.next_due(berlin("2026-05-04 06:00"), berlin(ended), BERLIN) == berlin(then)


def test_as_people_say_it() -> None:
    assert [str(Schedule(every=interval(text))) for text in ("1 hour", "90 minutes", "2 days", "24 hours")] == [
        "every hour", "every 90 minutes", "every 2 days", "every day"]
    assert str(Schedule(at=clock_time("6:05"))) == "every day at 06:05"


@pytest.mark.parametrize("text", ["24:00", "6", "06:60", "six", ""])
def test_no_time_of_day(text: str) -> None:
    assert clock_time(text) is None


@pytest.mark.parametrize("text", ["0 minutes", "8 days", "hour", "1", "-1 hour"])
def test_no_interval(text: str) -> None:
    assert interval(text) is None
