"""What was done about one account, or why not: its alerts with what would clear them, its plays, and the silences."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta

from forestall.engine.alert.clearing import Clearing, clearing
from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import OutboxRow, PlayRun, RunStatus
from forestall.engine.model.outcome import Answer
from forestall.engine.model.play import Play, Step
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.account import Account
from forestall.engine.score.evaluations import to_epoch
from forestall.engine.score.reason import why
from forestall.engine.store import AccountRecord, Kept

_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")


@dataclass(frozen=True, slots=True)
class RunExplained:
    """A play that started: the step to do next (None when nothing is left), what it sent and what it did not send."""

    run: PlayRun
    next_step: Step | None
    deliveries: tuple[OutboxRow, ...]
    silences: tuple[Kept, ...]


@dataclass(frozen=True, slots=True)
class PlayAnswer:
    """A play that an alert could start: its run, or why there is none."""

    play: str
    run: RunExplained | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class AlertExplained:
    """One alert as it stood on the day. `clearing` and `plays` only while it is open; `cooldown_until` is the first day
    on which it may open again, None where that has passed."""

    alert: Alert
    cooldown_until: date | None
    clearing: Clearing | None
    plays: tuple[PlayAnswer, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """Everything that was done and said about an account by the end of a day. `decided` is the last day that a pass
    decided, None when none was written."""

    decided: date | None
    alerts: tuple[AlertExplained, ...]
    runs: tuple[RunExplained, ...]
    silences: tuple[Kept, ...]
    said: tuple[Answer, ...] = ()


def answered(rulebook: Rulebook, account: Account, record: AccountRecord, day: date,
             decided: date | None) -> Answered:
    """What a record says of `day`. `decided` is the last day that any pass decided."""
    record = replace(record, silences=tuple(map(_without_addresses, record.silences)))
    latest = decided is None or day >= decided
    alerts = record.alerts if latest else _alerts_by(record, day)
    asked = min(day, decided) if decided is not None else day
    silences = tuple(kept for kept in record.silences if kept.silence.day <= asked <= kept.last_day)
    runs = tuple(_run(rulebook, record, run, day) for run in record.runs if run.occurrence <= day)
    return Answered(decided, tuple(_alert(rulebook, account, alert, runs, silences, day) for alert in alerts.values()),
                    runs, silences, tuple(one for one in record.said if one.day <= day))


def without_addresses(text: str) -> str:
    """What a far side said, without the addresses of people."""
    return _ADDRESS.sub("(an address)", text)


def _without_addresses(kept: Kept) -> Kept:
    return Kept(replace(kept.silence, detail=without_addresses(kept.silence.detail)), kept.last_day)


def _alerts_by(record: AccountRecord, day: date) -> dict[str, Alert]:
    """The alerts as the log says that they stood at the end of an earlier day."""
    found: dict[str, Alert] = {}
    for one in record.log:
        if one.day <= day:
            found[one.alert.trigger] = one.alert
    return found


def _alert(rulebook: Rulebook, account: Account, alert: Alert, runs: tuple[RunExplained, ...],
           silences: tuple[Kept, ...], day: date) -> AlertExplained:
    trigger = rulebook.triggers.get(alert.trigger)
    again = alert.opened_on + timedelta(days=trigger.cooldown if trigger else rulebook.tier_cooldown)
    if alert.status is not AlertStatus.OPEN:
        return AlertExplained(alert, again if again > day else None, None, ())
    return AlertExplained(alert, again if again > day else None, clearing(rulebook, account, alert, day),
                          tuple(_answers(rulebook, account, alert, runs, silences, day)))


def _answers(rulebook: Rulebook, account: Account, alert: Alert, runs: tuple[RunExplained, ...],
             silences: tuple[Kept, ...], day: date) -> list[PlayAnswer]:
    """Each play for the alert, in the order of the file, with its run or the reason why it has none."""
    found: list[PlayAnswer] = []
    chosen: str | None = None
    for play in rulebook.plays_for(alert.trigger):
        applies = play.applies_to is None or account.value(play.applies_to, to_epoch(day)) is True
        run = next((one for one in runs if one.run.play == play.name and one.run.group == alert.trigger
                    and one.run.occurrence == alert.opened_on
                    and one.run.status is not RunStatus.SILENCED), None)
        if run is None:
            reason = _why_not(play, account, alert, runs, silences, day, applies, chosen)
        else:
            reason = "holdout: in the control group" if run.run.status is RunStatus.HELD_OUT else ""
        found.append(PlayAnswer(play.name, None if reason else run, reason))
        if applies and chosen is None:
            chosen = play.name
    return found


def _why_not(play: Play, account: Account, alert: Alert, runs: tuple[RunExplained, ...], silences: tuple[Kept, ...],
             day: date, applies: bool, chosen: str | None) -> str:
    if alert.silent:
        return "the alert was only recorded: the account was so when the rules came"
    if not applies and play.applies_to is not None:
        return f"not for this account: {why(play.applies_to, account, day)}"
    if chosen is not None:
        return f"{chosen} comes first for this alert"
    for kept in silences:
        one = kept.silence
        if (one.play, one.group, one.occurrence) == (play.name, alert.trigger, alert.opened_on) and not one.step:
            return f"{one.reason.value}: {one.detail}" if one.detail else one.reason.value
    before = next((one.run for one in runs if one.run.status is not RunStatus.SILENCED and (
        one.run.group, one.run.occurrence) == (alert.trigger, alert.opened_on)), None)
    if before is not None:
        return f"{before.play} has answered this alert ({before.reason or before.status.value})"
    other = next((one.run for one in runs if one.run.play == play.name and one.run.occurrence >= alert.opened_on), None)
    if other is not None:
        return f"it answers this alert already: it started on {other.occurrence} because of {other.group}"
    return "no reason is stored; the play may be newer than the last pass"


def _run(rulebook: Rulebook, record: AccountRecord, run: PlayRun, day: date) -> RunExplained:
    play = rulebook.as_begun(run.play, run.digest)
    left = play is not None and run.status is RunStatus.RUNNING and run.step < len(play.steps)
    rows = tuple(row for row in record.deliveries if (row.delivery.play, row.delivery.group, row.delivery.occurrence)
                 == (run.play, run.group, run.occurrence) and row.delivery.day <= day)
    quiet = tuple(kept for kept in record.silences if kept.silence.day <= day and kept.silence.step and (
        kept.silence.play, kept.silence.group, kept.silence.occurrence) == (run.play, run.group, run.occurrence))
    return RunExplained(run, play.steps[run.step] if left and play is not None else None, rows, quiet)
