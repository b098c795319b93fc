"""`forestall outcome`: what became of an account, as a person knows it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import click

from forestall.engine.cli.answering import must_be_known, said_on, whoever
from forestall.engine.cli.screen import near
from forestall.engine.errors import Location, UsageError
from forestall.engine.model.outcome import Answer, AnswerKind
from forestall.engine.runtime import open_project
from forestall.engine.store import Store

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("outcome", short_help="Record that an account was saved, lost or expanded.")
@click.argument("account")
@click.argument("what", type=click.Choice(["saved", "lost", "expanded"]))
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--revenue", type=float, help="What it is about, in the unit of the role `revenue`.")
@click.option("--reason", default="", help="Why, in a word or two; the same words count together.")
@click.option("--note", default="", help="What others should know.")
@click.option("--by", help="Who says so (default: the name of this login).")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day it happened (default: today).")
def command(account: str, what: str, project: Path, revenue: float | None, reason: str, note: str, by: str | None,
            day: datetime | None) -> None:
    """Record what became of an account. It is kept beside what the data say, and said twice it counts once."""
    opened = open_project(project)
    if revenue is not None and not (math.isfinite(revenue) and revenue >= 0):
        raise UsageError.one(Location("--revenue"), "no-amount", f"{revenue} is no amount of money.",
                             "Write a number from 0 on; whether it was won or lost is said already.")
    said = Answer(account, AnswerKind(what), whoever(by), datetime.now(UTC), said_on(opened, day), revenue=revenue,
                  reason=reason.strip(), note=note.strip())
    with Store.open(opened.store_path, read_only=True) as store:
        must_be_known(opened, store, account)
        known = any(_same(said, earlier) for earlier in store.answers(account, [said.kind]))
    if known:
        click.echo(f"{account}: that was recorded before.")
        return
    with Store.open(opened.store_path) as store:
        store.answer(said)
    money = "" if revenue is None else f" ({revenue:,.10g})"
    click.echo(f"{account}: {what}{money} on {near(said.day, opened.today())}, recorded by {said.by}.")


def _same(said: Answer, earlier: Answer) -> bool:
    return (said.day, said.by, said.revenue, said.reason, said.note) == (
        earlier.day, earlier.by, earlier.revenue, earlier.reason, earlier.note)
