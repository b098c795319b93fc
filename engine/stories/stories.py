"""Stories: a made-up account, what must happen to it on which day, and what must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from forestall.engine.errors import Location, RulesError, Severity
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.evaluation import Value
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.rulebook import schema, source
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import ListNode, MapNode, Node, ScalarNode
from forestall.engine.stories.series import MOST_DAYS, read_series, read_value

FIRST_DAY = date(2026, 1, 5)      # a Monday
ALL = "all"
UNSCORED = "unscored"
STEP_KINDS = ("email", "slack", "webhook", "task")


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be so on each of `days` (1 is the first). None and empty tuples expect nothing in particular."""

    days: tuple[int, ...]
    location: Location
    tier: str | None = None
    score: float | None = None
    above: float | None = None
    below: float | None = None
    alerts: tuple[str, ...] = ()
    no_alerts: tuple[str, ...] = ()
    deliveries: tuple[str, ...] = ()
    no_deliveries: tuple[str, ...] = ()
    silence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoryTold:
    """One story: metric values per day (None: nothing arrives), and what is expected of them."""

    name: str
    location: Location
    first: date
    series: Mapping[str, tuple[Value, ...]]
    days: int
    holdout: bool
    expect: tuple[Expectation, ...]


def read_stories(folder: Path, rulebook: Rulebook) -> tuple[StoryTold, ...]:
    """Every story of the folder, by file and place. RulesError with every problem at once."""
    findings = Findings()
    stories: list[StoryTold] = []
    for path in sorted(folder.glob("*.yaml")):
        document = source.read(path)
        findings.extend(document.problems)
        if document.root is not None:
            findings.extend(schema.check(document.root, "story"))
            reader = _Reader(rulebook, findings)
            stories.extend(reader.story(node) for node in document.root.items("stories") if isinstance(node, MapNode))
    _names_once(stories, findings)
    errors = [problem for problem in findings.sorted() if problem.severity is Severity.ERROR]
    if errors:
        raise RulesError(errors)
    return tuple(stories)


def _names_once(stories: list[StoryTold], findings: Findings) -> None:
    seen: dict[str, Location] = {}
    for story in stories:
        if story.name in seen:
            findings.say(story.location, "story-twice", f"a story called “{story.name}” stands at {seen[story.name]} "
                         "already.", "Give this one another name.")
        seen.setdefault(story.name, story.location)


class _Reader:
    def __init__(self, rulebook: Rulebook, findings: Findings) -> None:
        self._rulebook, self._findings = rulebook, findings
        self._catalogue: Catalogue = rulebook.catalogue

    def story(self, node: MapNode) -> StoryTold:
        series = {entry.key.text: self._series(entry.key, entry.value) for entry in node.map("series")}
        days = max(map(len, series.values()), default=0)
        expect = tuple(self._expectation(one) for one in node.items("expect") if isinstance(one, MapNode))
        days = days or max((day for one in expect for day in one.days), default=1)
        for entry in node.map("account"):
            value = self._constant(entry.key, entry.value)
            if entry.key.text in series:
                self._findings.say(entry.key.location, "said-twice", f"`{entry.key.text}` stands in `account` and in "
                                   "`series`.", "Keep one of them.")
            series[entry.key.text] = (value,) * days
        full = {name: values + values[-1:] * (days - len(values)) for name, values in series.items() if values}
        for one in expect:
            if any(not 1 <= day <= days for day in one.days):
                self._findings.say(one.location, "day-outside", f"the story has {days} days, and something is expected "
                                   f"of day {max(one.days)}.", "Make a series longer, or expect it earlier.")
        return StoryTold(node.text("name"), node.location, self._first(node), full, days, node.flag("holdout"), expect)

    def _first(self, node: MapNode) -> date:
        written = node.scalar("from")
        if written is None:
            return FIRST_DAY
        try:
            return date.fromisoformat(written.text)
        except ValueError:
            self._findings.say(written.location, "wrong-kind", f"`from` is no day: `{written.text}`.",
                               "Write it as 2026-01-05.")
            return FIRST_DAY

    def _series(self, key: ScalarNode, value: Node) -> tuple[Value, ...]:
        metric = self._catalogue.metrics.get(key.text)
        if not self._supplied(key) or metric is None or not isinstance(value, ScalarNode):
            return ()
        return read_series(value, metric, self._findings)

    def _constant(self, key: ScalarNode, value: Node) -> Value:
        metric = self._catalogue.metrics.get(key.text)
        if not self._supplied(key) or metric is None or not isinstance(value, ScalarNode):
            return None
        return read_value(value.text, metric, value.location, self._findings)

    def _supplied(self, key: ScalarNode) -> bool:
        metric = self._catalogue.metrics.get(key.text)
        if metric is None:
            hint = did_you_mean(key.text, self._catalogue.metrics) or "metrics.yaml lists them."
            self._findings.say(key.location, "unknown-metric", f"no metric is called `{key.text}`.", hint)
        elif not metric.supplied:
            self._findings.say(key.location, "derived-metric", f"`{key.text}` is computed from other metrics.",
                               "Give those instead.")
        return metric is not None and metric.supplied

    # -- expectations ------------------------------------------------------------------------------------------------

    def _expectation(self, node: MapNode) -> Expectation:
        score = node.get("score")
        bounds = score if isinstance(score, MapNode) else MapNode({}, node.location)
        tiers = [tier.name for tier in self._rulebook.scorecard.tiers] + [UNSCORED]
        alerts = [*self._rulebook.triggers, *self._rulebook.tier_alerts(), *self._rulebook.recovery_alerts()]
        plays = list(self._rulebook.plays)
        deliveries = [f"{play}.{kind}" for play in plays for kind in STEP_KINDS]
        tier = node.scalar("tier")
        if tier is not None:
            self._known(tier, tiers, "tier")
        return Expectation(
            days=self._days(node), location=node.location, tier=tier.text if tier else None,
            score=node.number("score"), above=bounds.number("above"), below=bounds.number("below"),
            alerts=self._list(node, "alerts", alerts, "alert"),
            no_alerts=self._list(node, "no_alerts", [*alerts, ALL], "alert"),
            deliveries=self._list(node, "deliveries", deliveries, "delivery"),
            no_deliveries=self._list(node, "no_deliveries", [*plays, *deliveries, ALL], "play"),
            silence=self._list(node, "silence", [], "reason"))

    def _days(self, node: MapNode) -> tuple[int, ...]:
        found = node.get("day")
        if isinstance(found, ListNode):
            return tuple(one.value for one in found.items if isinstance(one, ScalarNode) and isinstance(one.value, int))
        if not isinstance(found, ScalarNode):
            return ()
        if isinstance(found.value, int):
            return (found.value,)
        first, _, last = found.text.partition("-")
        begin, end = (int(one) if one.strip().isdigit() else 0 for one in (first, last))
        if begin > end or end > MOST_DAYS:
            self._findings.say(found.location, "day-outside", f"`{found.text}` is no range of days.", "Write 4-9.")
            return ()
        return tuple(range(begin, end + 1))

    def _list(self, node: MapNode, key: str, known: list[str], noun: str) -> tuple[str, ...]:
        single = node.scalar(key)
        found = [single] if single is not None else [one for one in node.items(key) if isinstance(one, ScalarNode)]
        for one in found:
            if known:
                self._known(one, known, noun)
        return tuple(one.text for one in found)

    def _known(self, written: ScalarNode, known: list[str], noun: str) -> None:
        if written.text not in known:
            self._findings.say(written.location, f"unknown-{noun}", f"no {noun} is called `{written.text}`.",
                               did_you_mean(written.text, known) or f"There are: {', '.join(known[:12])}.")
