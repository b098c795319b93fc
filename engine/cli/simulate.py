"""`forestall simulate`: replay a period of the history and count what it would have brought."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import fmean

import click

from forestall.engine.cli.progress import shown
from forestall.engine.cli.report import KIND_WORDS, MARGIN, amount, table
from forestall.engine.detect.history import History
from forestall.engine.errors import Location, UsageError
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.runtime import Project, open_project
from forestall.engine.settings import EngineName
from forestall.engine.simulate.replay import replay
from forestall.engine.simulate.summary import DaySummary, Replayed, summarise

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])
DEFAULT_DAYS = 30


@click.command("simulate", short_help="Replay a period and count what would have been sent.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules to try, where they are not in the project's `rules`.")
@click.option("--from", "first", type=DAY, help="The first day (default: 30 days before the last).")
@click.option("--to", "last", type=DAY, help="The last day (default: the last day of the history).")
@click.option("--engine", type=click.Choice([one.value for one in EngineName]),
              help="Where evaluation runs, whatever forestall.yaml says.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(project: Path, rules: Path | None, first: datetime | None, last: datetime | None, engine: str | None,
            form: str) -> None:
    """Decide every day of a period with the functions of production, and count alerts and deliveries.

    The replay begins with nothing open, so its first day shows what already matched. Nothing is written or sent.
    """
    opened = open_project(project, rules, EngineName(engine) if engine else None)
    history = opened.history
    begin, end = _period(opened, history, first.date() if first else None, last.date() if last else None)
    with shown() as progress:
        replayed = summarise(replay(opened.evaluator, opened.directory, history, begin, end, progress=progress))
    if form == "json":
        click.echo(json.dumps(_document(opened.rulebook, begin, end, replayed)))
        return
    for line in _lines(opened.rulebook, begin, end, replayed):
        click.echo(line)


def _period(project: Project, history: History, first: date | None, last: date | None) -> tuple[date, date]:
    arrived = history.last_arrival()
    if arrived is None:
        raise UsageError.one(Location(str(history.root)), "history-empty", "there is no history to replay.",
                             "Bring it in with `forestall history import`.")
    through = min(max(arrived, history.through or arrived), project.today())
    end = last or min(arrived, project.today())
    begin = first or end - timedelta(days=DEFAULT_DAYS - 1)
    if begin > end:
        raise UsageError.one(Location("--from"), "period", f"{begin} is after {end}.", "Name an earlier day.")
    if end > through:
        raise UsageError.one(Location("--to"), "period", f"the history ends on {through}, before {end}.",
                             "Name an earlier day, or import what is newer.")
    return begin, end


def _lines(rulebook: Rulebook, first: date, last: date, replayed: Replayed) -> Iterator[str]:
    days = replayed.days
    yield f"Replay of {first} to {last} ({amount(len(days), 'day', 'days')}); nothing was written or sent"
    yield ""
    if not any(day.accounts for day in days):
        yield "No account has a row in this period."
        return
    yield from table([("day", "accounts", "opened", "closed", "started", "held out",
                       *(many for _, many in KIND_WORDS.values()), "silences")]
                     + [_row(day) for day in days] + list(_last_rows(days)), indent=0)
    yield ""
    opened, closed, recorded = replayed.total("opened"), replayed.total("closed"), replayed.total("recorded")
    names = [*rulebook.triggers, *rulebook.tier_alerts(), *rulebook.recovery_alerts()]
    yield from table([("alert", "opened", "accounts", "closed", "only recorded")] + [
        (name, f"{opened[name]:,}", f"{len(replayed.alerted.get(name, ())):,}", f"{closed[name]:,}",
         f"{recorded[name]:,}") for name in names], indent=0)
    yield ""
    started, held_out, sent = replayed.total("started"), replayed.total("held_out"), replayed.total("by_play")
    held = replayed.total("held")
    yield from table([("play", "started", "held out", "deliveries")] + [
        (name, f"{started[name]:,}", f"{held_out[name]:,}", f"{sent[name]:,}") for name in rulebook.plays], indent=0)
    for name, count in held.items():
        yield f"{'Guard':<{MARGIN}}  {name}: {count:,} starts would be held for approval; here they count as approved"


def _row(day: DaySummary) -> tuple[str, ...]:
    return (day.day.isoformat(), *(f"{count:,}" for count in _counts(day)))


def _counts(day: DaySummary) -> list[int]:
    return [day.accounts, sum(day.opened.values()), sum(day.closed.values()), sum(day.started.values()),
            sum(day.held_out.values()), *(day.deliveries.get(kind, 0) for kind in KIND_WORDS),
            sum(day.silences.values())]


def _last_rows(days: list[DaySummary]) -> Iterator[tuple[str, ...]]:
    columns = list(zip(*(_counts(day) for day in days), strict=True))
    yield ("mean", *(f"{fmean(column):,.1f}" for column in columns))
    yield ("peak", *(f"{max(column):,}" for column in columns))


def _document(rulebook: Rulebook, first: date, last: date, replayed: Replayed) -> dict[str, object]:
    opened, closed, recorded = replayed.total("opened"), replayed.total("closed"), replayed.total("recorded")
    started, held_out, sent = replayed.total("started"), replayed.total("held_out"), replayed.total("by_play")
    return {
        "version": 1, "rulebook": rulebook.digest, "from": first.isoformat(), "to": last.isoformat(),
        "days": [_day_document(day) for day in replayed.days],
        "alerts": [{"alert": name, "opened": opened[name], "accounts": len(replayed.alerted.get(name, ())),
                    "closed": closed[name], "recorded": recorded[name]}
                   for name in (*rulebook.triggers, *rulebook.tier_alerts(), *rulebook.recovery_alerts())],
        "plays": [{"play": name, "started": started[name], "held_out": held_out[name], "deliveries": sent[name]}
                  for name in rulebook.plays],
    }


def _day_document(day: DaySummary) -> dict[str, object]:
    def plain(counts: Mapping[str, int]) -> dict[str, int]:
        return {str(name): count for name, count in counts.items() if count}

    return {"day": day.day.isoformat(), "accounts": day.accounts, "tiers": {name or "unscored": count for name, count
                                                                           in day.tiers.items()},
            "opened": plain(day.opened), "closed": plain(day.closed), "recorded": plain(day.recorded),
            "started": plain(day.started), "held_out": plain(day.held_out), "held_by_guard": plain(day.held),
            "deliveries": {kind.value: day.deliveries.get(kind, 0) for kind in KIND_WORDS},
            "silences": {reason.value: count for reason, count in day.silences.items()}}
