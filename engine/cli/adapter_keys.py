"""The keys of every installed adapter, as a schema of forestall.yaml says them."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, Union, get_args, get_origin, get_type_hints

from forestall.engine.adapter_settings import CHANNELS, SOURCES, offered, written
from forestall.engine.model.ports import Secret

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
    hints = get_type_hints(kind)
    known = written(kind)
    needed = [one.name for one in known if one.default is MISSING and one.default_factory is MISSING]
    keys = {one.name: {"title": one.name, "description": f"A setting of the adapter {name}."} | _form(hints[one.name])
            for one in known}
    return {
        "if": {"properties": {"adapter": {"const": name}}, "required": ["adapter"]},
        "then": {"properties": {key: {} for key in common} | keys, "required": needed, "additionalProperties": False},
    }


def _form(hint: Any) -> Schema:
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(one for one in get_args(hint) if one is not type(None))
    if hint in _SIMPLE:
        return dict(_SIMPLE[hint])
    if get_origin(hint) is tuple:
        return {"type": ["string", "array"], "items": {"type": "string"}}
    return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
