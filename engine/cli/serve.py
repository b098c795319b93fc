"""`forestall serve`: passes by the clock, with rules taken over while it runs; dry unless `--send` is given."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from forestall.engine.errors import Location, UsageError
from forestall.engine.model.schedule import Schedule, clock_time, interval
from forestall.engine.settings import read_settings

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("serve", short_help="Do passes by the clock; dry unless --send is given.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=click.Path(file_okay=False, path_type=Path),
              help="The rules, where they are not in the project's `rules`.")
@click.option("--at", help="A pass every day at this time, like 06:00, in the project's time zone.")
@click.option("--every", help="A pass every so often, like 1 hour.")
@click.option("--once", is_flag=True, help="One pass with the rules in force, then end.")
@click.option("--send", is_flag=True, help="Write what is decided and deliver it.")
@click.option("--accept-removal", is_flag=True,
              help="Take the rules as they are now, though more than half of the triggers or plays are gone.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              help="How the log on standard error is written.")
def command(project: Path, rules: Path | None, at: str | None, every: str | None, once: bool, send: bool,
            accept_removal: bool, form: str) -> int:
    """Do passes by the clock and take over changed rules meanwhile. SIGTERM or Ctrl-C ends it after the pass.

    Without --send nothing is sent, and no pass is written down.
    """
    schedule = _schedule(at, every)
    settings = read_settings(project)
    from forestall.engine.serve.service import Wanted, serve

    return serve(Wanted(settings, rules, schedule, send=send, once=once, accept_removal=accept_removal), sys.stderr,
                 as_json=form == "json")


def _schedule(at: str | None, every: str | None) -> Schedule | None:
    if at is not None and every is not None:
        raise UsageError.one(Location("--every"), "schedule", "--at and --every exclude each other.", "Keep one.")
    if at is not None:
        time = clock_time(at)
        if time is None:
            raise UsageError.one(Location("--at"), "schedule", f"`{at}` is no time of the day.",
                                 "Write it like 06:00.")
        return Schedule(at=time)
    if every is not None:
        length = interval(every)
        if length is None:
            raise UsageError.one(Location("--every"), "schedule", f"`{every}` is no time between two passes.",
                                 "Write 15 minutes, 1 hour or 1 day; a minute to a week.")
        return Schedule(every=length)
    return None
