"""Why a condition is true, false or unknown: one line that names what decided."""

from datetime import date

import pytest

from forestall.engine.model.expression import Expression
from forestall.engine.rulebook.loader import load
from forestall.engine.score.account import Account
from forestall.engine.score.evaluations import to_epoch
from forestall.engine.score.reason import said, why

TODAY = date(2026, 3, 31)
METRICS = """
metrics:
  x: {kind: number}
  y: {kind: number}
  gone: {kind: number}
  stage: {kind: text}
  on: {kind: date}
  asked: {kind: flag}
"""
WEIGHTS = "signals:\n  s: {weight: 100, metric: x, points: {0: 0, 100: 100}}\ntiers: {good: 50-100, bad: 0-49}\n"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    (folder / "metrics.yaml").write_text(METRICS)
    (folder / "weights.yaml").write_text(WEIGHTS)
    (folder / "triggers.yaml").write_text("triggers:\n" + "".join(
        f"  t{number}: {{when: '{text}'}}\n" for number, (text, _) in enumerate(CASES)))
    (folder / "playbook.yaml").write_text("plays: {}\n")
    rules = load(folder, None)
    last = to_epoch(TODAY)
    rows = {last - back: {"x": 30.0 + 3 * back, "y": 1234.5, "gone": None, "stage": "live", "on": last - 20,
                          "asked": True} for back in range(12)}
    found = Account(rules, rows, last - 11)
    return found, [trigger.when for trigger in rules.triggers.values()]


CASES = [
    ("drop(score, days=7) >= 15 and score < 70", "drop(score, days=7) is 21, >= 15; score is 30, < 70"),
    ("drop(score, days=7) >= 25 and score < 70", "drop(score, days=7) is 21, not >= 25"),
    ("14 <= x <= 20", "x is 30, not <= 20"),
    ("14 <= x <= 60", "x is 30, >= 14 and <= 60"),
    ("drop(x, days=7) >= 15 and drop(x, days=2) < 9", "drop(x, days=7) is 21, >= 15; drop(x, days=2) is 6, < 9"),
    ("drop(x, days=7) >= 15 and drop(x, days=7) < 30", "drop(x, days=7) is 21, >= 15 and < 30"),
    ('stage != "a, b" and stage != "c"', 'stage is "live", != "a, b" and != "c"'),
    ("x < 5 or y > 2000", "x is 30, not < 5; y is 1,234.5, not > 2000"),
    ("x < 50 or y > 2000", "x is 30, < 50"),
    ("not (x < 50)", "x is 30, < 50"),
    ("gone > 3 and x < 50", "gone is missing"),
    ("gone > 3 and x > 50", "x is 30, not > 50"),
    ("x > y", "x is 30, not > y, which is 1,234.5"),
    ('stage in ["trial", "setup"]', 'stage is "live", not in ["trial", "setup"]'),
    ("days_since(on) > 30", "days_since(on) is 20, not > 30"),
    ("asked", "asked is true"),
    ("held(x < 40, days=7)", "not held: 4 days before x is 42, not < 40"),
    ("held(x < 40, days=2)", "held(x < 40, days=2) is true"),
    ("held(x < 99, days=30)", "not known to have held: 12 days before the account had no row"),
    ("known(gone)", "known(gone) is false"),
    ("x >= 30.000001", "x is 30, not >= 30.000001"),
    ("drop(gone, days=7) > 3", "drop(gone, days=7) is missing: gone is missing today"),
    ("drop(x, days=30) > 3", "drop(x, days=30) is missing: the account had no row 30 days before"),
    ("tier == \"bad\"", 'tier is "bad", == "bad"'),
    ("x > 20 if asked else y > 3", "asked is true; x is 30, > 20"),
]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[text for text, _ in CASES])
def test_one_line_names_what_decided(account, number):
    one, conditions = account
    assert why(conditions[number], one, TODAY) == CASES[number][1]
    assert why(conditions[number], one, to_epoch(TODAY)) == CASES[number][1]


def test_any_expression_can_be_asked(account):
    one, conditions = account
    again = Expression(conditions[0].text, conditions[0].term, conditions[0].location)
    assert why(again, one, TODAY) == CASES[0][1]


def test_values_read_as_in_a_rule():
    assert [said(value) for value in (None, True, 3.0, 1200.0, 0.005, -0.0, date(2026, 1, 2), "a\nb")] == [
        "missing", "true", "3", "1,200", "0.01", "0", "2026-01-02", '"a b"']
