"""What a YAML file says, with the place of every key and value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from forestall.engine.errors import Location

Plain = str | int | float | bool | None
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value. `text` is its characters, `value` what they mean, `raw` what stands in the file.

    `style` is "" for a plain value, a quote, or `|` or `>` for a block.
    """

    value: Plain
    text: str
    location: Location
    raw: str = ""
    style: str = ""

    @property
    def quoted(self) -> bool:
        """Whether it stands in quotes."""
        return self.style in ("'", '"')

    def place(self, offset: int) -> Location:
        """Where the character `offset` of `text` stands in the file."""
        if not self.style and "\n" not in self.raw:
            return self.location.moved(offset)
        found = _indexes(self.raw, self.text, self.style)
        at = found[max(0, min(offset, len(found) - 1))]
        lines = self.raw.count("\n", 0, at)
        if not lines:
            return self.location.moved(at)
        column = at - (self.raw.rfind("\n", 0, at) + 1)
        return Location(self.location.file, self.location.line + lines, column + 1)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value."""

    key: ScalarNode
    value: Node


@dataclass(frozen=True, slots=True)
class MapNode:
    """Keys and values, in the order of the file."""

    entries: Mapping[str, Entry]
    location: Location

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def get(self, key: str) -> Node | None:
        """The value of `key`, whatever its form."""
        entry = self.entries.get(key)
        return entry.value if entry else None

    def scalar(self, key: str) -> ScalarNode | None:
        """The value of `key` when it is a single value that says something."""
        found = self.get(key)
        return found if isinstance(found, ScalarNode) and found.value is not None else None

    def map(self, key: str) -> MapNode:
        """The keys and values below `key`; empty when it is missing or of another form (the schema says so)."""
        found = self.get(key)
        return found if isinstance(found, MapNode) else MapNode({}, self.location)

    def items(self, key: str) -> tuple[Node, ...]:
        """The entries of the list below `key`; empty when it is missing or of another form."""
        found = self.get(key)
        return found.items if isinstance(found, ListNode) else ()

    def text(self, key: str) -> str:
        """The text of `key`, or "" when it is missing or no text."""
        found = self.scalar(key)
        return found.value if found and isinstance(found.value, str) else ""

    def number(self, key: str) -> float | None:
        """The number of `key`, or None when it is missing or no number."""
        found = self.scalar(key)
        if found is None or isinstance(found.value, bool) or not isinstance(found.value, int | float):
            return None
        return float(found.value)

    def flag(self, key: str) -> bool:
        """Whether `key` is true; False when it is missing or no flag."""
        found = self.scalar(key)
        return found is not None and found.value is True

    def key_location(self, key: str) -> Location:
        """Where the key stands, or where this map starts when it does not."""
        entry = self.entries.get(key)
        return entry.key.location if entry else self.location


@dataclass(frozen=True, slots=True)
class ListNode:
    """Values in order."""

    items: tuple[Node, ...]
    location: Location


Node = ScalarNode | MapNode | ListNode
PlainTree = Plain | dict[str, "PlainTree"] | list["PlainTree"]


def plain(node: Node) -> PlainTree:
    """The same as dicts, lists and values, without places. Keys are texts, as written."""
    match node:
        case ScalarNode(value=value):
            return value
        case MapNode(entries=entries):
            return {key: plain(entry.value) for key, entry in entries.items()}
        case ListNode(items=items):
            return [plain(item) for item in items]


def follow(root: Node, path: list[str | int]) -> tuple[Node, ScalarNode | None]:
    """The node at `path` and the key that leads to it (None for the root and for entries of a list)."""
    node: Node = root
    key: ScalarNode | None = None
    for step in path:
        if isinstance(node, MapNode):
            entry = node.entries[str(step)]
            node, key = entry.value, entry.key
        elif isinstance(node, ListNode):
            node, key = node.items[int(step)], None
    return node, key


def _indexes(raw: str, text: str, style: str) -> list[int]:
    """For each character of `text`, and for its end, the index in `raw`.

    YAML only ever adds quotes, escapes, indentation and line breaks, so walking both side by side finds every letter.
    """
    found: list[int] = []
    at = raw.find("\n") + 1 if style in ("|", ">") else len(style)
    for letter in text:
        escaped = style == '"' and raw[at : at + 1] == "\\" and raw[at + 1 : at + 2] not in ("\n", "")
        if letter.isspace() and not escaped:
            found.append(at)
            at += raw[at : at + 1] == letter
            continue
        while raw[at : at + 1].isspace() or (style == '"' and raw[at : at + 2] == "\\\n"):
            at += 2 if raw[at] == "\\" else 1
        found.append(at)
        if style == '"' and raw[at : at + 1] == "\\":
            at += _ESCAPE_LENGTHS.get(raw[at + 1 : at + 2], 2)
        else:
            at += 2 if style == "'" and raw[at : at + 2] == "''" else 1
    found.append(at)
    return found
