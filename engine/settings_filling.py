"""A part of forestall.yaml as the frozen dataclass that an adapter asks for, with the place of every mistake."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from forestall.engine.errors import Location
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.people import Destination
from forestall.engine.model.ports import Secret
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import Entry, ListNode, MapNode, Node, ScalarNode

_SECRET = re.compile(r"\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}")
PLAIN = frozenset({str, int, float, bool})


def written(kind: type) -> tuple[Field[Any], ...]:
    """The settings that stand in forestall.yaml; destinations are handed to the adapter by the engine."""
    hints = get_type_hints(kind)
    return tuple(one for one in fields(kind) if one.init and hints[one.name] != tuple[Destination, ...])


def needed(setting: Field[Any]) -> bool:
    """Whether it has no default."""
    return setting.default is MISSING and setting.default_factory is MISSING


def shorthand(kind: type) -> str:
    """The one setting of a nested dataclass that a bare value stands for; empty when it names none."""
    return str(getattr(kind, "shorthand", ""))


def without_none(hint: Any) -> Any:
    """The type itself where None is the other possibility; several plain types stay a union."""
    if get_origin(hint) in (Union, types.UnionType):
        others = [one for one in get_args(hint) if one is not type(None)]
        return others[0] if len(others) == 1 else Union[tuple(others)]      # noqa: UP007  it is made here
    return hint


@dataclass(frozen=True, slots=True)
class Filling:
    """Fills settings. `owner` is whose they are, as in "source crm"; `adapter` is what it is told for."""

    owner: str
    adapter: str
    findings: Findings

    def filled(self, kind: type, node: MapNode, location: Location, given: Mapping[str, object],
               path: str = "") -> object | None:
        """An instance of `kind`, or None when something is wrong (then that is said)."""
        hints = get_type_hints(kind)
        known = {field.name: field for field in written(kind)}
        values: dict[str, object] = dict(given)
        misspelt: set[str] = set()
        before = len(self.findings.sorted())
        for entry in node:
            name = entry.key.text
            if name not in known:
                meant = did_you_mean(name, known)
                misspelt.update(one for one in known if meant == f"Did you mean {one}?")
                self.findings.say(entry.key.location, "unknown-key", f"`{name}` is not a setting of {self._of(path)}.",
                                  meant or f"Its settings are: {', '.join(known)}.")
            elif isinstance(entry.value, ScalarNode) and entry.value.value is None:
                self.findings.say(entry.key.location, "empty", f"`{path}{name}` of {self.owner} is empty.",
                                  "Give it a value, or take the line away.")
            else:
                values[name] = self._value(entry, entry.value, hints[name], f"{path}{name}")
        for name, field in known.items():
            if needed(field) and name not in node and name not in misspelt:
                whose = f"`{path[:-1]}` of {self.owner}" if path else self.owner
                self.findings.say(location, "missing-key", f"{whose} has no `{name}`.", f"Add a line `{name}: …`.")
        return self._made(kind, values, location) if len(self.findings.sorted()) == before else None

    def _made(self, kind: type, values: Mapping[str, object], location: Location) -> object | None:
        """A settings class checks in `__post_init__` what its fields must be to each other: ValueError(what, cure)."""
        try:
            return cast(object, kind(**values))
        except ValueError as error:
            said, cure = (*map(str, error.args), "", "")[:2]
            self.findings.say(location, "settings-disagree", f"{self.owner}: {said}", cure)
            return None

    def _of(self, path: str) -> str:
        return f"`{path[:-1]}` of {self.owner}" if path else f"{self.owner} ({self.adapter})"

    def _value(self, entry: Entry, node: Node, hint: Any, path: str) -> object:
        """The value in the type of its field; what does not fit is said."""
        what, wanted = f"`{path}` of {self.owner}", without_none(hint)
        if wanted is Secret:
            return secret_reference(node, entry, what, self.findings)
        if is_dataclass(wanted):
            return self._nested(cast(type, wanted), node, what, path)
        origin = get_origin(wanted)
        if origin is tuple:
            return self._listed(entry, node, get_args(wanted)[0], what, path)
        if origin is not None and origin is not Union and issubclass(origin, Mapping):
            return self._mapped(node, get_args(wanted)[1], what, path)
        return self._scalar(node, wanted, what)

    def _nested(self, kind: type, node: Node, what: str, path: str) -> object:
        short = shorthand(kind)
        if short and not isinstance(node, MapNode):
            key = ScalarNode(short, short, node.location)
            node = MapNode({short: Entry(key, node)}, node.location)
        if not isinstance(node, MapNode):
            return _refused(node, what, "keys and values", self.findings)
        return self.filled(kind, node, node.location, {}, f"{path}.")

    def _listed(self, entry: Entry, node: Node, each: Any, what: str, path: str) -> object:
        items = node.items if isinstance(node, ListNode) else (node,)
        if each is not str:
            return tuple(self._value(entry, item, each, f"{path}[{number}]") for number, item in enumerate(items, 1))
        if all(isinstance(item, ScalarNode) and isinstance(item.value, str) for item in items):
            return tuple(str(self._scalar(item, str, what)) for item in items)
        return _refused(node, what, "a list of texts", self.findings)

    def _mapped(self, node: Node, each: Any, what: str, path: str) -> object:
        if not isinstance(node, MapNode):
            return _refused(node, what, "keys and values", self.findings)
        if each is not str:
            return {one.key.text: self._value(one, one.value, each, f"{path}.{one.key.text}") for one in node}
        if all(isinstance(one.value, ScalarNode) for one in node):
            return {one.key.text: one.value.text for one in node
                    if isinstance(one.value, ScalarNode) and not self._secret(one.value, what)}
        return _refused(node, what, "keys and values", self.findings)

    def _secret(self, node: ScalarNode, what: str) -> bool:
        """Whether a secret is named where none belongs (then that is said)."""
        if "${secret:" not in node.text:
            return False
        self.findings.say(node.location, "secret-not-here", f"{what} cannot hold a secret.",
                          "Use a setting of this adapter that is meant to be secret.")
        return True

    def _scalar(self, node: Node, wanted: Any, what: str) -> object:
        if isinstance(node, ScalarNode) and self._secret(node, what):
            return None
        value = node.value if isinstance(node, ScalarNode) else None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        need = {bool: "true or false", int: "a whole number", float: "a number"}.get(wanted, "a text")
        if isinstance(wanted, type) and issubclass(wanted, StrEnum):
            return self._one_of(node, wanted, what)
        if get_origin(wanted) is Union:
            return value if value is not None else _refused(node, what, "a single value", self.findings)
        fits = {bool: isinstance(value, bool), int: is_number and isinstance(value, int),
                float: is_number}.get(wanted, isinstance(value, str))
        if not fits:
            return _refused(node, what, need, self.findings)
        return float(cast(float, value)) if wanted is float else value

    def _one_of(self, node: Node, kind: type[StrEnum], what: str) -> object:
        said = node.text if isinstance(node, ScalarNode) else ""
        words = [one.value for one in kind]
        if said in words:
            return kind(said)
        self.findings.say(node.location, "not-one-of", f"{what} cannot be `{said}`." if said else
                          f"{what} must be one word.", did_you_mean(said, words) or f"Write one of {', '.join(words)}.")
        return None


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
