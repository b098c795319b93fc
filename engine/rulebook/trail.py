"""How people call a place in a file: "`when` of trigger inactivity"."""

from __future__ import annotations

from collections.abc import Sequence

from forestall.engine.rulebook.nodes import ListNode, MapNode, Node, ScalarNode

_NOUNS = {
    "metrics": "metric", "signals": "signal", "of": "part", "tiers": "tier", "profiles": "profile",
    "triggers": "trigger", "plays": "play", "steps": "step", "sources": "source", "channels": "channel",
    "destinations": "destination", "people": "person", "stories": "story", "expect": "expectation",
}
_LISTS = frozenset({"profiles", "steps", "stories", "expect"})


def subject(path: Sequence[str | int], root: Node, schema: str) -> str:
    """The place at `path` in words; the file itself for an empty path."""
    words: list[str] = []
    node = root
    container = ""
    for index, step in enumerate(path):
        node = _below(node, step)
        if container:
            words.append(f"{_NOUNS[container]} {_called(node, step)}")
            container = ""
        elif isinstance(step, str) and step in _NOUNS and _holds_named(step, node) and index + 1 < len(path):
            container = step
        else:
            words.append(f"`{step}`" if isinstance(step, str) else f"entry {step + 1}")
    return " of ".join(reversed(words)) or ("forestall.yaml" if schema == "settings" else _file(schema))


def _file(schema: str) -> str:
    return "the file" if schema == "story" else f"{schema}.yaml"


def _below(node: Node, step: str | int) -> Node:
    if isinstance(node, MapNode):
        return node.entries[str(step)].value
    if isinstance(node, ListNode):
        return node.items[int(step)]
    return node


def _holds_named(step: str, node: Node) -> bool:
    """A metric may be called `triggers`, and `steps` is also a curve: only lists of steps hold steps."""
    return isinstance(node, ListNode) == (step in _LISTS)


def _called(node: Node, step: str | int) -> str:
    if isinstance(step, str):
        return step
    named = node.get("name") if isinstance(node, MapNode) else None
    if isinstance(named, ScalarNode) and isinstance(named.value, str):
        return named.text
    return str(step + 1)
