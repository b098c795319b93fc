"""What one pass leaves to the next, and what a pass decides: the engine's memory as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from forestall.engine.model.alert import Alert, AlertStatus, Transition
from forestall.engine.model.delivery import Delivery, MessageKind, OutcomeStatus, PlayRun, RunStatus, Silence
from forestall.engine.model.remembered import ALERTS_REMEMBERED, EMAILS_REMEMBERED


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a pass decided on `day`; pure, nothing is written yet.

    `alerts` are those that changed without a transition. `tiers` holds only accounts whose tier changed; an empty tier
    forgets the account. `runs` are new or changed. `cancelled` names runs by (account, play, occurrence): what is not
    sent of them never will be. `triggers` are the names that this pass knew.
    """

    day: date
    digest: str
    scoring_digest: str
    transitions: tuple[Transition, ...] = ()
    alerts: tuple[Alert, ...] = ()
    tiers: Mapping[str, str] = field(default_factory=dict)
    runs: tuple[PlayRun, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    silences: tuple[Silence, ...] = ()
    cancelled: tuple[tuple[str, str, date], ...] = ()
    triggers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered when a pass begins; `State()` is a fresh start.

    `tiers`: account → the tier last decided. `alerts`: by (account, trigger). `runs`: see `kept_runs`, in the order of
    account, play, group and occurrence. `last_sent`: account → the days of the emails planned for the customer, one
    entry per email, in order, for the last 60 days. `previous_pass` and `scoring_digest` are of the last pass.
    `known_triggers` are all names that any earlier pass knew.
    """

    tiers: Mapping[str, str] = field(default_factory=dict)
    alerts: Mapping[tuple[str, str], Alert] = field(default_factory=dict)
    runs: tuple[PlayRun, ...] = ()
    last_sent: Mapping[str, tuple[date, ...]] = field(default_factory=dict)
    previous_pass: date | None = None
    scoring_digest: str = ""
    known_triggers: frozenset[str] = frozenset()

    def after(self, decisions: Decisions) -> State:
        """The state after these decisions: what the store says once they are committed, without a store."""
        tiers = {**self.tiers, **decisions.tiers}
        alerts = dict(self.alerts)
        alerts.update(((alert.account, alert.trigger), alert) for alert in changed_alerts(decisions))
        runs = {identity(run): run for run in (*self.runs, *decisions.runs)}
        sent = [(account, day) for account, days in self.last_sent.items() for day in days]
        sent.extend((delivery.account, delivery.day) for delivery in decisions.deliveries if counts_as_email(delivery))
        return State(
            tiers={account: tier for account, tier in tiers.items() if tier},
            alerts={key: alert for key, alert in alerts.items() if remembered(alert, decisions.day)},
            runs=kept_runs(runs.values()),
            last_sent=days_by_account(sent, decisions.day),
            previous_pass=decisions.day,
            scoring_digest=decisions.scoring_digest,
            known_triggers=self.known_triggers | decisions.triggers,
        )


def changed_alerts(decisions: Decisions) -> tuple[Alert, ...]:
    """Every alert that changed, with or without a transition, in its last state."""
    alerts = (*(transition.alert for transition in decisions.transitions), *decisions.alerts)
    return tuple({(alert.account, alert.trigger): alert for alert in alerts}.values())


def remembered(alert: Alert, day: date) -> bool:
    """Whether an alert still matters on `day`: it is not closed, or closed within the days remembered."""
    if alert.status is not AlertStatus.CLEAR or alert.closed_on is None:
        return True
    return alert.closed_on >= day - timedelta(days=ALERTS_REMEMBERED)


def identity(run: PlayRun) -> tuple[str, str, str, date]:
    """What makes a run that run: account, play, group and occurrence."""
    return run.account, run.play, run.group, run.occurrence


def kept_runs(runs: Iterable[PlayRun]) -> tuple[PlayRun, ...]:
    """The runs still under way or watched, and the last of each account, play and group; in order of identity.

    The last one tells that its opening was answered already, and when a recurring play ran last.
    """
    ordered = sorted(runs, key=identity)
    last = {(run.account, run.play, run.group): run.occurrence for run in ordered}
    return tuple(
        run for run in ordered
        if run.status is RunStatus.RUNNING or run.outcome is OutcomeStatus.WATCHING
        or run.occurrence == last[run.account, run.play, run.group]
    )


def counts_as_email(delivery: Delivery) -> bool:
    """Whether it counts towards the emails that an account receives."""
    return delivery.to_customer and delivery.kind is MessageKind.EMAIL


def days_by_account(sent: Iterable[tuple[str, date]], day: date) -> dict[str, tuple[date, ...]]:
    """(account, day) pairs → account → its days in order, of the last 60 days before `day`."""
    first = day - timedelta(days=EMAILS_REMEMBERED)
    found: dict[str, list[date]] = {}
    for account, sent_on in sorted(sent):
        if sent_on >= first:
            found.setdefault(account, []).append(sent_on)
    return {account: tuple(days) for account, days in found.items()}
