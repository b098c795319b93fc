"""The open alerts as `forestall alerts list` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from forestall.engine.alert.attention import is_acknowledged, is_snoozed
from forestall.engine.alert.lifecycle import severity_rank
from forestall.engine.cli.console import counted
from forestall.engine.cli.report import table
from forestall.engine.cli.screen import near
from forestall.engine.detect.history import History
from forestall.engine.model.alert import Alert
from forestall.engine.model.delivery import PlayRun, RunStatus
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import State

VERSION = 1


@dataclass(frozen=True, slots=True)
class Listed:
    """An open alert with what people want to know beside it. `plays` are the runs that answer it."""

    alert: Alert
    name: str
    csm: str
    revenue: float | None
    tier: str
    plays: tuple[PlayRun, ...]


def listed(rulebook: Rulebook, history: History, state: State, alerts: Sequence[Alert]) -> list[Listed]:
    """The alerts, the most serious first; among equals by revenue, and then the oldest."""
    facts = _facts(rulebook, history, state.previous_pass, {alert.account for alert in alerts})
    runs: dict[tuple[str, str, date], list[PlayRun]] = {}
    for run in state.runs:
        if run.status is RunStatus.RUNNING:
            runs.setdefault((run.account, run.group, run.occurrence), []).append(run)
    found = []
    for alert in alerts:
        name, csm, revenue = facts.get(alert.account, ("", "", None))
        plays = runs.get((alert.account, alert.trigger, alert.opened_on), ())
        found.append(Listed(alert, name, csm, revenue, state.tiers.get(alert.account, ""), tuple(plays)))
    rank = severity_rank(rulebook)
    return sorted(found, key=lambda one: (-rank(one.alert.severity), -(one.revenue or 0), one.alert.opened_on,
                                          one.alert.account, one.alert.trigger))


Known = tuple[str, str, float | None]


def _facts(rulebook: Rulebook, history: History, day: date | None, accounts: set[str]) -> Mapping[str, Known]:
    """Name, CSM and revenue of these accounts on the day of the last pass, as far as sources supply them."""
    through = history.through
    if day is None or through is None or not accounts:
        return {}
    roles, metrics = rulebook.catalogue.roles, rulebook.catalogue.metrics
    wanted = [f'"{role}"' if role and metrics[role].supplied else "NULL"
              for role in (roles.name, roles.csm, roles.revenue)]
    day = min(day, through)
    with history.reading(rulebook.catalogue, day, day, accounts) as connection:
        rows = connection.execute(f"SELECT account, {', '.join(wanted)} FROM history").fetchall()
    return {account: (name or "", csm or "", revenue) for account, name, csm, revenue in rows}


def answered(alert: Alert, today: date) -> str:
    """What people said about it: nothing, acknowledged, or snoozed."""
    if is_snoozed(alert, today):
        return f"snoozed until {near(alert.snoozed_until, today)}" if alert.snoozed_until else ""
    if is_acknowledged(alert):
        return f"acknowledged by {alert.acknowledged_by}" if alert.acknowledged_by else "acknowledged"
    return "only recorded" if alert.silent else ""


def lines(found: Sequence[Listed], today: date) -> Iterator[str]:
    """As people read it."""
    if not found:
        yield "No alert is open."
        return
    yield f"{counted(len(found), 'open alert')}, the most serious first."
    yield ""
    yield from table([("account", "alert", "severity", "open since", "csm", "play", "")] + [
        (one.alert.account, one.alert.trigger, one.alert.severity or "unscored", near(one.alert.opened_on, today),
         one.csm, ", ".join(run.play for run in one.plays), answered(one.alert, today)) for one in found], indent=0)


def document(found: Sequence[Listed], today: date) -> dict[str, object]:
    """As schemas/output/alerts.json describes it."""
    def day(value: date | None) -> str | None:
        return value.isoformat() if value else None

    return {"version": VERSION, "day": today.isoformat(), "alerts": [{
        "account": one.alert.account, "name": one.name, "trigger": one.alert.trigger, "severity": one.alert.severity,
        "tier": one.tier, "opened_on": day(one.alert.opened_on), "csm": one.csm, "revenue": one.revenue,
        "recorded_only": one.alert.silent, "plays": [run.play for run in one.plays],
        "acknowledged_on": day(one.alert.acknowledged_on), "acknowledged_by": one.alert.acknowledged_by,
        "snoozed_until": day(one.alert.snoozed_until), "reminded_on": day(one.alert.reminded_on),
    } for one in found]}
