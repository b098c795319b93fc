"""Each limit on its own."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forestall.engine.errors import Location
from forestall.engine.intervene import courtesy
from forestall.engine.model.play import Every, Play
from forestall.engine.model.rulebook import Limits

DAY = date(2026, 3, 1)
PLACE = Location("playbook.yaml")


def play(within: int | None = None) -> Play:
    return Play("talk", (), PLACE, "digest", within=within)


def test_the_draw_is_the_same_in_every_process_for_ever() -> None:
    """Were it not, an account would change groups on an update, and no holdout would ever be one."""
    assert courtesy.share_of("holdout", "acme", "mild") == pytest.approx(0.5655, abs=1e-4)
    assert courtesy.share_of("a", "bc") != courtesy.share_of("ab", "c")


@given(st.text(), st.text())
def test_a_share_is_from_0_to_1(one: str, other: str) -> None:
    assert 0 <= courtesy.share_of(one, other) < 1


@pytest.mark.parametrize(("sent", "days"), [([], 0), ([0], 3), ([2], 1), ([3], 0), ([4, 1], 2)])
def test_one_email_per_three_days(sent: list[int], days: int) -> None:
    """`sent` and the answer in days before and after today."""
    given_on = [DAY - timedelta(back) for back in sent]
    allowed = courtesy.email_allowed_on(Limits(emails_per_account=(1, 3)), given_on, DAY)
    assert (allowed - DAY).days == days


def test_without_a_limit_any_day_is_right() -> None:
    assert courtesy.email_allowed_on(Limits(), [DAY] * 9, DAY) == DAY


@given(st.lists(st.integers(0, 20)), st.integers(1, 4), st.integers(1, 10))
def test_on_the_allowed_day_there_is_room_and_not_a_day_before(sent: list[int], count: int, days: int) -> None:
    limits, given_on = Limits(emails_per_account=(count, days)), [DAY - timedelta(back) for back in sent]

    def room(day: date) -> bool:
        return sum(1 for on in given_on if day - timedelta(days) < on <= day) < count

    allowed = courtesy.email_allowed_on(limits, given_on, DAY)
    assert room(allowed)
    assert not any(room(DAY + timedelta(wait)) for wait in range((allowed - DAY).days))


def test_budget_and_urgency() -> None:
    limits = Limits(tasks_per_csm=2, urgent=("critical",))
    assert [courtesy.within_budget(limits, planned) for planned in (0, 1, 2)] == [True, True, False]
    assert courtesy.within_budget(Limits(), 10_000)
    assert courtesy.may_be_told(Limits(), 10_000)
    assert [courtesy.may_be_told(Limits(messages_per_person=2), planned) for planned in (1, 2)] == [True, False]
    assert [courtesy.urgent(limits, severity) for severity in ("critical", "at_risk", "")] == [True, False, False]


@pytest.mark.parametrize(("within", "patience"), [(0, 0), (1, 1), (5, 5), (None, 7)])
def test_how_long_a_step_may_be_put_off(within: int | None, patience: int) -> None:
    waits = [courtesy.may_be_put_off(play(within), DAY, DAY + timedelta(day)) for day in range(10)]
    assert waits == [True] * patience + [False] * (10 - patience)


@given(st.text(min_size=1), st.integers(1, 4), st.integers(2025, 2028))
def test_every_so_many_months_comes_once_in_them_on_the_same_day(account: str, months: int, year: int) -> None:
    every = Every(months, monthly=True)
    days = [date(year, 1, 1) + timedelta(number) for number in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]
    due = [day for day in days if courtesy.recurs_on(every, "tip", account, day)]
    assert len(due) == 12 // months
    assert len({day.day for day in due}) == 1


def test_a_missed_day_is_found_once() -> None:
    every = Every(30)
    due = next(DAY + timedelta(number) for number in range(30)
               if courtesy.recurs_on(every, "tip", "a", DAY + timedelta(number)))
    before, after = due - timedelta(days=1), due + timedelta(days=9)
    assert courtesy.last_due(every, "tip", "a", before, after) == due
    assert courtesy.last_due(every, "tip", "a", due, after) is None
    assert courtesy.last_due(every, "tip", "a", before - timedelta(days=65), after) == due, "the last of three"
    assert courtesy.last_due(every, "tip", "a", None, due) == due
    assert courtesy.last_due(every, "tip", "a", None, after) is None
    assert courtesy.last_due(every, "tip", "a", after, after) is None
