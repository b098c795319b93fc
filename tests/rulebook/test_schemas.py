"""The schemas are what editors show: closed, described, and told apart from what is not built yet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

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
