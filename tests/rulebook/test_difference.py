"""Whatever a rulebook says, a change of it is told: every field of every noun is changed once."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from forestall.engine.model.delivery import MessageKind, StartedBy
from forestall.engine.model.expression import Kind
from forestall.engine.model.play import Every, Goal, StopIfStep
from forestall.engine.model.rulebook import Digest, Rulebook
from forestall.engine.model.scorecard import MissingPolicy, Steps
from forestall.engine.model.trigger import Existing
from forestall.engine.rulebook import loader
from forestall.engine.rulebook.difference import Change, difference

ROOT = Path(__file__).resolve().parents[2]
# Where it stands, what it hashes to, and by what it is called: not what it says. `below` and `high` follow from `low`.
SAYS_NOTHING = {"location", "digest", "scoring_digest", "name", "body_line", "id", "written", "tasks"}


@pytest.fixture(scope="module")
def book() -> Rulebook:
    return loader.load(ROOT / "rules", None)


def others(book: Rulebook) -> dict[str, dict[str, Any]]:
    """For each noun, another value of each field."""
    trigger, play = book.triggers["health_score_drop"], book.plays["check_in"]
    number = book.catalogue.metrics["days_in_step"].derived
    assert trigger.clear_when is not None
    assert number is not None
    measure = replace(book.scorecard.profiles[-1].signals[0].parts[0].measure, curve=Steps(((0.0, 1.0), (1.0, 2.0))))
    return {
        "metric": {"kind": Kind.TEXT, "unit": "x", "about": "x", "stale_after": 1, "one_of": ("x",), "derived": number,
                   "per_day": True, "personal": True, "by_hand": True},
        "trigger": {"when": trigger.clear_when, "clear_when": None, "about": "x", "severity": "", "cooldown": 1,
                    "lasts": 1, "existing": Existing.RECORD, "repeat": 3, "renamed_from": ("x",),
                    "started_by": StartedBy.PERSON},
        "play": {"steps": play.steps[:2], "triggers": ("inactivity",), "tier": "monitor", "every": Every(1, True),
                 "applies_to": trigger.when, "owner": "executive", "within": None, "goal": Goal(trigger.when, 3),
                 "holdout": 0.5, "resources": ("https://a.example",), "alongside": True, "finish_anyway": True,
                 "existing": None, "about": "x", "recovered_to": "healthy", "escalate": play.steps[0],
                 "started_by": StartedBy.CUSTOMER},
        "tier": {"low": Decimal(1), "high": Decimal(2), "below": None, "when": trigger.when},
        "signal": {"weight": 1.0, "measure": None, "parts": (), "missing": MissingPolicy.ZERO, "about": "x"},
        "part": {"weight": 1.0, "measure": measure, "about": "x"},
        "profile": {"signals": (), "applies_to": trigger.when},
        "limits": {"emails_per_account": None, "messages_per_person": 3, "tasks_per_csm": 1, "per_play": 1,
                   "times_usual": 4.0, "digest": Digest(MessageKind.SLACK, "x"), "quiet_hours": (time(22), time(6)),
                   "holidays": (date(2026, 12, 25),), "urgent": ()},
        "scorecard": {"profiles": book.scorecard.profiles[-1:], "tiers": book.scorecard.tiers[:2],
                      "minimum_coverage": 0.1, "unscored_days": 0},
        "template": {"subject": "x", "body": "x"},
        "roles": dict.fromkeys((field.name for field in fields(book.catalogue.roles)), "x"),
    }


def changed(book: Rulebook, noun: str, field: str, value: Any) -> Rulebook:
    """The rulebook with one field of one of its parts changed."""
    card, catalogue = book.scorecard, book.catalogue
    first, base = card.profiles[0], card.profiles[-1]
    match noun:
        case "metric":
            metric = replace(catalogue.metrics["logins_14d"], **{field: value})
            return replace(book, catalogue=replace(catalogue, metrics={**catalogue.metrics, "logins_14d": metric}))
        case "roles":
            roles = replace(catalogue.roles, **{field: value})
            return replace(book, catalogue=replace(catalogue, roles=roles))
        case "trigger" | "play" | "template":
            key = {"trigger": "health_score_drop", "play": "check_in", "template": "rescue"}[noun]
            all_of_them = getattr(book, f"{noun}s")
            return replace(book, **{f"{noun}s": {**all_of_them, key: replace(all_of_them[key], **{field: value})}})
        case "tier":
            tier = replace(card.tiers[1], **{field: value})
            return replace(book, scorecard=replace(card, tiers=(card.tiers[0], tier, *card.tiers[2:])))
        case "profile":
            profiles = (replace(first, **{field: value}), *card.profiles[1:])
        case "signal":
            signal = replace(base.signals[0 if field == "parts" else -1], **{field: value})
            kept = base.signals[1:] if field == "parts" else base.signals[:-1]
            profiles = (*card.profiles[:-1], replace(base, signals=(signal, *kept)))
        case "part":
            own = base.signals[0]
            signal = replace(own, parts=(replace(own.parts[0], **{field: value}), *own.parts[1:]))
            profiles = (*card.profiles[:-1], replace(base, signals=(signal, *base.signals[1:])))
        case "scorecard":
            return replace(book, scorecard=replace(card, **{field: value}))
        case _:
            return replace(book, limits=replace(book.limits, **{field: value}))
    return replace(book, scorecard=replace(card, profiles=profiles))


def nouns(book: Rulebook) -> dict[str, Any]:
    base = book.scorecard.profiles[-1]
    return {"metric": book.catalogue.metrics["logins_14d"], "trigger": book.triggers["inactivity"],
            "play": book.plays["check_in"], "tier": book.scorecard.tiers[0], "signal": base.signals[0],
            "part": base.signals[0].parts[0], "profile": base, "limits": book.limits, "scorecard": book.scorecard,
            "template": book.templates["rescue"], "roles": book.catalogue.roles}


def test_no_field_is_forgotten(book: Rulebook) -> None:
    known = others(book)
    for noun, one in nouns(book).items():
        said = {field.name for field in fields(one)} - (SAYS_NOTHING if noun not in ("roles", "limits") else set())
        assert set(known[noun]) == said, noun


def test_each_change_is_told_and_only_once(book: Rulebook) -> None:
    for noun, values in others(book).items():
        for field, value in values.items():
            if (noun, field) in (("play", "existing"), ("tier", "below")):
                continue        # says something only beside `tier`; follows from the tier above
            told = difference(book, changed(book, noun, field, value))
            assert told, f"{field} of {noun}"
            assert len(set(told)) == len(told)
            assert all(one.sentence.endswith((".", "!", "?")) and ".." not in one.sentence for one in told)


def test_where_a_rule_stands_is_no_change(book: Rulebook) -> None:
    moved = {name: replace(one, location=one.location.moved(3, 3)) for name, one in book.triggers.items()}
    assert difference(book, replace(book, triggers=moved, digest="other")) == ()


def test_steps_that_a_step_id_tells_apart_are_told_by_what_they_do(book: Rulebook) -> None:
    play = book.plays["check_in"]
    stop = next(step for step in play.steps if isinstance(step, StopIfStep))
    others_id = tuple(replace(step, id="mine") if step is stop else step for step in play.steps)
    assert difference(book, replace(book, plays={**book.plays, "check_in": replace(play, steps=others_id)})) == ()


def test_back_and_forth(book: Rulebook) -> None:
    """What is new one way is gone the other way."""
    before = loader.load(ROOT / "benchmarks" / "eight_triggers", None)
    there, back = difference(before, book), difference(book, before)

    def where(changes: tuple[Change, ...], kind: str) -> set[tuple[str, str]]:
        return {(one.subject, one.what) for one in changes if one.kind == kind}

    assert where(there, "added") == where(back, "removed")
    assert where(there, "removed") == where(back, "added")
    assert difference(book, book) == difference(before, before) == ()
