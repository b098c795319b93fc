"""triggers.yaml → triggers."""

from __future__ import annotations

from dataclasses import dataclass

from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.delivery import StartedBy
from forestall.engine.model.expression import Kind
from forestall.engine.model.remembered import ALERTS_REMEMBERED
from forestall.engine.model.trigger import Existing, Trigger
from forestall.engine.rulebook import durations
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import Entry, MapNode, Node, ScalarNode
from forestall.engine.rulebook.words import Words

DEFAULTS = {"cooldown": 14, "lasts": 30}


@dataclass(frozen=True, slots=True)
class Watched:
    """Every usable trigger by name, in the order of the file, and the defaults in days."""

    triggers: dict[str, Trigger]
    cooldown: int
    lasts: int
    repeat: int | None


def read(root: MapNode, words: Words, findings: Findings) -> Watched:
    """The triggers, with what was wrong in `findings`."""
    reader = _Reader(root.map("defaults"), words, findings)
    found = {entry.key.text: trigger for entry in root.map("triggers")
             if (trigger := reader.trigger(entry)) is not None}
    _renamings(root.map("triggers"), findings)
    return Watched(found, reader.defaults["cooldown"], reader.defaults["lasts"], reader.repeat)


def _renamings(triggers: MapNode, findings: Findings) -> None:
    """A name goes to one trigger, and to none while a trigger still bears it."""
    heirs: dict[str, str] = {}
    for entry in triggers:
        for written in _earlier(entry.value):
            if written.text in triggers.entries:
                findings.say(written.location, "both-names",
                             f"trigger {entry.key.text} says it was {written.text} before, and {written.text} is still "
                             "a trigger.", "Take one of the two away; the alerts can go on under one name only.")
            elif heirs.setdefault(written.text, entry.key.text) != entry.key.text:
                findings.say(written.location, "both-names",
                             f"trigger {entry.key.text} says it was {written.text} before, and so does "
                             f"{heirs[written.text]}.", "Keep the line where the alerts shall go on.")


def _earlier(node: Node | None) -> list[ScalarNode]:
    """The names that a trigger had before."""
    if not isinstance(node, MapNode):
        return []
    found = node.items("renamed_from") or (node.get("renamed_from"),)
    return [one for one in found if isinstance(one, ScalarNode) and isinstance(one.value, str)]


class _Reader:
    """Reads triggers over their defaults."""

    def __init__(self, defaults: MapNode, words: Words, findings: Findings) -> None:
        self._words, self._findings = words, findings
        self._vocabulary = words.conditions()
        self._defaults = defaults
        self.defaults = {key: self._duration(defaults, key, "`defaults`", standard)
                         for key, standard in DEFAULTS.items()}
        self.repeat = durations.days(defaults, "repeat", "`defaults`", findings, least=1)
        self._severity = self._severity_of(defaults, "`defaults`")

    def trigger(self, entry: Entry) -> Trigger | None:
        """The trigger, or None when its condition is missing or wrong."""
        node = entry.value
        if not isinstance(node, MapNode):
            return None
        what = f"trigger {entry.key.text}"
        when = self._words.expression(node.scalar("when"), self._vocabulary, Kind.FLAG, f"`when` of {what}",
                                      self._findings)
        clear_when = self._words.expression(node.scalar("clear_when"), self._vocabulary, Kind.FLAG,
                                            f"`clear_when` of {what}", self._findings)
        severity = self._severity_of(node, what) if "severity" in node else self._severity
        cooldown, lasts = (self._duration(node, key, what, self.defaults[key]) for key in ("cooldown", "lasts"))
        repeat = durations.days(node, "repeat", what, self._findings, least=1)
        existing = node.text("existing") or self._defaults.text("existing")
        started_by = node.text("started_by")
        if when is None:
            return None
        return Trigger(
            name=entry.key.text, when=when, location=entry.key.location, clear_when=clear_when,
            about=node.text("about"), severity=severity, cooldown=cooldown, lasts=lasts,
            existing=Existing(existing) if existing in set(Existing) else Existing.OPEN,
            started_by=StartedBy(started_by) if started_by in set(StartedBy) else StartedBy.DATA,
            repeat=self.repeat if repeat is None else repeat,
            renamed_from=tuple(one.text for one in _earlier(node)),
        )

    def _duration(self, node: MapNode, key: str, what: str, standard: int) -> int:
        found = durations.days(node, key, what, self._findings, least=1 if key == "lasts" else 0)
        if found is not None and found > ALERTS_REMEMBERED:
            written = node.scalar(key)
            self._findings.say(written.location if written else node.location, "too-long",
                               f"`{key}` of {what} is too long: a closed alert is forgotten after "
                               f"{ALERTS_REMEMBERED} days.", f"Write at most {ALERTS_REMEMBERED} days.")
        return standard if found is None else found

    def _severity_of(self, node: MapNode, what: str) -> str:
        written = node.scalar("severity")
        if written is None or not isinstance(written.value, str) or written.text == "tier":
            return ""
        if self._words.tiers and written.text not in self._words.tiers:
            self._findings.say(written.location, "unknown-tier",
                               f"`severity` of {what} names no tier: `{written.text}`.",
                               did_you_mean(written.text, self._words.tiers)
                               or f"Write {', '.join(self._words.tiers)}, or `tier` for the account's own.",
                               word=written.text)
        return written.text
