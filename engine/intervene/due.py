"""By when a play must have done something, what fulfils it, and whom to tell when it is late. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

from forestall.engine.alert.attention import is_acknowledged, is_snoozed
from forestall.engine.intervene.accounts import same_opening
from forestall.engine.model.alert import Alert
from forestall.engine.model.delivery import PlayRun, RunStatus
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.expression import Truth
from forestall.engine.model.play import EmailStep, MessageStep, Play, SlackStep
from forestall.engine.score.conditions import Conditions

_COLLEAGUES = ("csm", "executive", "csm.manager")


def due_on(play: Play, occurrence: date, day: date) -> date | None:
    """The last day for a play that begins on `day`: `within` runs from the opening, but no play is late on its first
    day."""
    return None if play.within is None else max(occurrence + timedelta(days=play.within), day)


def is_under_way(run: PlayRun, alerts: Iterable[Alert]) -> bool:
    """Whether something is still asked of somebody: it runs, or its steps are through and the alert is open."""
    return run.status is RunStatus.RUNNING or (
        run.status is RunStatus.FINISHED and any(same_opening(alert, run) for alert in alerts))


def done(conditions: Conditions, play: Play, run: PlayRun, row: AccountDay, day: date) -> PlayRun:
    """The run, done where `done_when` of each of its tasks is true and all of them are out."""
    if run.done_on is not None or not play.tasks:
        return run
    indices = [conditions.done_when(play, task.id) for task in play.tasks]
    known = [index for index in indices if index is not None]
    if not known or len(known) < len(indices):
        return run
    last = max(place for place, step in enumerate(play.steps) if step in play.tasks)
    if run.step <= last:
        return run
    if any(row.truth(index) is not Truth.TRUE for index in known):
        return run
    return replace(run, done_on=day, done_by="done_when")


def is_late(play: Play, run: PlayRun, alerts: Iterable[Alert], on_its_way: bool, day: date) -> bool:
    """Whether the due time has passed and nobody was told yet. `on_its_way`: no message of the run has arrived yet.

    It runs until the task is acknowledged; in a play without a task, until the first message is sent. An alert that
    somebody has acknowledged is in good hands, and one that is snoozed waits.
    """
    if play.escalate is None or run.due_on is None or day <= run.due_on or run.escalated_on or run.done_on:
        return False
    opened = [alert for alert in alerts if same_opening(alert, run)]
    if not opened or any(is_acknowledged(alert) or is_snoozed(alert, day) for alert in opened):
        return False
    return bool(play.tasks) or run.told_on is None or on_its_way


def snoozed_until(run: PlayRun, alerts: Iterable[Alert], day: date) -> date | None:
    """Until when the steps of a run wait, because somebody has put its alert off; None where nobody has."""
    return next((one.snoozed_until for one in alerts if same_opening(one, run) and is_snoozed(one, day)), None)


def reminder(day: date) -> str:
    """What stands in the place of a step where the owner is reminded on this day."""
    return f"reminder-{day}"


def reminders(play: Play, day: date) -> tuple[MessageStep, ...]:
    """What reminds the owner of an open alert: the play's own words for a colleague, way by way.

    A task is not given twice: its words come as a message. Empty where the play says nothing to a colleague.
    """
    name = reminder(day)
    for step in play.steps:
        if isinstance(step, (EmailStep, SlackStep)) and step.to in _COLLEAGUES:
            return _ways(name, play.owner or step.to, step, isinstance(step, EmailStep))
    for task in play.tasks:
        return _ways(name, play.owner or task.person, task, False)
    return ()


def _ways(name: str, to: str, step: MessageStep, email_first: bool) -> tuple[MessageStep, ...]:
    email, slack = EmailStep(name, to, step.template, step.location), SlackStep(name, to, step.template, step.location)
    return (email, slack) if email_first else (slack, email)
