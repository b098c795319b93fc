"""The schemas are what editors show: closed, described, and told apart from what is not built yet."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from forestall.engine.errors import Location
from forestall.engine.model.delivery import SilenceReason
from forestall.engine.rulebook import durations, tiers
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import Entry, MapNode, ScalarNode
from forestall.engine.rulebook.words import Words

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
RULES = ("metrics", "weights", "triggers", "playbook", "settings", "story")


def objects(schema: Any, trail: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield trail, schema
        for key, value in schema.items():
            yield from objects(value, f"{trail}/{key}")


@pytest.mark.parametrize("name", RULES)
def test_schema_is_closed_and_described(name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    assert schema["$schema"].endswith("draft-07/schema#")
    for trail, inner in objects(schema):
        of_an_adapter = name == "settings" and "adapter" in inner["properties"]
        assert of_an_adapter or inner.get("additionalProperties") is False, f"{trail} is open"
        assert inner.get("title") or inner.get("description"), f"{trail} has no title"
        for key, value in inner["properties"].items():
            assert value.get("description") or "$ref" in value, f"{trail}/{key} has no description"
            if value.get("x-not-built"):
                assert value["not"] == {}
                assert value["x-cure"].endswith(".")


@pytest.mark.parametrize("name", RULES)
def test_every_key_helps_whoever_writes_it(name: str) -> None:
    """A title, a sentence, and values to choose from: the words that may stand there, or examples."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    for trail, inner in objects(schema):
        for key, value in inner["properties"].items():
            if "$ref" in value:
                continue
            assert value.get("title"), f"{trail}/{key} has no title"
            if value.get("x-not-built"):
                assert value["deprecationMessage"].startswith(f"`{key}` is not built yet."), f"{trail}/{key}"
            elif value.get("type") in ("string", "number", "integer"):
                assert value.get("examples") or value.get("enum"), f"{trail}/{key} has neither examples nor enum"
            if "enum" in value:
                assert len(value["enumDescriptions"]) == len(value["enum"]), f"{trail}/{key}"


def test_the_reasons_for_silence_are_all_there() -> None:
    story = json.loads((SCHEMAS / "story.json").read_text(encoding="utf-8"))
    expected = story["properties"]["stories"]["items"]["properties"]["expect"]["items"]["properties"]
    assert expected["silence"]["items"]["enum"] == [str(reason) for reason in SilenceReason]


def one(text: str) -> MapNode:
    place = Location("x.yaml", 1, 1)
    return MapNode({"key": Entry(ScalarNode("key", "key", place), ScalarNode(text, text, place))}, place)


# What an editor checks with a pattern, and what reads it: the place in the schemas, and the reader.
READ: dict[str, tuple[str, Any]] = {
    "duration": ("triggers/properties/defaults/properties/cooldown",
                 lambda node, found: durations.days(node, "key", "it", found)),
    "duration of a day or more": ("triggers/properties/defaults/properties/lasts",
                                  lambda node, found: durations.days(node, "key", "it", found, least=1)),
    "business days": ("playbook/properties/plays/additionalProperties/properties/within",
                      lambda node, found: durations.days(node, "key", "it", found, business=True)),
    "percentage": ("weights/properties/minimum_coverage",
                   lambda node, found: durations.share(node, "key", "it", found)),
    "rate": ("playbook/properties/limits/properties/emails_per_account",
             lambda node, found: durations.rate(node, "key", "it", found)),
    "daily rate": ("playbook/properties/limits/properties/tasks_per_csm",
                   lambda node, found: durations.rate(node, "key", "it", found, daily=True)),
    "tier": ("weights/properties/tiers/additionalProperties",
             lambda node, found: tiers.read(node, Words(), found) or None),
}
WRITTEN = ("at once", "same day", "1 hour", "24 hours", "3 days", "3days", "2 weeks", "1 month", "2 business days",
           "1 business day", "10 percent", "10%", "12.5 %", "1 per 3 days", "1 per day", "8 per day", "8 per 1 day",
           "2 per week", "2 per 2 weeks", "0-100", "0 - 100", "0–100", "0 to 100", "0-100.0", "soon", "3", "-3 days",
           "3 fortnights", "ten percent", "1 per hour", "days", "")


@pytest.mark.parametrize("what", READ)
def test_an_editor_refuses_nothing_that_the_reader_takes(what: str) -> None:
    trail, read = READ[what]
    name, *steps = trail.split("/")
    node = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    for step in steps:
        node = node[step]
    taken = []
    for text in WRITTEN:
        findings = Findings()
        answer = read(one(text), findings)
        if answer is not None and not findings.sorted():
            taken.append(text)
            assert re.search(node["pattern"], text), text
    assert taken
    assert [text for text in ("soon", "", "ten percent") if re.search(node["pattern"], text)] == []
