"""When an account has to be looked at again: on which day at the latest, and which changes of its row make it sooner.

Nothing is decided here. Looking at an account about which nothing is to say changes nothing, so where it is not certain
the answer is to look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from forestall.engine.alert.lifecycle import TIER_CLEARS_AFTER
from forestall.engine.intervene import courtesy
from forestall.engine.intervene.accounts import same_opening
from forestall.engine.intervene.day import under_way
from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import OutcomeStatus, PlayRun, RunStatus
from forestall.engine.model.play import Play, recovery_alert, tier_alert
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.conditions import Conditions

TRUE, UNKNOWN = 2, 1      # the bits of a truth, as in `AccountDay.truths`
ONE_DAY, OUT = timedelta(days=1), timedelta(days=TIER_CLEARS_AFTER)

# A name of a module is found eight times as fast as the member of an enumeration, and all of this is asked for every
# account that is looked at.
OPEN, CLEAR, PENDING = AlertStatus.OPEN, AlertStatus.CLEAR, AlertStatus.PENDING
RUNNING, FINISHED, HELD, SILENCED = RunStatus.RUNNING, RunStatus.FINISHED, RunStatus.HELD, RunStatus.SILENCED
WATCHING = OutcomeStatus.WATCHING


class Watched(NamedTuple):
    """What to look for at one account, in the bits of its truths. `true` is news where it is true, `no_longer` (lower
    bits) where it is known to be false, `flips` where it changes. `moves`: any other tier is news. `remembered`: it is
    missed when no source names it. `on` is the day on which it is looked at whatever happens (None: never). `rested`:
    on that day it is only that alerts may open again, and there is something to say only if one of these is true (0: it
    is looked at). `ends`: on that day it is only that runs come to their end, and nothing waits for it."""

    true: int
    no_longer: int
    flips: int
    moves: bool
    remembered: bool
    on: date | None
    rested: int
    ends: bool


class _Waiting(NamedTuple):
    """What an alert of one name waits for. `when`, `clear`: the bits of its conditions (0: it has none); `chosen`:
    those that choose among its plays."""

    when: int
    clear: int
    chosen: int
    cooldown: timedelta
    lasts: timedelta
    repeat: timedelta | None


class Agenda:
    """What alerts and runs under one set of rules wait for. `silences` False: not for what only changes a silence."""

    def __init__(self, rulebook: Rulebook, conditions: Conditions, *, silences: bool) -> None:
        self._rulebook, self._conditions, self._silences = rulebook, conditions, silences
        self.whens = sum(TRUE << 2 * index for index in set(conditions.whens))
        self.tiers = frozenset(tier.name for tier in rulebook.scorecard.tiers if rulebook.plays_for(
            tier_alert(tier.name)) or rulebook.plays_for(recovery_alert(tier.name)))
        self._waiting = {name: self._waits(name) for name in
                         (*rulebook.triggers, *rulebook.tier_alerts(), *rulebook.recovery_alerts())}
        self._unknown = self._waits("")

    def _waits(self, name: str) -> _Waiting:
        rules, conditions = self._rulebook, self._conditions
        trigger = rules.triggers.get(name)
        applies = [conditions.applies_to(play.name) for play in rules.plays_for(name)]
        clear = conditions.clear_when(name) if trigger is not None else None
        repeat = trigger.repeat if trigger is not None else rules.tier_repeat
        return _Waiting(
            when=TRUE << 2 * conditions.when(name) if trigger is not None else 0,
            clear=TRUE << 2 * clear if clear is not None else 0,
            chosen=_both(index for index in applies if index is not None),
            cooldown=timedelta(days=trigger.cooldown if trigger is not None else rules.tier_cooldown),
            lasts=timedelta(days=trigger.lasts if trigger is not None else rules.tier_lasts),
            repeat=timedelta(days=repeat) if repeat is not None else None)

    def watched(self, alerts: Collection[Alert], runs: Collection[PlayRun], truths: int, day: date) -> Watched:
        """What an account with these alerts and runs, and these truths on `day`, waits for after it."""
        true, no_longer, flips, moves, kept = self.whens, 0, 0, False, False
        tomorrow, days, ends, rests = day + ONE_DAY, list[date](), list[date](), dict[date, int]()
        for alert in alerts:
            waiting, status = self._waiting.get(alert.trigger, self._unknown), alert.status
            if status is CLEAR:
                if waiting.when:
                    again = alert.opened_on + waiting.cooldown
                    if again > day:
                        rests[again] = rests.get(again, 0) | waiting.when
                    if again > tomorrow:
                        true &= ~waiting.when
                        if self._silences:
                            flips |= waiting.when
                continue
            moves = kept = True
            if not alert.silent:
                flips |= waiting.chosen
            if status is OPEN:
                days.append(alert.opened_on + waiting.lasts)
                if waiting.repeat is not None and not alert.silent:
                    days.append((alert.reminded_on or alert.opened_on) + waiting.repeat)
                if alert.out_since is not None:
                    days.append(alert.out_since + OUT)
            elif status is PENDING:
                days.append(alert.opened_on + waiting.cooldown)
            if waiting.when:
                true &= ~waiting.when
                if status is OPEN and waiting.clear:
                    true |= waiting.clear
                else:
                    no_longer |= waiting.when >> 1      # its lower bit: unknown
        for run in runs:
            going_on = under_way(run)
            if not going_on and run.status is not FINISHED:
                continue
            play = self._rulebook.as_begun(run.play, run.digest)
            if play is None:
                continue
            kept = kept or going_on
            moves = moves or (play.recurring and run.status is RUNNING)
            news = self._true_of_run(run, play)
            if news & truths:      # it was true before anybody waited for it
                days.append(tomorrow)
            true |= news
            self._add_days(days, ends, run, play, day, going_on=going_on)
        other = max(min(days), tomorrow) if days else date.max
        end = max(min(ends), tomorrow) if ends else date.max
        on = min(other, end)
        first = min(rests) if rests else date.max
        if first < on:
            return Watched(true, no_longer, flips, moves, kept, first, rests[first], False)
        only_ends = end < min(other, first) and not self._silences and not _waits_for_play(alerts, runs)
        return Watched(true, no_longer, flips, moves, kept, on if on < date.max else None, 0, only_ends)

    def rested(self, alert: Alert, day: date) -> bool:
        """Whether an alert is closed and may open again from `day` on as if it had never been open."""
        return alert.status is CLEAR and day >= alert.opened_on + self._waiting.get(
            alert.trigger, self._unknown).cooldown

    def _true_of_run(self, run: PlayRun, play: Play) -> int:
        found = 0
        if run.outcome is WATCHING:
            goal = self._conditions.goal(play.name)
            found |= TRUE << 2 * goal if goal is not None else 0
        if run.done_on is None and run.status in (RUNNING, FINISHED):
            for task in play.tasks:
                index = self._conditions.done_when(play, task.id)
                found |= TRUE << 2 * index if index is not None else 0
        return found

    def _add_days(self, days: list[date], ends: list[date], run: PlayRun, play: Play, day: date, *,
                  going_on: bool) -> None:
        status = run.status
        if status is HELD:
            days.append(day)
        if status is RUNNING and run.next_on is not None:
            (ends if run.step >= len(play.steps) else days).append(run.next_on)
        if run.until is not None and going_on:
            ends.append(run.until + ONE_DAY)
        if play.escalate is not None and run.due_on is not None and not (run.escalated_on or run.done_on):
            late = run.due_on + ONE_DAY
            if late > day:
                days.append(late)


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


def _waits_for_play(alerts: Iterable[Alert], runs: Iterable[PlayRun]) -> bool:
    """Whether an alert may be open that no run has answered yet: its play may begin when another one ends."""
    return any(alert.status is OPEN and not alert.silent and not any(
        run.status is not SILENCED and same_opening(alert, run) for run in runs) for alert in alerts)


def _both(indices: Iterable[int]) -> int:
    return sum((TRUE | UNKNOWN) << 2 * index for index in set(indices))
