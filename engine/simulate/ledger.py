"""One side of a replay, day by day: what is remembered by account, and only accounts with news are looked at.

It decides with the functions of production (`intervene/day.py`), which are given the part of the state that concerns
the accounts looked at. Of all others they would say what they said the day before: nothing, or the same silence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta

from forestall.engine.alert.lifecycle import severity_rank
from forestall.engine.intervene.accounts import OneAccount
from forestall.engine.intervene.day import Decided, believed, decide, decide_day, lost, truths, under_way
from forestall.engine.intervene.holding import USUAL, Circumstances, Identity
from forestall.engine.intervene.watching import Watch
from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import PlayRun, Silence, SilenceReason
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.people import Directory
from forestall.engine.model.remembered import EMAILS_REMEMBERED
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import (
    Counts,
    Decisions,
    State,
    changed_alerts,
    counts_as_email,
    identity,
    kept_runs,
    remembered,
)
from forestall.engine.score.changes import Changes, StandingDay
from forestall.engine.score.conditions import Conditions
from forestall.engine.simulate.agenda import Agenda, Calendar, Watched

AGAIN = frozenset({SilenceReason.ANOTHER_PLAY, SilenceReason.COOLDOWN})      # said on every day on which it is so


class Ledger:
    """The state of one side, by account. Each day that is decided follows the one before."""

    def __init__(self, rulebook: Rulebook, conditions: Conditions, directory: Directory, state: State,
                 known: Circumstances = USUAL, *, silences: bool = True) -> None:
        """`silences` False: those that are only said once more are left out."""
        self._rulebook, self._conditions, self._directory, self._known = rulebook, conditions, directory, known
        self._silences = silences
        self._agenda = Agenda(rulebook, conditions, silences=silences)
        self._changes: Changes | None = None
        self._common = state      # what concerns nobody in particular; at first, and between stretches, all of it
        self._last: Decisions | None = None
        self._replaced: dict[tuple[str, str], Alert | None] = {}      # what the last day made other alerts of

    def decide(self, seen: StandingDay, rulebook: Rulebook | None = None) -> Decided:
        """One more day. `rulebook`: other rules for this day, of the same conditions; only where a stretch begins."""
        if self._changes is not seen.changes:
            return self._begin(seen, rulebook or self._rulebook)
        day = seen.day
        look, ending, tiers = self._news(seen.changes, day)
        gone, outage = believed(sorted(self._missing), len(self._tiers))
        answers = lost(self._churned, seen)
        rows = list(seen.of(look).values())
        part = self._part((*sorted(look), *gone))
        decisions, held = decide(self._rulebook, self._conditions, self._directory, part, rows, gone, day, self._known,
                                 answers)
        looked = look.union(gone, ending)
        ended, cancelled = self._ended(sorted(ending), seen.changes, day)
        decisions = replace(decisions, tiers=tiers | dict(decisions.tiers), runs=(*decisions.runs, *ended),
                            cancelled=(*decisions.cancelled, *cancelled),
                            silences=(*decisions.silences, *self._said_again(seen, looked)))
        self._keep(decisions, looked)
        true, unknown = truths(self._rulebook, self._conditions, seen.counts())
        return Decided(decisions, self._book(seen.changes), true, unknown, held, outage)

    def state(self) -> State:
        """What is remembered after the last day, as `State.after` gives it."""
        if self._changes is None or self._last is None:
            return self._common
        accounts = sorted({*self._tiers, *self._alerts, *self._sent, *self._runs})
        part = self._part(accounts)
        resting = {(account, name): alert for account, alerts in self._old_alerts.items()
                   for name, alert in alerts.items() if remembered(alert, self._last.day)}
        runs = kept_runs((*part.runs, *(run for runs in self._old_runs.values() for run in runs)))
        return replace(part, alerts={**resting, **part.alerts}, runs=runs, churned=dict(self._churned),
                       today=Counts().plus(self._last.deliveries, self._last.day))

    def alert_before(self, account: str, name: str) -> Alert | None:
        """An alert as it was when the last day began."""
        if (account, name) in self._replaced:
            return self._replaced[account, name]
        return self._alert(account, name)

    def _alert(self, account: str, name: str) -> Alert | None:
        return self._alerts.get(account, {}).get(name) or self._old_alerts.get(account, {}).get(name)

    # -- a stretch begins --------------------------------------------------------------------------------------------

    def _begin(self, seen: StandingDay, rulebook: Rulebook) -> Decided:
        """Decide its first day as production does, from the whole state."""
        before = self.state()
        decided = decide_day(rulebook, self._conditions, self._directory, before, seen, self._known)
        after = before.after(decided.decisions)
        self._changes, self._last = seen.changes, decided.decisions
        self._replaced = {key: before.alerts.get(key) for key in after.alerts}
        self._common = replace(after, tiers={}, alerts={}, runs=(), last_sent={})
        self._tiers, self._sent, self._churned = dict(after.tiers), dict(after.last_sent), dict(after.churned)
        self._alerts: dict[str, dict[str, Alert]] = {}
        for (account, name), alert in after.alerts.items():
            self._alerts.setdefault(account, {})[name] = alert
        self._runs: dict[str, tuple[PlayRun, ...]] = _by_account(after.runs)
        self._old_alerts: dict[str, dict[str, Alert]] = {}      # nothing of the days to come turns on these
        self._old_runs: dict[str, tuple[PlayRun, ...]] = {}
        self._watched: dict[str, Watched] = {}
        self._by_day: dict[date, list[str]] = {}
        for account in {*self._alerts, *self._runs}:
            self._watch(account, seen.day)
        self._calendar = Calendar(self._rulebook, seen.changes.accounts)
        self._missing = {account for account in {*self._tiers, *self._watched}
                         if self._is_remembered(account) and not self._is_here(account)}
        self._standing: dict[str, list[Silence]] = {}
        self._stand(decided.decisions.silences)
        return decided

    # -- whom to look at ---------------------------------------------------------------------------------------------

    def _news(self, changes: Changes, day: date) -> tuple[set[str], set[str], dict[str, str]]:
        """The accounts to look at, those of which only runs come to their end, and the new tiers of others, with which
        nothing begins or ends."""
        look, ending = set[str](), set[str]()
        tiers: dict[str, str] = {}
        watched_by, whens, serious = self._watched, self._agenda.whens, self._agenda.tiers
        for account, before, after, tier_before, tier, absent_before, absent, edge in changes.moved:
            watched = watched_by.get(account)
            if absent:
                if not absent_before and self._is_remembered(account):
                    self._missing.add(account)
                continue
            if watched is None:
                if after & whens:
                    look.add(account)
            elif after & watched.true or (before ^ after) & watched.flips or absent_before or (
                    watched.moves and (edge or tier != tier_before)) or (
                    watched.no_longer and (after | after >> 1) & watched.no_longer != watched.no_longer):
                look.add(account)
            if absent_before:
                self._missing.discard(account)
            if tier is not None and self._tiers.get(account) != tier:
                if tier in serious or (watched is not None and watched.moves):
                    look.add(account)
                else:
                    tiers[account] = tier
        for due_tier, numbers in self._calendar.due(day):
            look.update(changes.accounts[number] for number in numbers
                        if changes.tier[number] == due_tier and not changes.absent[number])
        for account in self._by_day.pop(day, ()):
            watched = self._watched.get(account)
            if watched is None or watched.on != day or not self._is_here(account) or account in look:
                continue
            if watched.rested and not changes.truths[changes.places[account]] & watched.rested \
                    and account not in self._standing:
                self._watch(account, day)
            elif watched.ends:
                ending.add(account)
            else:
                look.add(account)
        return look, ending, {account: tier for account, tier in tiers.items() if account not in look}

    def _ended(self, accounts: Iterable[str], changes: Changes, day: date) -> tuple[list[PlayRun], list[Identity]]:
        """The runs of these accounts that change today, where nothing else can: looked at as a pass looks at them first
        of all. And those of which nothing more is sent."""
        watch = Watch(self._rulebook, self._conditions, frozenset(), day, severity_rank(self._rulebook))
        changed, cancelled = list[PlayRun](), list[Identity]()
        for account in accounts:
            place = changes.places[account]
            row = AccountDay(account, day, changes.tier[place], changes.truths[place])
            opened = [one for one in self._alerts.get(account, {}).values() if one.status is AlertStatus.OPEN]
            one = OneAccount(row, opened, list(self._runs[account]))
            for run in one.runs:
                after, is_stopped = watch.look(run, one)
                if after is not run:
                    changed.append(after)
                if is_stopped:
                    cancelled.append(identity(run))
        return changed, cancelled

    def _is_here(self, account: str) -> bool:
        assert self._changes is not None      # a stretch has begun
        place = self._changes.places.get(account)
        return place is not None and not self._changes.absent[place]

    def _is_remembered(self, account: str) -> bool:
        watched = self._watched.get(account)
        return account in self._tiers or (watched is not None and watched.remembered)

    def _part(self, accounts: Iterable[str]) -> State:
        """The state with these accounts alone, in their order."""
        day = self._common.previous_pass
        assert day is not None      # a day was decided
        since = day - timedelta(days=EMAILS_REMEMBERED)
        alerts: dict[tuple[str, str], Alert] = {}
        runs: list[PlayRun] = []
        tiers: dict[str, str] = {}
        sent: dict[str, tuple[date, ...]] = {}
        for account in accounts:
            if account in self._alerts:
                for name, alert in self._alerts[account].items():
                    if remembered(alert, day):
                        alerts[account, name] = alert
            if account in self._runs:
                runs.extend(self._runs[account])
            if account in self._tiers:
                tiers[account] = self._tiers[account]
            if account in self._sent:
                recent = tuple(on for on in self._sent[account] if on >= since)
                if recent:
                    sent[account] = recent
        return replace(self._common, tiers=tiers, alerts=alerts, runs=tuple(runs), last_sent=sent)

    def _book(self, changes: Changes) -> dict[str, int]:
        return {name: changes.tiers[name] for name in (*(tier.name for tier in self._rulebook.scorecard.tiers), "")}

    # -- what is remembered ------------------------------------------------------------------------------------------

    def _keep(self, decisions: Decisions, looked: Collection[str]) -> None:
        day = decisions.day
        nobody = replace(self._common, tiers={}, today=Counts()).after(
            replace(decisions, transitions=(), alerts=(), tiers={}, runs=(), deliveries=(), silences=()))
        self._common, self._last = nobody, decisions
        self._churned.update((one.account, one.day) for one in decisions.answers)
        for account, tier in decisions.tiers.items():
            if tier:
                self._tiers[account] = tier
            else:
                self._tiers.pop(account, None)
        self._replaced = {}
        for alert in changed_alerts(decisions):
            account, name = alert.account, alert.trigger
            own = self._alerts.setdefault(account, {})
            rested = self._old_alerts.get(account, {}).pop(name, None)
            self._replaced[account, name] = own.get(name) or rested
            own[name] = alert
        for account, changed in _by_account(decisions.runs).items():
            runs = {identity(run): run for run in (*self._runs.get(account, ()), *changed)}
            old = self._old_runs.get(account)
            if old:
                kept, before = kept_runs((*runs.values(), *old)), set(map(id, old))
                self._old_runs[account] = tuple(run for run in kept if id(run) in before)
                self._runs[account] = tuple(run for run in kept if id(run) not in before)
            else:
                self._runs[account] = kept_runs(runs.values())
        for delivery in decisions.deliveries:
            if counts_as_email(delivery):
                self._sent[delivery.account] = (*self._sent.get(delivery.account, ()), delivery.day)
        for account in looked:
            self._watch(account, day)
            self._standing.pop(account, None)
            if account in self._missing and not self._is_remembered(account):
                self._missing.discard(account)
        self._stand(one for one in decisions.silences if one.account in looked)

    def _watch(self, account: str, day: date) -> None:
        alerts, runs = self._put_away(account, day)
        if not alerts and not runs:
            self._watched.pop(account, None)
            return
        assert self._changes is not None      # a stretch has begun
        place = self._changes.places.get(account)
        truths = self._changes.truths[place] if place is not None else 0
        watched = self._watched[account] = self._agenda.watched(alerts.values(), runs, truths, day)
        if watched.on is not None:
            self._by_day.setdefault(watched.on, []).append(account)

    def _put_away(self, account: str, day: date) -> tuple[Mapping[str, Alert], tuple[PlayRun, ...]]:
        """Alerts that are closed and rested, and runs that answer no open alert: only `state` still tells of them. What
        is left of both."""
        alerts, runs = self._alerts.get(account) or {}, self._runs.get(account, ())
        rested = [name for name, alert in alerts.items() if self._agenda.rested(alert, day)]
        for name in rested:
            self._old_alerts.setdefault(account, {})[name] = alerts.pop(name)
        if rested and not alerts:
            del self._alerts[account]
        if runs:
            since = min((alert.opened_on for alert in alerts.values() if alert.status is AlertStatus.OPEN),
                        default=date.max)
            over = [run for run in runs if run.occurrence < since and not under_way(run)]
            if over:
                self._old_runs[account] = kept_runs((*self._old_runs.get(account, ()), *over))
                runs = tuple(run for run in runs if run not in over)
                if runs:
                    self._runs[account] = runs
                else:
                    del self._runs[account]
        return alerts, runs

    def _stand(self, silences: Iterable[Silence]) -> None:
        """Keep those that will be said again."""
        if self._silences:
            for one in silences:
                if one.reason in AGAIN:
                    self._standing.setdefault(one.account, []).append(one)

    def _said_again(self, seen: StandingDay, looked: Collection[str]) -> Iterator[Silence]:
        """The silences about those that nobody looked at: as the day before."""
        for account, silences in self._standing.items():
            if account not in looked and self._is_here(account):
                for one in silences:
                    yield Silence(account, one.play, one.group, one.occurrence, seen.day, one.reason, one.step,
                                  one.detail)


def _by_account(runs: Iterable[PlayRun]) -> dict[str, tuple[PlayRun, ...]]:
    found: dict[str, list[PlayRun]] = {}
    for run in runs:
        found.setdefault(run.account, []).append(run)
    return {account: tuple(some) for account, some in found.items()}
