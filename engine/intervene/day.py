"""One day decided: evaluations → lifecycle → planner. `run`, `simulate` and the stories all come through here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from forestall.engine.alert.lifecycle import decide_alerts, needs_a_look
from forestall.engine.alert.renaming import renamed
from forestall.engine.intervene import courtesy
from forestall.engine.intervene.accounts import after_today
from forestall.engine.intervene.holding import USUAL, Circumstances
from forestall.engine.intervene.planner import plan
from forestall.engine.intervene.resting import resting
from forestall.engine.model.delivery import OutcomeStatus, PlayRun, RunStatus, StartedBy
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.outcome import Answer, AnswerKind
from forestall.engine.model.people import Directory
from forestall.engine.model.play import Every, Play, PlaySteps, recovery_alert, tier_alert
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import Decisions, State, with_new_names
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.evaluations import DayOfEvaluations
from forestall.engine.score.telling import Remembered

OUTAGE_SHARE = 0.5      # more of the book of business than this cannot leave on one day: the source is gone instead
OUTAGE_LEAST = 20


@dataclass(frozen=True, slots=True)
class Decided:
    """What one day came to. `tiers` counts the book of business by tier ("" is unscored).

    `unknown` counts, per trigger, the accounts whose condition could not be judged. `held` are the starts that the
    blast guard held, `outage` the accounts that would have been gone if the source were believed.
    """

    decisions: Decisions
    tiers: Mapping[str, int]
    true: Mapping[str, int]
    unknown: Mapping[str, int]
    held: Mapping[str, int]
    outage: int


def decide_day(rulebook: Rulebook, conditions: Conditions, directory: Directory, state: State,
               evaluations: DayOfEvaluations, known: Circumstances = USUAL) -> Decided:
    """Everything that is decided on one day, from the state before it. Pure: nothing is read, written or sent."""
    day = evaluations.day
    gone, outage = believed(missing(state, evaluations), len(state.tiers))
    rows = _interesting(rulebook, state, evaluations)
    decisions, held = decide(rulebook, conditions, directory, state, rows, gone, day, known,
                             lost(state.churned, evaluations))
    true, unknown = truths(rulebook, conditions, evaluations.counts())
    return Decided(decisions, _book(rulebook, evaluations), true, unknown, held, outage)


def decide(rulebook: Rulebook, conditions: Conditions, directory: Directory, state: State, rows: list[AccountDay],
           gone: Collection[str], day: date, known: Circumstances = USUAL,
           answers: tuple[Answer, ...] = ()) -> tuple[Decisions, Mapping[str, int]]:
    """The decisions about the accounts that are looked at, and how many starts of each play the blast guard held.

    Of the state it reads what concerns these accounts and what concerns nobody in particular. So a part of the state
    that has no other accounts gives the same.
    """
    names = renamed(rulebook, state)
    state = with_new_names(state, names)
    alerts = decide_alerts(rulebook, conditions, state, rows, gone, day)
    planned = plan(rulebook, conditions, directory, state, alerts, rows, frozenset(gone), day, known)
    rested = resting(rulebook, conditions, rows, after_today(state, alerts), day)
    triggers = frozenset((*rulebook.triggers, *rulebook.tier_alerts(), *rulebook.recovery_alerts()))
    return Decisions(
        day=day, digest=rulebook.digest, scoring_digest=rulebook.scoring_digest, transitions=alerts.transitions,
        alerts=alerts.alerts, tiers=alerts.tiers, runs=planned.runs, deliveries=planned.deliveries,
        silences=(*planned.silences, *rested), cancelled=planned.cancelled, triggers=triggers,
        heard=state.heard, answers=answers, renamed=names, answered=frozenset(state.approvals), starts=planned.starts,
        digests=planned.digests, begun=_begun(rulebook, state, planned.runs)), planned.held


def _begun(rulebook: Rulebook, state: State, runs: Iterable[PlayRun]) -> Mapping[PlaySteps, str]:
    """The steps on which plays begin today, where they are not written down already."""
    found = {(run.play, run.digest) for run in runs if run.status is RunStatus.RUNNING} - state.begun.keys()
    return {(play, digest): rulebook.plays[play].written for play, digest in sorted(found)
            if rulebook.plays[play].digest == digest}


def lost(known: Mapping[str, date], evaluations: DayOfEvaluations) -> tuple[Answer, ...]:
    """The accounts that have left, by what a source says: each is recorded once, or again with another date."""
    return tuple(
        Answer(account, AnswerKind.LOST, "data", datetime.combine(on, time(), UTC), on, source=StartedBy.DATA)
        for account, on in evaluations.churned().items() if known.get(account) != on)


def missing(state: State, evaluations: DayOfEvaluations) -> list[str]:
    """The accounts of the state that no source names any more."""
    return evaluations.missing(_remembered(state))


def believed(absent: list[str], book: int) -> tuple[list[str], int]:
    """Who of these is gone, and whose absence is not believed: too many of the book of business at once."""
    if len(absent) > max(OUTAGE_LEAST, OUTAGE_SHARE * book):
        return [], len(absent)
    return absent, 0


def _remembered(state: State) -> set[str]:
    return {*state.tiers, *_busy(state)}


def _busy(state: State) -> set[str]:
    """The accounts of which something can change although nothing about them is alarming today."""
    found = {alert.account for alert in state.alerts.values() if needs_a_look(alert)}
    found.update(run.account for run in state.runs if under_way(run))
    return found


def _recurring(rulebook: Rulebook) -> list[tuple[Play, Every]]:
    return [(play, play.every) for play in rulebook.plays.values() if play.every is not None]


def _new_tiers(rulebook: Rulebook, state: State) -> set[str]:
    """The tiers for which there was no play before."""
    new = {*rulebook.tier_alerts(), *rulebook.recovery_alerts()} - state.known_triggers
    return {tier.name for tier in rulebook.scorecard.tiers
            if new & {tier_alert(tier.name), recovery_alert(tier.name)}}


def to_tell(rulebook: Rulebook, state: State, day: date) -> Remembered:
    """What a warehouse must know of the state to tell which accounts `_interesting` may choose."""
    recurring, new_tiers = _recurring(rulebook), _new_tiers(rulebook, state)
    look = _busy(state)
    look.update(account for account, tier in state.tiers.items() if tier in new_tiers or any(
        play.tier == tier and courtesy.last_due(every, play.name, account, state.previous_pass, day) is not None
        for play, every in recurring))
    return Remembered(state.tiers, look, state.churned)


def under_way(run: PlayRun) -> bool:
    """Whether a run can change although nothing about its account is alarming today."""
    return run.status in (RunStatus.RUNNING, RunStatus.HELD) or run.outcome is OutcomeStatus.WATCHING


def _interesting(rulebook: Rulebook, state: State, evaluations: DayOfEvaluations) -> list[AccountDay]:
    """The accounts about which something may be to say, as nouns; all others stay columns."""
    busy, recurring, new_tiers = _busy(state), _recurring(rulebook), _new_tiers(rulebook, state)
    rows: list[int] = []
    for index, account in enumerate(evaluations.accounts):
        tier = evaluations.tiers[index]
        if evaluations.gone[index]:
            continue
        moved = tier is not None and (state.tiers.get(account) != tier or tier in new_tiers)
        if evaluations.alarmed[index] or moved or account in busy or any(
                play.tier == tier and courtesy.last_due(every, play.name, account, state.previous_pass,
                                                        evaluations.day) is not None
                for play, every in recurring):
            rows.append(index)
    return list(evaluations.take(rows))


def _book(rulebook: Rulebook, evaluations: DayOfEvaluations) -> Mapping[str, int]:
    return {tier.name: 0 for tier in rulebook.scorecard.tiers} | {"": 0} | evaluations.book()


def truths(rulebook: Rulebook, conditions: Conditions,
           counts: Mapping[int, tuple[int, int]]) -> tuple[dict[str, int], dict[str, int]]:
    """Trigger → for how many accounts its condition is true, and for how many it is unknown."""
    true = {trigger: counts[conditions.when(trigger)][0] for trigger in rulebook.triggers}
    unknown = {trigger: counts[conditions.when(trigger)][1] for trigger in rulebook.triggers}
    return true, unknown
