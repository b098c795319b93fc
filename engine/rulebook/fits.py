"""Whether a file fits its schema: a quick yes. Only where it is no, jsonschema is imported and asked what is wrong.

Almost every file that is read is sound, and importing jsonschema takes longer than reading all of the rules. What is
said here must never be more than what jsonschema says: a keyword that is not known here is a no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

# What only people and editors read.
_TOLD = frozenset({"$schema", "$id", "$comment", "title", "description", "examples", "default", "definitions",
                   "errorMessage", "deprecationMessage", "enumDescriptions", "markdownDescription"})
_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),     # 1.0 is asked about
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}


def fits(value: Any, rule: Any, whole: Mapping[str, Any]) -> bool:
    """Whether `value` surely fits the schema `rule`, a part of the schema `whole`. False only means unsure."""
    if not isinstance(rule, dict):
        return rule is True
    if "$ref" in rule:      # draft-07: what stands beside it does not count
        return fits(value, _meant(rule["$ref"], whole), whole)
    for keyword, wanted in rule.items():
        if keyword in _TOLD or keyword.startswith("x-"):
            continue
        check = _CHECKS.get(keyword)
        if check is None or not check(value, wanted, rule, whole):
            return False
    return True


def _meant(reference: str, whole: Any) -> Any:
    """The part of the schema that `#/definitions/…` names; None where there is none."""
    for name in reference.removeprefix("#/").split("/"):
        whole = whole.get(name) if isinstance(whole, dict) else None
    return whole


def _type(value: Any, wanted: Any, rule: Any, whole: Any) -> bool:
    return any(_TYPES[one](value) for one in ([wanted] if isinstance(wanted, str) else wanted))


def _properties(value: Any, wanted: Any, rule: Any, whole: Any) -> bool:
    return not isinstance(value, dict) or all(
        fits(inner, wanted[key], whole) for key, inner in value.items() if key in wanted)


def _others(value: Any, wanted: Any, rule: Any, whole: Any) -> bool:
    known = rule.get("properties", {})
    return "patternProperties" not in rule and (not isinstance(value, dict) or all(
        key in known or fits(inner, wanted, whole) for key, inner in value.items()))


def _names(value: Any, wanted: Any, rule: Any, whole: Any) -> bool:
    return not isinstance(value, dict) or all(fits(key, wanted, whole) for key in value)


def _items(value: Any, wanted: Any, rule: Any, whole: Any) -> bool:
    return isinstance(wanted, dict) and (
        not isinstance(value, list) or all(fits(one, wanted, whole) for one in value))


def _enum(value: Any, wanted: Any, rule: Any, whole: Any) -> bool:
    return isinstance(value, str) and value in wanted


def _pattern(value: Any, wanted: Any, rule: Any, whole: Any) -> bool:
    return not isinstance(value, str) or _compiled(wanted).search(value) is not None


def _unique(value: Any, wanted: Any, rule: Any, whole: Any) -> bool:
    return not isinstance(value, list) or (
        all(isinstance(one, str) for one in value) and len(set(value)) == len(value))


def _bound(of: Callable[[Any], bool], holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Any, Any], bool]:
    return lambda value, wanted, rule, whole: not of(value) or holds(value, wanted)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_CHECKS: Mapping[str, Callable[[Any, Any, Any, Any], bool]] = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _others,
    "propertyNames": _names,
    "items": _items,
    "required": lambda value, wanted, rule, whole: not isinstance(value, dict) or all(key in value for key in wanted),
    "enum": _enum,
    "pattern": _pattern,
    "uniqueItems": _unique,
    "minimum": _bound(_TYPES["number"], lambda value, wanted: value >= wanted),
    "maximum": _bound(_TYPES["number"], lambda value, wanted: value <= wanted),
    "minLength": _bound(_TYPES["string"], lambda value, wanted: len(value) >= wanted),
    "minItems": _bound(_TYPES["array"], lambda value, wanted: len(value) >= wanted),
    "maxItems": _bound(_TYPES["array"], lambda value, wanted: len(value) <= wanted),
    "minProperties": _bound(_TYPES["object"], lambda value, wanted: len(value) >= wanted),
    "maxProperties": _bound(_TYPES["object"], lambda value, wanted: len(value) <= wanted),
}
