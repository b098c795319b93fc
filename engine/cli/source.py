"""`forestall source`: write an adapter of your own, or ask a source for what every source promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from forestall.engine.errors import Location, UsageError

if TYPE_CHECKING:
    from forestall.engine.conformance.checkup import Checkup

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
DAYS = 35       # what every pass asks for
INDENT = 22


@click.group("source", short_help="Write an adapter for a new source, or check one.")
def command() -> None:
    """Where facts come from."""


@command.command("new", short_help="Write a package with an adapter that works.")
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), help="The folder to write, new or empty.")
def new(name: str, into: Path | None) -> None:
    """Write a package with a working adapter called NAME, its test and its entry point, into forestall-NAME."""
    from forestall.engine.adapter_settings import SOURCES, offered
    from forestall.engine.cli.adapter_package import write_package

    if not NAME.fullmatch(name):
        raise UsageError.one(Location("NAME"), "name-of-a-source", f"`{name}` cannot be the name of an adapter.",
                             "Use small letters, digits and dashes, such as help-desk.")
    if name in offered(SOURCES):
        raise UsageError.one(Location("NAME"), "adapter-there", f"there is an adapter called `{name}` already.",
                             "Choose another name.")
    folder = into or Path(f"forestall-{name}")
    for file in write_package(name, folder):
        click.echo(f"{folder / file}")
    for line in ("", "It works already. Next:", f"  cd {folder}", "  python3 -m pip install --editable '.[dev]'",
                 "  python3 -m pytest", "Then make source.py yours; docs/source-kit.md of Forestall says how."):
        click.echo(line)


@command.command("check", short_help="Ask a source for what every source promises.")
@click.argument("name")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--days", type=click.IntRange(min=0), default=DAYS, show_default=True,
              help="How many of the last days to look at; 0 looks at everything that it has.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def check(name: str, project: Path, rules: Path | None, days: int, form: str) -> None:
    """Ask the source NAME of forestall.yaml for what every source promises, on the facts that it has.

    It is read several times, and nothing is changed or kept. A source with secrets is also asked once with wrong ones,
    to see that they are told nowhere. Exit code 1 when a promise is broken.
    """
    from datetime import datetime, timedelta

    from forestall.engine.cli.progress import shown
    from forestall.engine.conformance.checkup import State, check_up
    from forestall.engine.language.nearest import did_you_mean
    from forestall.engine.rulebook.loader import load
    from forestall.engine.settings import FILE, read_settings

    settings = read_settings(project)
    described = next((one for one in settings.sources if one.name == name), None)
    if described is None:
        names = [one.name for one in settings.sources]
        raise UsageError.one(Location(str(project / FILE)), "unknown-source", f"there is no source `{name}`.",
                             did_you_mean(name, names) or (f"There are: {', '.join(names)}." if names else
                                                           "Add one below `sources:`."))
    catalogue = load(rules or project / "rules", settings).catalogue
    until = datetime.now(settings.time_zone).date()
    since = until - timedelta(days=days - 1) if days else None
    with shown() as progress:
        found = check_up(settings, described, {metric.name: metric for metric in catalogue.supplied()}, since, until,
                         progress)
    if form == "json":
        click.echo(json.dumps(_document(found), ensure_ascii=False))
    else:
        _print(found)
    if found.count(State.BROKEN):
        raise click.exceptions.Exit(1)


def _print(found: Checkup) -> None:
    from forestall.engine.cli.report import amount
    from forestall.engine.conformance.checkup import State

    span = f", {found.first} to {found.last}" if found.first else ""
    click.echo(f"{found.source} (adapter {found.adapter}): {amount(len(found.supplies), 'metric', 'metrics')}, "
               f"{amount(found.rows, 'row', 'rows')} of {amount(found.accounts, 'account', 'accounts')}{span}")
    described = [f"{one.name} ({one.kind}{', ' if one.unit else ''}{one.unit})" for one in found.supplies]
    for line in wrap(", ".join(described), 116, break_on_hyphens=False):
        click.echo(f"  {line}")
    for problem in found.noticed:
        _line("", "noticed", str(problem))
    click.echo()
    for one in sorted(found.answers, key=lambda answer: list(State).index(answer.state)):
        _line(str(one.state), one.promise, one.about if one.state is State.BROKEN else one.said)
        for text in (one.said, one.hint) if one.state is State.BROKEN else ():
            _line("", "", text)
    kept, broken, rest = (found.count(state) for state in State)
    click.echo(f"\n{amount(kept, 'promise', 'promises')} kept, {broken:,} broken, {rest:,} not asked.")


def _line(state: str, promise: str, text: str) -> None:
    color = {"kept": "green", "broken": "red"}.get(state)
    head = f"  {click.style(f'{state:<10}', fg=color)}{promise:<{INDENT - 12}}"
    for index, line in enumerate(wrap(text, 118 - INDENT) or [""]):
        click.echo((head if not index else " " * INDENT) + line)


def _document(found: Checkup) -> dict[str, object]:
    from forestall.engine.cli.console import as_json
    from forestall.engine.conformance.checkup import State

    def day(value: object) -> str | None:
        return None if value is None else str(value)

    return {"version": 1, "source": found.source, "adapter": found.adapter, "ok": not found.count(State.BROKEN),
            "since": day(found.since), "until": day(found.until),
            "metrics": [{"name": one.name, "kind": str(one.kind), "unit": one.unit} for one in found.supplies],
            "rows": found.rows, "accounts": found.accounts, "first": day(found.first), "last": day(found.last),
            "noticed": [as_json(problem) for problem in found.noticed],
            "promises": [{"name": one.promise, "about": one.about, "state": str(one.state), "said": one.said,
                          "hint": one.hint} for one in found.answers]}
