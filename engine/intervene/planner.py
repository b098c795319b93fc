"""Open alerts and plays to deliveries, or a reason for silence: a pure function of its arguments.

One risk play runs per account. The worst severity wins, then the order of the file; a worse one replaces a milder one,
milder ones wait and are looked at again every day. Recurring plays pause meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from operator import itemgetter

from forestall.engine.alert.lifecycle import Alerts, severity_rank
from forestall.engine.intervene import courtesy
from forestall.engine.intervene.accounts import (
    OneAccount,
    answers,
    by_account,
    in_the_way,
    same_opening,
)
from forestall.engine.intervene.digest import digests
from forestall.engine.intervene.due import due_on, is_late, is_under_way, reminders, snoozed_until
from forestall.engine.intervene.holding import (
    USUAL,
    Circumstances,
    Guards,
    Identity,
    Verdict,
    no_longer_wanted,
    told_behind,
)
from forestall.engine.intervene.steps import Sent, advance, beside
from forestall.engine.intervene.watching import Watch, stopped
from forestall.engine.model.alert import Alert
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
from forestall.engine.model.play import MessageStep, Play
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import Counts, State, identity
from forestall.engine.score.conditions import Conditions


@dataclass(frozen=True, slots=True)
class Plan:
    """What a day brings: runs that are new or changed, deliveries, silences, and runs whose unsent rows are cancelled.

    `held` counts, per play, the starts that a guard held; `starts`, for every play, those of the whole day that none
    held. `digests`: the key of a delivery → what it stands for.
    """

    runs: tuple[PlayRun, ...]
    deliveries: tuple[Delivery, ...]
    silences: tuple[Silence, ...]
    cancelled: tuple[Identity, ...]
    held: Mapping[str, int]
    starts: Mapping[str, int]
    digests: Mapping[str, tuple[Delivery, ...]]


def plan(rulebook: Rulebook, conditions: Conditions, directory: Directory, state: State, alerts: Alerts,
         rows: Iterable[AccountDay], gone: frozenset[str], day: date,
         known: Circumstances = USUAL) -> Plan:
    """Everything that plays do on `day`.

    `rows` holds every account with an alert, a run or a recurring play that is due; an account without a row is left
    alone unless it is `gone`.
    """
    planner = _Planner(rulebook, conditions, directory, state, alerts, rows, gone, day, known)
    planner.watch()
    planner.look_again()
    planner.start()
    planner.guard()
    planner.recur()
    planner.guard()
    planner.advance()
    return planner.plan()


class _Planner:
    def __init__(self, rulebook: Rulebook, conditions: Conditions, directory: Directory, state: State, alerts: Alerts,
                 rows: Iterable[AccountDay], gone: frozenset[str], day: date, known: Circumstances) -> None:
        self._rulebook, self._conditions, self._directory = rulebook, conditions, directory
        self._state, self._alerts, self._day, self._holdouts = state, alerts, day, known.holdouts
        self._rank = severity_rank(rulebook)
        self._watch = Watch(rulebook, conditions, gone, day, self._rank)
        self._known, self._guards = known, Guards.of(rulebook, state, day, known)
        self._order = {name: index for index, name in enumerate(rulebook.plays)}
        self._accounts = by_account(state, alerts, rows)
        self._runs: dict[Identity, PlayRun] = {identity(run): run for run in state.runs}
        self._before = dict(self._runs)
        self._started: list[PlayRun] = []
        self._deliveries: list[Delivery] = []
        self._silences: list[Silence] = []
        self._cancelled: list[Identity] = []
        self._held: dict[str, int] = {}
        self._replaced: dict[Identity, list[PlayRun]] = {}      # what a start replaced, should the guard hold it
        self._free: dict[Identity, PlayRun] = {}      # starts that were held and may go now, as they were
        self._digests: dict[str, tuple[Delivery, ...]] = {}

    def plan(self) -> Plan:
        changed = tuple(run for key, run in self._runs.items() if self._before.get(key) != run)
        return Plan(changed, tuple(self._deliveries), tuple(self._silences), tuple(self._cancelled), self._held,
                    self._guards.starts(self._rulebook.plays, self._started), self._digests)

    # -- what is under way -------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Goals that are met, times that are over, plays that lost their reason."""
        for key, run in list(self._runs.items()):
            account = self._accounts[run.account]
            watched, is_stopped = self._watch.look(run, account)
            if watched is not run:
                self._runs[key] = watched
                account.runs = [watched if one is run else one for one in account.runs]
            if is_stopped:
                self._cancelled.append(key)

    def _stopped(self, run: PlayRun, reason: str) -> PlayRun:
        after = stopped(run, reason)
        if after is not run:
            self._cancelled.append(identity(run))
        return after

    # -- what a guard held -------------------------------------------------------------------------------------------

    def look_again(self) -> None:
        """Each start that is held: it may go, waits on, or ends with the reason."""
        for key, run in list(self._runs.items()):
            account = self._accounts[run.account]
            if run.status is not RunStatus.HELD or account.row is None:
                continue
            unwanted = no_longer_wanted(self._rulebook, run, account, self._applies)
            verdict, reason = self._guards.again(run, unwanted)
            if verdict is Verdict.WAITS:
                self._quiet(run, SilenceReason.GUARD, reason)
                continue
            if verdict is Verdict.GOES:
                self._free[key] = run
                del self._runs[key]
            else:
                self._runs[key] = self._stopped(run, reason)
            account.runs = [self._runs[key] if identity(one) == key else one for one in account.runs
                            if identity(one) != key or key in self._runs]

    def _keep_free(self) -> None:
        """Starts that may go and could not, because another play runs: they go as soon as none does."""
        for key, run in self._free.items():
            if key not in self._runs:
                waits = replace(run, since=None) if self._guards.let_go(run) else run
                self._runs[key] = waits
                self._accounts[run.account].runs.append(waits)

    # -- starts ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """For each account the play of its worst alert, unless one at least as bad is running."""
        for _name, account in sorted(self._accounts.items(), key=itemgetter(0)):
            if account.row is not None and account.alerts:
                self._start_in(account, account.row)

    def _start_in(self, account: OneAccount, row: AccountDay) -> None:
        asked = [(alert, play) for alert, play in self._candidates(account, row)
                 if not any(answers(run, play, alert) for run in account.runs)]
        running = self._takes_up(account) if asked else None
        for alert, play in asked:
            if any(answers(run, play, alert) for run in account.runs):      # one of them has begun just now
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
                replaced = self._replace(account, play.name)
                begun = self._begin(account, row, play, alert.trigger, alert.opened_on, alert.severity,
                                    RunStatus.RUNNING)
                self._replaced[identity(begun)] = replaced
                running = begun
            else:
                self._silence(row.account, play.name, alert, SilenceReason.ANOTHER_PLAY,
                              in_the_way(running))
                if play.name != running.play:
                    self._watch_silenced(account, row, play, alert.trigger, alert.opened_on, alert.severity)

    def _candidates(self, account: OneAccount, row: AccountDay) -> list[tuple[Alert, Play]]:
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
        if len(found) < 2:
            return found
        return sorted(found, key=lambda pair: (-self._rank(pair[0].severity), self._order[pair[1].name],
                                               pair[0].trigger))

    def _applies(self, play: Play, row: AccountDay) -> bool:
        index = self._conditions.applies_to(play.name)
        return index is None or row.truth(index) is Truth.TRUE

    def _takes_up(self, account: OneAccount) -> PlayRun | None:
        """The play that others have to wait for: the worst that runs or is held."""
        return max((run for run in account.runs if self._is_risk(run, RunStatus.HELD)), default=None,
                   key=lambda run: (self._rank(run.severity), run.status is RunStatus.RUNNING))

    def _is_risk(self, run: PlayRun, *others: RunStatus) -> bool:
        play = self._rulebook.plays.get(run.play)
        risk = play is not None and not play.recurring and not play.alongside
        return risk and run.status in (RunStatus.RUNNING, *others)

    def _begin(self, account: OneAccount, row: AccountDay, play: Play, group: str, occurrence: date, severity: str,
               status: RunStatus) -> PlayRun:
        goal = self._conditions.goal(play.name)
        outcome = OutcomeStatus.NONE
        if play.goal is not None and goal is not None:
            met = row.truth(goal) is Truth.TRUE
            outcome = OutcomeStatus.ALREADY_MET if met else OutcomeStatus.WATCHING
        run = PlayRun(
            account=row.account, play=play.name, group=group, occurrence=occurrence, severity=severity, status=status,
            digest=play.digest, next_on=self._day if status is RunStatus.RUNNING else None, outcome=outcome,
            until=self._day + timedelta(days=play.goal.within) if play.goal else None,
            began_on=self._day if play.goal else None,
            due_on=due_on(play, occurrence, self._day) if status is RunStatus.RUNNING else None)
        self._runs[identity(run)] = run
        account.runs = [*(one for one in account.runs if identity(one) != identity(run)), run]
        if status is RunStatus.RUNNING:
            self._started.append(run)
        return run

    def _watch_silenced(self, account: OneAccount, row: AccountDay, play: Play, group: str, occurrence: date,
                        severity: str) -> None:
        """What becomes of an account without a play that another one kept away: its goal is watched as well."""
        if play.goal is not None and (row.account, play.name, group, occurrence) not in self._runs:
            self._begin(account, row, play, group, occurrence, severity, RunStatus.SILENCED)

    def _replace(self, account: OneAccount, by: str) -> list[PlayRun]:
        """Stop whatever takes up the account; as it was."""
        replaced = [run for run in account.runs if self._is_risk(run, RunStatus.HELD)]
        for run in replaced:
            stopped = self._stopped(run, f"{by} is worse and took its place")
            self._runs[identity(run)] = stopped
            account.runs = [stopped if one is run else one for one in account.runs]
        return replaced

    def guard(self) -> None:
        """The starts that a guard holds: none of them happens, and each is kept with its reason."""
        free = frozenset(key for key, run in self._free.items() if self._guards.let_go(run))
        held = self._guards.held(self._started, free)
        self._held.update(courtesy.counted(key[1] for key in held))
        if self._known.approve or not held:
            return
        starts = [run for run in self._started if identity(run) in held]
        self._started = [run for run in self._started if identity(run) not in held]
        self._silences = told_behind(self._silences, starts)
        for run in starts:
            key = identity(run)
            account = self._accounts[run.account]
            waits = replace(run, status=RunStatus.HELD, next_on=None, since=self._day, reason=held[key])
            self._runs[key] = waits
            account.runs = [waits if one is run else one for one in account.runs]
            for replaced in self._replaced.get(key, []):
                self._put_back(account, replaced)
            self._quiet(run, SilenceReason.GUARD, held[key])

    def _put_back(self, account: OneAccount, run: PlayRun) -> None:
        """A play whose replacement was held goes on."""
        if identity(run) in self._before:
            self._runs[identity(run)] = run
            account.runs = [run if identity(one) == identity(run) else one for one in account.runs]
            self._cancelled.remove(identity(run))

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
        for run in self._free.values():
            account, play = self._accounts[run.account], self._rulebook.plays[run.play]
            if play.recurring and account.row is not None:
                self._recur_in(account, account.row, play, run.occurrence)
        self._keep_free()

    def _recur_in(self, account: OneAccount, row: AccountDay, play: Play, due: date) -> None:
        key = (row.account, play.name, play.name, due)
        if key in self._runs:
            return
        if any(self._is_risk(run) for run in account.runs) and any(
                run.play == play.name and run.status is RunStatus.RUNNING and not run.step for run in account.runs):
            return      # the one before waits already
        group = play.name
        if self._holdouts and courtesy.held_out(play, row.account, group, play.tier, self._rulebook.scorecard):
            self._begin(account, row, play, group, due, play.tier, RunStatus.HELD_OUT)
            self._silences.append(Silence(row.account, play.name, group, due, self._day, SilenceReason.HOLDOUT,
                                          detail="in the control group"))
        else:
            self._begin(account, row, play, group, due, play.tier, RunStatus.RUNNING)

    def _silence(self, account: str, play: str, alert: Alert, reason: SilenceReason, detail: str) -> None:
        self._silences.append(Silence(account, play, alert.trigger, alert.opened_on, self._day, reason, detail=detail))

    def _quiet(self, run: PlayRun, reason: SilenceReason, detail: str) -> None:
        self._silences.append(Silence(*identity(run), self._day, reason, detail=detail))

    # -- steps -------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """The steps that are due, worst accounts first: what a person can bear goes to those who need it most."""
        today = self._state.today if self._state.previous_pass == self._day else Counts()
        sent = Sent({account: list(days) for account, days in self._state.last_sent.items()}, dict(today.tasks),
                    dict(today.messages), moment=self._known.moment)
        sent.unsubscribed = self._state.unsubscribed
        self._escalate(sent)
        self._remind(sent)
        running, day = RunStatus.RUNNING, self._day
        due = [run for run in self._runs.values()
               if run.status is running and run.next_on is not None and run.next_on <= day]
        for run in sorted(due, key=self._urgency):
            row = self._accounts[run.account].row
            play = self._rulebook.as_begun(run.play, run.digest)
            if row is None or play is None:
                continue
            risk = next((one for one in self._accounts[run.account].runs if self._is_risk(one)), None)
            if play.recurring and risk is not None:
                self._runs[identity(run)] = replace(run, next_on=self._day + timedelta(days=1))
                self._quiet(run, SilenceReason.ANOTHER_PLAY, in_the_way(risk))
                continue
            snoozed = snoozed_until(run, self._accounts[run.account].alerts, self._day)
            if snoozed is not None:
                self._quiet(run, SilenceReason.SNOOZED, f"somebody put the alert off until {snoozed}")
                continue
            moved = advance(self._rulebook, self._conditions, self._directory, play, run, row, self._day, sent)
            self._runs[identity(run)] = moved.run
            self._deliveries.extend(moved.deliveries)
            self._silences.extend(moved.silences)
        made, self._digests = digests(self._rulebook.limits, self._directory, sent.beyond, self._day, sent.moment)
        self._deliveries.extend(made)

    def _escalate(self, sent: Sent) -> None:
        """Once, when the due time has passed and nobody was told yet."""
        if not any(play.escalate for play in self._rulebook.plays.values()):
            return
        for key, run in sorted(self._runs.items()):
            account, play = self._accounts[run.account], self._rulebook.as_begun(run.play, run.digest)
            if play is None or account.row is None or play.escalate is None or not is_under_way(run, account.alerts):
                continue
            if is_late(play, run, account.alerts, key in self._state.on_their_way, self._day):
                self._runs[key] = replace(run, escalated_on=self._day)
                self._say(play, run, account.row, (play.escalate,), sent)

    def _remind(self, sent: Sent) -> None:
        """The owner hears again of an alert that stays open, never the customer; a play that has said nothing yet
        reminds nobody."""
        for alert in self._alerts.reminders:
            account = self._accounts[alert.account]
            run = next((one for one in account.runs if same_opening(alert, one) and is_under_way(one, [alert])
                        and one.told_on is not None), None)
            play = self._rulebook.as_begun(run.play, run.digest) if run is not None else None
            if run is not None and play is not None and account.row is not None:
                self._say(play, run, account.row, reminders(play, self._day), sent)

    def _say(self, play: Play, run: PlayRun, row: AccountDay, steps: Iterable[MessageStep], sent: Sent) -> None:
        said = beside(self._rulebook, self._conditions, self._directory, play, run, row, self._day, sent, steps)
        self._deliveries.extend(said.deliveries)
        self._silences.extend(said.silences)

    def _urgency(self, run: PlayRun) -> tuple[int, float, date, str, int]:
        row = self._accounts[run.account].row
        revenue, renewal = (row.revenue, row.renewal) if row is not None else (None, None)
        return *courtesy.urgency(self._rank(run.severity), revenue, renewal), run.account, self._order[run.play]
