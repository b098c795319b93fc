"""What happened in a story, and where that is not what it expects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import PlayRun
from forestall.engine.model.state import Decisions
from forestall.engine.stories.stories import ALL, Expectation, StoryTold

SCORE_ROOM = 0.05      # an expected score is written with one decimal


@dataclass(frozen=True, slots=True)
class DayTold:
    """What happened on one day of a story. `known` are the alerts that are remembered, `runs` the plays."""

    day: date
    tier: str
    score: float | None
    known: Mapping[str, Alert]
    runs: tuple[PlayRun, ...]
    decisions: Decisions

    @property
    def alerts(self) -> frozenset[str]:
        """The alerts that are open."""
        return frozenset(name for name, alert in self.known.items() if alert.status is AlertStatus.OPEN)

    @property
    def deliveries(self) -> tuple[str, ...]:
        """What is planned, as play.kind."""
        return tuple(f"{one.play}.{one.kind.value}" for one in self.decisions.deliveries)

    @property
    def plays(self) -> frozenset[str]:
        """The plays that plan something."""
        return frozenset(one.play for one in self.decisions.deliveries)

    @property
    def silences(self) -> frozenset[str]:
        """Why something was kept quiet."""
        return frozenset(one.reason.value for one in self.decisions.silences)


@dataclass(frozen=True, slots=True)
class Difference:
    """What was expected and what was there. `about` is the key of the expectation, `name` what stands in it."""

    about: str
    name: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Miss:
    """An expectation that was not met: on which day, what was expected, what was there, and why, in one line."""

    day: int
    difference: Difference
    expectation: Expectation
    because: str

    @property
    def expected(self) -> str:
        """What was expected."""
        return self.difference.expected

    @property
    def got(self) -> str:
        """What was there."""
        return self.difference.got


@dataclass(frozen=True, slots=True)
class Told:
    """A story and where it went otherwise than expected (nowhere: it passed)."""

    story: StoryTold
    days: tuple[DayTold, ...]
    misses: tuple[Miss, ...]


def differences(story: StoryTold, days: Sequence[DayTold]) -> Iterator[tuple[int, Expectation, Difference]]:
    """Every expectation that was not met, with its day."""
    for expectation in story.expect:
        for day in expectation.days:
            for difference in _of_day(expectation, days[day - 1]):
                yield day, expectation, difference


def _of_day(want: Expectation, told: DayTold) -> Iterator[Difference]:
    if want.tier is not None and want.tier != told.tier:
        yield Difference("tier", want.tier, f"tier {want.tier}", f"tier {told.tier}")
    yield from _score(want, told)
    for name in want.alerts:
        if name not in told.alerts:
            yield Difference("alerts", name, f"alert {name} open", f"open: {_list(told.alerts)}")
    for name in want.no_alerts:
        if (told.alerts if name == ALL else name in told.alerts):
            yield Difference("no_alerts", name, "no alert open" if name == ALL else f"alert {name} not open",
                             f"open: {_list(told.alerts)}")
    for name in want.deliveries:
        if name not in told.deliveries:
            yield Difference("deliveries", name, f"delivery {name}", f"planned: {_list(told.deliveries)}")
    for name in want.no_deliveries:
        if (told.deliveries if name == ALL else name in told.plays or name in told.deliveries):
            yield Difference("no_deliveries", name, "nothing planned" if name == ALL else f"nothing of {name}",
                             f"planned: {_list(told.deliveries)}")
    for name in want.silence:
        if name not in told.silences:
            yield Difference("silence", name, f"silence because of {name}", f"silences: {_list(told.silences)}")


def _score(want: Expectation, told: DayTold) -> Iterator[Difference]:
    got = "no score" if told.score is None else f"score {told.score:g}"
    if want.score is not None and (told.score is None or abs(told.score - want.score) > SCORE_ROOM):
        yield Difference("score", "", f"score {want.score:g}", got)
    if want.above is not None and (told.score is None or not told.score > want.above):
        yield Difference("score", "", f"score above {want.above:g}", got)
    if want.below is not None and (told.score is None or not told.score < want.below):
        yield Difference("score", "", f"score below {want.below:g}", got)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
