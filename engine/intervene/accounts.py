"""One account while its day is planned: its open alerts and its runs, and how these belong together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from forestall.engine.alert.lifecycle import Alerts
from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import OutcomeStatus, PlayRun, RunStatus
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.play import Play, PlaySteps
from forestall.engine.model.state import State


@dataclass(slots=True)
class OneAccount:
    """What is known about one account while its day is planned."""

    row: AccountDay | None
    alerts: list[Alert] = field(default_factory=list)
    runs: list[PlayRun] = field(default_factory=list)


def by_account(state: State, alerts: Alerts, rows: Iterable[AccountDay]) -> dict[str, OneAccount]:
    """Every account with a row, an open alert or a run, as the alerts stand after today."""
    accounts = {row.account: OneAccount(row) for row in rows}
    for alert in after_today(state, alerts):
        if alert.status is AlertStatus.OPEN:
            accounts.setdefault(alert.account, OneAccount(None)).alerts.append(alert)
    for run in state.runs:
        accounts.setdefault(run.account, OneAccount(None)).runs.append(run)
    return accounts


def after_today(state: State, alerts: Alerts) -> Iterable[Alert]:
    """Every alert that is remembered, as it stands after today."""
    current = dict(state.alerts)
    current.update({(one.alert.account, one.alert.trigger): one.alert for one in alerts.transitions})
    current.update({(one.account, one.trigger): one for one in alerts.alerts})
    return current.values()


def same_opening(alert: Alert, run: PlayRun) -> bool:
    """Whether this opening of the alert started the run."""
    return alert.trigger == run.group and alert.opened_on == run.occurrence


def steps_under_way(state: State) -> frozenset[PlaySteps]:
    """The wordings of steps that somebody still goes through, or of which something is still asked."""
    opened = {(one.account, one.trigger, one.opened_on) for one in state.alerts.values()
              if one.status is AlertStatus.OPEN}
    return frozenset((run.play, run.digest) for run in state.runs if run.status is RunStatus.RUNNING or (
        run.status is RunStatus.FINISHED and (run.account, run.group, run.occurrence) in opened))


def in_the_way(run: PlayRun) -> str:
    """Why another play waits for this one."""
    return f"{run.play} is held by the guard" if run.status is RunStatus.HELD else f"{run.play} is running"


def answers(run: PlayRun, play: Play, alert: Alert) -> bool:
    """Whether an alert whose play this is has had it: its own run, or one that began when it was open already.

    Two alerts of one play that open together give one run: nobody gets the same message twice.
    """
    if run.status is RunStatus.SILENCED:
        return False
    return same_opening(alert, run) or (run.play == play.name and run.occurrence >= alert.opened_on)


def has_reason(run: PlayRun, play: Play, alert: Alert) -> bool:
    """Whether a run may go on because this alert is open: the one that started it, or another of its play."""
    return same_opening(alert, run) or (alert.trigger in play.alert_names() and not alert.silent)


def unless_known(outcome: OutcomeStatus) -> OutcomeStatus:
    """What is left of an outcome when the watching ends too early."""
    return OutcomeStatus.UNKNOWN if outcome is OutcomeStatus.WATCHING else outcome
