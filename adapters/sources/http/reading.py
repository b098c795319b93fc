"""From the JSON of an answer to records: paths, kinds, and the sentence for what does not fit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from forestall.adapters.sources.http.described import Api, Feed, Paging, Resource
from forestall.adapters.sources.http.troubles import Place, setting_error

if TYPE_CHECKING:
    import jsonpath

DELETED_ANYHOW = "*"
EARLIEST, LATEST = -62_135_596_800, 253_402_300_799      # seconds since 1970 that a calendar of four digits can name
IN_MILLISECONDS = 100_000_000_000                        # a larger number is not meant in seconds: the year 5138


class FieldKind(StrEnum):
    """What a column of a resource holds."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    TIME = "time"
    VALUE = "value"          # whatever stands there, as JSON


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a resource: where it stands in a record and what it must be."""

    name: str
    path: str
    kind: FieldKind
    required: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a record; `fields` None: it was deleted. A time is a text in UTC, to the microsecond."""

    id: str
    fields: Mapping[str, Any] | None


def fields_of(resource: Resource) -> tuple[Field, ...]:
    """The columns that are kept of a resource."""
    maps = {FieldKind.TEXT: resource.texts, FieldKind.NUMBER: resource.numbers, FieldKind.FLAG: resource.flags,
            FieldKind.TIME: resource.times, FieldKind.VALUE: resource.values}
    return tuple(Field(name, path, kind, name in resource.required)
                 for kind, paths in maps.items() for name, path in paths.items())


@cache
def compiled(path: str) -> jsonpath.JSONPath:
    """A JSON path as RFC 9535 describes it. jsonpath.JSONPathError when it is none."""
    import jsonpath

    made = jsonpath.JSONPathEnvironment(strict=True).compile(path)
    assert isinstance(made, jsonpath.JSONPath)           # a strict environment knows no unions of paths
    return made


def one_of(document: Any, path: str) -> Any:
    """What stands at a path: the value if the path can only mean one, else the list of all that it finds."""
    if not path:
        return None
    names = _names(path)
    if names is None:
        query = compiled(path)
        found = query.findall(document)
        return found if not query.singular_query() else found[0] if found else None
    for name in names:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


@cache
def _names(path: str) -> tuple[str, ...] | None:
    """The names that a path goes through, None when it is more than names: most paths are no more, and asked often."""
    from jsonpath.selectors import NameSelector

    selectors = [one for segment in compiled(path).segments for one in segment.selectors]
    names = tuple(one.name for one in selectors if isinstance(one, NameSelector))
    return names if str(compiled(path)) == "$" + "".join(f"[{name!r}]" for name in names) else None


def records_of(document: Any, resource: Resource | Feed, place: Place) -> list[dict[str, Any]]:
    """The records of a page. SourceError when they are not where they should be."""
    found = one_of(document, resource.records)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise place.fault("http-page", f"there is no list of records at {resource.records}.",
                            "Correct `records` of this resource; the API may also have changed.")
    return found


def record(found: dict[str, Any], resource: Resource, fields: tuple[Field, ...], place: Place, row: int) -> Record:
    """What is kept of one record, which is number `row` of its page. SourceError for what does not fit."""
    identity = one_of(found, resource.id)
    if not isinstance(identity, str | int) or isinstance(identity, bool) or identity == "":
        raise place.fault("http-record", f"record {row} has no {resource.id}.",
                            "Correct `id` of this resource: it must tell the records apart.")
    if any(_marked(one_of(found, path), text) for path, text in resource.deleted.items()):
        return Record(str(identity), None)
    kept: dict[str, Any] = {}
    for field in fields:
        value = one_of(found, field.path)
        try:
            kept[field.name] = None if value is None else CONVERT[field.kind](value)
        except (ValueError, OverflowError):
            raise place.fault(
                "http-record", f"record {identity}: {field.name} ({field.path}) holds {_shown(value)} where a "
                f"{field.kind.value} belongs.", "Correct it there, or the path or kind of this column.") from None
        if field.required and kept[field.name] is None:
            raise place.fault("http-record", f"record {identity}: {field.name} ({field.path}) is empty.",
                                "Fill it in there, or take it from `required`.")
    return Record(str(identity), kept)


def moment(value: Any) -> datetime:
    """A time as APIs write it: ISO 8601, a date, or seconds or milliseconds since 1970. ValueError for others."""
    if isinstance(value, bool):
        raise ValueError("no time")
    if isinstance(value, int | float):
        seconds = value / 1000 if abs(value) > IN_MILLISECONDS else value
        if not EARLIEST <= seconds <= LATEST:
            raise ValueError("no time")
        return datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, str):
        raise ValueError("no time")
    found = datetime.fromisoformat(value.strip())
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def check_paths(source: str, api: Api) -> None:
    """SourceError for the first JSON path that is none."""
    for resource in api.resources.values():
        for path in _paths(resource):
            _check_path(source, "resources", path)
    if api.feed is not None:
        for path in (api.feed.records, api.feed.kind, api.feed.id, *_of_paging(api.feed.paging)):
            _check_path(source, "feed", path)


def _paths(resource: Resource) -> list[str]:
    columns = [field.path for field in fields_of(resource)]
    return [resource.records, resource.id, *columns, *resource.deleted, *_of_paging(resource.paging)]


def _of_paging(paging: Paging) -> tuple[str, ...]:
    return paging.next, paging.after, paging.more, paging.done


def _check_path(source: str, setting: str, path: str) -> None:
    import jsonpath

    try:
        if path:
            compiled(path)
    except jsonpath.JSONPathError as error:
        reason = str(error).splitlines()[0]
        raise setting_error("http-settings", f"`{setting}` of the source {source}: {path} is no JSON path ({reason}).",
                            "Write it like $.data.id or $.data[*].") from None


def _marked(value: Any, text: str) -> bool:
    if text == DELETED_ANYHOW:
        return value is not None and value is not False and value != []
    return (str(value).lower() if isinstance(value, bool) else str(value)) == text and value is not None


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value).strip() or None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    raise ValueError("no text")


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("no number")
    if isinstance(value, str) and not value.strip():
        return None
    found = float(value)
    return found if math.isfinite(found) else None


def _flag(value: Any) -> bool | None:
    words = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False, "": None}
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int) and str(value).strip().lower() in words:
        return words[str(value).strip().lower()]
    raise ValueError("no flag")


def _time(value: Any) -> str | None:
    if isinstance(value, str) and not value.strip():
        return None
    return moment(value).strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


CONVERT: Mapping[FieldKind, Callable[[Any], Any]] = {
    FieldKind.TEXT: _text, FieldKind.NUMBER: _number, FieldKind.FLAG: _flag, FieldKind.TIME: _time,
    FieldKind.VALUE: _value}


def _shown(value: Any, most: int = 40) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else text[: most - 1] + "…"
