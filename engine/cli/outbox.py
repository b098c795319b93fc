"""`forestall outbox`: what waits, what cannot be delivered, what a guard holds, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import click

from forestall.engine.cli.answering import whoever
from forestall.engine.cli.outbox_listed import (
    Clock,
    list_document,
    list_lines,
    said,
    shortened,
    show_document,
    show_lines,
)
from forestall.engine.cli.progress import shown
from forestall.engine.cli.report import amount, outbox_said
from forestall.engine.errors import Location, UsageError
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.delivery import DeliveryStatus, OutboxRow
from forestall.engine.runtime import open_channels, send_due, store_path
from forestall.engine.settings import Settings, read_settings
from forestall.engine.store import Store

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
MOST = 50
OPEN = (DeliveryStatus.QUEUED, DeliveryStatus.CLAIMED, DeliveryStatus.DEAD, DeliveryStatus.UNCERTAIN)
NEXT = "The next pass looks at each of them again, and sends what is still true."
WHO = "Who says so (default: the name of this login)."


@click.group("outbox", short_help="Show what waits to be sent, send it again, approve or cancel it.")
def command() -> None:
    """What passes have planned to send, and what became of it."""


@command.command("list", short_help="Show what waits, cannot be delivered, or is uncertain.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--status", type=click.Choice([one.value for one in DeliveryStatus]), multiple=True,
              help="Only those that stand so; may be said more than once (default: all that are not done).")
@click.option("--account", default="", help="Only those of this account.")
@click.option("--play", default="", help="Only those of this play.")
@click.option("--most", type=click.IntRange(min=1), default=MOST, show_default=True, help="How many to show.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def list_command(project: Path, status: tuple[str, ...], account: str, play: str, most: int, form: str) -> None:
    """Show what waits, cannot be delivered, or is uncertain; oldest first. The characters of a key are enough to name
    it."""
    settings = read_settings(project)
    with Store.open(store_path(settings), read_only=True) as store:
        rows = list(store.outbox([DeliveryStatus(one) for one in status] or OPEN, account=account, play=play))
        counts, held = store.counts(), store.held()
    held = {name: count for name, count in held.items() if play in ("", name)}
    if form == "json":
        click.echo(json.dumps(list_document(rows, counts, held), ensure_ascii=False))
        return
    for line in list_lines(rows, counts, held, most, _clock(settings)):
        click.echo(line)


@command.command("show", short_help="Show one message, and every attempt to send it.")
@click.argument("key")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def show_command(key: str, project: Path, form: str) -> None:
    """Show one message, where it stands, and every attempt to send it."""
    settings = read_settings(project)
    clock = _clock(settings)
    with Store.open(store_path(settings), read_only=True) as store:
        row = _meant(store, key)
        attempts, rests = store.attempts(row.delivery.key), store.rests_until(row, clock.now)
    if form == "json":
        click.echo(json.dumps(show_document(row, attempts, rests), ensure_ascii=False))
        return
    for line in show_lines(row, attempts, rests, clock):
        click.echo(line)


@command.command("retry", short_help="Have messages tried again at once.")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
def retry_command(keys: tuple[str, ...], project: Path) -> None:
    """Have messages that wait, are undeliverable or uncertain tried again as if for the first time, under the same key.

    Nothing is sent yet: `forestall outbox send` does, or the next pass, or `forestall serve` where it runs.
    """
    settings = read_settings(project)
    with Store.open(store_path(settings), read_only=True) as store:
        rows = [_meant(store, key) for key in dict.fromkeys(keys)]
    _must_be(rows, (DeliveryStatus.QUEUED, DeliveryStatus.DEAD, DeliveryStatus.UNCERTAIN), "is not sent again")
    with Store.open(store_path(settings)) as store:
        store.again({row.delivery.key for row in rows})
    for line in _named(rows):
        click.echo(f"{line} is tried again.")
    click.echo("`forestall outbox send` sends it now; else the next pass does, or `forestall serve` where it runs.")


@command.command("send", short_help="Send what is due, without a pass.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
def send_command(project: Path) -> None:
    """Send what is due and not sent yet: retries, messages that waited for the end of quiet hours.

    Nothing is decided.
    """
    settings = read_settings(project)
    channels = open_channels(settings, ())
    with Store.open(store_path(settings), read_only=True) as store:
        due, waiting = store.is_due(datetime.now(UTC), set(channels)), store.waiting()
    if not due:
        click.echo("Nothing is due." + (f" {amount(waiting, 'message waits', 'messages wait')} for a later moment; "
                                        "`forestall outbox list` says why." if waiting else ""))
        return
    with Store.open(store_path(settings)) as store, shown() as progress:
        report = send_due(settings, store, channels, progress=lambda done: progress("deliveries", done, waiting))
    click.echo(f"{outbox_said(report)}.")
    for problem in report.problems:
        click.echo(str(problem))


@command.command("approve", short_help="Let the starts of a play go that a guard holds.")
@click.argument("play")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--by", help=WHO)
def approve_command(play: str, project: Path, by: str | None) -> None:
    """Let the starts of a play go that a guard holds.

    The next pass looks at each again, and starts what is still true.
    """
    settings, who = read_settings(project), whoever(by)
    _must_be_held(settings, play)
    with Store.open(store_path(settings)) as store:
        held = store.approve(play, _today(settings), who)
    click.echo(f"Approved: {amount(held, 'start', 'starts')} of {play}. {NEXT}")


@command.command("cancel", short_help="Stop the held starts of a play, or one message.")
@click.argument("what", metavar="PLAY|KEY")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--by", help=WHO)
def cancel_command(what: str, project: Path, by: str | None) -> None:
    """Stop the starts of a play that a guard holds, or one message that is not sent yet.

    The play of such a message goes on without it.
    """
    settings = read_settings(project)
    with Store.open(store_path(settings), read_only=True) as store:
        held = store.held()
        row = None if what in held else _meant(store, what, held)
    if row is None:
        who = whoever(by)
        with Store.open(store_path(settings)) as store:
            count = store.cancel_held(what, _today(settings), who)
        click.echo(f"Cancelled: {amount(count, 'start', 'starts')} of {what}. The next pass stops them.")
        return
    _must_be([row], OPEN, "cannot be cancelled")
    with Store.open(store_path(settings)) as store:
        cancelled = store.cancel([row.delivery.key])
    (line,) = _named([row])
    if not cancelled:
        raise UsageError.one(Location(what), "message-settled", "this message was sent a moment ago.")
    click.echo(f"{line} is cancelled." if row.status is not DeliveryStatus.CLAIMED else
               f"{line} is on its way just now: if it does not get through, it is not tried again.")


def _meant(store: Store, start: str, held: Collection[str] = ()) -> OutboxRow:
    """The one delivery whose key begins so. UsageError when there is none, or more than one."""
    found = store.named(start, 4) if start else ()
    whole = [row for row in found if row.delivery.key == start]
    if len(whole or found) == 1:
        return (whole or found)[0]
    if not found:
        raise UsageError.one(Location(start or "KEY"), "no-such-key",
                             "no message has a key that begins so" + (", and no play is held by this name." if held
                                                                      else "."),
                             did_you_mean(start, held) or "`forestall outbox list` shows the keys.")
    short = shortened(row.delivery.key for row in found)
    more = " and others" if len(found) == 4 else ""
    raise UsageError.one(Location(start), "ambiguous-key", "more than one message has a key that begins so: "
                         f"{', '.join(short[row.delivery.key] for row in found)}{more}.", "Write more of it.")


def _must_be(rows: Sequence[OutboxRow], statuses: Collection[DeliveryStatus], otherwise: str) -> None:
    """UsageError about every row that stands elsewhere; nothing has been done then."""
    wrong = [row for row in rows if row.status not in statuses]
    for row in wrong:
        raise UsageError.one(Location(row.delivery.key), "message-settled",
                             f"this message is {said(row.status)} and {otherwise}.",
                             "`forestall outbox show` says what became of it. Nothing was changed.")


def _must_be_held(settings: Settings, play: str) -> None:
    with Store.open(store_path(settings), read_only=True) as store:
        held = store.held()
    if play not in held:
        there = f"There are: {', '.join(held)}." if held else "No play is held."
        raise UsageError.one(Location(play), "not-held", "no guard holds a start of this play.",
                             did_you_mean(play, held) or there)


def _named(rows: Sequence[OutboxRow]) -> list[str]:
    short = shortened(row.delivery.key for row in rows)
    return [f"{short[row.delivery.key]}  the {row.delivery.kind.value} to {row.delivery.recipient} for "
            f"{row.delivery.account} ({row.delivery.play})" for row in rows]


def _clock(settings: Settings) -> Clock:
    return Clock(datetime.now(UTC), settings.time_zone)


def _today(settings: Settings) -> date:
    return datetime.now(settings.time_zone).date()
