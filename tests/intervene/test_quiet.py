"""Hours and days in which nothing leaves, on both days on which clocks change, and the business days between."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forestall.engine.intervene.quiet import (
    Quiet,
    after_business_days,
    holidays_near,
    is_business_day,
    is_quiet,
    known_zone,
    leaves_at,
)

BERLIN = "Europe/Berlin"
NIGHT = Quiet(BERLIN, time(19), time(8))


def at(text: str, zone: str = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(("moment", "leaves"), [
    ("2026-01-05 07:59", "2026-01-05 08:00"),
    ("2026-01-05 08:00", "2026-01-05 08:00"),
    ("2026-01-05 18:59:59", "2026-01-05 18:59:59"),
    ("2026-01-05 19:00", "2026-01-06 08:00"),
    ("2026-01-05 23:30", "2026-01-06 08:00"),
    # The clock goes forward in the night before 29 March, and back in that before 25 October.
    ("2026-03-28 20:00", "2026-03-29 08:00"),
    ("2026-03-29 01:59", "2026-03-29 08:00"),
    ("2026-10-24 20:00", "2026-10-25 08:00"),
])
def test_it_leaves_when_the_night_ends_by_the_clock_on_the_wall(moment: str, leaves: str) -> None:
    found = leaves_at(NIGHT, at(moment).astimezone(UTC))
    assert found == at(leaves)
    assert found.tzinfo is UTC


def test_the_night_of_a_change_is_an_hour_shorter_or_longer() -> None:
    spring, autumn = at("2026-03-28 20:00"), at("2026-10-24 20:00")
    assert leaves_at(NIGHT, spring).astimezone(UTC) - spring.astimezone(UTC) == timedelta(hours=11)
    assert leaves_at(NIGHT, autumn).astimezone(UTC) - autumn.astimezone(UTC) == timedelta(hours=13)


def test_an_end_that_the_clock_skips_is_just_as_far_behind_the_change() -> None:
    early = Quiet(BERLIN, time(23), time(2, 30))
    assert leaves_at(early, at("2026-03-29 01:00")) == at("2026-03-29 03:30")


def test_an_end_that_the_clock_shows_twice_is_the_second_one() -> None:
    early = Quiet(BERLIN, time(23), time(2, 30))
    second = at("2026-10-25 02:30", fold=1).astimezone(UTC)
    assert leaves_at(early, at("2026-10-25 01:00")) == second
    assert leaves_at(early, at("2026-10-25 02:15", fold=1)) == second


def test_the_clock_is_that_of_whoever_gets_it() -> None:
    moment = at("2026-01-05 12:00")
    assert leaves_at(Quiet("America/New_York", time(19), time(8)), moment) == at("2026-01-05 08:00", "America/New_York")
    assert leaves_at(Quiet("Asia/Tokyo", time(19), time(8)), moment) == at("2026-01-06 08:00", "Asia/Tokyo")


def test_a_holiday_is_quiet_all_day() -> None:
    christmas = Quiet(BERLIN, time(19), time(8), (date(2026, 12, 25), date(2026, 12, 26)))
    assert leaves_at(christmas, at("2026-12-24 20:00")) == at("2026-12-27 08:00")
    assert leaves_at(christmas, at("2026-12-25 12:00")) == at("2026-12-27 08:00")
    only_days = Quiet(BERLIN, holidays=(date(2026, 12, 25),))
    assert leaves_at(only_days, at("2026-12-25 00:00")) == at("2026-12-26 08:00"), "not at midnight"
    assert leaves_at(only_days, at("2026-12-24 23:00")) == at("2026-12-24 23:00")


def test_quiet_hours_may_lie_within_a_day() -> None:
    lunch = Quiet(BERLIN, time(12), time(14))
    assert leaves_at(lunch, at("2026-01-05 13:00")) == at("2026-01-05 14:00")
    assert leaves_at(lunch, at("2026-01-05 20:00")) == at("2026-01-05 20:00")


CLOCKS = st.times().map(lambda one: one.replace(second=0, microsecond=0))
QUIETS = st.builds(
    Quiet, st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]),
    CLOCKS, CLOCKS, st.lists(st.dates(date(2026, 3, 25), date(2026, 4, 5)), max_size=4).map(tuple),
).filter(lambda one: one.start != one.end)


FIRST, LAST = datetime(2011, 12, 28), datetime(2026, 11, 30)      # noqa: DTZ001 hypothesis wants them without a zone


@given(QUIETS, st.datetimes(FIRST, LAST, timezones=st.just(UTC)))
def test_nothing_ever_leaves_in_quiet_hours(quiet: Quiet, moment: datetime) -> None:
    found = leaves_at(quiet, moment)
    assert found >= moment
    assert not is_quiet(quiet, found)
    assert (found == moment) == (not is_quiet(quiet, moment))
    assert leaves_at(quiet, found) == found
    assert Quiet.of(str(quiet)) == quiet


def test_the_text_of_days_without_hours() -> None:
    quiet = Quiet(BERLIN, holidays=(date(2026, 12, 25),))
    assert (str(quiet), Quiet.of(str(quiet))) == ("- Europe/Berlin 2026-12-25", quiet)


@pytest.mark.parametrize("name", ["Europe", "Nowhere/City", "../etc/passwd", "/etc", "", "CET+1", "Europe/Berlin "])
def test_what_is_no_zone_is_known_to_be_none(name: str) -> None:
    assert not known_zone(name)
    assert known_zone(BERLIN)


def test_only_holidays_that_something_can_meet_go_along() -> None:
    far = [date(2026, 1, 3), date(2026, 1, 4), date(2026, 1, 19), date(2026, 1, 20), date(2026, 12, 25)]
    assert holidays_near(far, date(2026, 1, 5)) == (date(2026, 1, 4), date(2026, 1, 19))


@pytest.mark.parametrize(("day", "count", "until"), [
    (date(2026, 1, 9), 0, date(2026, 1, 9)), (date(2026, 1, 9), 1, date(2026, 1, 12)),      # a Friday
    (date(2026, 1, 10), 1, date(2026, 1, 12)), (date(2026, 1, 5), 5, date(2026, 1, 12)),
    (date(2026, 12, 24), 1, date(2026, 12, 28)),
])
def test_business_days(day: date, count: int, until: date) -> None:
    assert after_business_days(day, count, [date(2026, 12, 25)]) == until


@given(st.dates(date(2026, 1, 1), date(2030, 1, 1)), st.integers(0, 30), st.sets(st.dates(
    date(2026, 1, 1), date(2026, 2, 1)), max_size=9))
def test_so_many_business_days_lie_between(day: date, count: int, holidays: set[date]) -> None:
    until = after_business_days(day, count, holidays)
    between = [day + timedelta(days=one + 1) for one in range((until - day).days)]
    assert sum(is_business_day(one, holidays) for one in between) == count
    assert not between or is_business_day(until, holidays)
