"""metrics.yaml → Catalogue."""

from __future__ import annotations

from dataclasses import fields

from forestall.engine.language.nearest import did_you_mean, nearest
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.expression import Expression, Kind, Name, NameRole
from forestall.engine.rulebook import durations
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import Entry, MapNode, ScalarNode
from forestall.engine.rulebook.words import Words, identifiers

ROLE_KINDS = {"revenue": Kind.NUMBER, "renewal": Kind.DATE, "since": Kind.DATE, "opted_out": Kind.FLAG,
              "churned_on": Kind.DATE}
_WHY = "a metric is computed from other metrics only."


def read(root: MapNode, words: Words, findings: Findings) -> Catalogue:
    """The catalogue. Fills in what `words` knows about metrics."""
    entries = {entry.key.text: entry for entry in root.map("metrics")}
    reader = _Reader(entries, words, findings)
    metrics = {name: metric for name in entries if (metric := reader.metric(name)) is not None}
    ordered = {name: metrics[name] for name in entries if name in metrics}
    if not entries:
        words.incomplete = True
    return Catalogue(ordered, _roles(root.map("account"), ordered, words, findings))


class _Reader:
    """Reads metrics in the order in which they need each other."""

    def __init__(self, entries: dict[str, Entry], words: Words, findings: Findings) -> None:
        self._entries, self._words, self._findings = entries, words, findings
        self._done: dict[str, Metric | None] = {}
        self._under_way: list[str] = []

    def metric(self, name: str) -> Metric | None:
        """The metric, or None when it is too wrong to be used."""
        if name in self._done:
            return self._done[name]
        entry = self._entries[name]
        self._under_way.append(name)
        found = self._read(name, entry.value, entry.key) if isinstance(entry.value, MapNode) else None
        self._under_way.pop()
        if name in self._done:      # found to be computed from itself, on the way
            return self._done[name]
        self._done[name] = found
        self._remember(name, found)
        return found

    def _remember(self, name: str, metric: Metric | None) -> None:
        words = self._words
        if metric is None:
            words.broken.add(name)
            return
        role = NameRole.METRIC if metric.supplied else NameRole.DERIVED
        words.metrics[name] = Name(name, metric.kind, role)
        if metric.personal:
            words.personal.add(name)
        if metric.per_day:
            words.per_day.add(name)
        if metric.one_of:
            words.one_of[name] = metric.one_of

    def _read(self, name: str, node: MapNode, key: ScalarNode) -> Metric | None:
        what, findings = f"metric {name}", self._findings
        written = node.text("kind")
        kind = Kind(written) if written in set(Kind) else None
        derived = None
        if "is" in node:
            derived = self._derived(name, node)
            if derived is None:
                return None
            if kind is not None and derived.kind is not kind:
                findings.say(node.key_location("kind"), "wrong-kind",
                             f"{what} is called a {kind}, but what it computes is a {derived.kind}.",
                             "Leave `kind` out; it follows from `is`.")
            kind = derived.kind
            for other in ("stale_after", "per", "by_hand"):
                if other in node:
                    findings.say(node.key_location(other), "not-for-computed",
                                 f"{what} is computed, so `{other}` has no meaning for it.", "Take the line away.")
        elif kind is None:
            if "kind" not in node:
                findings.say(key.location, "missing-key", f"{what} has no `kind`.",
                             "Add `kind: number`, text, flag or date; or compute it with `is`.")
            return None
        if "one_of" in node and kind is not Kind.TEXT:
            findings.say(node.key_location("one_of"), "wrong-kind", f"`one_of` of {what} is only for texts.",
                         "Take it away, or write `kind: text`.")
        stale_after = durations.days(node, "stale_after", what, findings)
        per_day = node.text("per") == "day"
        if per_day and "stale_after" in node:
            findings.say(node.key_location("stale_after"), "not-carried",
                         f"{what} counts one day (`per: day`) and is never carried, so `stale_after` has no meaning.",
                         "Take one of the two away.")
        return Metric(
            name=name, kind=kind, location=key.location, unit=node.text("unit"), about=node.text("about"),
            stale_after=7 if stale_after is None else stale_after,
            one_of=tuple(item.text for item in node.items("one_of") if isinstance(item, ScalarNode)),
            derived=derived, per_day=per_day, personal=node.flag("personal"), by_hand=node.flag("by_hand"),
        )

    def _derived(self, name: str, node: MapNode) -> Expression | None:
        written = node.scalar("is")
        if written is None or not isinstance(written.value, str):
            return None
        for other in dict.fromkeys(identifiers(written.text)):
            if other in self._under_way:
                cycle = self._under_way[self._under_way.index(other):]
                self._findings.say(written.location, "computed-from-itself",
                                   f"metric {other} is computed from itself: {' → '.join([*cycle, other])}.",
                                   "Compute one of them from something else.")
                for one in cycle:
                    self._done[one] = None
                    self._words.broken.add(one)
                return None
            if other in self._entries:
                self.metric(other)
        vocabulary = self._words.metrics_only(_WHY, personal=node.flag("personal"), history=False)
        return self._words.expression(written, vocabulary, None, f"`is` of metric {name}", self._findings)


def _roles(node: MapNode, metrics: dict[str, Metric], words: Words, findings: Findings) -> Roles:
    roles: dict[str, str] = {}
    known = {field.name for field in fields(Roles)}
    misspelt = {nearest(entry.key.text, known) for entry in node if entry.key.text not in known}
    words.wrong_roles.update(role for role in misspelt if role is not None)
    for role in (field.name for field in fields(Roles)):
        written = node.scalar(role)
        if written is None or not isinstance(written.value, str):
            continue
        words.wrong_roles.add(role)
        words.used.add(written.text)
        metric = metrics.get(written.text)
        wanted = ROLE_KINDS.get(role, Kind.TEXT)
        if metric is None:
            if written.text not in words.broken and not words.incomplete:
                findings.say(written.location, "unknown-name", f"`{role}` names no metric: `{written.text}`.",
                             did_you_mean(written.text, metrics) or "Add it below `metrics:`.", word=written.text)
        elif metric.kind is not wanted:
            findings.say(written.location, "wrong-kind",
                         f"`{role}` needs a metric of kind {wanted}, and {metric.name} is a {metric.kind}.",
                         f"Name a metric with `kind: {wanted}`.", word=metric.name)
        else:
            roles[role] = metric.name
            words.wrong_roles.discard(role)
    return Roles(**roles)
