"""playbook.yaml → plays and limits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.delivery import StartedBy
from forestall.engine.model.expression import Kind
from forestall.engine.model.play import Goal, MessageStep, Play
from forestall.engine.model.rulebook import Limits
from forestall.engine.model.trigger import Existing
from forestall.engine.rulebook import durations, limits, links
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import Entry, ListNode, MapNode, ScalarNode
from forestall.engine.rulebook.steps import Addresses, StepReader, digest, written
from forestall.engine.rulebook.words import Words

_WHY = "`applies_to` uses metrics only."


@dataclass(frozen=True, slots=True)
class Playbook:
    """What playbook.yaml holds; `templates` is every template that a step names, with its places."""

    plays: dict[str, Play]
    limits: Limits
    templates: dict[str, list[ScalarNode]]


def read(root: MapNode, triggers: Collection[str] | None, words: Words, addresses: Addresses,
         findings: Findings) -> Playbook:
    """The playbook. `triggers` are the names in triggers.yaml, None when that file cannot be read."""
    reader = _Reader(triggers, words, addresses, findings)
    plays = {entry.key.text: reader.play(entry, entry.value) for entry in root.map("plays")
             if isinstance(entry.value, MapNode)}
    return Playbook(plays, limits.read(root.map("limits"), words, reader.steps.templates, findings),
                    reader.steps.templates)


class _Reader:
    """Reads plays."""

    def __init__(self, triggers: Collection[str] | None, words: Words, addresses: Addresses,
                 findings: Findings) -> None:
        self._triggers, self._words, self._findings = triggers, words, findings
        self.steps = StepReader(words, addresses, findings)

    def play(self, entry: Entry, node: MapNode) -> Play:
        """The play, as far as it can be read."""
        name, what = entry.key.text, f"play {entry.key.text}"
        self._can_start(node, entry.key, what)
        applies_to = self._words.expression(node.scalar("applies_to"), self._words.metrics_only(_WHY), Kind.FLAG,
                                            f"`applies_to` of {what}", self._findings)
        holdout = durations.share(node, "holdout", what, self._findings)
        existing, started_by = node.text("existing"), node.text("started_by")
        recovered_to = self._tier(node, "recovered_to", what)
        usual = Existing.RECORD if recovered_to else Existing.OPEN      # who is well already has not recovered today
        for number, resource in enumerate(node.items("resources"), start=1):
            links.link(resource, f"entry {number} of `resources` of {what}", self._findings)
        return Play(
            name=name,
            steps=self.steps.steps(node.items("steps"), name),
            location=entry.key.location,
            digest=digest(node.get("steps")),
            written=written(node.get("steps")),
            triggers=self._answered(node, what),
            tier=self._tier(node, "tier", what),
            every=durations.every(node, what, self._findings),
            applies_to=applies_to,
            owner=self.steps.role(node.scalar("owner"), f"`owner` of {what}"),
            within=durations.days(node, "within", what, self._findings, business=True),
            goal=self._goal(node, what),
            holdout=holdout or 0.0,
            resources=tuple(item.text for item in node.items("resources") if isinstance(item, ScalarNode)),
            alongside=node.flag("alongside"),
            finish_anyway=node.flag("finish_anyway"),
            existing=Existing(existing) if existing in set(Existing) else usual,
            about=node.text("about"),
            recovered_to=recovered_to,
            escalate=self._escalate(node, what, name),
            started_by=StartedBy(started_by) if started_by in set(StartedBy) else None,
        )

    def _can_start(self, node: MapNode, key: ScalarNode, what: str) -> None:
        also = next((other for other in ("trigger", "recovered_to") if other in node), "")
        if "every" in node and also:
            self._findings.say(node.key_location(also), "too-many",
                               f"{what} has `every` and `{also}`: it recurs by the calendar or answers an alert.",
                               "Make two plays of it.")
        elif "every" in node and "tier" not in node:
            self._findings.say(node.key_location("every"), "never-starts",
                               f"{what} has `every` but no `tier`, so nobody knows for whom it recurs.",
                               "Add `tier: healthy`, or another tier.")
        elif not also and "tier" not in node and not self._misspelt(node):
            self._findings.say(key.location, "never-starts", f"{what} can never start.",
                               "Add `trigger: NAME`, `tier: NAME` or `recovered_to: NAME`.")

    def _misspelt(self, node: MapNode) -> bool:
        """Whether a key may be a misspelt `trigger`, `tier` or `recovered_to`; the schema names it."""
        return any(did_you_mean(key, ["trigger", "tier", "recovered_to"]) for key in node.entries)

    def _answered(self, node: MapNode, what: str) -> tuple[str, ...]:
        written = node.get("trigger")
        items = written.items if isinstance(written, ListNode) else (written,)
        names: list[str] = []
        for item in items:
            if not isinstance(item, ScalarNode) or not isinstance(item.value, str):
                continue
            if item.text in names:
                self._findings.say(item.location, "named-twice", f"`trigger` of {what} names {item.text} twice.",
                                   "Name it once.")
            elif self._triggers is not None and item.text not in self._triggers:
                tier = item.text in self._words.tiers
                self._findings.say(item.location, "unknown-trigger",
                                   f"`trigger` of {what} names no trigger: `{item.text}`.",
                                   f"{item.text} is a tier: write `tier: {item.text}`." if tier
                                   else f"Write several as a list: [{item.text}]." if "," in item.text
                                   else did_you_mean(item.text, self._triggers) or "Add it to triggers.yaml.",
                                   word=item.text)
            names.append(item.text)
        self._words.used.update(names)
        return tuple(dict.fromkeys(names))

    def _escalate(self, node: MapNode, what: str, play: str) -> MessageStep | None:
        if "escalate" not in node:
            return None
        if "within" not in node or "every" in node:
            lacking = "no `within`: nobody knows when its time has passed" if "within" not in node else \
                "`every`: no alert stands open for it"
            self._findings.say(node.key_location("escalate"), "never-escalates",
                               f"{what} has `escalate` and {lacking}.", "Take `escalate` away." if "within" in node
                               else "Add `within: 24 hours`, or take `escalate` away.")
        return self.steps.escalation(node.map("escalate"), play)

    def _tier(self, node: MapNode, key: str, what: str) -> str:
        written = node.scalar(key)
        if written is None or not isinstance(written.value, str):
            return ""
        if self._words.tiers and written.text not in self._words.tiers:
            self._findings.say(written.location, "unknown-tier", f"`{key}` of {what} names no tier: `{written.text}`.",
                               did_you_mean(written.text, self._words.tiers)
                               or f"There are: {', '.join(self._words.tiers)}.", word=written.text)
        self._words.used.add(written.text)
        return written.text

    def _goal(self, node: MapNode, what: str) -> Goal | None:
        goal = node.map("goal")
        what = f"`goal` of {what}"
        when = self._words.expression(goal.scalar("when"), self._words.conditions(), Kind.FLAG, f"`when` of {what}",
                                      self._findings)
        within = durations.days(goal, "within", what, self._findings, business=True, least=1)
        return None if when is None or within is None else Goal(when, within)
