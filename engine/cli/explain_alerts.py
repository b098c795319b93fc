"""The lower part of the screen: open alerts with what would clear them, plays with their steps, and silences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from textwrap import shorten

from forestall.engine.alert.clearing import Change, Clearing
from forestall.engine.cli.report import KIND_WORDS, amount
from forestall.engine.cli.said import sentence
from forestall.engine.cli.screen import Detail, below, headed, near
from forestall.engine.cli.told import Told
from forestall.engine.intervene.explained import AlertExplained, PlayAnswer, RunExplained, without_addresses
from forestall.engine.message.wording import value_text
from forestall.engine.model.alert import AlertStatus
from forestall.engine.model.delivery import (
    DeliveryStatus,
    OutcomeStatus,
    PlayRun,
    RunStatus,
    Silence,
    SilenceReason,
)
from forestall.engine.model.play import EmailStep, SlackStep, Step, StopIfStep, TaskStep, WaitStep

MOST_WAYS = 3
MOST_PLAYS = 3
MOST_SAID, LONGEST_SAID = 4, 170      # a note may be long
MOST_IN_FULL, MOST_IN_BRIEF = 2, 6      # alerts, where there are too many for one screen; of others the names


def alert_lines(told: Told, detail: Detail) -> Iterator[str]:
    """Every open alert: since when, what would clear it, and the plays that it started or did not."""
    rank = {tier.name: index for index, tier in enumerate(told.rulebook.scorecard.tiers)}
    opened = sorted((one for one in told.answered.alerts if one.alert.status is AlertStatus.OPEN),
                    key=lambda one: (-rank.get(one.alert.severity, -1), one.alert.silent, one.alert.opened_on,
                                     one.alert.trigger))
    if told.answered.decided is None:
        yield from headed("Alerts", "none: no pass has been written yet")
    elif not opened:
        yield from headed("Alerts", "none open")
    most = MOST_IN_BRIEF if detail is Detail.ALERTS_IN_BRIEF else len(opened)
    for index, one in enumerate(opened[:most]):
        brief = detail is Detail.ALERTS_IN_BRIEF and index >= MOST_IN_FULL
        yield from headed("Alerts" if index == 0 else "", _opened(one, told) + (_in_brief(one) if brief else ""))
        if brief:
            continue
        if one.clearing is not None:
            yield from below(_closes(one, one.clearing, told))
        for play in () if one.alert.silent else one.plays:
            yield from below(_play(play, told))
        if not one.plays:
            yield from below("no play answers it")
    if opened[most:]:
        yield from headed("", f"and {len(opened) - most} more: {', '.join(one.alert.trigger for one in opened[most:])}")
    if told.answered.decided is not None and told.day > told.answered.decided:
        yield from headed("", f"The last day decided is {near(told.answered.decided, told.day)}.")


def _in_brief(one: AlertExplained) -> str:
    """Which plays it started, by name."""
    started = [play.play for play in one.plays if play.run is not None]
    if one.alert.silent:
        return ""
    return f"; started {', '.join(started)}" if started else "; no play started"


def other_lines(told: Told) -> Iterator[str]:
    """Plays that no open alert tells of, the latest ones, and the silences that stand for themselves."""
    shown = {id(play.run) for one in told.answered.alerts for play in one.plays if play.run is not None}
    alerts = {(one.alert.trigger, one.alert.opened_on) for one in told.answered.alerts
              if one.alert.status is AlertStatus.OPEN}
    rest = [run for run in told.answered.runs if id(run) not in shown
            and (run.run.group, run.run.occurrence) not in alerts]
    rest.sort(key=lambda one: (one.run.status is not RunStatus.RUNNING, -one.run.occurrence.toordinal()))
    for index, one in enumerate(rest[:MOST_PLAYS]):
        text = f"{one.run.play}, because of {one.run.group}: {_ran(one, told)}"
        yield from headed("Plays" if index == 0 else "", text)
    if len(rest) > MOST_PLAYS:
        yield from headed("", f"and {len(rest) - MOST_PLAYS} earlier ones; --format json has them all")
    yield from _said_lines(told)
    silent = [kept.silence for kept in told.answered.silences
              if not kept.silence.step and (kept.silence.group, kept.silence.occurrence) not in alerts]
    for index, quiet in enumerate(silent):
        yield from headed("Silences" if index == 0 else "",
                          f"{quiet.play}, because of {quiet.group}: {quiet.reason.value}, {quiet.detail}")


def _said_lines(told: Told) -> Iterator[str]:
    """What people said of the account, the latest first."""
    said = told.answered.said[::-1]
    for index, one in enumerate(said[:MOST_SAID]):
        text = shorten(sentence(one, told.day), LONGEST_SAID, placeholder=" …")
        yield from headed("Said" if index == 0 else "", text)
    if len(said) > MOST_SAID:
        yield from headed("", f"and {len(said) - MOST_SAID} earlier; `forestall outcome list --account "
                              f"{told.found.account}` has them all")


def _opened(one: AlertExplained, told: Told) -> str:
    alert = one.alert
    severity = f", {alert.severity}" if alert.severity else ""
    expires = f"; expires on {near(one.clearing.expires, told.day)}" if one.clearing is not None else ""
    silent = "; only recorded, so no play started" if alert.silent else ""
    return f"{alert.trigger}{severity}, open since {near(alert.opened_on, told.day)}{expires}{silent}"


def _closes(one: AlertExplained, clearing: Clearing, told: Told) -> str:
    """When it clears, and what would have been enough today."""
    trigger = told.rulebook.triggers.get(one.alert.trigger)
    condition = clearing.condition if trigger is None or trigger.clear_when is not None else "its condition is false"
    stays = ""
    if clearing.stays is not None:
        stays = f". If all stays as it is, that is on {near(clearing.stays, told.day)}"
    if not clearing.ways:
        found = "no change of one or two of today's facts does that" if clearing.searched else \
            "no small change was found"
        return f"clears when {condition}; {found}{stays}"
    ways = ", or ".join(" with ".join(_change(change) for change in way) for way in clearing.ways[:MOST_WAYS])
    return f"clears when {condition}; enough today: {ways}{stays}"


def _change(change: Change) -> str:
    return f"{change.metric} {_said(change.to)} (is {_said(change.now)})"


def _said(value: object) -> str:
    return "missing" if value is None else value_text(value)      # type: ignore[arg-type]


def _play(play: PlayAnswer, told: Told) -> str:
    if play.run is None:
        return f"{play.play}: not started, {play.why_not}"
    return f"{play.play}: {_ran(play.run, told)}"


def _ran(one: RunExplained, told: Told) -> str:
    """`started 3 December; 2 messages sent; next call_them (task) on 6 December`."""
    run = one.run
    parts = [f"started {near(run.occurrence, told.day)}"]
    counts = Counter((row.delivery.kind, row.status) for row in one.deliveries)
    parts += [f"{amount(count, *KIND_WORDS[kind])} {_fate(status)}" for (kind, status), count in counts.items()]
    dead = next((row.detail for row in one.deliveries if row.status is DeliveryStatus.DEAD and row.detail), "")
    if dead:
        parts.append(f"“{without_addresses(dead)}”")
    play = told.rulebook.as_begun(run.play, run.digest)
    named = {step.id: _step(step) for step in play.steps} if play is not None else {}
    parts += [_unsaid(named.get(kept.silence.step, kept.silence.step), kept.silence) for kept in one.silences]
    if one.next_step is not None:
        when = f" on {near(run.next_on, told.day)}" if run.next_on is not None else ""
        parts.append(f"next {_step(one.next_step)}{when}")
    elif run.status is RunStatus.HELD_OUT:
        parts = [f"held out on {near(run.occurrence, told.day)}: in the control group, nothing is sent"]
    elif run.status is RunStatus.SILENCED:
        parts = [f"kept away on {near(run.began_on or run.occurrence, told.day)} by another play: nothing is sent"]
    elif run.status is RunStatus.HELD:
        parts = [f"held by the guard since {near(run.since or run.occurrence, told.day)}: {run.reason}"]
        parts += [f"`forestall outbox approve {run.play}` lets it go"] if run.since else ["waits for another play"]
    elif run.status is not RunStatus.RUNNING:
        parts.append(run.status.value + (f": {run.reason}" if run.reason and run.reason != "done" else ""))
    parts += _in_time(run, told)
    if run.outcome is not OutcomeStatus.NONE:
        took = "" if run.took is None else f" after {amount(run.took, 'day', 'days')}"
        parts.append(f"goal {run.outcome.value}{took}")
    return "; ".join(parts)


def _in_time(run: PlayRun, told: Told) -> list[str]:
    """Who took it up, and whether somebody else had to hear of it."""
    found = []
    if run.escalated_on is not None and run.due_on is not None:
        found = [f"overdue since {near(run.due_on, told.day)}, escalated on {near(run.escalated_on, told.day)}"]
    if run.done_on is not None:
        by = "the facts" if run.done_by == "done_when" else run.done_by
        found.append(f"done on {near(run.done_on, told.day)}, say{'' if by == 'the facts' else 's'} {by}")
    return found


def _unsaid(step: str, silence: Silence) -> str:
    """What kept a step quiet, or only made it wait for the morning."""
    if silence.reason is SilenceReason.QUIET_HOURS:
        return f"{step}: {silence.reason.value}, {silence.detail}"
    return f"{step} not sent: {silence.reason.value}, {silence.detail}"


def _fate(status: DeliveryStatus) -> str:
    return {DeliveryStatus.QUEUED: "waiting", DeliveryStatus.CLAIMED: "on its way", DeliveryStatus.SENT: "sent",
            DeliveryStatus.CANCELLED: "cancelled", DeliveryStatus.DEAD: "undeliverable",
            DeliveryStatus.UNCERTAIN: "perhaps sent"}[status]


def _step(step: Step) -> str:
    match step:
        case EmailStep():
            return f"email {step.template}"
        case SlackStep():
            return f"Slack message {step.template}"
        case TaskStep():
            return f"task {step.template}"
        case StopIfStep():
            return f"stop_if {step.condition.text}"
        case WaitStep():
            return "after a wait"
        case _:
            return f"webhook {step.template}"
