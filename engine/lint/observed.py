"""What the triggers did over the stored history, through the evaluator of production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations

import pyarrow

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import DayOfEvaluations

AT_ONCE = 186       # days that are evaluated together, as in a simulation
TOGETHER = 3        # so many accounts must share two alerts before they are called twins


@dataclass(frozen=True, slots=True)
class Observed:
    """The days from `first` through `last`. All counts are account-days: one account on one day.

    `true` and `known` count per trigger; `twins` are pairs that were true on exactly the same account-days.
    """

    first: date
    last: date
    rows: int
    true: Mapping[str, int]
    known: Mapping[str, int]
    twins: tuple[tuple[str, str], ...]

    @property
    def days(self) -> int:
        """How many days were looked at."""
        return (self.last - self.first).days + 1


def observe(evaluator: Evaluator, history: History, first: date, last: date, progress: Progress = quiet) -> Observed:
    """Look at every trigger on every day from `first` through `last`."""
    watch = _Watch(evaluator)
    for start in range(0, (last - first).days + 1, AT_ONCE):
        begin = first + timedelta(days=start)
        end = min(last, begin + timedelta(days=AT_ONCE - 1))
        evaluations = evaluator.changes(history, begin, end, progress)
        for day in range((end - begin).days + 1):
            watch.look(evaluations.on(begin + timedelta(days=day)))
    return watch.observed(first, last)


class _Watch:
    """Counts day by day, so that a long history needs no more memory than a day."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._index = {name: evaluator.conditions.when(name) for name in evaluator.rulebook.triggers}
        self._true = dict.fromkeys(self._index, 0)
        self._unknown = dict.fromkeys(self._index, 0)
        self._rows = 0
        self._alike: dict[tuple[str, str], set[str]] = {pair: set() for pair in combinations(self._index, 2)}

    def look(self, today: DayOfEvaluations) -> None:
        counts = today.counts()
        self._rows += today.gone.count(False)
        for name, index in self._index.items():
            true, unknown = counts[index]
            self._true[name] += true
            self._unknown[name] += unknown
        alike = [pair for pair in self._alike if counts[self._index[pair[0]]][0] == counts[self._index[pair[1]]][0]]
        names = {name for pair in alike for name in pair if counts[self._index[name]][0]}
        where: dict[str, pyarrow.ChunkedArray] = {name: today.where_true(self._index[name]) for name in names}
        self._alike = {pair: self._alike[pair] for pair in alike
                       if pair[0] not in where or where[pair[0]].equals(where[pair[1]])}
        for pair, shared in self._alike.items():
            if pair[0] in where and len(shared) < TOGETHER:
                shared.update(where[pair[0]].to_pylist())

    def observed(self, first: date, last: date) -> Observed:
        known = {name: self._rows - unknown for name, unknown in self._unknown.items()}
        twins = tuple(pair for pair, shared in self._alike.items() if len(shared) >= TOGETHER)
        return Observed(first, last, self._rows, self._true, known, twins)
