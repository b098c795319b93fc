"""The past, decided day by day with the functions of production and a virtual clock. No channel is within reach."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.intervene.day import Decided, decide_day
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.model.people import Directory
from forestall.engine.model.state import State
from forestall.engine.processes import undisturbed
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import Evaluations
from forestall.engine.simulate.ledger import Ledger

DAYS_AT_ONCE = 186                     # evaluated together, at least; a longer period is taken in pieces
ACCOUNT_DAYS_AT_ONCE = 60_000_000      # where they are no more than these: each piece looks back again


def days_at_once(accounts: int) -> int:
    """How many days of so many accounts are evaluated together, so that memory stays within bounds."""
    return max(DAYS_AT_ONCE, ACCOUNT_DAYS_AT_ONCE // max(accounts, 1))


def replay(evaluator: Evaluator, directory: Directory, history: History, first: date, last: date, *,
           state: State | None = None, approve: bool = True, silences: bool = True,
           progress: Progress = quiet) -> Iterator[Decided]:
    """What each day from `first` through `last` decides, beginning from `state` (None: from nothing).

    The days of the history hold only what was known by the end of each, so nothing looks ahead. `approve`: what the
    blast guard holds starts at once, and is only counted. `silences` False: those that say the same as on the day
    before are left out.
    """
    whole = (last - first).days + 1
    ledger = Ledger(evaluator.rulebook, evaluator.conditions, directory, state or State(),
                    Circumstances(approve=approve), silences=silences)
    for start in range(0, whole, DAYS_AT_ONCE):
        begin = first + timedelta(days=start)
        end = min(last, begin + timedelta(days=DAYS_AT_ONCE - 1))
        evaluations = evaluator.changes(history, begin, end, progress)
        for number in range((end - begin).days + 1):
            with undisturbed():
                decided = ledger.decide(evaluations.on(begin + timedelta(days=number)))
            progress("replay", start + number + 1, whole)
            yield decided


def fold(evaluator: Evaluator, directory: Directory, evaluations: Evaluations, first: date, last: date, state: State,
         *, holdouts: bool = True) -> Iterator[tuple[Decided, State]]:
    """The same over evaluations that are at hand, with the whole state after each day: for a few accounts."""
    day = first
    while day <= last:
        decided = decide_day(evaluator.rulebook, evaluator.conditions, directory, state, evaluations.on(day),
                             Circumstances(holdouts=holdouts, approve=True))
        state = state.after(decided.decisions)
        yield decided, state
        day += timedelta(days=1)
