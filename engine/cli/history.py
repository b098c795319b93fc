"""`forestall history import`: bring earlier facts into the history."""

from __future__ import annotations

import json
from pathlib import Path

import click

from forestall.engine.cli.progress import shown
from forestall.engine.cli.report import amount
from forestall.engine.runtime import import_history, open_project

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group("history", short_help="Bring earlier facts into the history.")
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
    if history.through:
        click.echo(f"The history holds one row per account and day through {history.through}.")
