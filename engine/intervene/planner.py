"""Open alerts and plays to deliveries, or a reason for silence: a pure function of its arguments.

One risk play runs per account. The worst severity wins, then the order of the file; a worse one replaces a milder one,
milder ones wait and are looked at again every day. Recurring plays pause meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from forestall.engine.alert.lifecycle import Alerts, severity_rank
from forestall.engine.intervene import courtesy
from forestall.engine.intervene.steps import Sent, advance
from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import (
    Delivery,
    OutcomeStatus,
    PlayRun,
    RunStatus,
    Silence,
    SilenceReason,
)
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.expression import Truth
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Play, Rulebook
from forestall.engine.model.state import State, identity
from forestall.engine.score.conditions import Conditions

Identity = tuple[str, str, str, date]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a day brings: runs that are new or changed, deliveries, silences, and runs whose unsent rows are cancelled.

    `held` counts, per play, the starts that the blast guard held.
    """

    runs: tuple[PlayRun, ...]
    deliveries: tuple[Delivery, ...]
    silences: tuple[Silence, ...]
    cancelled: tuple[tuple[str, str, date], ...]
    held: Mapping[str, int]


@dataclass(slots=True)
class _Account:
    """What is known about one account while its day is planned."""

    row: AccountDay | None
    alerts: list[Alert] = field(default_factory=list)
    runs: list[PlayRun] = field(default_factory=list)


def plan(rulebook: Rulebook, conditions: Conditions, directory: Directory, state: State, alerts: Alerts,
         rows: Iterable[AccountDay], gone: frozenset[str], day: date, *, holdouts: bool = True) -> Plan:
    """Everything that plays do on `day`.

    `rows` holds every account with an alert, a run or a recurring play that is due; an account without a row is left
    alone unless it is `gone`. `holdouts=False` leaves nobody out: stories about one account use it.
    """
    planner = _Planner(rulebook, conditions, directory, state, alerts, rows, gone, day, holdouts)
    planner.watch()
    planner.start()
    planner.guard()
    planner.recur()
    planner.guard()
    planner.advance()
    return planner.plan()


class _Planner:
    def __init__(self, rulebook: Rulebook, conditions: Conditions, directory: Directory, state: State, alerts: Alerts,
                 rows: Iterable[AccountDay], gone: frozenset[str], day: date, holdouts: bool) -> None:
        self._rulebook, self._conditions, self._directory = rulebook, conditions, directory
        self._state, self._gone, self._day, self._holdouts = state, gone, day, holdouts
        self._rank = severity_rank(rulebook)
        self._order = {name: index for index, name in enumerate(rulebook.plays)}
        self._accounts = _by_account(state, alerts, rows)
        self._runs: dict[Identity, PlayRun] = {identity(run): run for run in state.runs}
        self._before = dict(self._runs)
        self._started: list[PlayRun] = []
        self._deliveries: list[Delivery] = []
        self._silences: list[Silence] = []
        self._cancelled: list[tuple[str, str, date]] = []
        self._held: dict[str, int] = {}
        self._replaced: dict[Identity, PlayRun] = {}      # what a start replaced, should the guard hold that start

    def plan(self) -> Plan:
        changed = tuple(run for key, run in self._runs.items() if self._before.get(key) != run)
        return Plan(changed, tuple(self._deliveries), tuple(self._silences), tuple(self._cancelled), self._held)

    # -- what is under way -------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Goals that are met, times that are over, plays that lost their reason."""
        for key, run in list(self._runs.items()):
            if run.status is RunStatus.RUNNING or run.outcome is OutcomeStatus.WATCHING:
                account = self._accounts[run.account]
                self._runs[key] = self._watched(run, account)
                account.runs = [self._runs[key] if identity(one) == key else one for one in account.runs]

    def _watched(self, run: PlayRun, account: _Account) -> PlayRun:
        play = self._rulebook.plays.get(run.play)
        if play is None:
            return self._stopped(replace(run, outcome=_unless_known(run.outcome)), "the play was taken out")
        if account.row is None:
            gone = replace(run, outcome=_unless_known(run.outcome))
            return self._stopped(gone, "the account is gone") if run.account in self._gone else run
        run = self._goal(run, play, account.row)
        if run.status is not RunStatus.RUNNING:
            return run
        if run.outcome is OutcomeStatus.MET:
            return self._stopped(run, "its goal is met")
        if run.until is not None and self._day > run.until:
            return self._stopped(run, "its time is over")
        if run.step >= len(play.steps) and run.next_on is not None and run.next_on <= self._day:
            status = RunStatus.STOPPED if run.reason else RunStatus.FINISHED
            return replace(run, status=status, next_on=None, reason=run.reason or "done")
        if play.digest != run.digest:
            return self._stopped(run, "the play's steps were changed")
        if play.recurring:
            left = account.row.tier not in (None, play.tier)      # an unscored account has left no tier
            return self._stopped(run, f"no longer in {play.tier}") if left else run
        if not play.finish_anyway and not any(_has_reason(run, play, alert) for alert in account.alerts):
            return self._stopped(run, "its alert closed")
        return run

    def _goal(self, run: PlayRun, play: Play, row: AccountDay) -> PlayRun:
        index = self._conditions.goal(play.name)
        if run.outcome is not OutcomeStatus.WATCHING:
            return run
        if run.until is not None and self._day > run.until:
            return replace(run, outcome=OutcomeStatus.NOT_MET)
        if index is not None and row.truth(index) is Truth.TRUE:
            return replace(run, outcome=OutcomeStatus.MET, met_on=self._day)
        return run

    def _stopped(self, run: PlayRun, reason: str) -> PlayRun:
        if run.status is not RunStatus.RUNNING:
            return run
        self._cancelled.append((run.account, run.play, run.occurrence))
        return replace(run, status=RunStatus.STOPPED, next_on=None, since=None, reason=reason)

    # -- starts ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """For each account the play of its worst alert, unless one at least as bad is running."""
        for name in sorted(self._accounts):
            account = self._accounts[name]
            if account.row is not None:
                self._start_in(account, account.row)

    def _start_in(self, account: _Account, row: AccountDay) -> None:
        running = next((run for run in account.runs if self._is_risk(run)), None)
        for alert, play in self._candidates(account, row):
            if any(_answers(run, play, alert) for run in account.runs):
                continue
            if self._holdouts and courtesy.held_out(play, row.account, alert.trigger, alert.severity,
                                                    self._rulebook.scorecard):
                self._begin(account, row, play, alert.trigger, alert.opened_on, alert.severity, RunStatus.HELD_OUT)
                self._silence(row.account, play.name, alert, SilenceReason.HOLDOUT, "in the control group")
            elif play.alongside or running is None:
                begun = self._begin(account, row, play, alert.trigger, alert.opened_on, alert.severity,
                                    RunStatus.RUNNING)
                running = running if play.alongside else begun
            elif play.name != running.play and self._rank(alert.severity) > self._rank(running.severity):
                self._replace(account, running, play.name)
                begun = self._begin(account, row, play, alert.trigger, alert.opened_on, alert.severity,
                                    RunStatus.RUNNING)
                self._replaced[identity(begun)] = running
                running = begun
            else:
                self._silence(row.account, play.name, alert, SilenceReason.ANOTHER_PLAY,
                              _running(running))

    def _candidates(self, account: _Account, row: AccountDay) -> list[tuple[Alert, Play]]:
        found: list[tuple[Alert, Play]] = []
        for alert in account.alerts:
            if alert.silent:
                continue
            plays = self._rulebook.plays_for(alert.trigger)
            play = next((one for one in plays if self._applies(one, row)), None)
            if play is not None:
                found.append((alert, play))
            elif plays and alert.opened_on == self._day:
                self._silence(row.account, plays[0].name, alert, SilenceReason.NO_PLAY, "no play is for this account")
        return sorted(found, key=lambda pair: (-self._rank(pair[0].severity), self._order[pair[1].name],
                                               pair[0].trigger))

    def _applies(self, play: Play, row: AccountDay) -> bool:
        index = self._conditions.applies_to(play.name)
        return index is None or row.truth(index) is Truth.TRUE

    def _is_risk(self, run: PlayRun) -> bool:
        play = self._rulebook.plays.get(run.play)
        return run.status is RunStatus.RUNNING and play is not None and not play.recurring and not play.alongside

    def _begin(self, account: _Account, row: AccountDay, play: Play, group: str, occurrence: date, severity: str,
               status: RunStatus) -> PlayRun:
        goal = self._conditions.goal(play.name)
        outcome = OutcomeStatus.NONE
        if play.goal is not None and goal is not None:
            met = row.truth(goal) is Truth.TRUE
            outcome = OutcomeStatus.ALREADY_MET if met else OutcomeStatus.WATCHING
        run = PlayRun(
            account=row.account, play=play.name, group=group, occurrence=occurrence, severity=severity, status=status,
            digest=play.digest, next_on=self._day if status is RunStatus.RUNNING else None, outcome=outcome,
            until=self._day + timedelta(days=play.goal.within) if play.goal else None)
        self._runs[identity(run)] = run
        account.runs.append(run)
        if status is RunStatus.RUNNING:
            self._started.append(run)
        return run

    def _replace(self, account: _Account, run: PlayRun, by: str) -> None:
        stopped = self._stopped(run, f"{by} is worse and took its place")
        self._runs[identity(run)] = stopped
        account.runs = [stopped if one is run else one for one in account.runs]

    def guard(self) -> None:
        """Too many starts of one play in one pass: none of them happens, and the reason is kept."""
        starts = courtesy.counted(run.play for run in self._started)
        many = {play: count for play, count in starts.items()
                if courtesy.over_the_guard(self._rulebook.limits, count)}
        if not many:
            return
        held = [run for run in self._started if run.play in many]
        self._started = [run for run in self._started if run.play not in many]
        self._held.update(many)
        self._say_held(held)
        for run in held:
            del self._runs[identity(run)]
            account = self._accounts[run.account]
            account.runs = [one for one in account.runs if one is not run]
            self._put_back(account, self._replaced.get(identity(run)))
            self._silences.append(Silence(
                run.account, run.play, run.group, run.occurrence, self._day, SilenceReason.GUARD,
                detail=f"{many[run.play]} starts in one pass; limits.per_play is {self._rulebook.limits.per_play}"))

    def _say_held(self, held: list[PlayRun]) -> None:
        """What waits behind a start that was held waits for the guard, not for a play that runs."""
        waits = {(run.account, _running(run)): f"{run.play} is held by the guard" for run in held}
        self._silences = [
            replace(one, detail=waits.get((one.account, one.detail), one.detail))
            if one.reason is SilenceReason.ANOTHER_PLAY else one for one in self._silences]

    def _put_back(self, account: _Account, run: PlayRun | None) -> None:
        """A play whose replacement was held goes on."""
        if run is not None and identity(run) in self._before:
            self._runs[identity(run)] = run
            account.runs = [run if identity(one) == identity(run) else one for one in account.runs]
            self._cancelled.remove((run.account, run.play, run.occurrence))

    def recur(self) -> None:
        """Recurring plays that are due today, where nothing more serious is going on."""
        for play in self._rulebook.plays.values():
            if play.every is None:
                continue
            for name in sorted(self._accounts):
                account = self._accounts[name]
                if account.row is not None and account.row.tier == play.tier and self._applies(play, account.row):
                    due = courtesy.last_due(play.every, play.name, name, self._state.previous_pass, self._day)
                    if due is not None:
                        self._recur_in(account, account.row, play, due)

    def _recur_in(self, account: _Account, row: AccountDay, play: Play, due: date) -> None:
        key = (row.account, play.name, play.name, due)
        if key in self._runs:
            return
        risk = next((run for run in account.runs if self._is_risk(run)), None)
        if risk is not None:
            self._silences.append(Silence(row.account, play.name, play.name, due, self._day,
                                          SilenceReason.ANOTHER_PLAY, detail=_running(risk)))
            return
        group = play.name
        if self._holdouts and courtesy.held_out(play, row.account, group, play.tier, self._rulebook.scorecard):
            self._begin(account, row, play, group, due, play.tier, RunStatus.HELD_OUT)
            self._silences.append(Silence(row.account, play.name, group, due, self._day, SilenceReason.HOLDOUT,
                                          detail="in the control group"))
        else:
            self._begin(account, row, play, group, due, play.tier, RunStatus.RUNNING)

    def _silence(self, account: str, play: str, alert: Alert, reason: SilenceReason, detail: str) -> None:
        self._silences.append(Silence(account, play, alert.trigger, alert.opened_on, self._day, reason, detail=detail))

    # -- steps -------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """The steps that are due, worst accounts first: what a person can bear goes to those who need it most."""
        sent = Sent({account: list(days) for account, days in self._state.last_sent.items()})
        due = [run for run in self._runs.values()
               if run.status is RunStatus.RUNNING and run.next_on is not None and run.next_on <= self._day]
        for run in sorted(due, key=self._urgency):
            row = self._accounts[run.account].row
            play = self._rulebook.plays[run.play]
            if row is None:
                continue
            risk = next((one for one in self._accounts[run.account].runs if self._is_risk(one)), None)
            if play.recurring and risk is not None:
                self._runs[identity(run)] = replace(run, next_on=self._day + timedelta(days=1))
                continue
            moved = advance(self._rulebook, self._conditions, self._directory, play, run, row, self._day, sent)
            self._runs[identity(run)] = moved.run
            self._deliveries.extend(moved.deliveries)
            self._silences.extend(moved.silences)

    def _urgency(self, run: PlayRun) -> tuple[int, float, date, str, int]:
        row = self._accounts[run.account].row
        revenue = row.revenue if row is not None and row.revenue is not None else 0.0
        renewal = row.renewal if row is not None and row.renewal is not None else date.max
        return -self._rank(run.severity), -revenue, renewal, run.account, self._order[run.play]


def _by_account(state: State, alerts: Alerts, rows: Iterable[AccountDay]) -> dict[str, _Account]:
    accounts = {row.account: _Account(row) for row in rows}
    current = dict(state.alerts)
    current.update({(one.alert.account, one.alert.trigger): one.alert for one in alerts.transitions})
    current.update({(one.account, one.trigger): one for one in alerts.alerts})
    for alert in current.values():
        if alert.status is AlertStatus.OPEN:
            accounts.setdefault(alert.account, _Account(None)).alerts.append(alert)
    for run in state.runs:
        accounts.setdefault(run.account, _Account(None)).runs.append(run)
    return accounts


def _same_opening(alert: Alert, run: PlayRun) -> bool:
    return alert.trigger == run.group and alert.opened_on == run.occurrence


def _running(run: PlayRun) -> str:
    return f"{run.play} is running"


def _answers(run: PlayRun, play: Play, alert: Alert) -> bool:
    """Whether an alert whose play this is has had it: its own run, or one that began when it was open already.

    Two alerts of one play that open together give one run: nobody gets the same message twice.
    """
    return _same_opening(alert, run) or (run.play == play.name and run.occurrence >= alert.opened_on)


def _has_reason(run: PlayRun, play: Play, alert: Alert) -> bool:
    """Whether a run may go on because this alert is open: the one that started it, or another of its play."""
    return _same_opening(alert, run) or (alert.trigger in play.alert_names() and not alert.silent)


def _unless_known(outcome: OutcomeStatus) -> OutcomeStatus:
    return OutcomeStatus.UNKNOWN if outcome is OutcomeStatus.WATCHING else outcome
