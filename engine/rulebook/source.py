"""YAML with the place of everything, read as YAML 1.2 reads it: `no`, `on` and `12:30` stay words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from forestall.engine.errors import Location, Problem
from forestall.engine.rulebook.nodes import Entry, ListNode, MapNode, Node, Plain, ScalarNode

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
_NULL = ("", "~", "null", "Null", "NULL")
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,15}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,12}")
_OCTAL = re.compile(r"0o[0-7]{1,15}")
_NESTED_IN_ONE_LINE = re.compile(rf"(?:[-?:][ \t]+){{{MAX_DEPTH},}}")

try:
    _Base: type = yaml.CSafeLoader
except AttributeError:  # PyYAML without libyaml
    _Base = yaml.SafeLoader


class _Loader(_Base):  # type: ignore[misc]
    """Composes nodes only; what a plain value means is decided here, not by YAML 1.1's resolvers."""

    yaml_implicit_resolvers: dict[str, object] = {}

    def resolve(self, kind: type, value: object, implicit: object) -> str:
        """The tag of a node, asked for each of them; it means nothing here."""
        return ""


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its name as people see it, its text, what it says (None when it cannot be read), what is wrong."""

    file: str
    text: str
    root: MapNode | None
    problems: tuple[Problem, ...] = ()


def read(path: Path, shown: str = "") -> Document:
    """The file at `path`. Never raises for what a person can cause: the problems say it. `shown` names it in them."""
    file = shown or str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return _failed(file, "", [_missing(path, file)])
    except IsADirectoryError:
        return _failed(file, "", [Problem(Location(file), "unreadable-file", "this is a folder, not a file.",
                                          "Put a YAML file in its place.")])
    except OSError as error:
        return _failed(file, "", [Problem(Location(file), "unreadable-file",
                                          f"this file cannot be read: {error.strerror}.",
                                          "Check who may read it.")])
    if len(content) > MAX_BYTES:
        return _failed(file, "", [Problem(Location(file), "too-large", "this file is larger than 1 MB.",
                                          "Rules are short; data belongs in a source.")])
    try:
        return parse(content.decode("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        return _failed(file, "", [Problem(Location(file, line, column), "not-utf-8", "this file is not UTF-8 text.",
                                          "Save it with the encoding UTF-8.")])


def parse(text: str, file: str) -> Document:
    """`text` as a YAML document whose outermost form is keys and values. `file` names it in problems."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    deep = _too_deep(text, file)
    if deep:
        return _failed(file, text, [deep])
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        from forestall.engine.rulebook.yaml_sentences import in_words  # needed only when something is wrong

        return _failed(file, text, [in_words(error, text, file)])
    finally:
        if loader is not None:
            loader.dispose()
    if node is None:
        return Document(file, text, MapNode({}, Location(file, 1, 1)))
    reader = _Reader(text, file)
    root = reader.node(node, 0)
    if reader.problems:
        return _failed(file, text, reader.problems)
    if not isinstance(root, MapNode):
        return _failed(file, text, [Problem(root.location, "wrong-type",
                                            "this file should start with a key and a colon, such as `triggers:`.",
                                            "`forestall init` writes an example.")])
    return Document(file, text, root)


def meaning(text: str) -> Plain:
    """What a plain (unquoted) value means in YAML 1.2; numbers that no computer can hold stay texts."""
    if text in _NULL:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if _OCTAL.fullmatch(text):
        return int(text, 8)
    return text


class _Reader:
    """Turns PyYAML's nodes into ours and refuses what rules should not use."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self.problems: list[Problem] = []

    def node(self, node: yaml.Node, depth: int) -> Node:
        mark = node.start_mark
        where = Location(self._file, mark.line + 1, mark.column + 1)
        if depth > MAX_DEPTH:
            self._say(where, "too-deep", "this is nested too deeply.", "Use fewer levels.")
            return ListNode((), where)
        first = self._text[mark.index : mark.index + 1]
        if first == "&":
            self._say(where, "anchor", "an anchor (`&`) is not used in rules.", "Write the value out.")
        elif first == "!":
            self._say(where, "tag", "a tag (`!`) is not used in rules.", "Take it away, or put the text in quotes.")
        if isinstance(node, yaml.MappingNode):
            return self._map(node, where, depth)
        if isinstance(node, yaml.SequenceNode):
            return ListNode(tuple(self.node(item, depth + 1) for item in node.value), where)
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, where)

    def _scalar(self, node: yaml.ScalarNode, where: Location) -> ScalarNode:
        style = node.style or ""
        raw = self._text[node.start_mark.index : node.end_mark.index]
        value = node.value if style else meaning(node.value)
        return ScalarNode(value, node.value, where, raw, style)

    def _map(self, node: yaml.Node, where: Location, depth: int) -> MapNode:
        entries: dict[str, Entry] = {}
        again: list[ScalarNode] = []
        above: ScalarNode | None = None
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._strange_key(key_node)
                continue
            at = Location(self._file, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key_node.value == "<<" and not key_node.style:
                self._say(at, "anchor", "a merge (`<<`) is not used in rules.", "Write the keys out.")
                continue
            key = self.node(key_node, depth)
            assert isinstance(key, ScalarNode)
            value = self.node(value_node, depth + 1)
            if key.text in entries:
                again.append(key)
                continue
            entries[key.text] = Entry(key, value)
            if not again:
                above = key if isinstance(value, ScalarNode) and value.value is None else None
        if again:
            self._repeated(entries, again, above)
        return MapNode(entries, where)

    def _repeated(self, entries: Mapping[str, Entry], again: list[ScalarNode], above: ScalarNode | None) -> None:
        """Keys that stand there twice; several of them are a block that has slipped into the one above."""
        first = again[0]
        before = entries[first.text].key.location.line
        if len(again) == 1:
            self._say(first.location, "duplicate-key", f"`{first.text}` stands here twice, on line {before} and on "
                      f"line {first.location.line}.", "Keep one of them.")
            return
        keys = ", ".join(f"`{key.text}`" for key in again)
        if above is not None:
            self._say(above.location, "duplicate-key", f"`{above.text}` stands inside of the block above it, so that "
                      f"{keys} stand there twice, the first on line {before} and on line {first.location.line}.",
                      f"Indent `{above.text}` like the blocks above it.")
            return
        self._say(first.location, "duplicate-key", f"{keys} stand here twice, the first on line {before} and on line "
                  f"{first.location.line}.", "Write the name of a new block above them, or keep one of each.")

    def _strange_key(self, node: yaml.Node) -> None:
        index = node.start_mark.index
        where = Location(self._file, node.start_mark.line + 1, node.start_mark.column + 1)
        if self._text[index - 1 : index + 1] == "{{" or self._text[index : index + 2] == "{{":
            at = where.moved(-1) if self._text[index - 1 : index] == "{" else where
            self._say(at, "unquoted-braces", "`{{ }}` at the start of a value means something else in YAML.",
                      'Put the whole value in quotes: "{{ … }}".')
        else:
            self._say(where, "strange-key", "a key must be a single word.", "Put the list or the braces after a key.")

    def _say(self, where: Location, code: str, message: str, hint: str) -> None:
        self.problems.append(Problem(where, code, message, hint))


def _failed(file: str, text: str, problems: list[Problem]) -> Document:
    return Document(file, text, None, tuple(problems))


def _missing(path: Path, file: str) -> Problem:
    other = path.with_suffix(".yml")
    if path.suffix == ".yaml" and other.is_file():
        return Problem(Location(file), "missing-file", f"there is no {path.name}, but a {other.name}.",
                       f"Rename {other.name} to {path.name}.")
    return Problem(Location(file), "missing-file", "there is no such file.",
                   "`forestall init DIR` writes a complete example.")


def _too_deep(text: str, file: str) -> Problem | None:
    """libyaml's parser recurses: far too many brackets would end the process, so they are counted first."""
    depth = 0
    nested = _NESTED_IN_ONE_LINE.search(text)
    at = nested.start() if nested else -1
    for found in re.finditer(r"[\[\]{}]", text) if at < 0 else ():
        depth = depth + 1 if found.group() in "[{" else max(0, depth - 1)
        if depth > MAX_DEPTH:
            at = found.start()
            break
    if at < 0:
        return None
    where = Location(file, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
    return Problem(where, "too-deep", "this is nested too deeply.", "Look for a bracket that is never closed.")
