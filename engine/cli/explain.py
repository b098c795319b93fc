"""`forestall explain ACCOUNT`: why it has its score and tier, and what every trigger saw."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

import click

from forestall.engine.cli.report import MARGIN, long_day, table
from forestall.engine.errors import Location, UsageError
from forestall.engine.intervene.wording import value_text
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.alert import AlertStatus
from forestall.engine.model.delivery import OutcomeStatus, RunStatus, Silence
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Truth
from forestall.engine.model.state import State
from forestall.engine.runtime import Project, open_project
from forestall.engine.score.explain import Explanation, Saw, explain, nearest_accounts
from forestall.engine.store import Store

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
WORDS = {Truth.TRUE: "true", Truth.FALSE: "false", Truth.UNKNOWN: "unknown"}


@click.command("explain", short_help="Say why an account has its score, tier and alerts.")
@click.argument("account")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day (default: the last day decided, or today).")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(account: str, project: Path, rules: Path | None, day: datetime | None, form: str) -> None:
    """Show an account's signals, points, score and tier, every trigger with the values it saw, its alerts and plays."""
    opened = open_project(project, rules)
    store = Store.open(opened.store_path, read_only=True)
    try:
        state = store.state()
        wanted = day.date() if day else state.previous_pass or _last_day(opened)
        silences = [silence for silence in store.silences(wanted) if silence.account == account]
    finally:
        store.close()
    found = explain(opened.rulebook, opened.history, account, wanted)
    if found is None:
        raise _unknown(opened, account, wanted)
    if form == "json":
        click.echo(json.dumps(_document(opened, found, state, silences), ensure_ascii=False))
        return
    for line in (*_lines(opened, found, state), *_silences(silences)):
        click.echo(line)


def _last_day(project: Project) -> date:
    through = project.history.last_arrival()
    if through is None:
        raise UsageError.one(Location(str(project.history.root)), "history-empty", "there is no history yet.",
                             "Bring it in with `forestall history import`, or do a pass with `forestall run --send`.")
    return min(through, project.today())


def _unknown(project: Project, account: str, day: date) -> UsageError:
    there = nearest_accounts(project.rulebook, project.history, day)
    hint = did_you_mean(account, there) if there else "Name another day with --day."
    return UsageError.one(Location(account), "unknown-account", f"no account of this name has a row on {day}.",
                          hint or f"There are {len(there):,}, such as {there[0]}.")


def _lines(project: Project, found: Explanation, state: State) -> Iterator[str]:
    labels = {tier.name: tier.label for tier in project.rulebook.scorecard.tiers}
    scored = found.scored
    yield f"{found.account} on {long_day(found.day)}"
    yield ""
    score = f"{scored.score:g}" if scored.score is not None else f"unscored: {scored.unscored_because}"
    then = f"{found.then.score:g}" if found.then is not None and found.then.score is not None else "none"
    yield f"{'Health':<{MARGIN}}  {score}{', ' + labels[scored.tier] if scored.tier else ''} (7 days before: {then})"
    if scored.profile:
        yield f"{'Profile':<{MARGIN}}  {scored.profile}"
    if found.named_on != found.day:
        yield f"{'Last named':<{MARGIN}}  {found.named_on}; values are carried from then"
    yield ""
    yield from table(_signals(found), indent=0)
    yield ""
    yield from _triggers(found)
    yield ""
    yield from _book(found.account, state)


def _signals(found: Explanation) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("signal", "share", "points", "earned", "from")]
    for one in found.scored.signals:
        points = "–" if one.points is None else f"{one.points:.1f}"
        earned = "–" if one.points is None else f"{one.points * one.share:.1f}"
        single = len(one.parts) == 1 and one.parts[0].name == one.signal.name
        rows.append((one.signal.name, f"{one.share:.0%}", points, earned, _source(found, one.parts[0].name, one.parts[
            0].value) if single else ""))
        if not single:
            rows.extend((f"  {part.name}", f"{part.share:.0%}", "–" if part.points is None else f"{part.points:.1f}",
                         "", _source(found, part.name, part.value)) for part in one.parts)
    return rows


def _source(found: Explanation, name: str, value: Value) -> str:
    for one in found.scored.signals:
        measures = [(one.signal.name, one.signal.measure)] + [(part.name, part.measure) for part in one.signal.parts]
        for own, measure in measures:
            if own == name and measure is not None:
                return f"{measure.value.text} = {_said(value)}"
    return ""


def _triggers(found: Explanation) -> Iterator[str]:
    yield "Triggers"
    width = max((len(one.trigger.name) for one in found.triggers), default=0)
    for one in found.triggers:
        saw = ", ".join(f"{saw.text} = {_said(saw.value)}" for saw in one.saw)
        yield f"  {WORDS[one.truth]:<7}  {one.trigger.name:<{width}}  {one.trigger.when.text}"
        yield f"  {'':<7}  {'':<{width}}  {saw}"


def _said(value: Value) -> str:
    return "unknown" if value is None else value_text(value)


def _book(account: str, state: State) -> Iterator[str]:
    alerts = [alert for alert in state.alerts.values() if alert.account == account]
    opened = [alert for alert in alerts if alert.status is AlertStatus.OPEN]
    said = ", ".join(f"{alert.trigger} since {alert.opened_on}" + (" (only recorded)" if alert.silent else "")
                     for alert in opened)
    yield f"{'Alerts':<{MARGIN}}  {said or 'none open'}"
    runs = [run for run in state.runs if run.account == account]
    for index, run in enumerate(runs):
        words = run.status.value if run.status in (RunStatus.RUNNING, RunStatus.HELD_OUT) else run.reason
        goal = "" if run.outcome is OutcomeStatus.NONE else f"; goal {run.outcome.value}"
        head = "Plays" if index == 0 else ""
        yield f"{head:<{MARGIN}}  {run.play} since {run.occurrence} ({run.group}): {words}{goal}"
    if not runs:
        yield f"{'Plays':<{MARGIN}}  none"


def _silences(silences: Sequence[Silence]) -> Iterator[str]:
    """What was not sent on that day, and why."""
    for index, one in enumerate(silences):
        head = "Silences" if index == 0 else ""
        yield f"{head:<{MARGIN}}  {one.play} ({one.group}): {one.reason.value}, {one.detail}"


def _document(project: Project, found: Explanation, state: State, silences: Sequence[Silence]) -> dict[str, object]:
    scored = found.scored
    return {
        "version": 1, "account": found.account, "day": found.day.isoformat(),
        "named_on": found.named_on.isoformat(), "rulebook": project.rulebook.digest, "score": scored.score,
        "tier": scored.tier, "unscored_because": scored.unscored_because, "profile": scored.profile,
        "coverage": scored.coverage, "score_7_days_before": found.then.score if found.then else None,
        "signals": [{"signal": one.signal.name, "share": one.share, "points": one.points,
                     "parts": [{"name": part.name, "share": part.share, "points": part.points,
                                "value": _json(part.value)} for part in one.parts]} for one in scored.signals],
        "metrics": [_seen(saw) for saw in found.inputs],
        "triggers": [{"trigger": one.trigger.name, "truth": WORDS[one.truth], "when": one.trigger.when.text,
                      "clears": WORDS[one.clears] if one.clears is not None else None,
                      "file": one.trigger.when.location.file, "line": one.trigger.when.location.line,
                      "saw": [_seen(saw) for saw in one.saw]} for one in found.triggers],
        "alerts": [{"trigger": alert.trigger, "status": alert.status.value, "opened_on": alert.opened_on.isoformat(),
                    "severity": alert.severity, "recorded_only": alert.silent}
                   for alert in state.alerts.values() if alert.account == found.account],
        "plays": [{"play": run.play, "because_of": run.group, "occurrence": run.occurrence.isoformat(),
                   "status": run.status.value, "reason": run.reason, "outcome": run.outcome.value}
                  for run in state.runs if run.account == found.account],
        "silences": [{"play": one.play, "because_of": one.group, "step": one.step, "reason": one.reason.value,
                      "detail": one.detail} for one in silences],
    }


def _seen(saw: Saw) -> dict[str, object]:
    return {"what": saw.text, "value": _json(saw.value)}


def _json(value: Value) -> float | str | bool | None:
    return value.isoformat() if isinstance(value, date) else value
