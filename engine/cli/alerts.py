"""`forestall alerts`: what is open, and what people say about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from forestall.engine.cli.alerts_listed import Listed, document, lines, listed
from forestall.engine.cli.answering import must_be_known, said_on, whoever
from forestall.engine.cli.screen import near
from forestall.engine.errors import Location, UsageError
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.alert import Alert
from forestall.engine.model.delivery import PlayRun, RunStatus
from forestall.engine.model.outcome import Answer, AnswerKind
from forestall.engine.runtime import Project, open_project
from forestall.engine.store import Store

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
MOST_DAYS = 366


@click.group("alerts", short_help="Show what is open, acknowledge it or put it off.")
def command() -> None:
    """Open alerts, and what people say about them."""


@command.command("list", short_help="Show the open alerts, the most serious first.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--account", help="Only those of this account.")
@click.option("--csm", help="Only those of accounts of this CSM: key, name or email address.")
@click.option("--tier", help="Only those of accounts that are in this tier now.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def list_command(project: Path, rules: Path | None, account: str | None, csm: str | None, tier: str | None,
                 form: str) -> None:
    """Show the open alerts, the most serious first, as the last pass left them."""
    opened = open_project(project, rules)
    _known_tier(opened, tier)
    with Store.open(opened.store_path, read_only=True) as store:
        if account is not None:
            must_be_known(opened, store, account)
        alerts = [one for one in store.open_alerts() if account in (None, one.account)]
        found = listed(opened.rulebook, opened.history, store.state(), alerts)
    found = [one for one in found if tier in (None, one.tier)]
    found = found if csm is None else _of(opened, found, csm)
    if form == "json":
        click.echo(json.dumps(document(found, opened.today()), ensure_ascii=False))
        return
    for line in lines(found, opened.today()):
        click.echo(line)


def _known_tier(project: Project, tier: str | None) -> None:
    tiers = [one.name for one in project.rulebook.scorecard.tiers]
    if tier is not None and tier not in tiers:
        raise UsageError.one(Location("--tier"), "unknown-tier", f"there is no tier `{tier}`.",
                             did_you_mean(tier, tiers) or f"There are: {', '.join(tiers)}.")


def _of(project: Project, found: Sequence[Listed], csm: str) -> list[Listed]:
    """Those of one CSM, whatever the sources call this person."""
    meant = project.directory.person(csm)

    def is_theirs(said: str) -> bool:
        person = project.directory.person(said)
        return said == csm or (person is not None and person == meant)

    theirs = [one for one in found if is_theirs(one.csm)]
    people = {one.csm for one in found if one.csm} | set(project.directory.people)
    if not theirs and meant is None and csm not in people:
        raise UsageError.one(Location("--csm"), "unknown-person", f"nobody here is called {csm}.",
                             did_you_mean(csm, people) or "Write the key of forestall.yaml, a name or an address.")
    return theirs


@command.command("ack", short_help="Say that somebody takes care: no reminder, no escalation.")
@click.argument("account")
@click.argument("trigger", required=False)
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--note", default="", help="What others should know.")
@click.option("--by", help="Who says so (default: the name of this login).")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day it counts for (default: today).")
def ack_command(account: str, trigger: str | None, project: Path, note: str, by: str | None,
                day: datetime | None) -> None:
    """Acknowledge an open alert of an account, or all of them: it is neither repeated nor escalated, until it becomes
    more serious."""
    _answer(project, account, trigger, AnswerKind.ACKNOWLEDGED, by, note, day)


@command.command("snooze", short_help="Put an alert off: nothing more of it until a day.")
@click.argument("account")
@click.argument("trigger", required=False)
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day of rest.")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), help="For so many days.")
@click.option("--note", default="", help="What others should know.")
@click.option("--by", help="Who says so (default: the name of this login).")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day it counts for (default: today).")
def snooze_command(account: str, trigger: str | None, project: Path, until: datetime | None, days: int | None,
                   note: str, by: str | None, day: datetime | None) -> None:
    """Put off an open alert of an account, or all of them: no step, reminder or escalation until the day has passed,
    or until it becomes more serious."""
    if (until is None) == (days is None):
        raise UsageError.one(Location("--until"), "until-when", "it is not clear how long this shall rest.",
                             "Say it with --until DAY or with --days NUMBER, and not with both.")
    _answer(project, account, trigger, AnswerKind.SNOOZED, by, note, day, until.date() if until else None, days)


@command.command("done", short_help="Say that what a play asked of a person is done.")
@click.argument("account")
@click.argument("trigger", required=False)
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--note", default="", help="What others should know.")
@click.option("--by", help="Who says so (default: the name of this login).")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day it counts for (default: today).")
def done_command(account: str, trigger: str | None, project: Path, note: str, by: str | None,
                 day: datetime | None) -> None:
    """Say that the task of an open alert of an account is done, or of all of them: nothing of it is overdue then."""
    _answer(project, account, trigger, AnswerKind.DONE, by, note, day)


def _answer(project: Path, account: str, trigger: str | None, kind: AnswerKind, by: str | None, note: str,
            day: datetime | None, until: date | None = None, days: int | None = None) -> None:
    opened = open_project(project)
    on, who, at = said_on(opened, day), whoever(by), datetime.now(UTC)
    until = on + timedelta(days=days) if days is not None else until
    if until is not None and until < on:
        raise UsageError.one(Location("--until"), "snooze-past", f"{until} is over already.",
                             "Name a day to come, or say --days NUMBER.")
    with Store.open(opened.store_path, read_only=True) as store:
        meant = _meant(opened, store, account, trigger, plays=kind is AnswerKind.DONE)
    with Store.open(opened.store_path) as store:
        for name, occurrence in meant:
            applied = store.answer(Answer(account, kind, who, at, on, group=name, occurrence=occurrence, trigger=name,
                                          until=until, note=note))
            for line in _said(account, name, kind, who, until, on, applied.alerts, applied.runs):
                click.echo(line)


def _said(account: str, name: str, kind: AnswerKind, who: str, until: date | None, on: date, alerts: Sequence[Alert],
          runs: Sequence[PlayRun]) -> list[str]:
    if not alerts and not runs:
        return [f"{account}: {name} has closed meanwhile; what you said is kept."]
    if kind is AnswerKind.SNOOZED and until is not None:
        return [f"{account}: {name} rests until {near(until, on)}."]
    if kind is AnswerKind.DONE:
        plays = " and ".join(run.play for run in runs)
        return [f"{account}: {plays or name} is done, says {who}."]
    return [f"{account}: {name} is acknowledged by {who}."]


def _meant(project: Project, store: Store, account: str, trigger: str | None, *,
           plays: bool) -> list[tuple[str, date]]:
    """The open alerts that are meant by name, with their openings; with `plays` also what runs without an alert."""
    record = store.account(account)
    found = {one.trigger: one.opened_on for one in store.open_alerts() if one.account == account}
    if plays:
        found |= {run.group: run.occurrence for run in record.runs
                  if run.status is RunStatus.RUNNING and run.group not in found}
    if not found:
        must_be_known(project, store, account)
        raise UsageError.one(Location(account), "nothing-open", "this account has no open alert.",
                             "See what is open with `forestall alerts list`.")
    if trigger is None:
        return sorted(found.items())
    if trigger not in found:
        raise UsageError.one(Location(account), "nothing-open", f"no alert {trigger} is open for this account.",
                             did_you_mean(trigger, found) or f"Open are: {', '.join(sorted(found))}.")
    return [(trigger, found[trigger])]
