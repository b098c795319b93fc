"""The health score by hand: every case has its arithmetic beside it, and every evaluator must come to it."""

from datetime import date, timedelta

import pytest

from forestall.engine.errors import Location
from forestall.engine.language.check import Vocabulary, check
from forestall.engine.model.expression import Kind, Name, NameRole
from forestall.engine.model.scorecard import Measure, Points, Steps
from forestall.engine.score.scorecard import curve_points, measured, rounded

LAST = date(2026, 3, 31)      # the last day of the bench

# The signals of the example of the design, with numbers that are easy to follow.
METRICS = """
account: {since: customer_since}
metrics:
  logins: {kind: number}
  uses: {kind: number}
  features: {kind: number}
  done: {kind: number}
  planned: {kind: number}
  last_activity_on: {kind: date}
  quiet: {is: days_since(last_activity_on)}
  customer_since: {kind: date}
  segment: {kind: text}
  angry: {kind: flag}
"""
WEIGHTS = """
signals:
  activity:
    weight: 40
    of:
      log: {weight: 50, metric: logins, points: {0: 0, 5: 50, 20: 100}}
      use: {weight: 50, metric: uses, points: {0: 0, 10: 60, 40: 100}}
  engagement: {weight: 30, metric: features, points: {0: 0, 2: 50, 5: 100}}
  milestones: {weight: 20, score: 100 * done / planned}
  recency: {weight: 10, metric: quiet, steps: {0: 100, 7: 80, 14: 50, 30: 0}}
"""


def quiet(days):
    return LAST - timedelta(days=days)


ALL = {"logins": 11.0, "uses": 25.0, "features": 3.0, "done": 1.0, "planned": 3.0, "last_activity_on": quiet(7)}


def without(*names, **more):
    return {name: value for name, value in ALL.items() if name not in names} | more


def test_a_whole_score(bench):
    scores = bench.scores(WEIGHTS, METRICS, {
        # log 50 + 6*50/15 = 70; use 60 + 15*40/30 = 80; activity (70+80)/2 = 75
        # engagement 50 + 1*50/3 = 66.667; milestones 33.333; recency 80
        # 0.4*75 + 0.3*66.667 + 0.2*33.333 + 0.1*80 = 30 + 20 + 6.667 + 8 = 64.667
        "all": ALL,
        # everything at or beyond its best corner: 100; milestones 3/2 = 150, held to 100
        "best": {"logins": 20.0, "uses": 400.0, "features": 5.0, "done": 3.0, "planned": 2.0,
            "last_activity_on": quiet(0)},
        # everything at or below its worst corner: 0; milestones -1/3 is held to 0
        "worst": {"logins": -5.0, "uses": 0.0, "features": 0.0, "done": -1.0, "planned": 3.0,
            "last_activity_on": quiet(30)},
    })
    assert scores == {"all": (64.7, "monitor"), "best": (100.0, "healthy"), "worst": (0.0, "churning")}


def test_what_is_missing_is_left_out_and_the_others_share_its_weight(bench):
    scores = bench.scores(WEIGHTS, METRICS, {
        # use is the whole activity: 80. 32 + 20 + 6.667 + 8 = 66.667
        "part": without("logins"),
        # without activity: (30*66.667 + 20*33.333 + 10*80) / 60 = (2000 + 666.67 + 800) / 60 = 57.778
        "signal": without("logins", "uses"),
        # planned is 0, so the share of milestones is missing: (40*75 + 30*66.667 + 10*80) / 80 = 5800/80 = 72.5
        "division": without(planned=0.0),
        "nothing": {"segment": "x"},
    })
    assert scores == {"part": (66.7, "monitor"), "signal": (57.8, "at_risk"), "division": (72.5, "monitor"),
                      "nothing": (None, None)}


@pytest.mark.parametrize(("policy", "expected"), [
    ("zero", 34.7),        # activity counts 0: 0 + 20 + 6.667 + 8
    ("neutral", 54.7),     # activity counts 50: 20 + 20 + 6.667 + 8
    ("reweight", 57.8),    # as above
])
def test_missing_policies(bench, policy, expected):
    scores = bench.scores(WEIGHTS + f"missing: {policy}\n", METRICS, {
        "a": without("logins", "uses"), "part": without("logins"), "nothing": {"segment": "x"}})
    assert scores["a"][0] == expected
    assert scores["part"][0] == 66.7                    # a part that is missing is always left out
    # a score that nobody has said anything for is what the policy says of every signal
    assert scores["nothing"][0] == {"zero": 0.0, "neutral": 50.0, "reweight": None}[policy]


def test_a_signal_has_a_policy_of_its_own(bench):
    weights = WEIGHTS.replace("engagement: {weight: 30,", "engagement: {weight: 30, missing: zero,")
    scores = bench.scores(weights, METRICS, {
        "a": without("features"),                       # 30 + 0 + 6.667 + 8 = 44.667
        "b": without("features", "done"),               # (30 + 0 + 8) / 0.8 = 47.5
    })
    assert scores == {"a": (44.7, "at_risk"), "b": (47.5, "at_risk")}


def test_coverage_counts_parts_before_anything_is_filled_in(bench):
    weights = WEIGHTS + "missing: zero\nminimum_coverage: 50 percent\n"
    scores = bench.scores(weights, METRICS, {
        "half of activity and engagement": without("uses", "done", "last_activity_on"),    # 20 + 30 = 50: enough
        "half of activity, milestones": without("uses", "features", "last_activity_on"),   # 20 + 20 = 40: not enough
        "no activity": without("logins", "uses", "last_activity_on"),                      # 30 + 20 = 50: enough
        "no activity or recency or milestones": {"features": 3.0},                         # 30: not enough
    })
    # logins alone are the whole activity, 70: 0.4*70 + 0.3*66.667 = 48; 20 + 6.667 = 26.667
    assert scores == {
        "half of activity and engagement": (48.0, "at_risk"), "half of activity, milestones": (None, None),
        "no activity": (26.7, "critical"), "no activity or recency or milestones": (None, None)}


def test_coverage_of_thirds_is_not_lost_to_floating_point(bench):
    """Ten tenths are 0.9999999999999999 as a sum; a whole is a whole to people."""
    tenths = "".join(f"  s{number}: {{weight: 0.1, score: 10 * logins}}\n" for number in range(10))
    scores = bench.scores(f"signals:\n{tenths}minimum_coverage: 100 percent\n", METRICS, {"a": {"logins": 5.0}})
    assert scores == {"a": (50.0, "at_risk")}


def test_new_accounts_are_unscored(bench):
    weights = WEIGHTS + "new_accounts: unscored for 14 days\n"
    scores = bench.scores(weights, METRICS, {
        "day 13": {**ALL, "customer_since": quiet(13)}, "day 14": {**ALL, "customer_since": quiet(14)},
        "signed for next month": {**ALL, "customer_since": LAST + timedelta(days=30)},
        # nobody says since when: its first row counts
        "row 14": [ALL] * 14, "row 15": [ALL] * 15,
        # a customer for longer than we have rows
        "old": {**ALL, "customer_since": quiet(4000)},
    })
    assert {name for name, (score, _) in scores.items() if score is None} == {
        "day 13", "signed for next month", "row 14"}
    assert {tier for score, tier in scores.values() if score is None} == {None}


def test_without_a_rule_for_new_accounts_everybody_is_scored(bench):
    scores = bench.scores(WEIGHTS, METRICS, {"a": {**ALL, "customer_since": LAST + timedelta(days=30)}})
    assert scores == {"a": (64.7, "monitor")}


def test_since_may_be_computed(bench):
    metrics = METRICS.replace("since: customer_since", "since: start").replace(
        "  segment:", "  signed_on: {kind: date}\n  start: {is: 'coalesce(customer_since, signed_on)'}\n  segment:")
    scores = bench.scores(WEIGHTS + "new_accounts: unscored for 14 days\n", metrics, {
        "new": {**ALL, "signed_on": quiet(3)}, "old": {**ALL, "signed_on": quiet(30)},
        "moved": {**ALL, "signed_on": quiet(3), "customer_since": quiet(30)}})
    assert [scores[name][0] for name in ("new", "old", "moved")] == [None, 64.7, 64.7]


SCORE_IS = "signals: {only: {weight: 1, score: logins}}\n"
ONLY = "metrics: {logins: {kind: number}, angry: {kind: flag}, gone: {kind: flag}, segment: {kind: text}}\n"


@pytest.mark.parametrize(("value", "score", "tier"), [
    (0.0, 0.0, "churning"), (-3.0, 0.0, "churning"), (19.94, 19.9, "churning"), (19.95, 20.0, "critical"),
    (39.9, 39.9, "critical"), (40.0, 40.0, "at_risk"), (59.9, 59.9, "at_risk"), (59.949, 59.9, "at_risk"),
    (59.95, 60.0, "monitor"),                  # 599.5 + 0.5 = 600: a half goes up
    (60.0, 60.0, "monitor"), (79.9, 79.9, "monitor"), (79.949999, 79.9, "monitor"), (79.95, 80.0, "healthy"),
    (80.0, 80.0, "healthy"), (100.0, 100.0, "healthy"), (140.0, 100.0, "healthy"),
    (59.94999999, 60.0, "monitor"),            # 599.4999999 + 0.5 + 1e-6: what an average lost in its last bits
])
def test_tier_edges(bench, value, score, tier):
    assert bench.scores(SCORE_IS, ONLY, {"a": {"logins": value}}) == {"a": (score, tier)}


def test_tiers_with_decimals_reach_to_the_next_value_of_their_last_digit(bench):
    weights = SCORE_IS + "tiers: {good: 75.5-100, fair: 50-75.4, poor: 0-49}\n"
    scores = bench.scores(weights, ONLY, {str(value): {"logins": value} for value in (75.5, 75.4, 50.0, 49.9)})
    assert {name: tier for name, (_, tier) in scores.items()} == {
        "75.5": "good", "75.4": "fair", "50.0": "fair", "49.9": "poor"}


def test_a_tier_may_hold_whatever_the_score(bench):
    weights = SCORE_IS + """
tiers:
  healthy: 80-100
  monitor: 60-79
  at_risk: {range: 40-59, when: segment == "pilot"}
  critical: {range: 20-39, when: angry}
  churning: {range: 0-19, when: gone}
new_accounts: unscored for 5 days
"""
    scores = bench.scores(weights, ONLY, {name: [values] * 9 for name, values in {
        "calm": {"logins": 90.0}, "angry": {"logins": 90.0, "angry": True}, "not angry": {"logins": 90.0,
            "angry": False},
        "worst first": {"logins": 90.0, "angry": True, "gone": True, "segment": "pilot"},
        "upwards too": {"logins": 5.0, "segment": "pilot"}, "unscored": {"angry": True},
    }.items()} | {"new": {"logins": 90.0, "angry": True}})
    assert scores == {
        "calm": (90.0, "healthy"), "angry": (90.0, "critical"), "not angry": (90.0, "healthy"),
        "worst first": (90.0, "churning"), "upwards too": (5.0, "at_risk"), "unscored": (None, "critical"),
        "new": (None, "critical")}


PROFILES = SCORE_IS + """
profiles:
  - {name: big, applies_to: segment == "big", signals: {only: {weight: 3}, extra: {weight: 1,
      score: 100 if angry else 0}}}
  - {name: angry, applies_to: angry, signals: {only: {weight: 0}, mood: {weight: 1, score: "33"}}}
"""


def test_the_first_profile_that_applies_is_laid_over_the_base(bench):
    scores = bench.scores(PROFILES, ONLY, {
        "base": {"logins": 80.0, "segment": "small", "angry": False}, "unknown": {"logins": 80.0},
        "big": {"logins": 80.0, "segment": "big", "angry": False},             # (3*80 + 0) / 4 = 60
        "big and angry": {"logins": 80.0, "segment": "big", "angry": True},    # (3*80 + 100) / 4 = 85
        "angry": {"logins": 80.0, "angry": True},                              # `weight: 0` takes the signal away: 33
    })
    assert {name: score for name, (score, _) in scores.items()} == {
        "base": 80.0, "unknown": 80.0, "big": 60.0, "big and angry": 85.0, "angry": 33.0}


def test_signals_have_points_in_conditions_and_none_where_the_profile_lacks_them(bench):
    triggers = """
triggers:
  known_only: {when: known(only)}
  known_mood: {when: known(mood)}
  extra_high: {when: extra >= 50}
"""
    truths = bench.truths(PROFILES, ONLY, {
        "base": {"logins": 80.0}, "angry": {"logins": 80.0, "angry": True}, "big": {"segment": "big", "angry": True},
    }, triggers)
    assert truths == {
        "base": {"known_only": True, "known_mood": False, "extra_high": None},
        "angry": {"known_only": False, "known_mood": True, "extra_high": None},
        "big": {"known_only": False, "known_mood": False, "extra_high": True}}


# -- the score over days -----------------------------------------------------------------------------------------------

FALLS = """
triggers:
  falls: {when: "drop(score, days=7) >= 15"}
  falls_in_percent: {when: "drop_percent(score, days=7) >= 19"}
  rises: {when: "rise(score, days=7) > 0"}
  below: {when: "ago(score, days=7) - score >= 15"}
  best: {when: "maximum(score, days=8) - score >= 15"}
  was_well: {when: 'ago(tier, days=7) == "monitor"'}
  tier_changed: {when: "changed(tier, days=7)"}
  stays: {when: "drop(score, days=7) == 0"}
"""


def test_a_drop_from_78_1_to_63_1_is_a_drop_of_15(bench):
    """78.1 - 63.1 is 14.999999999999993 in a computer and 15 to people."""
    truths = bench.truths(SCORE_IS, ONLY, {
        "falls": [{"logins": 78.1}] * 7 + [{"logins": 63.1}],
        "less": [{"logins": 78.1}] * 7 + [{"logins": 63.2}],
        "rounded": [{"logins": 78.05}] * 7 + [{"logins": 63.14}],       # what people see: 78.1 and 63.1
        "too young": [{"logins": 78.1}] * 6 + [{"logins": 63.1}],
    }, FALLS, days=3)
    assert {name: found["falls"] for name, found in truths.items()} == {
        "falls": True, "less": False, "rounded": True, "too young": None}
    assert truths["falls"] == {"falls": True, "falls_in_percent": True, "rises": False, "below": True, "best": True,
                               "was_well": True, "tier_changed": False, "stays": False}


def test_a_change_of_what_is_known_is_no_fall(bench):
    """Where the signals or parts with data differ between the two days, the bare score cannot be compared."""
    weights = """
signals:
  a: {weight: 50, score: logins}
  b: {weight: 50, of: {c: {weight: 1, score: uses}, d: {weight: 1, score: more}}}
"""
    kinds = ", ".join(f"{name}: {{kind: number, per: day}}" for name in ("logins", "uses", "more"))
    metrics = f"metrics: {{{kinds}}}\n"
    both, high = {"logins": 60.0, "uses": 60.0, "more": 60.0}, {"logins": 90.0, "uses": 90.0, "more": 90.0}
    truths = bench.truths(weights, metrics, {
        "same": [high] * 7 + [both],
        "a signal is gone": [high] * 7 + [{"uses": 60.0, "more": 60.0}],
        "a part is gone": [high] * 7 + [{"logins": 60.0, "uses": 60.0}],
        "between does not matter": [high, *[{"logins": 90.0}] * 6, both],
        "back again": [{"logins": 90.0}] * 7 + [both],
    }, FALLS, days=2)
    for name, found in truths.items():
        comparable = name in ("same", "between does not matter")
        for bare in ("falls", "falls_in_percent"):
            assert found[bare] is (True if comparable else None), name
        assert found["rises"] is (False if comparable else None)
        assert found["was_well"] is (False if comparable else None)      # it was healthy
        assert found["best"] is True                                     # larger expressions are not affected
    # `ago(score)` inside of a larger expression is still the bare score, and missing
    assert truths["a part is gone"]["below"] is None
    assert truths["same"]["below"] is True
    assert truths["a signal is gone"]["tier_changed"] is True


def test_a_change_of_profile_is_no_fall(bench):
    truths = bench.truths(PROFILES, ONLY, {
        "moved": [{"logins": 90.0, "segment": "small", "angry": False}] * 7 + [
            {"logins": 60.0, "segment": "big", "angry": False}],
        "stayed": [{"logins": 90.0, "segment": "big", "angry": False}] * 7 + [
            {"logins": 60.0, "segment": "big", "angry": False}],
    }, FALLS)
    assert truths["moved"]["falls"] is None
    assert truths["stayed"]["falls"] is True        # 67.5 - 45 = 22.5
    assert truths["moved"]["tier_changed"] is True


# -- curves ------------------------------------------------------------------------------------------------------------

STEPS = Steps(((3.0, 100.0), (7.0, 80.0), (14.0, 50.0), (30.0, 0.0)))
LINES = Points(((0.0, 10.0), (5.0, 50.0), (20.0, 90.0)))


@pytest.mark.parametrize(("curve", "value", "points"), [
    (STEPS, -5.0, 100.0), (STEPS, 3.0, 100.0), (STEPS, 6.999, 100.0), (STEPS, 7.0, 80.0), (STEPS, 13.5, 80.0),
    (STEPS, 14.0, 50.0), (STEPS, 13.99999999, 50.0), (STEPS, 29.0, 50.0), (STEPS, 30.0, 0.0), (STEPS, 1e15, 0.0),
    (LINES, -1.0, 10.0), (LINES, 0.0, 10.0), (LINES, 2.5, 30.0), (LINES, 5.0, 50.0), (LINES, 12.5, 70.0),
    (LINES, 20.0, 90.0), (LINES, 1e9, 90.0),
])
def test_curves(curve, value, points):
    assert curve_points(curve, value) == points


def test_curves_in_every_evaluator(bench):
    weights = ("signals: {only: {weight: 1, metric: logins, points: {0: 10, 5: 50, 20: 90}},"
               " stairs: {weight: 1, metric: logins, steps: {3: 100, 7: 80, 14: 50, 30: 0}}}\n")
    values = (-5.0, 0.0, 2.5, 3.0, 5.0, 7.0, 6.999, 13.99999999, 14.0, 20.0, 30.0, 1e15)
    scores = bench.scores(weights, ONLY, {f"{value}": {"logins": value} for value in values})
    assert {name: score for name, (score, _) in scores.items()} == {
        f"{value}": rounded((curve_points(LINES, value) + curve_points(STEPS, value)) / 2) for value in values}


def test_what_a_measure_saw_is_kept_for_the_explanation():
    words = Vocabulary({"x": Name("x", Kind.NUMBER, NameRole.METRIC)})
    expression = check("x", lambda offset: Location("f"), words, None, "x").expression
    assert measured(Measure(expression, LINES), lambda _: 2.5) == (2.5, 30.0)
    assert measured(Measure(expression), lambda _: 250.0) == (250.0, 100.0)
    assert measured(Measure(expression), lambda _: None) == (None, None)


@pytest.mark.parametrize(("raw", "shown"), [
    (59.949999, 59.9), (59.95, 60.0), (0.04, 0.0), (0.05, 0.1), (99.95, 100.0), (-1.0, 0.0), (101.0, 100.0), (63.1,
        63.1)])
def test_rounding_to_what_people_see(raw, shown):
    assert rounded(raw) == shown
