"""The past, decided day by day with the functions of production and a virtual clock. No channel is within reach."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.intervene.day import Decided, decide_day
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.model.people import Directory
from forestall.engine.model.state import State
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import Evaluations

DAYS_AT_ONCE = 186      # evaluated together; a longer period is taken in pieces, so that memory stays flat


def replay(evaluator: Evaluator, directory: Directory, history: History, first: date, last: date, *,
           state: State | None = None, progress: Progress = quiet) -> Iterator[Decided]:
    """What each day from `first` through `last` decides, beginning from `state` (None: from nothing).

    The days of the history hold only what was known by the end of each, so nothing looks ahead.
    """
    whole = (last - first).days + 1
    current = state or State()
    for start in range(0, whole, DAYS_AT_ONCE):
        begin = first + timedelta(days=start)
        end = min(last, begin + timedelta(days=DAYS_AT_ONCE - 1))
        evaluations = evaluator.changes(history, begin, end, progress)
        for decided, after in fold(evaluator, directory, evaluations, begin, end, current):
            current = after
            progress("replay", (decided.decisions.day - first).days + 1, whole)
            yield decided


def fold(evaluator: Evaluator, directory: Directory, evaluations: Evaluations, first: date, last: date, state: State,
         *, holdouts: bool = True) -> Iterator[tuple[Decided, State]]:
    """The same over evaluations that are at hand; each day with the state after it."""
    day = first
    while day <= last:
        decided = decide_day(evaluator.rulebook, evaluator.conditions, directory, state, evaluations.on(day),
                             Circumstances(holdouts=holdouts, approve=True))
        state = state.after(decided.decisions)
        yield decided, state
        day += timedelta(days=1)
