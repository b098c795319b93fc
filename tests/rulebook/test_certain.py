"""Conditions that no account is needed to answer; and that nothing is said of those that need one."""

from __future__ import annotations

import pytest

from forestall.engine.errors import Location
from forestall.engine.language.check import Vocabulary, check
from forestall.engine.model.expression import Kind, Name, NameRole
from forestall.engine.rulebook.certain import never_false, never_true

NAMES = {
    "score": Name("score", Kind.NUMBER, NameRole.SCORE), "activity": Name("activity", Kind.NUMBER, NameRole.SIGNAL),
    "tier": Name("tier", Kind.TEXT, NameRole.TIER), "x": Name("x", Kind.NUMBER, NameRole.METRIC),
    "y": Name("y", Kind.NUMBER, NameRole.METRIC), "plan": Name("plan", Kind.TEXT, NameRole.METRIC),
    "vip": Name("vip", Kind.FLAG, NameRole.METRIC), "since": Name("since", Kind.DATE, NameRole.METRIC),
}
TEXTS = {"tier": ("good", "fair", "bad"), "plan": ("free", "paid")}

NEVER = [
    "score > 100", "score < 0", "0 > score", "score == 101", "score >= 100.5", "activity > 100", "x < 5 and x > 10",
    "10 < x < 5", "x < 5 and x >= 5", "x == 3 and x == 4", "x in [1, 2] and x > 2", "x == 3 and x != 3", "false",
    'tier == "good" and tier == "bad"', 'tier == "good" and tier not in ["good", "fair"]',
    'tier not in ["good", "fair", "bad"]', 'plan != "free" and plan != "paid"', "score > 100 or x < 5 and x > 10",
    "not (score <= 100)", "not (x < 5 or x >= 5)", "drop(score, days=7) > 100", "drop(score, days=7) < -100",
    "average(score, days=7) > 100", "ago(x, days=7) < 5 and ago(x, days=7) > 10", "y > 1 and (x < 5 and x > 10)",
    "x < 5 and y < 3 and x > 10", "-score > 0",
]
ALWAYS = [
    "score >= 0", "score <= 100", "x < 5 or x >= 5", "x < 5 or x > 3", "true", "not (score > 100)",
    'tier in ["good", "fair", "bad"]', 'tier != "good" or tier != "bad"', "score > 100 or score >= 0",
    'plan == "free" or plan == "paid"', "0 <= score <= 100",
]
OPEN = [
    "score >= 100", "score <= 0", "score == 0", "x > 10 or x < 5", "x < 5 and y > 10", "x >= 5 and x <= 5", "x >= 0",
    "x in [1, 5] and x > 4", 'tier == "good" or tier == "bad"', 'plan == "free"', "vip", "not vip", "vip and not vip",
    "vip == true", "drop(score, days=7) >= 100", "drop(x, days=7) > 1000", "x < 5 and ago(x, days=7) > 10",
    "missing(x)", "days_since(since) < 0", "x != 3", "x != 3 and x != 4", "x < 5 or y >= 5", "1 < 2 and vip",
    "score - 10 > 95", "changed(x, days=7)", 'tier != "good" and tier != "fair"', "score / x > 100",
]


def answers(text: str) -> tuple[bool, bool]:
    checked = check(text, lambda offset: Location("file", 1, offset + 1), Vocabulary(NAMES), Kind.FLAG, "`when`")
    assert checked.expression is not None, checked.problems
    return bool(never_true(checked.expression.term, TEXTS)), never_false(checked.expression.term, TEXTS)


@pytest.mark.parametrize("text", NEVER)
def test_never_true(text: str) -> None:
    assert answers(text) == (True, False)


@pytest.mark.parametrize("text", ALWAYS)
def test_never_false(text: str) -> None:
    assert answers(text) == (False, True)


@pytest.mark.parametrize("text", OPEN)
def test_nothing_is_said_of_what_depends_on_the_account(text: str) -> None:
    assert answers(text) == (False, False)
