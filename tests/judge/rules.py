"""Made-up rules: the names that expressions may use, derived metrics, and scorecards by seed."""

import random
from decimal import Decimal
from functools import cache

from forestall.engine.errors import Location
from forestall.engine.language.check import Vocabulary, check
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.expression import Kind, Name, NameRole
from forestall.engine.model.rulebook import Limits, Rulebook
from forestall.engine.model.scorecard import (
    Measure,
    MissingPolicy,
    Part,
    Points,
    Profile,
    Scorecard,
    Signal,
    Steps,
    Tier,
)
from judge.histories import PER_DAY, SUPPLIED

HERE = Location("the judge", 1, 1)
DERIVED = {
    "ratio": "a / b", "huge": "a * 1000000000000000", "spread": "abs(a - b) if f else max(a, b)",
    "either": "f or g", "where": "coalesce(s, t)", "when": "coalesce(on, off)", "age": "days_since(on)",
}
SIGNALS = ("usage", "depth")


def checked(text, words, want=None):
    """What the checker makes of a text."""
    return check(text, HERE.moved, words, want, "the judge")


def expression(text, words):
    """A text that the checker must accept."""
    answer = checked(text, words)
    assert answer.expression is not None, (text, answer.problems)
    return answer.expression


@cache
def derived():
    """The derived metrics, by name."""
    words = Vocabulary({name: Name(name, kind, NameRole.METRIC) for name, kind in SUPPLIED.items()}, history=False)
    return {name: expression(text, words) for name, text in DERIVED.items()}


@cache
def vocabulary(scored):
    """Every name; signals, score and tier only where there is a scorecard."""
    known = {name: Name(name, kind, NameRole.METRIC) for name, kind in SUPPLIED.items()}
    known |= {name: Name(name, one.kind, NameRole.DERIVED) for name, one in derived().items()}
    if scored:
        known |= {name: Name(name, Kind.NUMBER, NameRole.SIGNAL) for name in SIGNALS}
        known |= {"score": Name("score", Kind.NUMBER, NameRole.SCORE), "tier": Name("tier", Kind.TEXT, NameRole.TIER)}
    return Vocabulary(known, per_day=PER_DAY)


def scorecard(seed):
    """A scorecard with profiles, parts, curves of both forms, policies, coverage and a tier with `when`."""
    luck = random.Random(seed)
    words = vocabulary(scored=False)

    def metric(text, curve=None):
        return Measure(expression(text, words), curve)

    line, stairs = Points(((0.0, 0.0), (3.0, 55.5), (15.0, 100.0))), Steps(((0.0, 100.0), (3.0, 60.0), (14.0, 0.0)))
    usage = Signal("usage", 40, HERE, missing=luck.choice(list(MissingPolicy)), parts=(
        Part("logins", 50, metric("a", line)), Part("uses", 30, metric("b", stairs)),
        Part("days", 20, metric("total(n, days=3)", line))))
    depth = Signal("depth", 30, HERE, metric("100 * a / b"), missing=luck.choice(list(MissingPolicy)))
    recency = Signal("recency", 10.5, HERE, metric("age", stairs))
    tiers = tuple(Tier(name, Decimal(low), Decimal(high), None if below is None else Decimal(below), HERE, when)
                  for name, low, high, below, when in (
                      ("healthy", 80, 100, None, None), ("monitor", 60, 79, 80, None), ("at_risk", 40, 59, 60, None),
                      ("critical", 20, 39, 40, expression('g and s == "x"', words)),
                      ("churning", 0, 19, 20, expression("a < 0", words))))
    usual, several = Profile("", (usage, depth, recency)), luck.random() < 0.7
    coverage, unscored_days = luck.choice((0.0, 0.5)), luck.choice((0, 3))
    # A metric that is the score meets the halves at which it is rounded, and the borders of the tiers.
    signals = (Signal("depth", 30, HERE, metric("b")),) if luck.random() < 0.8 else (depth, recency)
    other = Profile("other", signals, expression('t == "y" or g and t != "x"', words))
    return Scorecard((other, usual) if several else (usual,), tiers, coverage, unscored_days)


def rulebook(card, since):
    """A rulebook with this scorecard; `since` is the date metric that tells since when an account is a customer."""
    metrics = {name: Metric(name, kind, HERE, per_day=name in PER_DAY) for name, kind in SUPPLIED.items()}
    metrics |= {name: Metric(name, one.kind, HERE, derived=one) for name, one in derived().items()}
    return Rulebook(Catalogue(metrics, Roles(since=since)), card, {}, {}, Limits(), {}, "test")
