"""`forestall preview PLAY ACCOUNT`: each message of a play as it would look, without sending."""

from __future__ import annotations

import json
import tempfile
import webbrowser
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

import click

from forestall.engine.cli.explain import unknown_account
from forestall.engine.errors import Location, UsageError
from forestall.engine.intervene.preview import Previewed, preview, sending
from forestall.engine.intervene.steps import KINDS
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.message.shown import as_page, as_text
from forestall.engine.model.delivery import MessageKind
from forestall.engine.model.play import MessageStep, Play
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.runtime import Project, open_project
from forestall.engine.store import Store

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
VERSION = 1


@click.command("preview", short_help="Show the messages of a play as they would look.")
@click.argument("play")
@click.argument("account")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day (default: the last day decided, or today).")
@click.option("--step", help="Only this step: its number, its id or its template.")
@click.option("--format", "form", type=click.Choice(["text", "html", "json"]), default="text")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write each message to a file of this folder.")
@click.option("--open", "opens", is_flag=True, help="Show the messages in the browser.")
def command(play: str, account: str, project: Path, rules: Path | None, day: datetime | None, step: str | None,
            form: str, output: Path | None, opens: bool) -> None:
    """Show each message of a play as it would look for an account on a day. Nothing is decided, written or sent."""
    opened = open_project(project, rules)
    meant = _play(opened.rulebook, play)
    wanted = _steps(meant, step)
    on, since = _day(opened, account, meant, day.date() if day else None)
    found = preview(opened.evaluator, opened.directory, opened.history, meant, account, on, since)
    if not found:
        raise unknown_account(opened, account, on)
    chosen = [one for one in found if one.step in wanted]
    if output is not None or opens:
        _write(chosen, output or Path(tempfile.mkdtemp(prefix="forestall-preview-")), "html" if opens else form, opens)
        return
    if form == "json":
        click.echo(json.dumps({"version": VERSION, "play": meant.name, "account": account, "day": on.isoformat(),
                               "messages": [_document(one) for one in chosen]}, ensure_ascii=False))
    elif form == "html":
        for one in chosen:
            click.echo(as_page(one.message) if one.message else f"<!-- {one.withheld} -->")
    else:
        for line in _lines(meant, account, on, chosen):
            click.echo(line)


def _play(rulebook: Rulebook, name: str) -> Play:
    if name in rulebook.plays:
        return rulebook.plays[name]
    raise UsageError.one(Location(name), "unknown-play", "there is no play of this name.",
                         did_you_mean(name, rulebook.plays) or f"There are: {', '.join(rulebook.plays)}.")


def _steps(play: Play, said: str | None) -> tuple[MessageStep, ...]:
    """The steps that are meant: all, or the one with this number, id or template."""
    steps = sending(play)
    if said is None:
        return steps
    found = tuple(one for number, one in enumerate(steps, 1) if said in (str(number), one.id, one.template))
    if found:
        return found
    names = [one.template for one in steps]
    hint = did_you_mean(said, [*names, *(one.id for one in steps)])
    raise UsageError.one(Location("--step"), "no-such-step", f"play {play.name} sends nothing called {said}.",
                         hint or f"There are: {', '.join(f'{n} ({one})' for n, one in enumerate(names, 1))}.")


def _day(project: Project, account: str, play: Play, asked: date | None) -> tuple[date, date | None]:
    """The day to show, and on which day the alert opened where one is open."""
    with Store.open(project.store_path, read_only=True) as store:
        state = store.state()
    last = project.history.last_arrival()
    day = asked or state.previous_pass or (min(last, project.today()) if last else None)
    if day is None:
        raise UsageError.one(Location(str(project.history.root)), "history-empty", "there is no history yet.",
                             "Bring it in with `forestall history import`, or do a pass with `forestall run --send`.")
    opened = [alert.opened_on for name in play.alert_names() if (alert := state.alerts.get((account, name))) is not None
              and alert.closed_on is None and alert.opened_on <= day]
    return day, max(opened, default=None)


def _write(chosen: Iterable[Previewed], folder: Path, form: str, opens: bool) -> None:
    """A file for each message, in the order of the steps."""
    for one in chosen:
        if one.message is None:
            click.echo(f"{one.number}. {one.step.template}: not written, {one.withheld}")
            continue
        text = {"html": as_page, "text": as_text}[form](one.message) if form != "json" else json.dumps(
            _document(one), ensure_ascii=False, indent=2) + "\n"
        file = folder / f"{one.number}-{one.step.template}.{'txt' if form == 'text' else form}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError.one(Location(str(folder)), "folder-unwritable",
                                 f"the messages cannot be written there: {error.strerror or error}.",
                                 "Name another folder with --output.") from None
        click.echo(str(file))
        if opens:
            webbrowser.open(file.resolve().as_uri())


def _lines(play: Play, account: str, day: date, chosen: Sequence[Previewed]) -> Iterator[str]:
    yield f"{play.name} for {account} on {day}" + (f": {play.about}" if play.about else "")
    for one in chosen:
        yield ""
        yield f"--- {_title(one)} " + "-" * max(4, 92 - len(_title(one)))
        if one.withheld:
            yield f"(would not be sent: {one.withheld})"
        if one.message is not None:
            yield from as_text(one.message).rstrip("\n").split("\n")
    yield ""
    yield "Nothing was decided, written or sent."


def _title(one: Previewed) -> str:
    kind, after = KINDS[type(one.step)].value, f", after {one.after} day{'s' * (one.after != 1)}" if one.after else ""
    unless = f", unless {one.unless}" if one.unless else ""
    overdue = ", when the time of the play has passed" if one.overdue else ""
    return f"{one.number}. {kind} to {one.step.to}, template {one.step.template}{after}{unless}{overdue}"


def _document(one: Previewed) -> dict[str, object]:
    message = one.message
    return {
        "number": one.number, "step": one.step.id, "kind": KINDS[type(one.step)].value, "template": one.step.template,
        "to": one.step.to, "after_days": one.after, "unless": one.unless, "overdue": one.overdue,
        "withheld": one.withheld,
        "recipient": message.to if message else None, "subject": message.subject if message else None,
        "text": message.text if message else None, "html": message.html if message and message.html else None,
        "blocks": json.loads(message.blocks) if message and message.blocks else None,
        "body": json.loads(message.body) if message and message.body else None,
        "list_unsubscribe": message.list_unsubscribe if message and message.kind is MessageKind.EMAIL else None,
    }
