"""Stories told by the production evaluator, lifecycle and planner."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.expression import Kind
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import State
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import EveryDay
from forestall.engine.score.explain import load_account
from forestall.engine.simulate.replay import fold
from forestall.engine.stories.because import Because
from forestall.engine.stories.outcome import DayTold, Miss, Told, differences
from forestall.engine.stories.stories import UNSCORED, StoryTold

ARROW = {Kind.NUMBER: pyarrow.float64(), Kind.TEXT: pyarrow.string(), Kind.FLAG: pyarrow.bool_(),
         Kind.DATE: pyarrow.date32()}


def tell(evaluator: Evaluator, directory: Directory, stories: Sequence[StoryTold],
         progress: Progress = quiet) -> Iterator[Told]:
    """Tell every story. Each begins with nothing open and knows of no other."""
    if not stories:
        return
    catalogue = evaluator.rulebook.catalogue
    if evaluator.engine.far:      # a story is a history of its own, here
        evaluator = Evaluator(evaluator.rulebook)
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
            yield Told(story, days, tuple(_misses(evaluator.rulebook, history, story, days)))


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
            day=decided.decisions.day, tier=(today.tiers[0] if len(today) else None) or UNSCORED,
            score=today.scores[0] if len(today) else None, runs=state.runs, decisions=decided.decisions,
            known={alert.trigger: alert for alert in state.alerts.values()})


def _misses(rulebook: Rulebook, history: History, story: StoryTold, days: Sequence[DayTold]) -> Iterator[Miss]:
    """What was not as expected. The account is only looked at more closely where something was not."""
    found = list(differences(story, days))
    if not found:
        return
    end = story.first + timedelta(days=story.days - 1)
    loaded = load_account(rulebook, history, story.name, story.first, end)
    because = Because(rulebook, loaded[0] if loaded else None, story.first)
    for day, expectation, difference in found:
        yield Miss(day, difference, expectation, because.line(difference, days[day - 1]))
