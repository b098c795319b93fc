"""Base and candidate day by day over the same past, folded into the nouns of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import Decisions
from forestall.engine.model.trigger import Existing
from forestall.engine.score.engine import DuckDb, Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import DayOfEvaluations
from forestall.engine.simulate import figures
from forestall.engine.simulate.book import read_book
from forestall.engine.simulate.comparison import AccountAlert, Change, Comparison, OneSide, OnMerge
from forestall.engine.simulate.gaps import completeness
from forestall.engine.simulate.matching import Half, Matching, earlier_names
from forestall.engine.simulate.merge import first_day, on_merge
from forestall.engine.simulate.reasons import told
from forestall.engine.simulate.sides import Asked, Book, Side
from forestall.engine.simulate.tally import Tally, narrowed
from forestall.engine.simulate.together import BothDays, OneDay, Together

WARM_UP = 60       # days at most
Heard = Callable[[Decisions], None]


@dataclass(frozen=True, slots=True)
class Compared:
    """The answer, and what else is made of it. `base` None: the candidate is told alone."""

    comparison: Comparison
    book: Book
    base: Tally | None
    candidate: Tally


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who else hears what each side decides, day by day, the days of the warm-up too."""

    base: Heard | None = None
    candidate: Heard | None = None


def compare(base: Side | None, candidate: Side, directory: Directory, history: History, asked: Asked, *,
            engine: Engine | None = None, listeners: Listeners | None = None, progress: Progress = quiet) -> Compared:
    """What the candidate changes in the place of the base. `base` None: the candidate is told alone.

    UsageError for a filter that fits no account, and for days without any.
    """
    engine = engine or DuckDb()
    both = Together(base.rulebook if base else None, candidate.rulebook, engine)
    book = read_book(Evaluator(candidate.rulebook, engine), directory, history, asked)
    warm_up = _warm_up(base, candidate, history, asked)
    run = _Run(both, directory, book, asked, listeners or Listeners())
    begin, existing = asked.first - timedelta(days=warm_up), Existing.OPEN if warm_up else None
    for days in both.days(directory, history, begin, asked.last, progress, existing=existing):
        run.add(days)
    return run.answer(base, candidate, history, engine, warm_up)


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
    """Takes the days as they come and keeps counts."""

    def __init__(self, both: Together, directory: Directory, book: Book, asked: Asked, listeners: Listeners) -> None:
        self._both, self._directory, self._book, self._asked = both, directory, book, asked
        self._listeners = listeners
        candidate = both.candidate
        names = earlier_names(both.base.rulebook, candidate.rulebook) if both.base else {}
        self._mine = Half(candidate.rulebook, candidate.conditions, {})
        self._theirs = Half(both.base.rulebook, both.base.conditions, names) if both.base else None
        self._matching = Matching(self._theirs, self._mine, book, asked.first) if self._theirs else None
        self._base = Tally(both.base.rulebook, directory, names) if both.base else None
        self._candidate = Tally(candidate.rulebook, directory)
        self._last: BothDays | None = None

    def add(self, days: BothDays) -> None:
        """One more day of both sides."""
        mine, theirs = days.candidate, days.base
        if self._listeners.candidate:
            self._listeners.candidate(mine.decided.decisions)
        if self._listeners.base and theirs:
            self._listeners.base(theirs.decided.decisions)
        if self._matching:
            self._matching.add(days)
        if days.day >= self._asked.first:
            _count(self._candidate, mine, self._mine, self._book)
            if self._base and theirs and self._theirs:
                _count(self._base, theirs, self._theirs, self._book)
        self._last = days

    def answer(self, base: Side | None, candidate: Side, history: History, engine: Engine,
               warm_up: int) -> Compared:
        """Everything put together."""
        asked, book, mine, theirs = self._asked, self._book, self._candidate, self._base
        last = self._last
        assert last is not None      # a period has a day
        merge: OnMerge | None = None
        seen: list[DayOfEvaluations | None] = [None, None]
        if last.base and self._theirs:
            first = first_day(last.base, candidate.rulebook, engine, self._directory, history)
            merge = on_merge(narrowed(last.base.decided, last.base.seen, self._theirs.rulebook,
                                      self._theirs.conditions, book), first, book, self._theirs.names)
            seen = [first.seen if self._both.shared else _on(self._theirs.rulebook, history, engine, asked.last),
                    first.seen]
        else:
            seen[1] = _on(candidate.rulebook, history, engine, asked.last)
        changes: Mapping[str, Mapping[Change, int]] = {}
        accounts: tuple[AccountAlert, ...] = ()
        if self._matching and self._theirs:
            self._matching.end()
            changes = self._matching.changes
            accounts = told(tuple(self._matching.worst()), self._theirs, self._mine, book, history, engine)
        days = [asked.first + timedelta(days=step) for step in range((asked.last - asked.first).days + 1)]
        scored = [figures.whole(one, book) for one in seen]
        comparison = Comparison(
            first=asked.first, last=asked.last, warm_up=warm_up,
            base=OneSide(base.called, base.rulebook.digest) if base else None,
            candidate=OneSide(candidate.called, candidate.rulebook.digest),
            book=sum(mine.tiers.values()), alerts=figures.alerts(theirs, mine, changes), accounts=accounts,
            loads=figures.loads(theirs, mine, days), days=figures.days(theirs, mine),
            plays=figures.plays(theirs, mine), tiers=figures.tiers(theirs, mine), moves=figures.moves(*scored),
            scores=figures.scores(*scored), groups=figures.groups(theirs, mine, book),
            revenue=figures.revenue(theirs, mine, book.everybody.values()), on_merge=merge,
            completeness=completeness(history, mine.asked, mine.unknown, days), filters=asked.filters)
        return Compared(comparison, book, theirs, mine)


def _count(tally: Tally, one: OneDay, half: Half, book: Book) -> None:
    tally.add(narrowed(one.decided, one.seen, half.rulebook, half.conditions, book))


def _on(rulebook: Rulebook, history: History, engine: Engine, day: date) -> DayOfEvaluations:
    return Evaluator(rulebook, engine).evaluate(history, day, day).on(day)
