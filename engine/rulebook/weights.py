"""weights.yaml → Scorecard."""

from __future__ import annotations

from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.expression import Expression, Kind
from forestall.engine.model.scorecard import Measure, MissingPolicy, Part, Points, Profile, Scorecard, Signal, Steps
from forestall.engine.rulebook import durations, tiers
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import Entry, MapNode, Node, ScalarNode
from forestall.engine.rulebook.source import meaning
from forestall.engine.rulebook.words import Words

_MEASURES = frozenset({"metric", "points", "steps", "score", "of"})
_KNOWN = _MEASURES | {"weight", "about", "missing"}
_WHY_SIGNAL = "points are computed from metrics, and the score from the points."
_WHY_PROFILE = "`applies_to` uses metrics only."
_HINTS = {Kind.FLAG: "Write `score: 100 if {0} else 0` instead.",
          Kind.DATE: "Write `is: days_since({0})` in metrics.yaml, and use that metric.",
          Kind.TEXT: "Write `score: 100 if {0} == \"…\" else 0` instead."}


def read(root: MapNode, words: Words, findings: Findings) -> Scorecard:
    """The scorecard; what is wrong is said in `findings`, and left out here."""
    reader = _Reader(words, findings, _policy(root) or MissingPolicy.REWEIGHT)
    base = {entry.key.text: signal for entry in root.map("signals")
            if (signal := reader.signal(entry, None)) is not None}
    total = sum(signal.weight for signal in base.values())
    where = root.key_location("signals")
    if base and not total and not reader.unsure:
        findings.say(where, "no-weight", "all weights are 0, so there is no score.", "Give one signal a weight.")
    elif base and not reader.unsure and abs(total - 100) > 1e-6:
        findings.warn(where, "weights-sum", f"the weights add up to {total:g}, not to 100.",
                      "They count as shares of their sum; make them add up to 100 so that people can read them.")
    profiles = [profile for node in root.items("profiles") if isinstance(node, MapNode)
                and (profile := reader.profile(node, base)) is not None]
    unscored = durations.unscored_days(root, findings)
    coverage = durations.share(root, "minimum_coverage", "weights.yaml", findings)
    return Scorecard(
        profiles=(*profiles, Profile("", tuple(base.values()))),
        tiers=tiers.read(root.map("tiers"), words, findings),
        minimum_coverage=coverage or 0.0,
        unscored_days=unscored or 0,
    )


def _policy(node: MapNode) -> MissingPolicy | None:
    written = node.text("missing")
    return MissingPolicy(written) if written in set(MissingPolicy) else None


class _Reader:
    """Reads signals, parts and profiles."""

    def __init__(self, words: Words, findings: Findings, missing: MissingPolicy) -> None:
        self._words, self._findings, self._missing = words, findings, missing
        self._vocabulary = words.metrics_only(_WHY_SIGNAL)
        self.unsure = False     # a weight could not be read, so their sum says nothing

    def signal(self, entry: Entry, base: Signal | None) -> Signal | None:
        """The signal; what it leaves out is as in `base`."""
        name, node = entry.key.text, entry.value
        if not isinstance(node, MapNode):
            self.unsure = True
            return None
        what = f"signal {name}"
        weight = node.number("weight")
        if weight is None:
            self.unsure = self.unsure or base is None or "weight" in node
            weight = base.weight if base else 0.0
        parts: tuple[Part, ...] = base.parts if base else ()
        measure = base.measure if base else None
        if "of" in node:
            self._exclusive(node, what)
            parts, measure = self._parts(node.map("of"), what), None
        elif base is None or _MEASURES.intersection(node.entries):
            parts, measure = (), self._measure(node, entry.key, what, removed=base is None and weight == 0)
        return Signal(
            name=name, weight=weight, location=entry.key.location, measure=measure, parts=parts,
            missing=_policy(node) or (base.missing if base else self._missing),
            about=node.text("about") or (base.about if base else ""),
        )

    def profile(self, node: MapNode, base: dict[str, Signal]) -> Profile | None:
        """The base with the profile laid over it."""
        name = node.text("name")
        what = f"profile {name}"
        applies_to = self._words.expression(node.scalar("applies_to"), self._words.metrics_only(_WHY_PROFILE),
                                            Kind.FLAG, f"`applies_to` of {what}", self._findings)
        signals = dict(base)
        for entry in node.map("signals"):
            known = base.get(entry.key.text)
            removed = isinstance(entry.value, MapNode) and entry.value.number("weight") == 0
            if removed and known is None:
                self._findings.say(entry.key.location, "unknown-name",
                                   f"{what} removes a signal that does not exist: `{entry.key.text}`.",
                                   did_you_mean(entry.key.text, base))
            elif removed:
                signals.pop(entry.key.text)
            elif (signal := self.signal(entry, known)) is not None:
                signals[entry.key.text] = signal
        if base and not self.unsure and not sum(signal.weight for signal in signals.values()):
            self._findings.say(node.location, "no-weight", f"{what} leaves no signal with a weight.",
                               "Give one signal a weight.")
        return None if applies_to is None else Profile(name, tuple(signals.values()), applies_to)

    def _parts(self, node: MapNode, what: str) -> tuple[Part, ...]:
        parts: list[Part] = []
        for entry in node:
            if not isinstance(entry.value, MapNode):
                continue
            own = f"part {entry.key.text} of {what}"
            measure = self._measure(entry.value, entry.key, own, removed=False)
            weight = entry.value.number("weight")
            if measure is not None and weight is not None:
                parts.append(Part(entry.key.text, weight, measure, entry.value.text("about")))
        if parts and not sum(part.weight for part in parts):
            self._findings.say(node.location, "no-weight", f"all parts of {what} have the weight 0.",
                               "Give one part a weight.")
        return tuple(parts)

    def _measure(self, node: MapNode, key: ScalarNode, what: str, *, removed: bool) -> Measure | None:
        if not self._exclusive(node, what):
            return None
        if "score" in node:
            value = self._words.expression(node.scalar("score"), self._vocabulary, Kind.NUMBER, f"`score` of {what}",
                                           self._findings)
            return Measure(value) if value else None
        curve_key = "points" if "points" in node else "steps" if "steps" in node else ""
        if "metric" in node and curve_key:
            curve = self._curve(node, curve_key, what)
            expression = self._metric(node.scalar("metric"), what)
            return Measure(expression, curve) if expression and curve else None
        if "metric" in node:
            self._findings.say(node.key_location("metric"), "missing-key", f"{what} has no `points` or `steps`.",
                               "Say how its metric becomes points: `points: {0: 0, 20: 100}`.")
        elif curve_key:
            self._findings.say(node.key_location(curve_key), "missing-key",
                               f"{what} has `{curve_key}` but no `metric`.", "Add a line `metric: …`.")
        elif not removed and self._only_known(node):
            self._findings.say(key.location, "missing-key", f"{what} does not say where its points come from.",
                               "Add `metric` with `points` or `steps`, or a `score`, or parts below `of`.")
        return None

    def _exclusive(self, node: MapNode, what: str) -> bool:
        ways = [way for way in ("metric", "score", "of") if way in node]
        curves = [way for way in ("points", "steps") if way in node]
        for group in (ways, curves, ways[:1] + curves[:1] if ways and ways[0] != "metric" else []):
            if len(group) > 1:
                self._findings.say(node.key_location(group[1]), "too-many",
                                   f"{what} has `{group[0]}` and `{group[1]}`.", "Keep one of them.")
                return False
        return True

    def _only_known(self, node: MapNode) -> bool:
        """Whether no key is misspelt; otherwise what seems to be missing is said already."""
        return all(key in _KNOWN for key in node.entries)

    def _metric(self, written: ScalarNode | None, what: str) -> Expression | None:
        if written is None or not isinstance(written.value, str):
            return None
        name = self._words.metrics.get(written.text)
        if name is not None and name.kind is not Kind.NUMBER:
            self._findings.say(written.location, "wrong-kind",
                               f"`metric` of {what} must be a number, and {name.name} is a {name.kind}.",
                               _HINTS[name.kind].format(name.name), word=name.name)
            return None
        if name is None and written.text not in self._words.broken and not self._words.incomplete:
            if written.text.isidentifier():
                self._findings.say(written.location, "unknown-name",
                                   f"`metric` of {what} names no metric: `{written.text}`.",
                                   did_you_mean(written.text, self._words.metrics) or "Add it to metrics.yaml.",
                                   word=written.text)
            else:
                self._findings.say(written.location, "wrong-form",
                                   f"`metric` of {what} must be the name of one metric, not `{written.text}`.",
                                   "Write an expression after `score:`, or define a metric with `is:`.")
            return None
        return self._words.expression(written, self._vocabulary, Kind.NUMBER, f"`metric` of {what}", self._findings)

    def _curve(self, node: MapNode, key: str, what: str) -> Points | Steps | None:
        corners: list[tuple[float, float]] = []
        curve = node.map(key)
        for entry in curve:
            at = meaning(entry.key.text)
            if isinstance(at, bool) or not isinstance(at, int | float):
                self._findings.say(entry.key.location, "curve",
                                   f"in `{key}` of {what}, `{entry.key.text}` is no number.",
                                   f"Write metric value: points, as in {key}: {{0: 0, 20: 100}}.")
                return None
            if corners and at <= corners[-1][0]:
                self._findings.say(entry.key.location, "curve",
                                   f"in `{key}` of {what}, {entry.key.text} stands after {corners[-1][0]:g}.",
                                   "Sort the metric values from low to high, each once.")
                return None
            corners.append((float(at), _number(entry.value)))
        if len(corners) < 2:
            if corners:
                self._findings.say(node.key_location(key), "curve", f"`{key}` of {what} has only one value.",
                                   "Write at least two, as in {0: 0, 20: 100}.")
            return None
        return Points(tuple(corners)) if key == "points" else Steps(tuple(corners))


def _number(node: Node) -> float:
    """The points of a corner; what is no number the schema has said."""
    if isinstance(node, ScalarNode) and isinstance(node.value, int | float):
        return float(node.value)
    return 0.0


def shares(profile: Profile) -> dict[str, float]:
    """Each signal's share of the score in percent."""
    total = sum(signal.weight for signal in profile.signals)
    return {signal.name: 100 * signal.weight / total if total else 0.0 for signal in profile.signals}


