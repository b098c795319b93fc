"""Base and candidate day by day over the same past, folded into the nouns of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures.process import BrokenProcessPool
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.trigger import Existing
from forestall.engine.processes import undisturbed
from forestall.engine.score.engine import DuckDb, Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import DayOfEvaluations
from forestall.engine.simulate import figures
from forestall.engine.simulate.book import read_book
from forestall.engine.simulate.comparison import AccountAlert, Change, Comparison, OneSide, OnMerge
from forestall.engine.simulate.course import Course, Ended, Half, Listener, OneDay
from forestall.engine.simulate.gaps import completeness
from forestall.engine.simulate.matching import Matching, earlier_names
from forestall.engine.simulate.merge import first_day, on_merge
from forestall.engine.simulate.reasons import told
from forestall.engine.simulate.sides import Asked, Book, Side
from forestall.engine.simulate.tally import Tally, narrowed
from forestall.engine.simulate.together import Evaluators, together, worth_a_process

WARM_UP = 60       # days at most


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who else hears what each side decides."""

    base: Listener | None = None
    candidate: Listener | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """The answer, and what else is made of it. `base` None: the candidate is told alone. `heard`: the listeners that
    were given, as they are after the last day; those that were given have heard nothing."""

    comparison: Comparison
    book: Book
    base: Tally | None
    candidate: Tally
    heard: Listeners


def compare(base: Side | None, candidate: Side, directory: Directory, history: History, asked: Asked, *,
            engine: Engine | None = None, listeners: Listeners | None = None, progress: Progress = quiet,
            apart: bool | None = None) -> Compared:
    """What the candidate changes in the place of the base. `base` None: the candidate is told alone.

    `apart`: each side is decided in a process of its own; None: where it pays. UsageError for a filter that fits no
    account, and for days without any.
    """
    engine = engine or DuckDb()
    book = read_book(Evaluator(candidate.rulebook, engine), directory, history, asked)
    warm_up = _warm_up(base, candidate, history, asked)
    run = _Run(base, candidate, directory, history, asked, engine, book, warm_up, listeners or Listeners(), progress)
    if apart is None:
        days = (asked.last - asked.first).days + 1 + warm_up
        apart = worth_a_process(len(book.everybody) * days)
    if apart and base is not None:
        try:
            return run.compared(apart=True)
        except BrokenProcessPool:      # somebody ended it; it can be done here as well
            pass
    return run.compared(apart=False)


def longest_memory(rulebooks: Iterable[Rulebook]) -> int:
    """The most days for which an alert can stay open or rest."""
    spans = [days for book in rulebooks for days in (
        book.tier_lasts, book.tier_cooldown, *(one.lasts for one in book.triggers.values()),
        *(one.cooldown for one in book.triggers.values()))]
    return max(spans, default=0)


def _warm_up(base: Side | None, candidate: Side, history: History, asked: Asked) -> int:
    wanted = asked.warm_up
    if wanted is None:
        wanted = min(WARM_UP, longest_memory([candidate.rulebook, *([base.rulebook] if base else [])]))
    return min(wanted, max((asked.first - history.first).days, 0)) if history.first else wanted


class _Run:
    """One comparison."""

    def __init__(self, base: Side | None, candidate: Side, directory: Directory, history: History, asked: Asked,
                 engine: Engine, book: Book, warm_up: int, listeners: Listeners, progress: Progress) -> None:
        self._base, self._candidate, self._directory, self._history = base, candidate, directory, history
        self._asked, self._engine, self._book, self._warm_up = asked, engine, book, warm_up
        self._listeners, self._progress = listeners, progress
        self._evaluators = Evaluators(base.rulebook if base else None, candidate.rulebook, engine)
        self._mine = Half(candidate.rulebook, self._evaluators.candidate.conditions, {})
        self._theirs = Half(base.rulebook, self._evaluators.base.conditions, earlier_names(
            base.rulebook, candidate.rulebook)) if base and self._evaluators.base else None

    def compared(self, *, apart: bool) -> Compared:
        """Day by day, then put together."""
        asked, mine, theirs = self._asked, self._mine, self._theirs
        matching = Matching(theirs.rulebook, mine.rulebook, self._book, asked.first) if theirs else None
        begin = asked.first - timedelta(days=self._warm_up)
        candidate = self._course(mine, self._listeners.candidate)
        base = self._course(theirs, self._listeners.base) if theirs else None
        with undisturbed():
            with together(self._evaluators, base, candidate, len(self._book.everybody), apart=apart) as both:
                for opened in both.days(self._history, begin, asked.last, self._progress,
                                        existing=Existing.OPEN if self._warm_up else None):
                    if matching:
                        matching.add(opened, both.tell)
                ended, last = both.ended(), both.last
            # only now: the other process has ended, and given back its share of the memory
            return self._answer(*ended, matching, last)

    def _course(self, half: Half, listener: Listener | None) -> Course:
        return Course(half, self._directory, self._book, self._asked.first, deepcopy(listener))

    def _answer(self, base: Ended | None, candidate: Ended, matching: Matching | None, last: OneDay | None) -> Compared:
        """Everything put together."""
        asked, book, mine = self._asked, self._book, candidate.tally
        theirs = base.tally if base else None
        merge, before, after = self._first_day(last)
        changes: Mapping[str, Mapping[Change, int]] = {}
        accounts: tuple[AccountAlert, ...] = ()
        if matching and self._theirs:
            matching.end()
            changes = matching.changes
            accounts = told(tuple(matching.worst()), self._theirs, self._mine, book, self._history, self._engine)
        days = [asked.first + timedelta(days=step) for step in range((asked.last - asked.first).days + 1)]
        scored = (figures.whole(before, book), figures.whole(after, book))
        comparison = Comparison(
            first=asked.first, last=asked.last, warm_up=self._warm_up,
            base=OneSide(self._base.called, self._base.rulebook.digest) if self._base else None,
            candidate=OneSide(self._candidate.called, self._candidate.rulebook.digest),
            book=sum(mine.tiers.values()), alerts=figures.alerts(theirs, mine, changes), accounts=accounts,
            loads=figures.loads(theirs, mine, days), days=figures.days(theirs, mine),
            plays=figures.plays(theirs, mine), tiers=figures.tiers(theirs, mine), moves=figures.moves(*scored),
            scores=figures.scores(*scored), groups=figures.groups(theirs, mine, book),
            revenue=figures.revenue(theirs, mine, book.everybody.values()), on_merge=merge,
            completeness=completeness(self._history, mine.asked, mine.unknown, days), filters=asked.filters)
        return Compared(comparison, book, theirs, mine, Listeners(base.listener if base else None, candidate.listener))

    def _first_day(self, last: OneDay | None) -> tuple[OnMerge | None, DayOfEvaluations | None, DayOfEvaluations]:
        """What merging brings on the last day, and that day as base and candidate see it."""
        history, engine, day, theirs = self._history, self._engine, self._asked.last, self._theirs
        if last is None or theirs is None:
            return None, None, _on(self._mine.rulebook, history, engine, day)
        first = first_day(last, self._mine.rulebook, engine, self._directory, history)
        decided = narrowed(last.decided, last.seen, theirs.rulebook, theirs.conditions, self._book)
        seen = first.seen if self._evaluators.shared else _on(theirs.rulebook, history, engine, day)
        return on_merge(decided, first, self._book, theirs.names), seen, first.seen


def _on(rulebook: Rulebook, history: History, engine: Engine, day: date) -> DayOfEvaluations:
    return Evaluator(rulebook, engine).evaluate(history, day, day).on(day)
