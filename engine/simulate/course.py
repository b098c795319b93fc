"""One side on its way through the days: what it decides, counted as it goes, and what it makes of an opening."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Protocol

from forestall.engine.intervene.day import Decided
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.model.alert import Alert, TransitionKind
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.expression import Truth
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import Decisions, State
from forestall.engine.model.trigger import Existing
from forestall.engine.score.changes import Changes, StandingDay
from forestall.engine.score.conditions import Conditions
from forestall.engine.simulate.ledger import Ledger
from forestall.engine.simulate.sides import Book
from forestall.engine.simulate.tally import Tally, narrowed


class Opening(NamedTuple):
    """An account and an alert that opened for it, by its name in the answer."""

    account: str
    alert: str


class Told(NamedTuple):
    """What a side has of an opening on its day: the account's tier ("" where it has none), whether the condition holds
    (None: no such alert, or one without a condition), and the alert as it was when the day began."""

    tier: str
    truth: Truth | None
    alert: Alert | None


class Listener(Protocol):
    """Somebody who hears what a side decides, the days of the warm-up too. It may be sent to another process."""

    def add(self, decisions: Decisions) -> None:
        """One more day."""


@dataclass(frozen=True, slots=True)
class Half:
    """One side, as far as its alerts count. `names`: its alert → what the answer calls it; `own` leads back."""

    rulebook: Rulebook
    conditions: Conditions
    names: Mapping[str, str]

    def called(self, alert: str) -> str:
        """What the answer calls one of its alerts."""
        return self.names.get(alert, alert)

    @property
    def own(self) -> Mapping[str, str]:
        """The name in the answer → its own name, for all of its alerts."""
        book = self.rulebook
        return {self.called(one): one for one in (*book.triggers, *book.tier_alerts(), *book.recovery_alerts())}


@dataclass(frozen=True, slots=True)
class OneDay:
    """One day of one side: what it decided and what it saw. `before`: all of the state when it began; only of the
    last day."""

    decided: Decided
    seen: StandingDay
    before: State | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left of a side when all days are through."""

    tally: Tally
    listener: Listener | None


class Course:
    """One side, day by day from nothing."""

    def __init__(self, half: Half, directory: Directory, book: Book, first: date, listener: Listener | None) -> None:
        """`first` is the first day that counts; those before it are only decided."""
        self.half, self._book, self._first, self._listener = half, book, first, listener
        self._own = half.own
        self._ledger = Ledger(half.rulebook, half.conditions, directory, State(), Circumstances(approve=True),
                              silences=False)
        self._tally = Tally(half.rulebook, directory, half.names)
        self._changes: Changes | None = None
        self.last: OneDay | None = None

    def begin(self, changes: Changes) -> None:
        """The evaluations of the days to come."""
        self._changes = changes

    def decide(self, day: date, existing: Existing | None, *, ending: bool) -> frozenset[Opening]:
        """The next day, and what opened on it of those that are told of. `existing`: what becomes of accounts that
        match already; None: what the rules say. `ending`: this is the last day."""
        assert self._changes is not None      # a stretch has begun
        half = self.half
        seen = self._changes.on(day).under(half.conditions)
        before = self._ledger.state() if ending else None
        rulebook = None if existing is None else half.rulebook.with_existing(existing)
        decided = self._ledger.decide(seen, rulebook)
        self.last = OneDay(decided, seen, before)
        if self._listener:
            self._listener.add(decided.decisions)
        if day >= self._first:
            self._tally.add(narrowed(decided, seen, half.rulebook, half.conditions, self._book))
        return frozenset(Opening(made.alert.account, half.called(made.alert.trigger))
                         for made in decided.decisions.transitions
                         if made.kind is TransitionKind.OPENED and self._book.tells_of(made.alert.account))

    def tell(self, openings: Collection[Opening]) -> Mapping[Opening, Told]:
        """What it has of openings of either side on the day that it has just decided."""
        assert self.last is not None      # a day was decided
        rows = self.last.seen.of({one.account for one in openings})
        return {one: self._told(one, rows.get(one.account)) for one in openings}

    def ended(self) -> Ended:
        """What is left when all days are through."""
        return Ended(self._tally, self._listener)

    def _told(self, opening: Opening, row: AccountDay | None) -> Told:
        name = self._own.get(opening.alert)
        tier = (row.tier if row else None) or ""
        if name is None:
            return Told(tier, None, None)
        return Told(tier, self._truth(name, row), self._ledger.alert_before(opening.account, name))

    def _truth(self, name: str, row: AccountDay | None) -> Truth | None:
        if row is None:
            return Truth.UNKNOWN
        if name in self.half.rulebook.triggers:
            return row.truth(self.half.conditions.when(name))
        return Truth.UNKNOWN if row.tier is None else None
