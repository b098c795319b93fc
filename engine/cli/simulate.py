"""`forestall simulate`: what changed rules would have done to the past, beside the rules in force."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from forestall.engine.cli import simulate_days
from forestall.engine.cli.base_rules import ACCEPTED, Base, Broken, accepted_rules, base_or_problems
from forestall.engine.cli.progress import shown
from forestall.engine.cli.simulate_churn import AgainstChurn
from forestall.engine.cli.simulate_document import document
from forestall.engine.cli.written import write_whole
from forestall.engine.detect.history import History, Progress
from forestall.engine.errors import Location, UsageError
from forestall.engine.runtime import Project, open_project
from forestall.engine.serve.shelf import Shelf
from forestall.engine.settings import EngineName
from forestall.engine.simulate.budgets import asked_for, budgets
from forestall.engine.simulate.compared import Compared, compare
from forestall.engine.simulate.comparison import Budget, Comparison, OneSide
from forestall.engine.simulate.sides import Asked, Side
from forestall.engine.verdict import markdown, page, text

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])
DEFAULT_DAYS = 30
BROKEN = 3      # the exit code of a broken budget


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be compared and how it is judged."""

    base: str | None
    period: tuple[date | None, date | None]
    warm_up: int | None
    segment: str
    csm: str
    account: str
    horizon: int | None
    sweep: str | None
    budgets: tuple[str, ...]


@click.command("simulate", short_help="Say what changed rules would have done to the past.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules to try, where they are not in the project's `rules`.")
@click.option("--base", metavar="REF|DIR", help="The rules to compare with: a git revision, a folder, or `accepted`, "
              "those that the running service accepted last (default: these, if they are others).")
@click.option("--from", "first", type=DAY, help="The first day (default: 30 days, with the last).")
@click.option("--to", "last", type=DAY, help="The last day (default: the last day of the history).")
@click.option("--warm-up", type=click.IntRange(min=0), metavar="DAYS",
              help="Days replayed before the first and not counted (default: what alerts last, at most 60).")
@click.option("--segment", default="", metavar="NAME", help="Tell only of the accounts in this segment.")
@click.option("--csm", default="", metavar="NAME", help="Tell only of the accounts of this CSM.")
@click.option("--account", default="", metavar="ID", help="Tell only of this account.")
@click.option("--horizon", type=click.IntRange(min=1), metavar="DAYS",
              help="Against known churn: how long before it an alert counts.")
@click.option("--sweep", metavar="TRIGGER:LOW..HIGH", help="Against known churn: try a number of a trigger at several "
              "values, as in health_score_drop:10..30.")
@click.option("--fail-over", multiple=True, metavar="WHAT=MOST", help="End with code 3 when a day brings more, as in "
              "emails=200 or tasks-per-csm=8; `limits`: when a limit of the playbook breaks.")
@click.option("--engine", type=click.Choice([one.value for one in EngineName]),
              help="Where evaluation runs, whatever forestall.yaml says.")
@click.option("--as-was", type=DAY, help="Decide this past day again as it was, from the decision log, and say what "
              "differs and why.")
@click.option("--days", "by_day", is_flag=True, help="Add a table with each day of the candidate (text only).")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "html", "json"]), default="text")
@click.option("--no-accounts", is_flag=True, help="Name no account, for a comment that many read (markdown only).")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the answer into this file, whole or not at all.")
@click.pass_context
def command(context: click.Context, project: Path, rules: Path | None, base: str | None, first: datetime | None,
            last: datetime | None, warm_up: int | None, segment: str, csm: str, account: str, horizon: int | None,
            sweep: str | None, fail_over: tuple[str, ...], engine: str | None, as_was: datetime | None, by_day: bool,
            form: str, no_accounts: bool, output: Path | None) -> None:
    """Replay the past with the rules as they are now beside those in force, and say what would change: which alerts
    open and close, what is sent per day, what happens on the first day, and account by account why.

    It uses the functions of production and a virtual clock. Nothing is written or sent.
    """
    if as_was is not None:
        context.exit(_as_it_was(context.params, as_was.date()))
    if no_accounts and form != "markdown":
        raise UsageError.one(Location("--no-accounts"), "names-accounts", f"{form} always names accounts.",
                             "Write `--format markdown` with it.")
    wanted = Wanted(base, (first.date() if first else None, last.date() if last else None), warm_up, segment, csm,
                    account, horizon, sweep, fail_over)
    opened = open_project(project, rules, EngineName(engine) if engine else None)
    with shown() as progress:
        compared = answer(opened, rules or project / "rules", wanted, progress)
    said = "".join(_written(compared, form, by_day=by_day, accounts=not no_accounts))
    if output is not None:
        write_whole(output, said)
    else:
        click.echo(said, nl=False)
    broken = [one for one in compared.comparison.budgets if one.broken and one.gates]
    for one in broken:
        click.echo(f"Over budget: {_told(one)}", err=True)
    context.exit(BROKEN if broken else 0)


def _as_it_was(given: Mapping[str, Any], day: date) -> int:
    """Decide a past day again. 1 when it comes out otherwise."""
    from forestall.engine.cli import as_was

    as_was.only_as_was(given)
    wanted = as_was.Wanted(given["project"], given["rules"] or given["project"] / "rules", day, given["account"],
                           EngineName(given["engine"]) if given["engine"] else None)
    found = as_was.answer(wanted)
    said = as_was.told(found, wanted, given["form"])
    if given["output"] is not None:
        write_whole(given["output"], said)
    else:
        click.echo(said, nl=False)
    return 0 if all(one.same for one in found) else 1


def answer(project: Project, rules: Path, wanted: Wanted, progress: Progress) -> Compared:
    """Compare what is wanted. UsageError with one sentence for whatever cannot be."""
    limits = asked_for(wanted.budgets)
    first, last = _period(project, project.history, *wanted.period)
    base = _base(project, rules, wanted.base)
    other = Side(base.called, base.rulebook) if isinstance(base, Base) else None
    engine = project.evaluator.engine
    engine.start()
    churn = AgainstChurn(other.rulebook if other else None, project.rulebook, engine, horizon=wanted.horizon,
                         swept=wanted.sweep)
    asked = Asked(first, last, wanted.warm_up, wanted.segment, wanted.csm, wanted.account)
    candidate = Side(_called(project, rules), project.rulebook)
    compared = compare(other, candidate, project.directory, project.history, asked,
                       engine=engine, listeners=churn.listeners, progress=progress)
    compared = churn.judged(compared, project.history, progress)
    found = replace(compared.comparison, budgets=budgets(compared.comparison, compared.candidate, limits))
    if isinstance(base, Broken):
        found = replace(found, base=OneSide(base.called, "", base.problems))
    return replace(compared, comparison=found)


def _called(project: Project, rules: Path) -> str:
    """The candidate's name where others read it, who have another machine: its place in the project."""
    place, folder = rules.resolve(), project.settings.project.resolve()
    inside = place.is_relative_to(folder) and place != folder
    return place.relative_to(folder).as_posix() if inside else str(rules)


def _base(project: Project, rules: Path, said: str | None) -> Base | Broken | None:
    """The rules to compare with. Where nothing is said: those that the service accepted, if they are others."""
    if said not in (None, ACCEPTED):
        return base_or_problems(said or "", rules, project.settings)
    shelf = Shelf(project.settings.state / "rules")
    digest = shelf.in_force()
    if digest:
        found = accepted_rules(shelf.place(digest), project.settings)
        same = isinstance(found, Base) and found.rulebook.digest == project.rulebook.digest
        return None if same and said is None else found
    if said is None:
        return None
    raise UsageError.one(Location("--base"), "nothing-accepted", "no service has accepted any rules here.",
                         "Name a git revision or a folder. `forestall serve` accepts rules when it runs.")


def _period(project: Project, history: History, first: date | None, last: date | None) -> tuple[date, date]:
    arrived = history.last_arrival()
    if arrived is None:
        raise UsageError.one(Location(str(history.root)), "history-empty", "there is no history to replay.",
                             "Bring it in with `forestall history import`.")
    through = min(max(arrived, history.through or arrived), project.today())
    end = last or min(arrived, project.today())
    begin = first or end - timedelta(days=DEFAULT_DAYS - 1)
    if first is None and history.first is not None:
        begin = min(max(begin, history.first), end)
    if begin > end:
        raise UsageError.one(Location("--from"), "period", f"{begin} is after {end}.", "Name an earlier day.")
    if end > through:
        raise UsageError.one(Location("--to"), "period", f"the history ends on {through}, before {end}.",
                             "Name an earlier day, or import what is newer.")
    return begin, end


def _written(compared: Compared, form: str, *, by_day: bool, accounts: bool) -> Iterator[str]:
    comparison = compared.comparison
    match form:
        case "json":
            whole = document(comparison, compared.base.days if compared.base else None, compared.candidate.days)
            yield json.dumps(whole, ensure_ascii=False) + "\n"
        case "markdown":
            yield markdown.text(comparison, accounts=accounts)
        case "html":
            yield page.html(comparison)
        case _:
            yield from (f"{line}\n" for line in _lines(comparison, compared, by_day))


def _lines(comparison: Comparison, compared: Compared, by_day: bool) -> Iterator[str]:
    yield from text.lines(comparison)
    if by_day:
        yield ""
        yield from simulate_days.lines(compared.candidate.days)


def _told(budget: Budget) -> str:
    return f"{budget.what} {budget.measured:g}, and {budget.limit:g} are allowed."
