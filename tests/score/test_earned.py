"""Points earned and missed, and what moved a score: everything adds up, whatever the data."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forestall.engine.rulebook.loader import load
from forestall.engine.score.account import Account
from forestall.engine.score.earned import Cause, movement, stakes
from forestall.engine.score.evaluations import to_epoch

NOW = to_epoch(date(2026, 3, 31))
METRICS = """
metrics:
  size: {kind: text, one_of: [small, large]}
  logins: {kind: number}
  uses: {kind: number}
  depth: {kind: number}
  steps: {kind: number}
  age: {kind: number}
"""
WEIGHTS = """
signals:
  activity:
    weight: 40
    of:
      logins_part: {weight: 70, metric: logins, points: {0: 0, 10: 100}}
      uses_part: {weight: 30, metric: uses, points: {0: 0, 10: 100}}
  depth_signal: {weight: 30, metric: depth, points: {0: 0, 10: 100}}
  milestones: {weight: 20, metric: steps, points: {0: 0, 10: 100}, missing: zero}
  recency: {weight: 10, metric: age, points: {0: 100, 10: 0}, missing: neutral}
tiers: {healthy: 50-100, at_risk: 0-49}
profiles:
  - name: large
    applies_to: size == "large"
    signals:
      activity:
        of: {logins_part: {weight: 50, metric: logins, points: {0: 0, 100: 100}}}
      depth_signal: {weight: 0}
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return rulebook(tmp_path_factory.mktemp("rules"), WEIGHTS)


@pytest.fixture(scope="module")
def other_rules(tmp_path_factory):
    return rulebook(tmp_path_factory.mktemp("rules"), WEIGHTS.replace("weight: 30, metric: depth",
                                                                      "weight: 60, metric: depth"))


def rulebook(folder, weights):
    texts = {"metrics": METRICS, "weights": weights, "triggers": "triggers: {}\n", "playbook": "plays: {}\n"}
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return load(folder, None)


def account(rules, then, now):
    return Account(rules, {NOW - 7: then, NOW: now}, NOW - 30)


def moved(rules, then, now, **more):
    return movement(account(rules, then, now), date(2026, 3, 24), NOW - 7, NOW, **more)


FULL = {"size": "small", "logins": 5.0, "uses": 5.0, "depth": 5.0, "steps": 5.0, "age": 5.0}
values = st.none() | st.integers(0, 200).map(lambda tenth: tenth / 10)
row = st.fixed_dictionaries({"size": st.sampled_from(["small", "large", None])} | dict.fromkeys(
    ["logins", "uses", "depth", "steps", "age"], values))
often = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@often
@given(then=row, now=row)
def test_points_and_changes_add_up(rules, other_rules, then, now):
    one = account(rules, then, now)
    for day in (NOW - 7, NOW):
        score, made = one.scored(day).score, stakes(one.scored(day))
        if score is not None:
            assert sum(stake.earned for stake in made) == pytest.approx(score, abs=0.0501)
            assert sum(stake.missed for stake in made) == pytest.approx(100 - score, abs=0.0501)
            assert sum(stake.share for stake in made) == pytest.approx(1)
    by_others = account(other_rules, then, now).scored(NOW - 7)
    for found in (moved(rules, then, now), moved(rules, then, now, by_rules_then=by_others)):
        if found.then is None or found.now is None:
            assert found.moved == ()
            continue
        whole = sum(found.of(cause) for cause in Cause) + found.rounding
        assert whole == pytest.approx(found.now - found.then, abs=1e-9)
        assert abs(found.rounding) < 0.1001


@often
@given(then=row, now=row)
def test_the_same_data_is_behaviour_and_nothing_else(rules, then, now):
    now = {name: now[name] if now[name] is not None and then[name] is not None and name != "size" else then[name]
           for name in now}
    found = moved(rules, then, now)
    assert found.of(Cause.DATA) == pytest.approx(0, abs=1e-9)


@often
@given(then=row, gone=st.sets(st.sampled_from(["logins", "uses", "depth", "steps", "age"])))
def test_data_that_goes_is_no_behaviour(rules, then, gone):
    found = moved(rules, then, {name: None if name in gone else value for name, value in then.items()})
    assert found.of(Cause.BEHAVIOUR) == pytest.approx(0, abs=1e-9)


def test_each_cause_by_itself(rules, other_rules):
    behaviour = moved(rules, FULL, FULL | {"logins": 0.0})
    assert [(one.cause, one.signal, one.part, one.before, one.after) for one in behaviour.moved] == [
        (Cause.BEHAVIOUR, "activity", "logins_part", 50, 0)]
    assert behaviour.moved[0].change == pytest.approx(-14)      # 40 percent × 70 percent × 50 points
    gone = moved(rules, FULL | {"depth": 10.0}, FULL | {"depth": None})
    assert (gone.then, gone.now) == (65, 50)
    assert gone.of(Cause.DATA) == pytest.approx(-15)
    assert gone.moved[0].signal == "depth_signal"
    profile = moved(rules, FULL, FULL | {"size": "large"})
    assert {one.cause for one in profile.moved} == {Cause.DATA}
    assert profile.moved[0].what == "profile large applies, before none"
    day = account(other_rules, FULL | {"depth": 10.0}, FULL).scored(NOW - 7)
    changed = moved(rules, FULL | {"depth": 10.0}, FULL | {"depth": 10.0}, by_rules_then=day)
    assert {one.cause for one in changed.moved} == {Cause.RULES}
    assert changed.by_rules_then
    assert changed.of(Cause.RULES) == pytest.approx(65 - day.score)


def test_without_a_score_there_is_nothing_to_compare(rules):
    nothing = dict.fromkeys(FULL) | {"size": "small"}
    assert moved(rules, FULL, FULL).then == 50
    assert movement(Account(rules, {NOW: FULL}, NOW - 3), date(2026, 3, 24), NOW - 7, NOW).then is None
    assert moved(rules, nothing, nothing).moved == ()
