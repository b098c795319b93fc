"""When an account has to be looked at again: on which day at the latest, and which changes of its row make it sooner.

Nothing is decided here. Looking at an account about which nothing is to say changes nothing, so where it is not certain
the answer is to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from forestall.engine.alert.lifecycle import TIER_CLEARS_AFTER, needs_a_look
from forestall.engine.intervene import courtesy
from forestall.engine.intervene.day import under_way
from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import OutcomeStatus, PlayRun, RunStatus
from forestall.engine.model.play import Play, recovery_alert, tier_alert
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.trigger import Trigger
from forestall.engine.score.conditions import Conditions

TRUE, UNKNOWN = 2, 1      # the bits of a truth, as in `AccountDay.truths`
ONE_DAY = timedelta(days=1)


class Watched(NamedTuple):
    """What to look for at one account, in the bits of its truths. `true` is news where it is true, `no_longer` (lower
    bits) where it is known to be false, `flips` where it changes. `moves`: any other tier is news. `remembered`: it is
    missed when no source names it. `on` is the day on which it is looked at whatever happens (None: never)."""

    true: int
    no_longer: int
    flips: int
    moves: bool
    remembered: bool
    on: date | None


class Agenda:
    """What alerts and runs under one set of rules wait for. `silences` False: not for what only changes a silence."""

    def __init__(self, rulebook: Rulebook, conditions: Conditions, *, silences: bool) -> None:
        self._rulebook, self._conditions, self._silences = rulebook, conditions, silences
        self.whens = sum(TRUE << 2 * index for index in set(conditions.whens))
        self.tiers = frozenset(tier.name for tier in rulebook.scorecard.tiers if rulebook.plays_for(
            tier_alert(tier.name)) or rulebook.plays_for(recovery_alert(tier.name)))
        self._bits = {name: conditions.when(name) for name in rulebook.triggers}
        self._chosen_by = {name: self._choice(name) for name in
                           (*rulebook.triggers, *rulebook.tier_alerts(), *rulebook.recovery_alerts())}

    def _choice(self, alert: str) -> int:
        """The bits that choose among the plays of an alert."""
        indices = [self._conditions.applies_to(play.name) for play in self._rulebook.plays_for(alert)]
        return _both(index for index in indices if index is not None)

    def watched(self, alerts: Iterable[Alert], runs: Iterable[PlayRun], truths: int, day: date) -> Watched:
        """What an account with these alerts and runs, and these truths on `day`, waits for after it."""
        true, no_longer, flips, moves, kept = self.whens, 0, 0, False, False
        days: list[date] = []
        for alert in alerts:
            trigger = self._rulebook.triggers.get(alert.trigger)
            days.extend(self._days_of_alert(alert, trigger, day))
            if needs_a_look(alert):
                moves = kept = True
                if not alert.silent:
                    flips |= self._chosen_by.get(alert.trigger, 0)
            if trigger is None:
                continue
            index = self._bits[trigger.name]
            if alert.status is AlertStatus.CLEAR:
                if day + ONE_DAY < alert.opened_on + timedelta(days=trigger.cooldown):
                    true &= ~(TRUE << 2 * index)
                    if self._silences:
                        flips |= TRUE << 2 * index
                continue
            true &= ~(TRUE << 2 * index)
            clear = self._conditions.clear_when(trigger.name)
            if alert.status is AlertStatus.OPEN and clear is not None:
                true |= TRUE << 2 * clear
            else:
                no_longer |= UNKNOWN << 2 * index
        for run in runs:
            if not under_way(run) and run.status is not RunStatus.FINISHED:
                continue
            play = self._rulebook.as_begun(run.play, run.digest)
            if play is None:
                continue
            kept = kept or under_way(run)
            moves = moves or (play.recurring and run.status is RunStatus.RUNNING)
            news = self._true_of_run(run, play)
            if news & truths:      # it was true before anybody waited for it
                days.append(day + ONE_DAY)
            true |= news
            days.extend(self._days_of_run(run, play, day))
        return Watched(true, no_longer, flips, moves, kept, max(min(days), day + ONE_DAY) if days else None)

    def rested(self, alert: Alert, day: date) -> bool:
        """Whether an alert is closed and may open again from `day` on as if it had never been open."""
        if alert.status is not AlertStatus.CLEAR:
            return False
        trigger = self._rulebook.triggers.get(alert.trigger)
        return day >= alert.opened_on + timedelta(
            days=trigger.cooldown if trigger else self._rulebook.tier_cooldown)

    def _days_of_alert(self, alert: Alert, trigger: Trigger | None, day: date) -> Iterator[date]:
        rules = self._rulebook
        if alert.status is AlertStatus.OPEN:
            yield alert.opened_on + timedelta(days=trigger.lasts if trigger else rules.tier_lasts)
            repeat = trigger.repeat if trigger else rules.tier_repeat
            if repeat is not None and not alert.silent:
                yield (alert.reminded_on or alert.opened_on) + timedelta(days=repeat)
            if alert.out_since is not None:
                yield alert.out_since + timedelta(days=TIER_CLEARS_AFTER)
        elif alert.status is AlertStatus.PENDING or (alert.status is AlertStatus.CLEAR and trigger is not None):
            again = alert.opened_on + timedelta(days=trigger.cooldown if trigger else rules.tier_cooldown)
            if again > day or alert.status is AlertStatus.PENDING:
                yield again

    def _true_of_run(self, run: PlayRun, play: Play) -> int:
        found = 0
        goal = self._conditions.goal(play.name)
        if goal is not None and run.outcome is OutcomeStatus.WATCHING:
            found |= TRUE << 2 * goal
        if run.done_on is None and run.status in (RunStatus.RUNNING, RunStatus.FINISHED):
            for task in play.tasks:
                index = self._conditions.done_when(play, task.id)
                found |= TRUE << 2 * index if index is not None else 0
        return found

    def _days_of_run(self, run: PlayRun, play: Play, day: date) -> Iterator[date]:
        if run.status is RunStatus.HELD:
            yield day
        if run.status is RunStatus.RUNNING and run.next_on is not None:
            yield run.next_on
        if run.until is not None and under_way(run):
            yield run.until + ONE_DAY
        if play.escalate is not None and run.due_on is not None and not (run.escalated_on or run.done_on):
            late = run.due_on + ONE_DAY
            if late > day:
                yield late


class Calendar:
    """The accounts for which recurring plays are due, by day: each account is drawn once."""

    def __init__(self, rulebook: Rulebook, accounts: Sequence[str]) -> None:
        self._plays = [(play, play.every) for play in rulebook.plays.values() if play.every is not None]
        self._due: dict[tuple[str, int, int], list[int]] = {}
        for play, every in self._plays:
            for number, account in enumerate(accounts):
                share = courtesy.share_of(play.name, account)
                if every.monthly:
                    month = int(courtesy.share_of(play.name, account, "month") * every.count)
                    key = play.name, 1 + int(share * courtesy.SPREAD), month
                else:
                    key = play.name, -int(share * every.count) % every.count, 0
                self._due.setdefault(key, []).append(number)

    def due(self, day: date) -> Iterator[tuple[str, list[int]]]:
        """The tier of each recurring play, with the places of the accounts for which it is due."""
        for play, every in self._plays:
            if every.monthly:
                key = play.name, day.day, (day.year * 12 + day.month - 1) % every.count
            else:
                key = play.name, day.toordinal() % every.count, 0
            yield play.tier, self._due.get(key, [])


def _both(indices: Iterable[int]) -> int:
    return sum((TRUE | UNKNOWN) << 2 * index for index in set(indices))
