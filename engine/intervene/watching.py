"""What becomes of a play that is under way, before anything new is looked at: met, over, without a reason, or on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from forestall.engine.alert.lifecycle import SeverityRank
from forestall.engine.intervene.accounts import OneAccount, has_reason, same_opening, unless_known
from forestall.engine.intervene.due import done, is_under_way
from forestall.engine.model.delivery import OutcomeStatus, PlayRun, RunStatus
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.expression import Truth
from forestall.engine.model.play import Play
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.conditions import Conditions


def as_serious(run: PlayRun, account: OneAccount, rank: SeverityRank) -> PlayRun:
    """A run is as serious as the alert that it answers, which may have become worse."""
    worst = run.severity
    for alert in account.alerts:
        if alert.severity != worst and same_opening(alert, run) and rank(alert.severity) > rank(worst):
            worst = alert.severity
    return run if worst == run.severity else replace(run, severity=worst)


def stopped(run: PlayRun, reason: str) -> PlayRun:
    """A run that ends before its time, or waits no longer; itself where it has ended."""
    if run.status not in (RunStatus.RUNNING, RunStatus.HELD):
        return run
    return replace(run, status=RunStatus.STOPPED, next_on=None, since=None, reason=reason)


@dataclass(frozen=True, slots=True)
class Watch:
    """One day's look at runs. `gone` are the accounts that no source names any more."""

    rulebook: Rulebook
    conditions: Conditions
    gone: frozenset[str]
    day: date
    rank: SeverityRank

    def look(self, run: PlayRun, account: OneAccount) -> tuple[PlayRun, bool]:
        """The run after today's look, itself where nothing changes; and whether it was stopped: what is not sent of it
        never will be."""
        held, under_way = run.status is RunStatus.HELD, is_under_way(run, account.alerts)
        if not (held or under_way or run.outcome is OutcomeStatus.WATCHING):
            return run, False
        run = as_serious(run, account, self.rank)
        play = self.rulebook.as_begun(run.play, run.digest)
        if play is not None and account.row is not None and under_way:
            run = done(self.conditions, play, run, account.row, self.day)
        run, reason = self._of(run, play, account)
        after = stopped(run, reason) if reason else run
        return after, after is not run

    def _of(self, run: PlayRun, play: Play | None, account: OneAccount) -> tuple[PlayRun, str]:
        """The run after today's look, and why it has to stop ("": it need not)."""
        if play is None:
            return replace(run, outcome=unless_known(run.outcome)), "the play was taken out"
        if account.row is None:
            if run.account not in self.gone:
                return run, ""
            return replace(run, outcome=unless_known(run.outcome)), "the account is gone"
        run = self._goal(run, play, account.row)
        if run.status is not RunStatus.RUNNING:
            return run, ""      # what is held is looked at by itself
        if run.outcome is OutcomeStatus.MET:
            return run, "its goal is met"
        if run.until is not None and self.day > run.until:
            return run, "its time is over"
        stuck = self.rulebook.stuck(run.play, run.digest)
        if stuck:
            return run, f"the play's steps were changed, and nobody can go on with the old ones: {stuck.rstrip('.')}"
        if run.step >= len(play.steps) and run.next_on is not None and run.next_on <= self.day:
            status = RunStatus.STOPPED if run.reason else RunStatus.FINISHED
            return replace(run, status=status, next_on=None, reason=run.reason or "done"), ""
        if play.recurring:
            left = account.row.tier not in (None, play.tier)      # an unscored account has left no tier
            return run, f"no longer in {play.tier}" if left else ""
        lost = not play.finish_anyway and not any(has_reason(run, play, alert) for alert in account.alerts)
        return run, "its alert closed" if lost else ""

    def _goal(self, run: PlayRun, play: Play, row: AccountDay) -> PlayRun:
        index = self.conditions.goal(play.name)
        if run.outcome is not OutcomeStatus.WATCHING:
            return run
        truth = Truth.UNKNOWN if index is None else row.truth(index)
        if run.until is not None and self.day > run.until:
            unknown = truth is Truth.UNKNOWN      # nobody can say that it was missed
            return replace(run, outcome=OutcomeStatus.UNKNOWN if unknown else OutcomeStatus.NOT_MET)
        if truth is Truth.TRUE:
            return replace(run, outcome=OutcomeStatus.MET, met_on=self.day)
        return run
