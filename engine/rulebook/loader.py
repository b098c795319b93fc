"""The one loader that check, tests, run and simulate use: a folder of rules → Rulebook, or every problem at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from forestall.engine.errors import Location, Problem, RulesError, Severity
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook, Template
from forestall.engine.rulebook import by_hand, messages, metrics, playbook, schema, source, triggers, weights
from forestall.engine.rulebook.causes import causes
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import MapNode, PlainTree, plain
from forestall.engine.rulebook.source import Document
from forestall.engine.rulebook.steps import Addresses
from forestall.engine.rulebook.words import Words, scan

FILES = ("metrics", "weights", "triggers", "playbook")
_FACT = re.compile(r"\b(?:now|before)\.(\w+)")
_SAID_TO_PEOPLE = ("about", "unit")


class NamedAdapter(Protocol):
    """A channel as forestall.yaml describes it."""

    @property
    def name(self) -> str:
        """Its name in forestall.yaml."""

    @property
    def adapter(self) -> str:
        """What it is."""


class Surroundings(Protocol):
    """What the rules must fit into; forestall.yaml says it."""

    @property
    def directory(self) -> Directory:
        """Whom rules can address."""

    @property
    def channels(self) -> Sequence[NamedAdapter]:
        """The channels."""

    @property
    def gone_after(self) -> int:
        """In days."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What became of the rules: a rulebook when there is no error, all problems by place, and the files read."""

    rulebook: Rulebook | None
    problems: tuple[Problem, ...]
    files: tuple[str, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop the rules from being used."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


def load(rules: Path, settings: Surroundings | None) -> Rulebook:
    """The rulebook in the folder `rules`. RulesError with every error at once.

    Without `settings` the destinations of forestall.yaml are not checked.
    """
    found = inspect(rules, settings)
    if found.rulebook is None:
        raise RulesError(found.errors)
    return found.rulebook


def inspect(rules: Path, settings: Surroundings | None) -> Inspection:
    """The same without raising, and with the warnings."""
    findings = Findings()
    if not rules.is_dir():
        findings.say(Location(str(rules)), "no-rules", "there is no folder with rules.",
                     "Name it with --rules DIR, or write one with `forestall init DIR`.")
        return Inspection(None, findings.sorted(), ())
    documents = {name: source.read(rules / f"{name}.yaml") for name in FILES}
    _foreign_files(rules, findings)
    for name, document in documents.items():
        findings.extend(document.problems)
        if document.root is not None:
            findings.extend(schema.check(document.root, name))
    rulebook, words = _assemble(rules, documents, settings, findings)
    found = causes(findings.found(), _defined(words, documents), words.used)
    failed = any(problem.severity is Severity.ERROR for problem in found)
    files = (*(document.file for document in documents.values()),
             *(template.location.file for template in rulebook.templates.values()))
    return Inspection(None if failed else rulebook, found, files)


def _assemble(rules: Path, documents: dict[str, Document], settings: Surroundings | None,
              findings: Findings) -> tuple[Rulebook, Words]:
    roots = {name: document.root or MapNode({}, Location(document.file)) for name, document in documents.items()}
    words = scan(roots["metrics"], roots["weights"], findings)
    words.incomplete = documents["weights"].root is None or "signals" not in roots["weights"]
    catalogue = metrics.read(roots["metrics"], words, findings)
    said, said_text = by_hand.read(rules / by_hand.FILE, catalogue.metrics, findings)
    catalogue = replace(catalogue, by_hand=said)
    scorecard = weights.read(roots["weights"], words, findings)
    watched = triggers.read(roots["triggers"], words, findings)
    listed = roots["triggers"].get("triggers")
    named = list(listed.entries) if isinstance(listed, MapNode) else None
    book = playbook.read(roots["playbook"], named, words, _addresses(catalogue, settings), findings)
    templates = messages.read(rules / "templates", book.templates, findings)
    _check_templates(templates, catalogue, words, findings)
    if not _failed(findings):
        played = {name for play in book.plays.values() for name in play.triggers}
        for trigger in watched.triggers.values():
            if trigger.name not in played:
                findings.warn(trigger.location, "unplayed-trigger", f"no play answers trigger {trigger.name}.",
                              "Its alerts are kept, but nobody is told; add a play to playbook.yaml.")
    texts = {Path(document.file).name: document.text for document in documents.values()}
    texts |= {f"templates/{name}.md": f"{one.subject}\n\n{one.body}" for name, one in templates.items()}
    texts |= {by_hand.FILE: said_text} if said_text else {}
    files = texts | {f"templates/{name}.md": f"{messages.SUBJECT} {one.subject}\n\n{one.body}"
                     for name, one in templates.items()}
    rulebook = Rulebook(
        catalogue=catalogue, scorecard=scorecard, triggers=watched.triggers, plays=book.plays, limits=book.limits,
        templates=templates, digest=_hash(texts), scoring_digest=_scoring_digest(roots),
        tier_cooldown=watched.cooldown, tier_lasts=watched.lasts, tier_repeat=watched.repeat,
        gone_after=settings.gone_after if settings else 14, files=files,
    )
    return rulebook, words


def scoring_digest(rules: Path) -> str:
    """`Rulebook.scoring_digest` of the rules in a folder, without loading all of them; empty where it has none."""
    documents = {name: source.read(rules / f"{name}.yaml") for name in ("metrics", "weights")}
    roots = {name: document.root for name, document in documents.items() if document.root is not None}
    return _scoring_digest(roots) if len(roots) == len(documents) else ""


def _failed(findings: Findings) -> bool:
    return any(problem.severity is Severity.ERROR for problem in findings.sorted())


def _defined(words: Words, documents: dict[str, Document]) -> dict[str, Location]:
    """Where each name stands that other places use."""
    found = {name: key.location for name, key in words.signals.items()}
    for file, key in (("metrics", "metrics"), ("weights", "tiers"), ("triggers", "triggers")):
        root = documents[file].root
        found |= {entry.key.text: entry.key.location for entry in (root.map(key) if root is not None else ())}
    return found


def _addresses(catalogue: Catalogue, settings: Surroundings | None) -> Addresses:
    if settings is None:
        return Addresses(catalogue.roles)
    return Addresses(catalogue.roles, settings.directory,
                     {channel.name: channel.adapter for channel in settings.channels})


def _check_templates(templates: dict[str, Template], catalogue: Catalogue, words: Words, findings: Findings) -> None:
    if not templates:
        return
    from forestall.engine.message.names import kinds_of
    from forestall.engine.message.plainly import surely_sound

    follows = {"unknown-name"} if words.incomplete or words.broken else set()
    if any(problem.code == "wrong-kind" for problem in findings.found()):
        follows.add("template-fails")
    signals = tuple(words.signals)
    kinds = kinds_of(catalogue, signals)
    for template in templates.values():
        words.used.update(_FACT.findall(template.body + template.subject))
        if surely_sound(template, kinds):
            continue
        from forestall.engine.message.templates import problems  # imports Jinja2, which takes a while

        findings.extend(problem for problem in problems(template, catalogue, signals) if problem.code not in follows)


def _foreign_files(rules: Path, findings: Findings) -> None:
    """A second file would be silently ignored, and somebody would wonder why."""
    for path in sorted([*rules.glob("*.yaml"), *rules.glob("*.yml")]):
        if path.stem not in FILES and path.is_file():
            findings.warn(Location(str(path)), "unknown-file", "this file is not read.",
                          f"Rules stand in {', '.join(f'{name}.yaml' for name in FILES)}.")


def _hash(texts: dict[str, str]) -> str:
    whole = json.dumps(sorted(texts.items()), ensure_ascii=False)
    return hashlib.sha256(whole.encode()).hexdigest()


def _scoring_digest(roots: dict[str, MapNode]) -> str:
    """A hash of what the score depends on: comments, layout and what is only told to people do not count."""
    whole = json.dumps([_counting(plain(roots[name])) for name in ("metrics", "weights")], ensure_ascii=False)
    return hashlib.sha256(whole.encode()).hexdigest()


def _counting(tree: PlainTree) -> PlainTree:
    match tree:
        case dict():
            return {key: _counting(value) for key, value in tree.items()
                    if not (key in _SAID_TO_PEOPLE and isinstance(value, str))}
        case list():
            return [_counting(item) for item in tree]
        case _:
            return tree
