"""JSON Schema errors as sentences with their place. schemas/*.json are the only list of allowed keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from forestall.engine.errors import Location, Problem
from forestall.engine.language.nearest import nearest
from forestall.engine.rulebook.fits import fits
from forestall.engine.rulebook.nodes import Entry, MapNode, Node, ScalarNode, follow, plain
from forestall.engine.rulebook.trail import subject

if TYPE_CHECKING:
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import ValidationError

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
RULE_SCHEMAS = ("metrics", "weights", "triggers", "playbook", "settings")
READER_SAYS = "x-said-by-reader"     # the reader of this value has a better sentence than the schema
READER_NAMES = "x-names-said-by-reader"      # the same, for texts that are none of the `enum`
_GLUED = re.compile(r"[^:\s]+:[^:\s]+")
_MANY = 3       # unknown keys besides the first: then it is not the keys that are wrong
_KINDS = {
    "string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
    "object": "keys and values", "array": "a list",
}


def check(root: MapNode, schema: str) -> list[Problem]:
    """Everything in `root` that schemas/`schema`.json does not allow."""
    tree = plain(root)
    if fits(tree, _schema(schema), _schema(schema)):
        return []
    errors: list[tuple[ValidationError, _Place]] = []
    odd: dict[tuple[str | int, ...], tuple[_Place, list[str]]] = {}
    for error in _validator(schema).iter_errors(tree):
        path = list(error.absolute_path)
        node, key = follow(root, path)
        place = _Place(schema, root, node, path, key)
        errors.append((error, place))
        strange = _strange(error, place)
        if strange and _lacks(node, error):
            odd[tuple(path)] = place, strange
    torn = {path[:-1] for path, (_, strange) in odd.items() if len(strange) > 1}
    strangers = {path: one for path, one in odd.items() if path[:-1] in torn}
    found = [problem for error, place in errors if tuple(place.path) not in strangers
             for problem in _said(error, place)]
    return [*_strangers(strangers), *found]


def _strange(error: ValidationError, place: _Place) -> list[str]:
    """The keys that do not belong there, where that is what is wrong."""
    if error.validator != "additionalProperties" or not isinstance(place.node, MapNode):
        return []
    rule = error.schema if isinstance(error.schema, Mapping) else {}
    allowed = rule.get("properties", {})
    return [key for key in place.node.entries if key not in allowed and nearest(key, allowed) is None]


def _lacks(node: Node, error: ValidationError) -> bool:
    needed = error.schema.get("required", []) if isinstance(error.schema, Mapping) else []
    return isinstance(node, MapNode) and any(key not in node for key in needed)


def _strangers(found: Mapping[tuple[str | int, ...], tuple[_Place, list[str]]]) -> Iterator[Problem]:
    """Entries that are something else altogether; neighbours are said once: a line above them is missing."""
    said: set[tuple[str | int, ...]] = set()
    for path, (place, strange) in sorted(found.items(), key=lambda each: _whole(each[1][0])):
        if path[:-1] in said:
            continue
        said.add(path[:-1])
        more = sum(other[:-1] == path[:-1] for other in found) - 1
        others = f", and so have {more} of its neighbours" if more else ""
        yield Problem(place.key.location if place.key else place.whole, "unknown-key",
                      f"{place.name} has the keys of something else, {', '.join(f'`{key}`' for key in strange[:4])}"
                      f"{others}.",
                      "Look whether a line above it is missing or indented wrongly.")


def _whole(place: _Place) -> tuple[int, int]:
    """Where it stands: of neighbours the first one is named."""
    return place.whole.line, place.whole.column


def published(name: str) -> dict[str, Any]:
    """schemas/NAME.json as it is for every project."""
    return deepcopy(_schema(name))


class _Place:
    """Where an error is: the node, the key that leads to it, and how people call it."""

    def __init__(self, schema: str, root: MapNode, node: Node, path: list[str | int], key: ScalarNode | None) -> None:
        self.schema, self.node, self.path = schema, node, path
        self.name = subject(path, root, schema)
        self.key = key

    @property
    def whole(self) -> Location:
        """The key where there is one: `steps:` rather than its first line."""
        if isinstance(self.node, ScalarNode) and self.node.text:
            return self.node.location
        return self.key.location if self.key else self.node.location


def _said(error: ValidationError, place: _Place) -> Iterator[Problem]:
    rule = error.schema if isinstance(error.schema, Mapping) else {}
    value: Any = error.validator_value
    if "propertyNames" in error.relative_schema_path:
        yield from _name_refused(error, place, rule)
        return
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(place, rule)
        case "required":
            yield from _missing_key(error, value, place, rule)
        case "not":
            yield _not_built(place, rule)
        case "type":
            if not rule.get(READER_SAYS) or isinstance(error.instance, dict | list) or error.instance is None:
                yield _wrong_type(place, rule, value)
        case "enum":
            if not rule.get(READER_NAMES):
                yield _not_one_of(place, value)
        case "pattern":
            if not rule.get(READER_SAYS):
                yield Problem(place.whole, "wrong-form",
                              f"{place.name} must be {rule.get('x-must', 'of another form')}, not `{error.instance}`.")
        case _:
            yield _out_of_bounds(error, place)


def _name_refused(error: ValidationError, place: _Place, rule: Mapping[str, Any]) -> Iterator[Problem]:
    if rule.get(READER_SAYS) or not isinstance(place.node, MapNode):
        return
    name = str(error.instance)
    yield Problem(place.node.key_location(name), "wrong-name", f"`{name}` is no usable name.",
                  f"Use {rule.get('x-must', 'at least one letter')}.", word=name)


def _unknown_keys(place: _Place, rule: Mapping[str, Any]) -> Iterator[Problem]:
    assert isinstance(place.node, MapNode)
    allowed = rule.get("properties", {})
    for entry in place.node:
        word = entry.key.text
        if word in allowed:
            continue
        beginning = word.split(" ")[0]
        if _cut_off(entry) and " " in word and beginning in allowed:
            yield Problem(entry.key.location.moved(len(beginning)), "yaml",
                          f"the colon after `{beginning}` is missing.",
                          f"Write `{beginning}: {word[len(beginning):].strip()}`.")
            return
        if _cut_off(entry):
            yield Problem(entry.key.location, "comma-in-braces", "a comma inside { } starts a new key.",
                          "Put the whole value in quotes, or write it on a line of its own.")
            return
        close = nearest(word, (key for key, value in allowed.items() if not value.get("x-not-built")))
        home = _homes().get(word)
        if home and (close is None or (home[0] != place.schema and close not in (word[:-1], f"{word}s"))):
            hint = f"It belongs to {home[1]}."
        elif close:
            hint = f"Did you mean `{close}`?"
        else:
            keys = ", ".join(key for key, value in allowed.items() if not value.get("x-not-built"))
            hint = f"Its keys are: {keys}."
        others = [key for key in place.node.entries if key not in allowed][1:]
        if len(others) >= _MANY:
            yield Problem(entry.key.location, "unknown-key", f"`{word}` is not a key of {place.name}, nor are "
                          f"{len(others)} others below it.", f"{hint} Look at the indentation.")
            return
        yield Problem(entry.key.location, "unknown-key", f"`{word}` is not a key of {place.name}.", hint)


def _cut_off(entry: Entry) -> bool:
    """Whether the key has no colon: what a comma leaves over in `{is: clamp(x, 0, 9)}`."""
    return entry.value.location == entry.key.location.moved(len(entry.key.raw))


def _missing_key(error: ValidationError, required: list[str], place: _Place,
                 rule: Mapping[str, Any]) -> Iterator[Problem]:
    assert isinstance(place.node, MapNode)
    allowed = rule.get("properties", {})
    strange = [entry.key.text for entry in place.node if entry.key.text not in allowed]
    for key in required:
        if key in place.node or any(nearest(word, [*allowed]) == key for word in strange):
            continue  # the misspelt key is said already
        if error.message.startswith(f"'{key}'"):
            yield Problem(place.whole, "missing-key", f"{place.name} has no `{key}`.", f"Add a line `{key}: …`.")


def _not_built(place: _Place, rule: Mapping[str, Any]) -> Problem:
    word = place.key.text if place.key else place.name
    where = place.key.location if place.key else place.whole
    return Problem(where, "not-built", f"`{word}` is not built yet.", str(rule.get("x-cure", "Take it away.")))


def _wrong_type(place: _Place, rule: Mapping[str, Any], wanted: str | list[str]) -> Problem:
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    need = _or([_KINDS[kind] for kind in kinds])
    node = place.node
    if not isinstance(node, ScalarNode):
        has = "keys and values" if isinstance(node, MapNode) else "a list"
        keys = ", ".join(rule.get("properties", {}))
        return Problem(place.whole, "wrong-type", f"{place.name} must be {need}, not {has}.",
                       f"Its keys are: {keys}." if keys else "")
    if node.value is None and place.key is not None and _GLUED.fullmatch(place.key.text):
        key, _, value = place.key.text.partition(":")
        return Problem(place.whole, "yaml", f"there is no space after the colon of `{place.key.text}`.",
                       f"Write `{key}: {value}`.")
    if node.value is None:
        return Problem(place.whole, "empty", f"{place.name} is empty.", "Give it a value, or take the line away.")
    hint = ""
    if {"number", "integer"} & set(kinds) and isinstance(node.value, str):
        bare = node.text.replace(",", "").replace("_", "").replace(" ", "").removesuffix("%")
        if bare.replace(".", "", 1).lstrip("-").isdigit():
            hint = f"Write {bare}" + (" without quotes." if node.quoted else ".")
    elif "boolean" in kinds:
        hint = "Write true or false."
    elif "string" in kinds:
        hint = f'Put it in quotes: "{node.text}".'
    elif "array" in kinds:
        hint = f"Write a list: [{node.text}]."
    elif "object" in kinds:
        hint = _as_keys(node.text, rule)
    return Problem(node.location, "wrong-type", f"{place.name} must be {need}, not {_called(node)}.", hint)


def _as_keys(text: str, rule: Mapping[str, Any]) -> str:
    """How to write a text as keys and values."""
    keys = [key for key, value in rule.get("properties", {}).items() if not value.get("x-not-built")]
    word, _, rest = text.partition(" ")
    if word in keys and rest:
        return f"Put a colon after its first word: `{word}: {rest}`."
    needed = ", ".join(f"{key}: …" for key in rule.get("required", ()))
    if needed:
        return f"Write {{{needed}}}."
    return f"Its keys are: {', '.join(keys)}." if keys else "Write its keys on lines of their own, indented below it."


def _not_one_of(place: _Place, allowed: list[Any]) -> Problem:
    if isinstance(place.node, ScalarNode) and place.node.value is None:
        return Problem(place.whole, "empty", f"{place.name} is empty.", f"Write {_or([str(one) for one in allowed])}.")
    written = place.node.text if isinstance(place.node, ScalarNode) else "a list"
    close = nearest(written, [str(one) for one in allowed])
    return Problem(place.whole, "not-one-of",
                   f"{place.name} must be {_or([str(one) for one in allowed])}, not `{written}`.",
                   f"Did you mean {close}?" if close else "")


def _out_of_bounds(error: ValidationError, place: _Place) -> Problem:
    bound, instance = error.validator_value, cast(Any, error.instance)
    match error.validator:
        case "minimum":
            message = f"{place.name} must be at least {bound}, not {error.instance}."
        case "maximum":
            message = f"{place.name} must be at most {bound}, not {error.instance}."
        case "minItems" | "minProperties" if not error.instance:
            return Problem(place.whole, "empty", f"{place.name} is empty.", "Add something below it.")
        case "minProperties":
            message = f"{place.name} says too little."
        case "maxProperties":
            keys = _or([f"`{key}`" for key in instance]).replace(" or ", " and ")
            message = f"{place.name} has {keys}; only one of them may stand in a step."
            return Problem(place.whole, "too-many", message, "Start a new step with `- ` for each.")
        case "uniqueItems":
            message = f"{place.name} names something twice."
        case _:
            message = f"{place.name} is not as it should be."
    return Problem(place.whole, "out-of-bounds", message)


def _called(node: ScalarNode) -> str:
    match node.value:
        case bool():
            return f"the flag {node.text}"
        case int() | float():
            return f"the number {node.text}"
        case _:
            return f"the text `{node.text}`"


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


@cache
def _schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


@cache
def _validator(name: str) -> Draft7Validator:
    from jsonschema import Draft7Validator

    return Draft7Validator(_schema(name))


@cache
def _homes() -> Mapping[str, tuple[str, str]]:
    """Every key of every rule file: the file's schema, and what the key belongs to, in words."""
    homes: dict[str, tuple[str, str]] = {}
    for name in RULE_SCHEMAS:
        file = "forestall.yaml" if name == "settings" else f"{name}.yaml"
        for owner, key in _keys(_schema(name)):
            if key not in ("name", "about", "to", "id"):
                homes.setdefault(key, (name, file if owner == file else f"{_article(owner)} in {file}"))
    return homes


def _keys(schema: Any) -> Iterator[tuple[str, str]]:
    if isinstance(schema, list):
        for one in schema:
            yield from _keys(one)
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties")
    if isinstance(properties, dict) and "title" in schema:
        yield from ((schema["title"], key) for key, value in properties.items() if not value.get("x-not-built"))
    for key, value in schema.items():
        if key not in ("examples", "enum", "required"):
            yield from _keys(value)


def _article(noun: str) -> str:
    if noun in ("account", "defaults", "limits"):
        return f"`{noun}`"
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
