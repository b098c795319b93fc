"""`forestall outcome`: what became of an account, as a person knows it, and the list of all that is recorded."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from forestall.engine.cli.answering import must_be_known, said_on, whoever
from forestall.engine.cli.outcomes_listed import began, document, lines
from forestall.engine.cli.screen import near
from forestall.engine.errors import Location, UsageError
from forestall.engine.model.outcome import Answer, AnswerKind
from forestall.engine.model.people import bare_address
from forestall.engine.runtime import Project, open_project
from forestall.engine.store import Store

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
MOST = 50


class _Outcome(click.Group):
    """`forestall outcome ACCOUNT saved` is short for `forestall outcome record ACCOUNT saved`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["record", *args]
        return super().parse_args(ctx, args)


@click.group("outcome", cls=_Outcome, short_help="Record what became of an account, and show what is recorded.")
def command() -> None:
    """What became of accounts. `forestall outcome ACCOUNT saved` is short for `forestall outcome record ACCOUNT saved`.
    """


@command.command("list", short_help="Show what became of plays, and what people said.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--account", help="Only what is about this account.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]),
              help="Only plays that began, met their goal or were done since this day, and what was said since.")
@click.option("--most", type=click.IntRange(min=1), default=MOST, show_default=True, help="How many of each to show.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def list_command(project: Path, account: str | None, since: datetime | None, most: int, form: str) -> None:
    """Show what became of every play, also for accounts that were held out or silenced, and what people said."""
    opened, first = open_project(project), since.date() if since else None
    with Store.open(opened.store_path, read_only=True) as store:
        if account is not None:
            must_be_known(opened, store, account)
        runs, said = store.runs(account or ""), store.answers(account or "")
    if first is not None:
        runs = tuple(one for one in runs if max(day for day in (began(one), one.met_on, one.done_on) if day) >= first)
        said = tuple(one for one in said if one.day >= first)
    if form == "json":
        click.echo(json.dumps(document(runs, said, first, opened.today()), ensure_ascii=False))
        return
    for line in lines(runs, said, most, opened.today()):
        click.echo(line)


@command.command("record", short_help="Record what became of an account.")
@click.argument("account")
@click.argument("what", type=click.Choice(["saved", "lost", "expanded", "resubscribed"]))
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--revenue", type=float, help="What it is about, in the unit of the role `revenue`.")
@click.option("--reason", default="", help="Why, in a word or two; the same words count together.")
@click.option("--note", default="", help="What others should know.")
@click.option("--by", help="Who says so (default: the name of this login).")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day it happened (default: today).")
def record_command(account: str, what: str, project: Path, revenue: float | None, reason: str, note: str,
                   by: str | None, day: datetime | None) -> None:
    """Record what became of an account. It is kept beside what the data say, and said twice it counts once.
    `resubscribed`: whoever had unsubscribed wants email again."""
    opened = open_project(project)
    if revenue is not None and not (math.isfinite(revenue) and revenue >= 0):
        raise UsageError.one(Location("--revenue"), "no-amount", f"{revenue} is no amount of money.",
                             "Write a number from 0 on; whether it was won or lost is said already.")
    said = Answer(account, AnswerKind(what), whoever(by), datetime.now(UTC), said_on(opened, day), revenue=revenue,
                  reason=reason.strip(), note=note.strip())
    with Store.open(opened.store_path, read_only=True) as store:
        must_be_known(opened, store, account)
        known = any(_same(said, earlier) for earlier in store.answers(account, [said.kind]))
        addresses = _unsubscribed(opened, store, account) if said.kind is AnswerKind.RESUBSCRIBED else [""]
    if known and addresses == [""]:
        click.echo(f"{account}: that was recorded before.")
        return
    with Store.open(opened.store_path) as store:
        for address in addresses:
            store.answer(replace(said, address=address))
    money = "" if revenue is None else f" ({revenue:,.10g})"
    click.echo(f"{account}: {what}{money} on {near(said.day, opened.today())}, recorded by {said.by}.")


def _unsubscribed(project: Project, store: Store, account: str) -> list[str]:
    """The addresses of an account that want no email: those that said so of its messages, and its contact."""
    theirs = {bare_address(one.by) for one in store.answers(account, [AnswerKind.UNSUBSCRIBED])}
    found = sorted(store.unsubscribed() & (theirs | {bare_address(_contact(project, account))}))
    if not found:
        raise UsageError.one(Location(account), "not-unsubscribed", "nobody of this account has unsubscribed.",
                             "What a metric says (the role `opted_out`) can be changed only where it comes from.")
    return found


def _contact(project: Project, account: str) -> str:
    """Whom emails to this account go to, as the sources said last."""
    catalogue, through = project.rulebook.catalogue, project.history.through
    role = catalogue.roles.contact
    if not role or not catalogue.metrics[role].supplied or through is None:
        return ""
    with project.history.reading(catalogue, through, through, {account}) as connection:
        row = connection.execute(f'SELECT "{role}" FROM history').fetchone()
    return str(row[0] or "") if row else ""


def _same(said: Answer, earlier: Answer) -> bool:
    return (said.day, said.by, said.revenue, said.reason, said.note) == (
        earlier.day, earlier.by, earlier.revenue, earlier.reason, earlier.note)
