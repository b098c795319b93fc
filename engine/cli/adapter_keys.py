"""The keys of every installed adapter, as a schema of forestall.yaml says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from forestall.engine.adapter_settings import CHANNELS, SOURCES, offered
from forestall.engine.model.ports import Secret
from forestall.engine.settings_filling import needed, shorthand, without_none, written

Schema = dict[str, Any]
_SIMPLE: Mapping[Any, Schema] = {
    bool: {"type": "boolean"}, int: {"type": "integer"}, float: {"type": "number"}, str: {"type": "string"},
    Secret: {"type": "string", "pattern": r"^\$\{secret:[A-Za-z_][A-Za-z0-9_]*\}$",
             "errorMessage": 'A secret never stands in a file. Write "${secret:NAME}" and set the environment variable '
                             "NAME.", "examples": ["${secret:NAME}"]},
}


def add_adapters(settings: Schema) -> None:
    """Say in the schema of forestall.yaml which adapters there are and what each is told."""
    for key, group in (("sources", SOURCES), ("channels", CHANNELS)):
        place = settings["properties"][key]["additionalProperties"]
        adapters = offered(group)
        place["properties"]["adapter"] |= {
            "enum": list(adapters),
            "errorMessage": "No adapter of this name was installed when `forestall schema` ran."}
        place["properties"]["adapter"].pop("examples", None)
        place["allOf"] = [_when(name, kind, place["properties"]) for name, kind in adapters.items()]


def _when(name: str, kind: type, common: Schema) -> Schema:
    keys = _keys(name, kind)
    return {
        "if": {"properties": {"adapter": {"const": name}}, "required": ["adapter"]},
        "then": {"properties": {key: {} for key in common} | keys, "required": _needed(kind),
                 "additionalProperties": False},
    }


def _keys(name: str, kind: type) -> dict[str, Schema]:
    hints = get_type_hints(kind)
    return {one.name: {"title": one.name, "description": f"A setting of the adapter {name}."} |
            _form(name, hints[one.name]) for one in written(kind)}


def _needed(kind: type) -> list[str]:
    return [one.name for one in written(kind) if needed(one)]


def _form(name: str, hint: Any) -> Schema:
    hint = without_none(hint)
    if hint in _SIMPLE:
        return dict(_SIMPLE[hint])
    if is_dataclass(hint) and isinstance(hint, type):
        nested: Schema = {"type": "object", "properties": _keys(name, hint), "required": _needed(hint),
                          "additionalProperties": False}
        short = shorthand(hint)
        return {"anyOf": [nested, _form(name, get_type_hints(hint)[short])]} if short else nested
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"type": "string", "enum": [one.value for one in hint]}
    if get_origin(hint) is Union:
        return {"type": ["string", "number", "boolean"]}
    if get_origin(hint) is tuple:
        each = _form(name, get_args(hint)[0])
        return {"type": ["string", "array"], "items": each} if each == _SIMPLE[str] else \
            {"anyOf": [each, {"type": "array", "items": each}]}
    each = get_args(hint)[1]
    inside: Schema = {"type": ["string", "number", "boolean"]} if each is str else _form(name, each)
    return {"type": "object", "additionalProperties": inside}
