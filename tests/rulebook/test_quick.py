"""The quick answers "this file fits its schema" and "this message is sound" never say more than the whole check."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from rulebook.slips import slips

from forestall.engine.message.names import kinds_of
from forestall.engine.message.plainly import surely_sound
from forestall.engine.message.templates import problems
from forestall.engine.rulebook.fits import fits
from forestall.engine.rulebook.loader import load
from forestall.engine.rulebook.nodes import plain
from forestall.engine.rulebook.source import parse

ROOT = Path(__file__).resolve().parents[2]
SEED, SLIPS, MESSAGES = 7, 400, 600
# What is put into a message, at random places.
PIECES = (*"{}%|().\"'ax_ -+1~#", " and ", " or ", " not ", " is ", " defined", "now.score", "now.nosuch", "account",
          " | round", " | (round)", ' | plural("a", "b")', ' | default("x")', " * 2", " - before.score", "{% endif %}",
          "{% else %}", "{% if now.score %}", "{{ story }}", "{{ story.chart }}", "{% for x in changes %}",
          "{% endfor %}", "{{ x.label }}", "{% set a = 1 %}", "{{ 1 if now.score }}", "{{ now.score // 2 }}")


def test_a_file_that_fits_has_nothing_that_jsonschema_would_say() -> None:
    files = {"story" if path.parent.name == "tests" else path.stem: path.read_text(encoding="utf-8")
             for path in [*sorted((ROOT / "rules").glob("*.yaml")), *sorted((ROOT / "rules" / "tests").glob("*.yaml"))]}
    files["settings"] = (ROOT / "engine" / "starter" / "forestall.yaml").read_text(encoding="utf-8")
    forms = {name: json.loads((ROOT / "schemas" / f"{name}.json").read_text(encoding="utf-8")) for name in files}
    for name, text in files.items():
        root = parse(text, name).root
        assert root is not None
        assert fits(plain(root), forms[name], forms[name]), f"the shipped {name} takes the slow way"
    quick = 0
    for name, slip in slips(files, SLIPS, SEED):
        root = parse(slip.text, name).root
        if root is not None and fits(plain(root), forms[name], forms[name]):
            quick += 1
            assert [error.message for error in Draft7Validator(forms[name]).iter_errors(plain(root))] == [], slip.after
    assert quick > SLIPS / 20


@pytest.mark.parametrize(("rule", "fitting", "not_fitting"), [
    ({"type": ["string", "number"]}, ["a", 1, 1.5], [True, None, [], {}]),
    ({"type": "integer"}, [3], [True, 3.5, "3"]),
    ({"enum": ["a", "b"]}, ["a"], ["c", True]),
    ({"$ref": "#/definitions/a", "type": "string"}, [1], ["1"]),
    ({"type": "array", "uniqueItems": True, "minItems": 1, "items": {"minimum": 2}}, [["a"]], [[], ["a", "a"]]),
    ({"maxProperties": 1, "additionalProperties": {"type": "string"}}, [{"a": "b"}], [{"a": 1}, {"a": "", "b": ""}]),
    ({"propertyNames": {"pattern": "^a"}, "required": ["a"], "not": {}}, [], [{"a": 1}]),
    ({"oneOf": [{"type": "string"}]}, [], ["a"]),      # no keyword of ours: never a yes
])
def test_keywords(rule: dict[str, object], fitting: list[object], not_fitting: list[object]) -> None:
    whole = {"definitions": {"a": {"type": "number"}}}
    assert all(fits(value, rule, whole) for value in fitting)
    assert not any(fits(value, rule, whole) for value in not_fitting)


@pytest.mark.parametrize("rules", ["rules", "examples/courses/rules"])
def test_a_message_that_is_surely_sound_has_no_problem(rules: str) -> None:
    chance = random.Random(SEED)
    rulebook = load(ROOT / rules, None)
    signals = tuple(dict.fromkeys(one.name for profile in rulebook.scorecard.profiles for one in profile.signals))
    kinds = kinds_of(rulebook.catalogue, signals)
    shipped = list(rulebook.templates.values())
    slow = [one.name for one in shipped if not surely_sound(one, kinds)]
    assert len(slow) <= len(shipped) / 5, f"Jinja2 is asked about these at every check: {slow}"
    quick = 0
    for number in range(MESSAGES):
        template = chance.choice(shipped)
        tags = [at for at in range(len(template.body)) if "{" in template.body[max(0, at - 9):at + 1]]
        at = chance.choice(tags or [0])
        piece = chance.choice(PIECES) if number % 4 else ""
        body = template.body[:at] + piece + template.body[at + chance.choice([0, 0, 1, 2, 9]):]
        if surely_sound(changed := replace(template, body=body), kinds):
            quick += 1
            assert problems(changed, rulebook.catalogue, signals) == [], body[max(0, at - 40):at + 60]
    assert quick > MESSAGES / 50
