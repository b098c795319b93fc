"""The state before a pass, put together from the decision log: as the tables had it then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import sqlalchemy as sa

from forestall.engine.model.alert import Alert
from forestall.engine.model.delivery import PlayRun
from forestall.engine.model.play import PlaySteps
from forestall.engine.model.state import (
    Approval,
    Decisions,
    State,
    changed_alerts,
    identity,
    kept_runs,
    remembered,
    starts_by_play,
)
from forestall.engine.store import answers, passes
from forestall.engine.store.columns import Packed, unpacked


class Remembered:
    """What is remembered while the log is read pass by pass."""

    def __init__(self) -> None:
        self._tiers: dict[str, str] = {}
        self._alerts: dict[tuple[str, str], Alert] = {}
        self._runs: dict[tuple[str, str, str, date], PlayRun] = {}
        self._starts: dict[tuple[str, date], int] = {}
        self._triggers: set[str] = set()
        self._begun: set[PlaySteps] = set()
        self._previous: tuple[date, str, int] | None = None
        self._between: Packed = {}

    def begins(self, before: Packed, *, whole: bool) -> None:
        """A pass begins: what the log says of its state, all of it or what the passes before it do not tell."""
        self._between = before
        if whole:
            self._begin_anew(before)
        self._alerts.update(((one.account, one.trigger), one) for one in unpacked(Alert, before["alerts"]))
        self._runs.update((identity(one), one) for one in unpacked(PlayRun, before["runs"]))

    def _begin_anew(self, before: Packed) -> None:
        self._alerts, self._runs = {}, {}
        self._tiers = {account: tier for tier, accounts in before["tiers"].items() for account in accounts}
        self._triggers, self._begun = set(before["triggers"]), {(play, digest) for play, digest in before["begun"]}
        self._starts = {(play, date.fromisoformat(day)): count for play, day, count in before["starts"]}
        self._previous = (date.fromisoformat(before["previous_pass"]), before["scoring_digest"],
                          before["pass_number"]) if before["previous_pass"] else None

    def state(self, connection: sa.Connection, row: sa.Row[Any]) -> State:
        """The state that the pass of this row of the log began with."""
        if self._previous is None:
            return State(heard=row.heard)
        day, scoring_digest, number = self._previous
        written = passes.begun(connection)
        given = [Approval(play, date.fromisoformat(on), by, cancelled)
                 for play, on, by, cancelled in self._between["approvals"]]
        return State(
            tiers=dict(self._tiers),
            alerts={key: alert for key, alert in self._alerts.items() if remembered(alert, day)},
            runs=kept_runs(self._runs.values()),
            last_sent=passes.last_sent(connection, day, row.first_delivery),
            previous_pass=day, scoring_digest=scoring_digest, known_triggers=frozenset(self._triggers),
            approvals={one.play: one for one in given},
            starts=starts_by_play(self._starts, day),
            today=passes.counts(connection, day, row.first_delivery), heard=row.heard,
            churned=answers.churned(connection, row.heard),
            unsubscribed=answers.unsubscribed(connection, until=row.heard), pass_number=number,
            on_their_way=frozenset((account, play, group, date.fromisoformat(on))
                                   for account, play, group, on in self._between["on_their_way"]),
            begun={key: written[key] for key in sorted(self._begun) if key in written})

    def after(self, decisions: Decisions, row: sa.Row[Any]) -> None:
        """Go on with what the pass decided, as `write_pass` does in the tables."""
        if decisions.renamed:
            self._rename({(one.account, one.old): one.new for one in decisions.renamed})
        for account, tier in decisions.tiers.items():
            if tier:
                self._tiers[account] = tier
            else:
                self._tiers.pop(account, None)
        self._alerts.update(((one.account, one.trigger), one) for one in changed_alerts(decisions))
        self._runs.update((identity(run), run) for run in decisions.runs)
        self._starts.update(((play, decisions.day), count) for play, count in decisions.starts.items())
        self._triggers |= decisions.triggers
        self._begun |= decisions.begun.keys()
        self._previous = (decisions.day, decisions.scoring_digest, row.pass_number)

    def _rename(self, names: dict[tuple[str, str], str]) -> None:
        for (account, old), new in names.items():
            self._alerts.pop((account, new), None)
            alert = self._alerts.pop((account, old), None)
            if alert is not None:
                self._alerts[account, new] = replace(alert, trigger=new)
        for run in [run for run in self._runs.values() if (run.account, run.group) in names]:
            named = replace(run, group=names[run.account, run.group])
            if identity(named) not in self._runs:
                del self._runs[identity(run)]
                self._runs[identity(named)] = named
