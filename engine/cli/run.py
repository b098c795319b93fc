"""`forestall run`: one pass, or several consecutive days, dry unless `--send` is given."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import click

from forestall.engine.cli.progress import shown
from forestall.engine.cli.report import pass_document, pass_lines
from forestall.engine.errors import Location, UsageError
from forestall.engine.model.trigger import Existing
from forestall.engine.runtime import PassReport, Project, open_project, passes
from forestall.engine.settings import EngineName

LISTED = 20
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("run", short_help="Do one pass; dry unless --send is given.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day to decide (default: today).")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Go on day by day through this one.")
@click.option("--send", is_flag=True, help="Write what is decided and deliver it.")
@click.option("--existing", type=click.Choice([one.value for one in Existing]),
              help="On the very first pass: open alerts for accounts that match already, or only record them.")
@click.option("--engine", type=click.Choice([one.value for one in EngineName]),
              help="Where evaluation runs, whatever forestall.yaml says.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(project: Path, rules: Path | None, day: datetime | None, until: datetime | None, send: bool,
            existing: str | None, engine: str | None, form: str) -> None:
    """Collect, score, alert, plan; print what would be sent, and with --send deliver it.

    Without --send nothing is written and nothing is sent.
    """
    opened = open_project(project, rules, EngineName(engine) if engine else None)
    if not opened.settings.sources and opened.settings.warehouse is None and not opened.rulebook.catalogue.by_hand:
        _nothing_yet(form)
        return
    first = day.date() if day else opened.today()
    last = until.date() if until else first
    if last < first:
        raise UsageError.one(Location("--until"), "period", f"{last} is before {first}.", "Name a later day.")
    with shown() as progress, passes(opened, send=send, existing=Existing(existing) if existing else None,
                                     progress=progress) as running:
        for step in range((last - first).days + 1):
            _print(opened, running.one(first + timedelta(days=step)), form, single=first == last)
    if form == "text":
        click.echo(_closing(opened, send))


def _print(project: Project, report: PassReport, form: str, *, single: bool) -> None:
    mode = "live" if project.settings.live else "rehearsal"
    if form == "json":
        click.echo(json.dumps(pass_document(project.rulebook, report, mode), ensure_ascii=False))
        return
    for line in pass_lines(project.rulebook, report, mode, LISTED if single else 0):
        click.echo(line)
    click.echo("")


def _closing(project: Project, send: bool) -> str:
    if not send:
        return "This was a dry run: nothing was written and nothing was sent. `--send` delivers."
    if project.settings.live:
        return "Delivered through the channels of forestall.yaml."
    return f"Rehearsal: every message is a file in {project.settings.deliveries}."


def _nothing_yet(form: str) -> None:
    """A new project without sources is no mistake; it only has nothing to do. Documents stay alone on stdout."""
    click.echo("No account is known yet: forestall.yaml names no source. Add one below `sources:` (docs/sources.md "
               "shows how), or try `forestall init DIR --sample`.", err=form == "json")
