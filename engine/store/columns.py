"""Many nouns of one kind as JSON, column by column: far smaller and quicker than one by one."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import date
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Noun = TypeVar("Noun", bound="DataclassInstance")
Packed = dict[str, Any]
_QUICK = 1      # zlib: three times as quick as its usual, and hardly larger


def packed(nouns: Sequence[Noun]) -> Packed:
    """Their fields, each as a list, or as `{"all": value}` where it is the same in all of them."""
    if not nouns:
        return {}
    names = [field.name for field in fields(nouns[0])]
    columns = zip(*map(attrgetter(*names), nouns), strict=True)
    return {name: _column(values) for name, values in zip(names, columns, strict=True)}


def unpacked(kind: type[Noun], columns: Packed) -> list[Noun]:
    """The nouns again. A field that was not there when they were written has its default."""
    kinds = _kinds(kind)
    known = [name for name in columns if name in kinds]
    length = next((len(columns[name]) for name in known if isinstance(columns[name], list)), 0)
    values = [_values(kinds[name], columns[name], length) for name in known]
    return [kind(**dict(zip(known, row, strict=True))) for row in zip(*values, strict=True)]


def pressed(document: object) -> bytes:
    """A document as compressed JSON."""
    return zlib.compress(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), _QUICK)


def expanded(content: bytes) -> Any:
    """The document again. ValueError when it is damaged."""
    try:
        return json.loads(zlib.decompress(content))
    except zlib.error as error:
        raise ValueError(str(error)) from None


def _column(values: tuple[Any, ...]) -> list[Any] | dict[str, Any]:
    distinct = set(values)
    if len(distinct) == 1 and len(values) > 1:
        return {"all": _plain(values[0])}
    if any(isinstance(one, date) for one in distinct):
        plain = {one: _plain(one) for one in distinct}
        return [plain[one] for one in values]
    return list(values)      # an enumeration is its text already


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _values(kind: type, column: list[Any] | dict[str, Any], length: int) -> list[Any]:
    found = column if isinstance(column, list) else [column["all"]]
    if kind is not object:
        made = {one: one if one is None else date.fromisoformat(one) if kind is date else kind(one)
                for one in set(found)}
        found = [made[one] for one in found]
    return found if isinstance(column, list) else found * length


@cache
def _kinds(noun: type[Any]) -> dict[str, type]:
    """Field → `date` or its enumeration; `object` where the value is what JSON says."""
    hints = get_type_hints(noun)
    return {field.name: _kind((hints[field.name], *get_args(hints[field.name]))) for field in fields(noun)}


def _kind(hints: Iterable[Any]) -> type:
    found = [one for one in hints if isinstance(one, type) and (one is date or issubclass(one, StrEnum))]
    return found[0] if found else object
