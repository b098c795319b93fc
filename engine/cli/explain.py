"""`forestall explain ACCOUNT`: one account on one screen, or as a document."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import click

from forestall.engine.cli.explain_document import document
from forestall.engine.cli.explain_text import lines
from forestall.engine.cli.told import Known, RulesThen, Told
from forestall.engine.errors import Location, UsageError
from forestall.engine.intervene.explained import answered
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.rulebook.begun import going_on
from forestall.engine.rulebook.earlier import earlier
from forestall.engine.runtime import Project, open_project
from forestall.engine.score.explain import AGO, explain, nearest_accounts
from forestall.engine.store import PassMade, Store

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
MOST_DAYS = 3660


@click.command("explain", short_help="Say why an account has its score, tier and alerts.")
@click.argument("account")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day (default: the last day decided, or today).")
@click.option("--since", type=click.IntRange(1, MOST_DAYS), default=AGO, show_default=True, metavar="DAYS",
              help="Say what moved the score since so many days before.")
@click.option("--all", "whole", is_flag=True, help="Show everything, also what does not fit on one screen.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(account: str, project: Path, rules: Path | None, day: datetime | None, since: int, whole: bool,
            form: str) -> None:
    """Show an account's signals and points, what moved its score, every trigger with the values it saw, what would
    clear its alerts, and which plays started or why not."""
    opened = open_project(project, rules)
    told = _told(opened, rules or project / "rules", account, day.date() if day else None, since)
    if form == "json":
        click.echo(json.dumps(document(told), ensure_ascii=False))
        return
    for line in lines(told, whole=whole):
        click.echo(line)


def _told(project: Project, rules: Path, account: str, day: date | None, since: int) -> Told:
    with Store.open(project.store_path, read_only=True) as store:
        last = store.pass_on(date.max)
        wanted = day or (last.day if last else _last_day(project))
        record, then = store.account(account), store.pass_on(wanted - timedelta(days=since))
        begun = store.begun()
    rulebook = going_on(project.rulebook, {(run.play, run.digest) for run in record.runs}, begun)
    before = _rules_then(project, rules, then)
    found = explain(rulebook, project.history, account, wanted, since, before.rulebook)
    if found is None:
        raise unknown_account(project, account, wanted)
    decided = answered(rulebook, found.subject, record, wanted, last.day if last else None)
    return Told(rulebook, found, decided, since, before)


def _rules_then(project: Project, rules: Path, then: PassMade | None) -> RulesThen:
    """The rules of the score by which the earlier day was decided: the same, found in git, or not to be had."""
    if then is None:
        return RulesThen(Known.NO_PASS)
    if then.scoring_digest == project.rulebook.scoring_digest:
        return RulesThen(Known.SAME)
    found = earlier(rules, then.scoring_digest)
    return RulesThen(Known.CHANGED, found.rulebook, found.commit) if found else RulesThen(Known.NOT_STORED)


def _last_day(project: Project) -> date:
    through = project.history.last_arrival()
    if through is None:
        raise UsageError.one(Location(str(project.history.root)), "history-empty", "there is no history yet.",
                             "Bring it in with `forestall history import`, or do a pass with `forestall run --send`.")
    return min(through, project.today())


def unknown_account(project: Project, account: str, day: date) -> UsageError:
    """That nothing is known of the account on the day, and which one may be meant."""
    there = nearest_accounts(project.rulebook, project.history, day)
    last = project.history.last_named(account)
    hint = f"A source named it last on {last}: look at that day with --day." if last and there else (
        did_you_mean(account, there) if there else "Name another day with --day.")
    return UsageError.one(Location(account), "unknown-account", f"no account of this name has a row on {day}.",
                          hint or f"There are {len(there):,}, such as {there[0]}.")
