"""The stories of the default rulebook: scores reckoned again without the engine, and whether they reach everything."""

import itertools
import math
import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

RULES = Path(__file__).parents[2] / "rules"


class Texts(yaml.SafeLoader):
    """Dates stay as they are written."""


Texts.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith("timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(file):
    return yaml.load(file.read_text(encoding="utf-8"), Texts)


WEIGHTS = read(RULES / "weights.yaml")
TRIGGERS = read(RULES / "triggers.yaml")["triggers"]
PLAYS = read(RULES / "playbook.yaml")["plays"]
STORIES = [(file.stem, story) for file in sorted((RULES / "tests").glob("*.yaml")) for story in read(file)["stories"]]
FIRST = date(2026, 1, 5)


def days_of(expected):
    day = expected["day"]
    if isinstance(day, list):
        return day
    low, _, high = str(day).partition("-")
    return range(int(low), int(high or low) + 1)


def values(series):
    """One value a day: `20 x3`, `20..6 x15`, `_ x2`."""
    found = []
    for piece in str(series).split(","):
        value, count = re.fullmatch(r"\s*(.+?)(?: x(\d+))?\s*", piece).groups()
        count = int(count or 1)
        line = re.fullmatch(r"(-?[\d.]+?)\.\.(-?[\d.]+)", value)
        if line:
            low, high = float(line[1]), float(line[2])
            found += [low + (high - low) * step / (count - 1) for step in range(count)]
        else:
            found += [None if value == "_" else value] * count
    return found


def known_on(story, day):
    """What is known on a day: constants, and the last value said, for at most three days."""
    known = dict(story.get("account", {}))
    for name, series in story.get("series", {}).items():
        said = values(series)
        said += [said[-1]] * (day - len(said))
        recent = [value for value in said[max(0, day - 4):day] if value is not None]
        if recent:
            known[name] = recent[-1]
    return known


def line(value, points):
    corners = sorted(points.items())
    if value <= corners[0][0]:
        return corners[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(corners):
        if value <= x1:
            return y0 + (y1 - y0) * (value - x0) / (x1 - x0)
    return corners[-1][1]


def score(story, day):
    """The health score by hand: None where less than half of the weight is known, or the customer is new."""
    known = known_on(story, day)
    today = date.fromisoformat(story.get("from", FIRST.isoformat())) + timedelta(days=day - 1)
    if (today - date.fromisoformat(known["customer_since"])).days < 14:
        return None
    signals = dict(WEIGHTS["signals"])
    for profile in WEIGHTS["profiles"]:
        if profile["applies_to"] == f'segment == "{known.get("segment")}"':
            signals.update({name: {**signals[name], **own} for name, own in profile["signals"].items()})
    total = weight = covered = 0.0
    for name, signal in signals.items():
        if name == "milestones":
            there = "milestones_completed" in known and "milestones_total" in known
            parts = [(1, 100 * known["milestones_completed"] / known["milestones_total"])] if there else []
            whole = 1
        elif name == "recency":
            parts, whole = [], 1
            if "last_activity_on" in known:
                silent = (today - date.fromisoformat(known["last_activity_on"])).days
                parts = [(1, [points for low, points in sorted(signal["steps"].items()) if silent >= low][-1])]
        else:
            parts = [(part["weight"], line(float(known[part["metric"]]), part["points"]))
                     for part in signal["of"].values() if part["metric"] in known]
            whole = sum(part["weight"] for part in signal["of"].values())
        if parts:
            points = sum(share * value for share, value in parts) / sum(share for share, _ in parts)
            total += signal["weight"] * points
            weight += signal["weight"]
            covered += signal["weight"] * sum(share for share, _ in parts) / whole
    if covered < 50 - 1e-9:
        return None
    return math.floor(10 * total / weight + 0.5 + 1e-6) / 10


def tier(points):
    if points is None:
        return "unscored"
    return next(name for low, name in ((80, "healthy"), (60, "monitor"), (40, "at_risk"), (20, "critical"),
                                       (0, "churning")) if points >= low)


@pytest.mark.parametrize(("file", "story"), STORIES, ids=[story["name"] for _, story in STORIES])
def test_scores_and_tiers_are_as_reckoned_by_hand(file, story):
    for expected in story["expect"]:
        for day in days_of(expected):
            reckoned = score(story, day)
            if "score" in expected:
                assert reckoned == pytest.approx(expected["score"], abs=1e-9), day
            if "tier" in expected:
                assert tier(reckoned) == expected["tier"], (day, reckoned)


def test_each_story_has_a_name_of_its_own():
    assert max(Counter(story["name"] for _, story in STORIES).values()) == 1


def names(expected, key):
    """The names under a key of an expectation; `all` stands for every trigger."""
    said = expected.get(key, [])
    return set(TRIGGERS) if said == "all" else set(said)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_every_trigger_is_seen_on_both_sides_of_its_edge(trigger):
    """In one story it is open on one day and not open on another."""
    assert any(
        any(trigger in names(expected, "alerts") for expected in story["expect"])
        and any(trigger in names(expected, "no_alerts") for expected in story["expect"])
        for _, story in STORIES)


@pytest.mark.parametrize("play", PLAYS)
def test_every_step_of_every_play_is_seen(play):
    kinds = {kind for step in PLAYS[play]["steps"] for kind, what in step.items() if isinstance(what, dict)}
    seen = set().union(*(names(expected, "deliveries") for _, story in STORIES for expected in story["expect"]))
    assert {f"{play}.{kind}" for kind in kinds} <= seen


def test_every_tier_is_seen():
    assert {expected.get("tier") for _, story in STORIES for expected in story["expect"]} >= {
        *WEIGHTS["tiers"], "unscored"}


def test_the_rulebook_is_the_signal_stack():
    assert {name: signal["weight"] for name, signal in WEIGHTS["signals"].items()} == {
        "activity": 40, "engagement": 30, "milestones": 20, "recency": 10}
    assert list(WEIGHTS["tiers"].items()) == [
        ("healthy", "80-100"), ("monitor", "60-79"), ("at_risk", "40-59"), ("critical", "20-39"), ("churning", "0-19")]
    assert TRIGGERS["health_score_drop"]["when"] == "drop(score, days=7) >= 15 and score < 70"
    assert TRIGGERS["sharp_fall"]["when"] == "drop(score, days=7) >= 15 and score >= 70"
    assert TRIGGERS["inactivity"]["when"] == "14 <= days_since_last_activity <= 60"
    assert TRIGGERS["gone_silent"]["when"] == "days_since_last_activity > 60"


@pytest.mark.parametrize(("name", "kinds", "within"), [
    ("nurture", ["webhook", "email"], None),
    ("educate", ["email", "email", "email"], "3 days"),
    ("personal_touch", ["slack", "email"], "24 hours"),
    ("rescue", ["task", "email"], "at once"),
    ("executive_save", ["task", "email", "slack"], "same day"),
])
def test_each_tier_has_the_play_of_the_loop(name, kinds, within):
    play = PLAYS[name]
    messages = [kind for step in play["steps"] for kind, what in step.items() if isinstance(what, dict)]
    assert messages == kinds
    assert play.get("within") == within
    assert list(WEIGHTS["tiers"]).index(play["tier"]) == [
        "nurture", "educate", "personal_touch", "rescue", "executive_save"].index(name)


@pytest.mark.parametrize("play", PLAYS)
def test_a_play_with_a_task_has_no_holdout(play):
    tasks = any("task" in step for step in PLAYS[play]["steps"])
    assert not (tasks and "holdout" in PLAYS[play])


def test_the_sharp_fall_is_for_the_csm_only():
    answers = [play for play in PLAYS.values() if play.get("trigger") == "sharp_fall"]
    steps = [step for play in answers for step in play["steps"]]
    assert steps == [{"slack": {"to": "csm", "template": "csm_sharp_fall"}}]
