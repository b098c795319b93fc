"""Adapters found by entry point, and their settings filled from forestall.yaml with the place of every mistake."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Union, cast, get_args, get_origin, get_type_hints

from forestall.engine.errors import Location, SettingsError
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.people import Destination
from forestall.engine.model.ports import OnUncertain, Secret
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import Entry, ListNode, MapNode, Node, ScalarNode

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

SOURCES = "forestall.sources"
CHANNELS = "forestall.channels"
_SECRET = re.compile(r"\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """A source or channel as forestall.yaml describes it; `options` are the keys that its adapter understands.

    `named_at` is where its adapter is named. For channels: `on_uncertain` None leaves it to the channel; `destinations`
    are those that name it, and `secret_at` is where the first of them has a secret of its own.
    """

    name: str
    adapter: str
    options: MapNode
    location: Location
    named_at: Location
    on_uncertain: OnUncertain | None = None
    destinations: tuple[Destination, ...] = ()
    secret_at: Location | None = None


def prepared(described: AdapterSettings, group: str) -> tuple[Any, object]:
    """The adapter's class and its filled settings. SettingsError with everything that is wrong."""
    findings = Findings()
    kind = _adapter(described, group, findings)
    filled = _fill(kind.Settings, described, group, findings) if kind is not None else None
    if findings.sorted():
        raise SettingsError(findings.sorted())
    return kind, filled


def offered(group: str) -> Mapping[str, type]:
    """The settings of every adapter that is installed, by its name; one that cannot be loaded is left out."""
    from importlib import metadata

    found: dict[str, type] = {}
    for point in sorted(metadata.entry_points(group=group), key=lambda one: one.name):
        try:
            found[point.name] = point.load().Settings
        except (ImportError, AttributeError):
            continue
    return found


def written(kind: type) -> tuple[Field[Any], ...]:
    """The settings that stand in forestall.yaml; destinations are handed to the adapter by the engine."""
    hints = get_type_hints(kind)
    return tuple(one for one in fields(kind) if one.init and hints[one.name] != tuple[Destination, ...])


def _points(group: str) -> Mapping[str, EntryPoint]:
    return _installed(group, tuple(sys.path))


@cache
def _installed(group: str, path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    """The adapters that are installed on this path, by name. Looking for them takes longer than reading rules."""
    from importlib import metadata  # takes longer to import than the rest of this module

    del path
    return {point.name: point for point in metadata.entry_points(group=group)}


def _adapter(described: AdapterSettings, group: str, findings: Findings) -> Any:
    points = _points(group)
    noun = _noun(group)
    if described.adapter not in points:
        other = CHANNELS if group == SOURCES else SOURCES
        elsewhere = described.adapter in _points(other)
        hint = f"`{described.adapter}` is a {_noun(other)}: it belongs below `{_noun(other)}s:`." if elsewhere else ""
        findings.say(described.named_at, "unknown-adapter",
                     f"{noun} {described.name} needs an adapter that is not installed: `{described.adapter}`.",
                     hint or did_you_mean(described.adapter, points) or f"There are: {', '.join(sorted(points))}.")
        return None
    try:
        return points[described.adapter].load()
    except (ImportError, AttributeError) as error:
        findings.say(described.named_at, "broken-adapter",
                     f"the adapter `{described.adapter}` of {noun} {described.name} cannot be loaded: {error}.",
                     "Install the package that it needs.")
        return None


def _fill(kind: type, described: AdapterSettings, group: str, findings: Findings) -> object | None:
    """An instance of the adapter's Settings dataclass, or None when something is wrong (then that is said)."""
    what = f"{_noun(group)} {described.name}"
    hints = get_type_hints(kind)
    known = {field.name: field for field in written(kind)}
    supplied = [name for name, hint in hints.items() if hint == tuple[Destination, ...]]
    values: dict[str, object] = dict.fromkeys(supplied, described.destinations)
    misspelt: set[str] = set()
    before = len(findings.sorted())
    if described.secret_at is not None and not supplied:
        findings.say(described.secret_at, "secret-not-here", f"{what} ({described.adapter}) signs nothing.",
                     "Take `secret` away, or name a channel for webhooks.")
    for entry in described.options:
        name = entry.key.text
        if name not in known:
            meant = did_you_mean(name, known)
            misspelt.update(one for one in known if meant == f"Did you mean {one}?")
            findings.say(entry.key.location, "unknown-key",
                         f"`{name}` is not a setting of {what} ({described.adapter}).",
                         meant or f"Its settings are: {', '.join(known)}.")
        elif isinstance(entry.value, ScalarNode) and entry.value.value is None:
            findings.say(entry.key.location, "empty", f"`{name}` of {what} is empty.",
                         "Give it a value, or take the line away.")
        else:
            values[name] = _value(entry, hints[name], f"`{name}` of {what}", findings)
    for name, field in known.items():
        needed = field.default is MISSING and field.default_factory is MISSING
        if needed and name not in described.options and name not in misspelt:
            findings.say(described.location, "missing-key", f"{what} has no `{name}`.", f"Add a line `{name}: …`.")
    return None if len(findings.sorted()) > before else kind(**values)


def _noun(group: str) -> str:
    return group.removeprefix("forestall.").removesuffix("s")


def _value(entry: Entry, hint: Any, what: str, findings: Findings) -> object:
    """The value in the type of its field; what does not fit is said."""
    node, wanted = entry.value, _without_none(hint)
    if wanted is Secret:
        return secret_reference(node, entry, what, findings)
    for inside in _texts(node):
        if "${secret:" in inside.text:
            findings.say(inside.location, "secret-not-here", f"{what} cannot hold a secret.",
                         "Use a setting of this adapter that is meant to be secret.")
            return None
    origin = get_origin(wanted)
    if origin is tuple:
        items = node.items if isinstance(node, ListNode) else (node,)
        if all(isinstance(item, ScalarNode) and isinstance(item.value, str) for item in items):
            return tuple(item.text for item in items if isinstance(item, ScalarNode))
        return _refused(node, what, "a list of texts", findings)
    if origin is not None and issubclass(origin, Mapping):
        if isinstance(node, MapNode) and all(isinstance(one.value, ScalarNode) for one in node):
            return {one.key.text: one.value.text for one in node if isinstance(one.value, ScalarNode)}
        return _refused(node, what, "keys and values", findings)
    return _scalar(node, wanted, what, findings)


def _scalar(node: Node, wanted: Any, what: str, findings: Findings) -> object:
    value = node.value if isinstance(node, ScalarNode) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is bool:
        return value if isinstance(value, bool) else _refused(node, what, "true or false", findings)
    if wanted is int:
        return value if is_number and isinstance(value, int) else _refused(node, what, "a whole number", findings)
    if wanted is float:
        return float(cast(float, value)) if is_number else _refused(node, what, "a number", findings)
    if isinstance(node, ScalarNode) and isinstance(value, str):
        return value
    return _refused(node, what, "a text", findings)


def secret_reference(node: Node, entry: Entry, what: str, findings: Findings) -> Secret | None:
    """The secret that `node` refers to; whatever else stands there is said, and not repeated."""
    found = _SECRET.fullmatch(node.text.strip()) if isinstance(node, ScalarNode) else None
    if found:
        return Secret(found.group(1))
    name = entry.key.text.upper()
    findings.say(node.location, "secret-in-file", f"{what} stands in the file, and a secret never stands in a file.",
                 f'Write {entry.key.text}: "${{secret:{name}}}" and set the environment variable {name}.')
    return None


def _refused(node: Node, what: str, need: str, findings: Findings) -> object:
    has = f"`{node.text}`" if isinstance(node, ScalarNode) else "a list" if isinstance(node, ListNode) \
        else "keys and values"
    findings.say(node.location, "wrong-type", f"{what} must be {need}, not {has}.",
                 "Put it in quotes." if need == "a text" and isinstance(node, ScalarNode) else "")
    return None


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return next(one for one in get_args(hint) if one is not type(None))
    return hint


def _texts(node: Node) -> list[ScalarNode]:
    match node:
        case ScalarNode():
            return [node]
        case ListNode(items=items):
            return [text for item in items for text in _texts(item)]
        case MapNode():
            return [text for entry in node for text in _texts(entry.value)]
