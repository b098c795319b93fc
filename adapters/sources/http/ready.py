"""Definitions that come with Forestall: YAML files as the settings of an HTTP source."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from forestall.adapters.sources.http.described import HttpSettings

DEFINITIONS = Path(__file__).parent / "definitions"


@cache
def definition(name: str) -> HttpSettings:
    """The definition of this name; it is one of ours, so nothing in it can be wrong."""
    import yaml

    read = yaml.safe_load((DEFINITIONS / f"{name}.yaml").read_text("utf-8"))
    made = _made(HttpSettings, read)
    assert isinstance(made, HttpSettings)
    return made


def _made(wanted: Any, value: Any) -> Any:
    """`value` in the type of its field."""
    if get_origin(wanted) in (Union, types.UnionType):
        wanted = next(one for one in get_args(wanted) if one is not type(None))
    origin = get_origin(wanted)
    if origin is tuple:
        return tuple(_made(get_args(wanted)[0], one) for one in value)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _made(get_args(wanted)[1], one) for key, one in value.items()}
    if is_dataclass(wanted):
        hints = get_type_hints(wanted)
        return wanted(**{key: _made(hints[key], one) for key, one in value.items()})      # type: ignore[operator]
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return wanted(value)
    return value
