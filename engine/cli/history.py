"""`forestall history`: bring earlier facts into the history, and show how it stands."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from forestall.engine.cli import history_compact
from forestall.engine.cli.history_status import document, lines
from forestall.engine.cli.progress import shown
from forestall.engine.cli.report import amount
from forestall.engine.detect.history import History
from forestall.engine.detect.in_place import HistoryInPlace
from forestall.engine.errors import Location, UsageError
from forestall.engine.runtime import Project, import_history, open_project

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group("history", short_help="Bring earlier facts into the history, show how it stands.")
def command() -> None:
    """What the sources said, day by day."""


@command.command("import", short_help="Read everything that the sources have.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def import_command(project: Path, rules: Path | None, form: str) -> None:
    """Read everything that the sources have up to today into the history.

    Each row counts as received on its own day. Importing twice changes nothing. Whole or not at all.
    """
    opened = open_project(project, rules)
    with shown() as progress:
        collected, history = import_history(opened, progress)
    if form == "json":
        click.echo(json.dumps({
            "version": 1, "through": history.through.isoformat() if history.through else None,
            "sources": [{"source": one.source, "rows": one.arrived.rows, "new": one.arrived.new,
                         "accounts": one.arrived.accounts, "metrics": list(one.supplies),
                         "noticed": [str(problem) for problem in one.noticed],
                         "first": one.arrived.first.isoformat() if one.arrived.first else None,
                         "last": one.arrived.last.isoformat() if one.arrived.last else None} for one in collected]}))
        return
    if not collected:
        click.echo("forestall.yaml names no source, so there is nothing to import.")
    for one in collected:
        arrived = one.arrived
        span = f", {arrived.first} to {arrived.last}" if arrived.first else ""
        click.echo(f"{one.source}: {amount(arrived.rows, 'row', 'rows')} of "
                   f"{amount(arrived.accounts, 'account', 'accounts')}{span}; {arrived.new:,} new")
        for problem in one.noticed:
            click.echo(f"  {problem}")
    if history.through:
        click.echo(f"The history holds one row per account and day through {history.through}.")


@command.command("status", short_help="Show how complete and how fresh it is.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day to look at (default: the last of the history).")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def status_command(project: Path, rules: Path | None, day: datetime | None, form: str) -> None:
    """Show who has spoken and when last, which metrics are known of how many accounts, and what has changed.

    Reads only what is stored; no source is asked.
    """
    from forestall.engine.detect.standing import standing

    opened = open_project(project, rules)
    history = _ours(opened)
    if history.through is None or history.empty:
        raise UsageError.one(Location(str(history.root)), "history-empty", "there is no history yet.",
                             "`forestall history import` reads what the sources have.")
    wanted = day.date() if day else history.through
    if wanted > history.through or (history.first and wanted < history.first):
        raise UsageError.one(Location("--day"), "period", f"the history holds {history.first} to {history.through}, "
                             f"and not {wanted}.", "Name a day of these.")
    found = standing(history, opened.rulebook.catalogue, opened.settings.gone_after, wanted)
    if form == "json":
        click.echo(json.dumps(document(found, opened.today()), ensure_ascii=False))
        return
    for line in lines(found, opened.today()):
        click.echo(line)


@command.command("compact", short_help="Take away what need not be kept.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--write", is_flag=True, help="Do it.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def compact_command(project: Path, rules: Path | None, write: bool, form: str) -> None:
    """Take away days older than `retention` in forestall.yaml, and rows that were replaced on the day they came.

    Without --write it only says what that would be. Whole or not at all.
    """
    opened = open_project(project, rules)
    _ours(opened)
    with shown() as progress:
        compacted = history_compact.compact_history(opened, write=write, progress=progress)
    if form == "json":
        click.echo(json.dumps(history_compact.document(compacted, written=write)))
        return
    for line in history_compact.lines(compacted, written=write):
        click.echo(line)
    if not write and not compacted.done.nothing:
        click.echo("This was a dry run: nothing was changed. `--write` does it.")


def _ours(project: Project) -> History:
    """The history that we keep. UsageError where somebody else keeps it."""
    history = project.history
    if isinstance(history, HistoryInPlace):
        raise UsageError.one(Location(project.settings.file), "history-in-place",
                             f"the history is {history.name}, which is read where it is.",
                             "Look at it, and make it smaller, with the means of the database that keeps it.")
    return history
