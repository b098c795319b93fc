"""Adapters found by entry point, and their settings filled from forestall.yaml with the place of every mistake."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

from forestall.engine.errors import Location, SettingsError
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.joining import Joining
from forestall.engine.model.people import Destination
from forestall.engine.model.ports import OnUncertain
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import MapNode
from forestall.engine.settings_filling import Filling

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

SOURCES = "forestall.sources"
CHANNELS = "forestall.channels"


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """A source or channel as forestall.yaml describes it; `options` are the keys that its adapter understands.

    `named_at` is where its adapter is named. For channels: `on_uncertain` None leaves it to the channel; `destinations`
    are those that name it, and `secret_at` is where the first of them has a secret of its own. For sources: `joining`
    is how its rows find their account.
    """

    name: str
    adapter: str
    options: MapNode
    location: Location
    named_at: Location
    on_uncertain: OnUncertain | None = None
    destinations: tuple[Destination, ...] = ()
    secret_at: Location | None = None
    joining: Joining | None = None


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
    supplied = [name for name, hint in hints.items() if hint == tuple[Destination, ...]]
    before = len(findings.sorted())
    if described.secret_at is not None and not supplied:
        findings.say(described.secret_at, "secret-not-here", f"{what} ({described.adapter}) signs nothing.",
                     "Take `secret` away, or name a channel for webhooks.")
    filling = Filling(what, described.adapter, findings)
    made = filling.filled(kind, described.options, described.location, dict.fromkeys(supplied, described.destinations))
    return None if len(findings.sorted()) > before else made


def _noun(group: str) -> str:
    return group.removeprefix("forestall.").removesuffix("s")
