"""Stories told by the production evaluator, lifecycle and planner."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.model.alert import AlertStatus
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.expression import Kind
from forestall.engine.model.people import Directory
from forestall.engine.model.state import State
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import EveryDay
from forestall.engine.simulate.replay import fold
from forestall.engine.simulate.stories import ALL, UNSCORED, Expectation, StoryTold

ARROW = {Kind.NUMBER: pyarrow.float64(), Kind.TEXT: pyarrow.string(), Kind.FLAG: pyarrow.bool_(),
         Kind.DATE: pyarrow.date32()}
SCORE_ROOM = 0.05      # an expected score is written with one decimal


@dataclass(frozen=True, slots=True)
class DayTold:
    """What happened on one day of a story."""

    tier: str
    score: float | None
    alerts: frozenset[str]
    deliveries: tuple[str, ...]
    plays: frozenset[str]
    silences: frozenset[str]


@dataclass(frozen=True, slots=True)
class Miss:
    """An expectation that was not met: on which day, what was expected, what was there."""

    day: int
    expected: str
    got: str
    expectation: Expectation


@dataclass(frozen=True, slots=True)
class Told:
    """A story and where it went otherwise than expected (nowhere: it passed)."""

    story: StoryTold
    days: tuple[DayTold, ...]
    misses: tuple[Miss, ...]


def tell(evaluator: Evaluator, directory: Directory, stories: Sequence[StoryTold],
         progress: Progress = quiet) -> Iterator[Told]:
    """Tell every story. Each begins with nothing open and knows of no other."""
    if not stories:
        return
    catalogue = evaluator.rulebook.catalogue
    with tempfile.TemporaryDirectory(prefix="forestall-stories-") as folder:
        history = History(Path(folder))
        history.add("stories", [_arrivals(story, catalogue) for story in stories], catalogue, None,
                    evaluator.rulebook.gone_after)
        first = min(story.first for story in stories)
        last = max(story.first + timedelta(days=story.days - 1) for story in stories)
        history.build_days(catalogue, evaluator.rulebook.gone_after, last)
        evaluations = evaluator.evaluate(history, first, last)
        for done, story in enumerate(stories):
            progress("stories", done, len(stories))
            end = story.first + timedelta(days=story.days - 1)
            days = tuple(_told(evaluator, directory, evaluations.only(story.name), story, end))
            yield Told(story, days, tuple(_misses(story, days)))


def _arrivals(story: StoryTold, catalogue: Catalogue) -> pyarrow.Table:
    days = range(story.days)
    columns = {"account": pyarrow.array([story.name] * story.days, pyarrow.string()),
               "as_of": pyarrow.array([story.first + timedelta(days=day) for day in days], pyarrow.date32())}
    for name, values in story.series.items():
        columns[name] = pyarrow.array(list(values), ARROW[catalogue.metrics[name].kind])
    table = pyarrow.table(columns)
    if not story.series:
        return table
    # A day on which no metric says anything is a day on which the account is not named at all.
    named = [any(values[day] is not None for values in story.series.values()) for day in days]
    return table.filter(pyarrow.array(named))


def _told(evaluator: Evaluator, directory: Directory, evaluations: EveryDay, story: StoryTold,
          end: date) -> Iterator[DayTold]:
    for decided, state in fold(evaluator, directory, evaluations, story.first, end, State(), holdouts=story.holdout):
        today = evaluations.on(decided.decisions.day)
        yield DayTold(
            tier=(today.tiers[0] if len(today) else None) or UNSCORED, score=today.scores[0] if len(today) else None,
            alerts=frozenset(alert.trigger for alert in state.alerts.values() if alert.status is AlertStatus.OPEN),
            deliveries=tuple(f"{one.play}.{one.kind.value}" for one in decided.decisions.deliveries),
            plays=frozenset(one.play for one in decided.decisions.deliveries),
            silences=frozenset(one.reason.value for one in decided.decisions.silences))


def _misses(story: StoryTold, days: Sequence[DayTold]) -> Iterator[Miss]:
    for expectation in story.expect:
        for day in expectation.days:
            for expected, got in _differences(expectation, days[day - 1]):
                yield Miss(day, expected, got, expectation)


def _differences(want: Expectation, told: DayTold) -> Iterator[tuple[str, str]]:
    if want.tier is not None and want.tier != told.tier:
        yield f"tier {want.tier}", f"tier {told.tier}"
    yield from _score(want, told)
    for name in want.alerts:
        if name not in told.alerts:
            yield f"alert {name} open", f"open: {_list(told.alerts)}"
    for name in want.no_alerts:
        if (told.alerts if name == ALL else name in told.alerts):
            yield ("no alert open" if name == ALL else f"alert {name} not open"), f"open: {_list(told.alerts)}"
    for name in want.deliveries:
        if name not in told.deliveries:
            yield f"delivery {name}", f"planned: {_list(told.deliveries)}"
    for name in want.no_deliveries:
        if (told.deliveries if name == ALL else name in told.plays or name in told.deliveries):
            yield ("nothing planned" if name == ALL else f"nothing of {name}"), f"planned: {_list(told.deliveries)}"
    for name in want.silence:
        if name not in told.silences:
            yield f"silence because of {name}", f"silences: {_list(told.silences)}"


def _score(want: Expectation, told: DayTold) -> Iterator[tuple[str, str]]:
    got = "no score" if told.score is None else f"score {told.score:g}"
    if want.score is not None and (told.score is None or abs(told.score - want.score) > SCORE_ROOM):
        yield f"score {want.score:g}", got
    if want.above is not None and (told.score is None or not told.score > want.above):
        yield f"score above {want.above:g}", got
    if want.below is not None and (told.score is None or not told.score < want.below):
        yield f"score below {want.below:g}", got


def _list(names: frozenset[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "nothing"
