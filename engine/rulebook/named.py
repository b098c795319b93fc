"""Every name that a folder of rules and its forestall.yaml define, read as far as they can be read.

`forestall schema` tells editors of them. It must work while somebody is in the middle of a sentence, so what is wrong
with the rules does not matter here; `forestall check` says that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forestall.engine.errors import RulesError
from forestall.engine.model.catalogue import Metric, Roles
from forestall.engine.model.people import Directory
from forestall.engine.rulebook import messages, metrics, source
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.loader import FILES, Surroundings, inspect
from forestall.engine.rulebook.nodes import MapNode
from forestall.engine.rulebook.words import scan

_SENDING = ("email", "slack", "webhook", "task")


@dataclass(frozen=True, slots=True)
class Named:
    """The names of a project, in the order of the files, with what is said about each.

    `triggers` and `templates` are name → sentence, `plays` name → the kinds of what it sends. `channels` is the adapter
    of each channel; `directory` is None where there is no forestall.yaml.
    """

    metrics: Mapping[str, Metric]
    roles: Roles
    signals: Mapping[str, str]
    tiers: tuple[str, ...]
    triggers: Mapping[str, str]
    plays: Mapping[str, tuple[str, ...]]
    tier_plays: tuple[str, ...]
    recovery_plays: tuple[str, ...]
    templates: Mapping[str, str]
    directory: Directory | None = None
    channels: Mapping[str, str] = field(default_factory=dict)


def read_names(rules: Path, settings: Surroundings | None) -> Named:
    """The names of the folder `rules`. RulesError when a file is no YAML: its names would go missing."""
    if not rules.is_dir():
        raise RulesError(inspect(rules, settings).problems)
    documents = {name: source.read(rules / f"{name}.yaml") for name in FILES}
    roots = {name: document.root for name, document in documents.items() if document.root is not None}
    if len(roots) < len(documents):
        raise RulesError(problem for name, document in documents.items() if name not in roots
                         for problem in document.problems)
    ignored = Findings()
    words = scan(roots["metrics"], roots["weights"], ignored)
    catalogue = metrics.read(roots["metrics"], words, ignored)
    signals = roots["weights"].map("signals")
    plays = roots["playbook"].map("plays")
    return Named(
        metrics=catalogue.metrics, roles=catalogue.roles,
        signals={name: signals.map(name).text("about") for name in words.signals},
        tiers=words.tiers,
        triggers={entry.key.text: _about(entry.value) for entry in roots["triggers"].map("triggers")},
        plays={entry.key.text: _sent(entry.value) for entry in plays},
        tier_plays=tuple(dict.fromkeys(entry.value.text("tier") for entry in plays if isinstance(entry.value, MapNode)
                                       and "tier" in entry.value and "every" not in entry.value)),
        recovery_plays=tuple(dict.fromkeys(
            entry.value.text("recovered_to") for entry in plays if isinstance(entry.value, MapNode)
            and "recovered_to" in entry.value)),
        templates={name: one.subject for name, one in messages.read(rules / "templates", {}, ignored).items()},
        directory=settings.directory if settings else None,
        channels={channel.name: channel.adapter for channel in settings.channels} if settings else {},
    )


def _about(node: object) -> str:
    return node.text("about") if isinstance(node, MapNode) else ""


def _sent(play: object) -> tuple[str, ...]:
    if not isinstance(play, MapNode):
        return ()
    steps = (*play.items("steps"), play.map("escalate"))
    kinds = (kind for step in steps if isinstance(step, MapNode) for kind in step.entries)
    return tuple(dict.fromkeys(kind for kind in kinds if kind in _SENDING))
