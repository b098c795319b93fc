"""What would clear an alert: every change that is proposed is applied by itself and judged anew."""

import math
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forestall.engine.alert.clearing import MOST_DAYS_AHEAD, Watched, clearing
from forestall.engine.alert.ladder import NEAR
from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.rulebook.loader import load
from forestall.engine.score.account import Account
from forestall.engine.score.evaluations import to_epoch

TODAY = date(2026, 3, 31)
FIRST = to_epoch(TODAY) - 20
FILES = {
    "metrics": """
metrics:
  logins: {kind: number, unit: logins}
  rate: {kind: number}
  share: {kind: number}
  errors: {kind: number, per: day}
  last_on: {kind: date}
  quiet: {is: days_since(last_on)}
  complained: {kind: flag}
  stage: {kind: text, one_of: [trial, setup, live]}
  sponsor: {kind: text}
""",
    "weights": """
signals:
  activity:
    weight: 60
    of:
      logins_part: {weight: 70, metric: logins, points: {0: 0, 20: 50, 80: 100}}
      rate_part: {weight: 30, metric: rate, steps: {0: 0, 2.5: 60, 4: 100}}
  calm: {weight: 20, score: "100 - 10 * average(errors, days=5)", missing: neutral}
  recency: {weight: 20, metric: quiet, steps: {0: 100, 7: 60, 14: 30, 30: 0}, missing: zero}
minimum_coverage: 30 percent
tiers: {healthy: 70-100, at_risk: 40-69, critical: {range: 0-39, when: complained}}
""",
    "triggers": """
triggers:
  fell: {when: "drop(score, days=7) >= 10", clear_when: score >= 65}
  sharp: {when: "drop(score, days=7) >= 10 and score >= 30"}
  quiet_for_long: {when: 14 <= quiet <= 60, clear_when: quiet < 14}
  stuck: {when: stage == "setup" and logins < 5}
  narrow: {when: logins < 30 or logins > 33}
  rare: {when: share <= 0.2}
  noisy: {when: "total(errors, days=7) >= 10"}
  new_sponsor: {when: "changed(sponsor, days=7)"}
  slack: {when: "held(rate < 3, days=5)", lasts: 90 days}
""",
    "playbook": """
plays:
  talk: {tier: at_risk, steps: [{wait: 1 day}]}
  call: {tier: critical, steps: [{wait: 1 day}]}
""",
}


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    for name, text in FILES.items():
        (folder / f"{name}.yaml").write_text(text)
    return load(folder, None)


def numbers(most, places=0):
    return st.integers(0, most * 10**places).map(lambda number: number / 10**places)


def rows():
    today = to_epoch(TODAY)
    row = st.fixed_dictionaries({
        "logins": st.none() | numbers(100), "rate": st.none() | numbers(5, 2), "share": st.none() | numbers(1, 2),
        "errors": st.none() | numbers(6), "last_on": st.none() | st.integers(today - 80, today),
        "complained": st.none() | st.booleans(), "stage": st.sampled_from(["trial", "setup", "live", None]),
        "sponsor": st.sampled_from(["Ann", "Bob"])})
    return st.lists(row, min_size=21, max_size=21)


def account_of(rules, days, changed=None, stay=0):
    """An account from nothing but its rows; `stay`: so many more days like the last one."""
    held = {FIRST + index: dict(row) for index, row in enumerate(days)}
    held[to_epoch(TODAY)] |= changed or {}
    for ahead in range(1, stay + 1):
        held[to_epoch(TODAY) + ahead] = held[to_epoch(TODAY)]
    return Account(rules, held, FIRST)


def raw(value):
    return to_epoch(value) if isinstance(value, date) else value


def alerts(rules):
    opened = TODAY - timedelta(days=3)
    return [Alert("a", name, AlertStatus.OPEN, opened, "at_risk") for name in (*rules.triggers, *rules.tier_alerts())]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                                HealthCheck.too_slow])
@given(days=rows())
def test_every_change_clears_and_one_unit_less_does_not(rules, days):
    for alert in alerts(rules):
        watched = Watched.of(rules, alert)
        found = clearing(rules, account_of(rules, days), alert, TODAY)
        assert found.searched

        def clears(values, watched=watched):
            return watched.clears(account_of(rules, days, values), TODAY)

        assert not (found.ways and clears({}))
        for way in found.ways:
            assert 1 <= len(way) <= 2
            assert clears({one.metric: raw(one.to) for one in way}), (alert.trigger, way)
            for index in range(len(way)):
                less = {one.metric: raw(one.short if place == index else one.to) for place, one in enumerate(way)}
                assert not clears(less), (alert.trigger, way, less)
            for one in way:
                assert days[-1][one.metric] == raw(one.now)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                                HealthCheck.too_slow])
@given(days=rows())
def test_nothing_near_by_was_overlooked(rules, days):
    """Whatever a search of every rung near today's value finds is among the ways, and no nearer rung clears."""
    units = {"logins": 1.0, "share": 0.01, "rate": 0.1, "errors": 1.0}
    for alert in alerts(rules):
        watched = Watched.of(rules, alert)
        found = clearing(rules, account_of(rules, days), alert, TODAY)
        if watched.clears(account_of(rules, days), TODAY):
            assert found.ways == ()
            continue
        singles = {(way[0].metric, raw(way[0].to)) for way in found.ways if len(way) == 1}
        for (metric, unit), sign in product(units.items(), (1, -1)):
            now = days[-1][metric]
            if now is None or all(row[metric] is None or row[metric] == math.floor(row[metric]) for row in days) != (
                    unit == 1.0) or len(found.ways) > 9:
                continue
            start = math.floor(now / unit + 1e-6) + 1 if sign > 0 else math.ceil(now / unit - 1e-6) - 1
            near = [round((start + sign * rung) * unit, 6) for rung in range(NEAR)]
            first = next((value for value in near if value >= 0
                          and watched.clears(account_of(rules, days, {metric: value}), TODAY)), None)
            if first is not None:
                assert (metric, first) in singles, (alert.trigger, metric, first, found)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                                HealthCheck.too_slow])
@given(days=rows())
def test_it_closes_on_the_day_that_was_named_if_all_stays(rules, days):
    for alert in alerts(rules):
        watched = Watched.of(rules, alert)
        found = clearing(rules, account_of(rules, days), alert, TODAY)
        state, day, closed = alert, TODAY, None
        future = account_of(rules, days, stay=MOST_DAYS_AHEAD)
        while closed is None and day < TODAY + timedelta(days=min(watched.lasts, MOST_DAYS_AHEAD)):
            day += timedelta(days=1)
            state, kind = watched.moved(future, state, day)
            closed = kind
        assert found.stays == (day if closed == "cleared" else None), alert.trigger
        assert found.expires == alert.opened_on + timedelta(days=watched.lasts)


def steady(**values):
    row = {"logins": 40.0, "rate": 4.0, "share": 0.5, "errors": 0.0, "last_on": to_epoch(TODAY) - 1,
           "complained": False, "stage": "live", "sponsor": "Ann"}
    return [dict(row) for _ in range(20)] + [row | values]


def ways(rules, trigger, days):
    alert = Alert("a", trigger, AlertStatus.OPEN, TODAY, "at_risk")
    found = clearing(rules, account_of(rules, days), alert, TODAY)
    return {tuple((one.metric, one.to) for one in way) for way in found.ways}, found


def test_the_changes_are_what_a_person_would_say(rules):
    assert ways(rules, "stuck", steady(stage="setup", logins=2.0))[0] == {(("stage", "trial"),), (("logins", 5.0),)}
    assert ways(rules, "narrow", steady(logins=90.0))[0] == {(("logins", 33.0),)}
    assert ways(rules, "rare", steady(share=0.1))[0] == {(("share", 0.21),)}
    assert ways(rules, "quiet_for_long", steady(last_on=to_epoch(TODAY) - 40))[0] == {
        (("last_on", TODAY - timedelta(days=13)),)}
    assert (("complained", False),) in ways(rules, "tier:critical", steady(complained=True))[0]


def test_what_only_time_can_clear_says_when(rules):
    days = steady(sponsor="Bob")
    found = ways(rules, "new_sponsor", days)[1]
    assert found.stays == TODAY + timedelta(days=7)
    assert {one.metric for way in found.ways for one in way} == {"sponsor"}      # the old one back: nothing changed
    days[-3]["sponsor"] = "Bob"
    days[-1]["sponsor"] = "Ann"
    assert ways(rules, "new_sponsor", days)[1].ways == ()


def test_two_changes_where_one_is_not_enough(rules):
    days = steady(logins=0.0, rate=0.0, last_on=to_epoch(TODAY) - 60)
    found = ways(rules, "fell", days)[1]
    assert found.ways
    assert all(len(way) == 2 for way in found.ways)


def test_a_trigger_that_was_taken_out_has_nothing_to_clear(rules):
    alert = Alert("a", "gone_from_the_rules", AlertStatus.OPEN, TODAY, "at_risk")
    assert clearing(rules, account_of(rules, steady()), alert, TODAY) is None
