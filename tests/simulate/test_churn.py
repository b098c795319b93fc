"""What alerts foretold: every definition by a case worked out by hand, and what must hold for all histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forestall.engine.foretell.churn import LEAST, Judge, Record, Span, Watch, against_churn
from forestall.engine.foretell.intervals import beyond, effective, holm, rate
from forestall.engine.model.alert import Alert, AlertStatus, Transition, TransitionKind
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import Decisions
from forestall.engine.runtime import open_project
from forestall.engine.simulate.comparison import Caught

HORIZON = 60
RAVENSTACK = Path(__file__).parent / "ravenstack"


def on(number: int) -> date:
    """A day by its number."""
    return date(2025, 1, 1) + timedelta(days=number)


def kept(first: int = 0, last: int = 400, churned: int | None = None) -> Record:
    return Record(on(first), on(last), None if churned is None else on(churned))


def judge(records: Mapping[str, Record], openings: Sequence[tuple[str, int]], first: int = 100, last: int = 200,
          end: int = 400, horizon: int = HORIZON) -> Caught:
    """One alert that opened for these accounts on these days."""
    [found] = Judge(records, Span(on(first), on(last), on(end)), horizon).all(
        {"alert": [(on(day), account) for account, day in openings]})
    return found


# -- the definitions ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("opened", "caught", "false_alarms", "left_out"), [
    (119, 0, 1, 0),      # 61 days before: too early
    (120, 1, 0, 0),      # 60 days before
    (179, 1, 0, 0),      # the day before
    (180, 0, 0, 1),      # the day itself
    (181, 0, 0, 1),      # after it
    (99, 0, 0, 0),       # before the period: not looked at
])
def test_an_alert_catches_who_leaves_within_the_horizon_after_it(opened, caught, false_alarms, left_out) -> None:
    found = judge({"acme": kept(last=179, churned=180)}, [("acme", opened)])
    assert (found.caught, found.missed) == (caught, 1 - caught)
    assert (found.false_alarms, found.left_out) == (false_alarms, left_out)
    assert found.lead == (180 - opened if caught else None)


@pytest.mark.parametrize(("record", "opened", "end", "false_alarms", "left_out"), [
    (kept(last=400), 140, 200, 1, 0),                 # the horizon ends on the last day of the history
    (kept(last=400), 141, 200, 0, 1),                 # and a day after it
    (kept(last=190), 130, 400, 1, 0),                 # the same for the record of an account that is gone
    (kept(last=190), 131, 400, 0, 1),
    (kept(last=190, churned=300), 150, 400, 1, 0),    # it left, but later: known, whatever the record says
    (kept(last=190, churned=195), 150, 200, 0, 1),    # it left, but of others we would not know yet
])
def test_what_cannot_be_known_yet_is_left_out(record, opened, end, false_alarms, left_out) -> None:
    found = judge({"acme": record}, [("acme", opened)], end=end)
    assert (found.false_alarms, found.left_out, found.precision.of) == (false_alarms, left_out, false_alarms)


@pytest.mark.parametrize(("record", "end", "counts"), [
    (kept(churned=100), 400, False),              # on the first day: nobody could have been warned
    (kept(churned=101), 400, True),
    (kept(churned=260), 400, True),               # a horizon after the last day
    (kept(churned=261), 400, False),
    (kept(churned=260), 259, False),              # after the end of the history
    (kept(first=150, churned=150), 400, False),   # no row before it left
    (kept(last=99, churned=130), 400, False),     # no row in the period
])
def test_who_counts_as_churned(record, end, counts) -> None:
    found = judge({"acme": record}, [], end=end)
    assert found.missed == counts


def test_the_lead_is_counted_from_the_first_alert_within_the_horizon() -> None:
    records = {name: kept(churned=180) for name in "abcde"}
    found = judge(records, [("a", 110), ("a", 130), ("a", 170), ("b", 140), ("c", 150), ("d", 179)])
    assert (found.caught, found.missed) == (4, 1)
    assert found.lead == 35                       # 50, 40, 30, 1
    assert found.lead_range == (1, 40)            # of four the first and the third
    assert (found.precision.share, found.false_alarms) == (5 / 6, 1)      # the one on day 110 is too early
    assert found.recall.share == 4 / 5


def test_the_share_caught_so_many_days_ahead() -> None:
    records = {"early": kept(churned=230), "late": kept(churned=230), "long_ago": kept(churned=230),
               "young": kept(first=160, churned=230), "new": kept(first=180, churned=230)}
    # 90, 65, 121, 65 and 31 days ahead
    openings = [("early", 140), ("late", 165), ("long_ago", 109), ("young", 165), ("new", 199)]
    ahead = judge(records, openings).ahead
    assert {days: (one.share, one.of) for days, one in ahead.items()} == {
        30: (4 / 5, 5), 60: (3 / 4, 4),      # `new` had no row 60 days ahead
        90: (1 / 3, 3)}                      # nor `young` 90


def test_chance_is_the_share_of_those_of_the_same_age_who_left_after_the_same_days() -> None:
    records = {"a": kept(first=80, churned=170), "b": kept(first=80, churned=190), "c": kept(first=80),
               "d": kept(first=125), "old": kept(churned=150), "older": kept(churned=150)}
    # After day 110 one of three leaves within 60 days, after day 130 two of four.
    assert judge(records, [("c", 110)]).chance == 1 / 3
    assert judge(records, [("c", 130)]).chance == 2 / 4
    assert judge(records, [("c", 110), ("a", 130)]).chance == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert judge(records, []).chance is None


def test_an_account_is_compared_with_others_of_its_age() -> None:
    """All of the young leave and none of the old: whoever alerts the young knows nothing of them."""
    records = {f"young {number}": kept(first=100, churned=180) for number in range(20)} | {
        f"old {number}": kept() for number in range(20)}
    found = judge(records, [(f"young {number}", 140) for number in range(20)])
    assert (found.precision.share, found.chance, found.better_than_chance) == (1.0, 1.0, False)
    grown = judge(records | {"grown": kept(first=51)}, [("grown", 140)])      # 89 days old
    assert grown.chance == 20 / 21
    assert judge(records | {"grown": kept(first=50)}, [("grown", 140)]).chance == 0.0      # 90 days old


def test_who_cannot_be_judged_is_no_part_of_chance() -> None:
    records = {"left": kept(churned=150), "stays": kept(), "vanished": kept(last=140)}
    assert judge(records, [("stays", 110)]).chance == 1 / 2      # nobody knows of `vanished`


def test_nothing_is_concluded_from_few_accounts() -> None:
    def found(churned: int, alerted: int) -> Caught:
        records = {f"left {number}": kept(churned=150) for number in range(churned)}
        records |= {f"stays {number}": kept() for number in range(90)}
        names = [*(f"left {number}" for number in range(churned)), *records][:alerted]
        return judge(records, [(name, 140) for name in names])

    assert found(LEAST, LEAST).better_than_chance is True
    assert found(LEAST - 1, LEAST).better_than_chance is None
    assert found(LEAST, LEAST - 1).better_than_chance is None
    assert found(0, LEAST).recall == rate(0, 0)


def test_openings_of_accounts_without_a_record_are_not_looked_at() -> None:
    assert judge({"acme": kept()}, [("other", 110)]) == judge({"acme": kept()}, [])


# -- what a side opened ------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    return open_project(RAVENSTACK).rulebook


def decided(number: int, tiers: Mapping[str, str], opened: Sequence[str] = ()) -> Decisions:
    return Decisions(on(number), "", "", tiers=tiers, transitions=tuple(
        Transition(kind, Alert("acme", name, AlertStatus.OPEN, on(number), ""), on(number))
        for name in opened for kind in (TransitionKind.OPENED, TransitionKind.WORSENED)))


def test_the_score_is_an_alert_that_opens_when_it_falls_into_the_worse_half(rulebook) -> None:
    watch = Watch(rulebook)
    for number, tier in enumerate(["healthy", "at_risk", "critical", "monitor", "churning", "", "at_risk"], 100):
        watch.add(decided(number, {"acme": tier}))
    assert [*watch.openings()["score"]] == [(on(101), "acme"), (on(104), "acme"), (on(106), "acme")]


def test_only_openings_of_alerts_that_warn_are_kept(rulebook) -> None:
    watch = Watch(rulebook)
    name = next(iter(rulebook.triggers))
    watch.add(decided(100, {}, [name, "recovered:healthy"]))
    found = {alert: [*days] for alert, days in watch.openings().items()}
    assert {alert: days for alert, days in found.items() if days} == {name: [(on(100), "acme")]}
    assert [*watch.openings()][-1] == "score"


def test_both_sides_are_judged_by_the_same_churn(rulebook) -> None:
    name = next(iter(rulebook.triggers))
    base, candidate = Watch(rulebook), Watch(rulebook)
    base.add(decided(150, {}, [name]))
    churn = against_churn(base, candidate, {"acme": kept(churned=160)}, Span(on(100), on(200), on(230)))
    assert (churn.churned, churn.enough, churn.through) == (1, False, on(170))
    assert churn.base is not None
    assert {one.alert: one.caught for one in churn.base if one.caught} == {name: 1}
    assert not any(one.caught for one in churn.candidate)
    assert against_churn(None, candidate, {}, Span(on(100), on(200), on(159))).through is None


# -- how sure that is --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("hits", "cases", "low", "high"), [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)])
def test_intervals_are_those_of_the_literature(hits, cases, low, high) -> None:
    """Method 3 in Newcombe, Statistics in Medicine 17 (1998) 857, table I."""
    found = rate(hits, cases)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_openings_that_go_together_are_worth_fewer() -> None:
    alone = [(1, 1)] * 30 + [(0, 1)] * 70
    assert effective(alone) == 100
    assert effective([(4 * hits, 4) for hits, _ in alone]) == pytest.approx(100)      # four times the same says it once
    assert effective([(4, 4)] * 5) == 5                                 # all alike: an account counts once
    assert effective([]) == 0
    assert rate(30, 100, 50).low < rate(30, 100).low


def test_of_several_alerts_some_look_good_by_chance() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}, level=0.05)
    assert found == {"a": True, "b": False, "c": False, "d": True}
    assert all(holm({"a": 0.01, "b": 0.02, "c": 0.03}, level=0.05).values())
    assert holm({}) == {}
    assert beyond(0.3, 0.2, 100) == pytest.approx(0.0062, abs=1e-4)      # 2.5 standard deviations
    assert [beyond(share, chance, 10) for share, chance in ((1.0, 1.0), (0.5, 0.0), (0.0, 0.0))] == [1.0, 0.0, 1.0]


# -- for all histories -------------------------------------------------------------------------------------------------

DAYS = st.integers(0, 400)
RECORDS = st.dictionaries(st.sampled_from("abcdefgh"), st.builds(
    lambda first, length, churned: kept(first, first + length, None if churned is None else first + churned),
    st.integers(0, 300), st.integers(0, 300), st.none() | st.integers(0, 350)), min_size=1)
OPENINGS = st.lists(st.tuples(st.sampled_from("abcdefgh"), DAYS), max_size=40, unique=True)


@given(RECORDS, OPENINGS, st.integers(1, 90))
def test_every_churn_and_every_opening_is_counted_once(records, openings, horizon) -> None:
    found = judge(records, openings, horizon=horizon)
    churned = Judge(records, Span(on(100), on(200), on(400)), horizon).churned
    assert found.caught + found.missed == found.recall.of == churned
    looked_at = [one for one in openings if one[0] in records and 100 <= one[1] <= 200]
    assert found.precision.of + found.left_out == len(looked_at)
    assert found.false_alarms <= found.precision.of
    for one in (found.precision, found.recall, *found.ahead.values()):
        assert 0 <= one.low <= (one.low if one.share is None else one.share) <= one.high <= 1
    assert (found.lead is None) == (found.caught == 0)
    assert found.lead is None or 1 <= found.lead <= horizon
    shares = [one.share * one.of for one in found.ahead.values() if one.share is not None]
    assert shares == sorted(shares, reverse=True)


@given(RECORDS, OPENINGS)
def test_nothing_counts_that_opens_after_the_account_has_left(records, openings) -> None:
    before = [(name, day) for name, day in openings if name in records
              and (records[name].churned_on is None or on(day) < records[name].churned_on)]
    assert replace(judge(records, openings), left_out=0) == replace(judge(records, before), left_out=0)


@given(RECORDS, OPENINGS, st.integers(-300, 3000))
def test_the_calendar_does_not_matter(records, openings, days) -> None:
    later = timedelta(days=days)
    moved = {name: Record(one.first + later, one.last + later, one.churned_on and one.churned_on + later)
             for name, one in records.items()}
    then = [(name, day + days) for name, day in openings]
    assert judge(moved, then, 100 + days, 200 + days, 400 + days) == judge(records, openings)


@given(RECORDS, OPENINGS)
def test_chance_is_what_an_alert_on_every_account_and_day_attains(records, openings) -> None:
    """Its precision, and that of every other alert, are told from the same rows."""
    everywhere = [(name, day) for name, one in records.items() for day in range(100, 201)
                  if one.first <= on(day) <= one.last and (one.churned_on is None or on(day) < one.churned_on)]
    found = judge(records, everywhere)
    assert found.chance is None or found.chance == pytest.approx(found.precision.share)


def many(random: Random) -> dict[str, Record]:
    """A book of business in which most of those who leave do so in one season, so that the calendar foretells."""
    records = {}
    for number in range(120):
        first, left = random.randrange(0, 60), random.random() < 0.4
        churned = max(first + 20, round(random.gauss(190, 25))) if left else None
        records[f"{number}"] = kept(first, 400 if churned is None else churned - 1, churned)
    return records


def at_random(random: Random, records: Mapping[str, Record]) -> list[tuple[str, int]]:
    """Several openings each, most of them in the season: some accounts are noisier than others."""
    found = set()
    for name, one in records.items():
        last = (one.last - on(0)).days
        days = (round(random.gauss(160, 25)) for _ in range(random.choice((0, 0, 1, 3, 6))))
        found.update((name, day) for day in days if day <= last)
    return sorted(found)


def test_alerts_at_random_are_no_better_than_chance_and_planted_ones_are() -> None:
    """The test is at 2.5 percent: of 300 random alerts 7.5 are expected, and more than 17 are less likely than 1 in
    1,000."""
    claimed = 0
    for seed in range(300):
        random = Random(seed)
        records = many(random)
        noise = at_random(random, records)
        claimed += judge(records, noise).better_than_chance is True
        if seed % 10 == 0:
            signal = [(name, (one.churned_on - on(0)).days - 30) for name, one in records.items() if one.churned_on]
            assert judge(records, signal + noise[::2]).better_than_chance is True
    assert claimed <= 17
