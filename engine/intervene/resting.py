"""Alerts whose condition is true again and that may not open yet: why nothing is heard of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import Silence, SilenceReason
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.expression import Truth
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.conditions import Conditions


def resting(rulebook: Rulebook, conditions: Conditions, rows: Iterable[AccountDay], alerts: Iterable[Alert],
            day: date) -> Iterator[Silence]:
    """A silence for each of these alerts that would open today but for its cooldown, and that a play answers."""
    known = {row.account: row for row in rows}
    for alert in (one for one in alerts if one.status in (AlertStatus.CLEAR, AlertStatus.PENDING)):
        row, trigger = known.get(alert.account), rulebook.triggers.get(alert.trigger)
        plays = rulebook.plays_for(alert.trigger)
        again = alert.opened_on + timedelta(days=trigger.cooldown if trigger else rulebook.tier_cooldown)
        if row is None or not plays or day >= again or alert.silent:
            continue
        asked = alert.status is AlertStatus.CLEAR and trigger is not None \
            and row.truth(conditions.when(alert.trigger)) is Truth.TRUE
        if asked or alert.status is AlertStatus.PENDING:
            yield Silence(alert.account, plays[0].name, alert.trigger, alert.opened_on, day, SilenceReason.COOLDOWN,
                          detail=f"so again; it may open on {again}")
