"""The first day of the candidate in the place of the base, with everything that the base has left open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from forestall.engine.detect.history import History
from forestall.engine.intervene.accounts import steps_under_way
from forestall.engine.intervene.day import Decided, decide_day
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.model.alert import CLOSING, TransitionKind
from forestall.engine.model.delivery import MessageKind, RunStatus
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import Decisions, identity
from forestall.engine.rulebook.begun import going_on
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import DayOfEvaluations
from forestall.engine.simulate.comparison import OnMerge, Pair
from forestall.engine.simulate.course import OneDay
from forestall.engine.simulate.sides import Book
from forestall.engine.simulate.tally import narrowed


@dataclass(frozen=True, slots=True)
class FirstDay:
    """What the candidate decides on its first day, and what it saw."""

    decided: Decided
    seen: DayOfEvaluations
    evaluator: Evaluator


def first_day(base: OneDay, candidate: Rulebook, engine: Engine, directory: Directory, history: History) -> FirstDay:
    """The day of the base decided by the candidate: as a pass does it, with guards on that nobody answers."""
    state, day = base.before, base.decided.decisions.day
    assert state is not None      # it is the last day
    evaluator = Evaluator(going_on(candidate, steps_under_way(state), state.begun), engine)
    seen = evaluator.evaluate(history, day, day).on(day)
    decided = decide_day(evaluator.rulebook, evaluator.conditions, directory, state, seen, Circumstances())
    return FirstDay(decided, seen, evaluator)


def on_merge(base: Decided, first: FirstDay, book: Book, names: Mapping[str, str]) -> OnMerge:
    """The same as a noun. What the base opens, closes or stops on that day anyway does not count."""
    decided = narrowed(first.decided, first.seen, first.evaluator.rulebook, first.evaluator.conditions, book)
    opened = _named(decided.decisions, frozenset({TransitionKind.OPENED}), {}) - \
        _named(base.decisions, frozenset({TransitionKind.OPENED}), names)
    closed = _named(decided.decisions, CLOSING, {}) - _named(base.decisions, CLOSING, names)
    sent = (Counter(one.kind for one in base.decisions.deliveries),
            Counter(one.kind for one in decided.decisions.deliveries))
    return OnMerge(
        day=decided.decisions.day, matches=dict(sorted(Counter(alert for _, alert in opened).items())),
        accounts=len({account for account, _ in opened}),
        deliveries={kind: Pair(sent[0][kind], sent[1][kind]) for kind in MessageKind},
        held=dict(decided.held), closes=len(closed),
        cancels=len(_stopped(decided.decisions) - _stopped(base.decisions)))


def _named(decisions: Decisions, kinds: frozenset[TransitionKind], names: Mapping[str, str]) -> set[tuple[str, str]]:
    return {(one.alert.account, names.get(one.alert.trigger, one.alert.trigger))
            for one in decisions.transitions if one.kind in kinds}


def _stopped(decisions: Decisions) -> set[tuple[str, ...]]:
    return {tuple(map(str, identity(run))) for run in decisions.runs if run.status is RunStatus.STOPPED}
