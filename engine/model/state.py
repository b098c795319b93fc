"""What one pass leaves to the next, and what a pass decides: the engine's memory as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from forestall.engine.model.alert import Alert, AlertStatus, Transition
from forestall.engine.model.delivery import Delivery, MessageKind, OutcomeStatus, PlayRun, RunStatus, Silence
from forestall.engine.model.outcome import Answer
from forestall.engine.model.play import PlaySteps
from forestall.engine.model.remembered import ALERTS_REMEMBERED, EMAILS_REMEMBERED, STARTS_REMEMBERED


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person said about the starts of one play that a guard holds: yes, or (`cancelled`) no. The next pass
    looks at each of them again and uses it up."""

    play: str
    given_on: date
    given_by: str
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """What people get on one day: the tasks of each person, and the emails and Slack messages to each address."""

    tasks: Mapping[str, int] = field(default_factory=dict)
    messages: Mapping[str, int] = field(default_factory=dict)

    def plus(self, deliveries: Iterable[Delivery], day: date) -> Counts:
        """The counts with those of this day on top."""
        tasks, messages = dict(self.tasks), dict(self.messages)
        for one in (one for one in deliveries if one.day == day):
            if one.kind is MessageKind.TASK:
                tasks[one.person] = tasks.get(one.person, 0) + 1
            elif one.kind in SAID:
                messages[one.recipient] = messages.get(one.recipient, 0) + 1
        return Counts(tasks, messages)


SAID = (MessageKind.EMAIL, MessageKind.SLACK)      # what a person reads, other than a task


@dataclass(frozen=True, slots=True, order=True)
class Renamed:
    """A trigger has another name: what was kept of this account under the old one goes on under the new one."""

    account: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a pass decided on `day`; pure, nothing is written yet.

    `alerts` are those that changed without a transition. `tiers` holds only accounts whose tier changed; an empty tier
    forgets the account. `runs` are new or changed. `cancelled` names runs by their identity: what is not sent of
    them never will be. `triggers` are the names that this pass knew.
    `answered` are the plays whose approvals this pass used up. `starts` counts, for every play, what started today.
    `digests`: the key of a delivery → what it stands for, which is not delivered by itself.
    `heard` is that of the state it began with, a place in the store and no decision. `answers` are what the data say
    became of accounts. `renamed` says whose alerts and runs go on under another name of their trigger; everything else
    in here bears the new name already.
    `begun`: wordings of steps on which a play began for the first time, as `Play.written`.
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
    cancelled: tuple[tuple[str, str, str, date], ...] = ()
    triggers: frozenset[str] = frozenset()
    answered: frozenset[str] = frozenset()
    starts: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, tuple[Delivery, ...]] = field(default_factory=dict)
    heard: int = field(default=0, compare=False)
    answers: tuple[Answer, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    begun: Mapping[PlaySteps, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered when a pass begins; `State()` is a fresh start.

    `tiers`: account → the tier last decided. `alerts`: by (account, trigger). `runs`: see `kept_runs`, in the order of
    account, play, group and occurrence. `last_sent`: account → the days of the emails planned for the customer, one
    entry per email, in order, for the last 60 days. `previous_pass` and `scoring_digest` are of the last pass.
    `known_triggers` are all names that any earlier pass knew. `approvals`: play → what a person said since the last
    pass. `starts`: play → (day, how many started) of its last days that a pass decided, in order.
    `today` counts what was planned for each person on the day of the previous pass, however many passes that day had.
    `pass_number` numbers the last pass in the store. `on_their_way` are the runs (by identity) that planned messages of
    which none has arrived; without a store, what is planned has arrived.
    `heard` numbers the last thing that people said before it was read: what is said later is not in it.
    `churned`: account → the day on which it left, as the data said last. `unsubscribed` are the email addresses (see
    `bare_address`) that want no email any more. `begun`: every wording of steps on which a play ever began.
    """

    tiers: Mapping[str, str] = field(default_factory=dict)
    alerts: Mapping[tuple[str, str], Alert] = field(default_factory=dict)
    runs: tuple[PlayRun, ...] = ()
    last_sent: Mapping[str, tuple[date, ...]] = field(default_factory=dict)
    previous_pass: date | None = None
    scoring_digest: str = ""
    known_triggers: frozenset[str] = frozenset()
    approvals: Mapping[str, Approval] = field(default_factory=dict)
    starts: Mapping[str, tuple[tuple[date, int], ...]] = field(default_factory=dict)
    today: Counts = Counts()
    heard: int = field(default=0, compare=False)
    churned: Mapping[str, date] = field(default_factory=dict)
    unsubscribed: frozenset[str] = frozenset()
    pass_number: int = field(default=0, compare=False)
    on_their_way: frozenset[tuple[str, str, str, date]] = field(default=frozenset(), compare=False)
    begun: Mapping[PlaySteps, str] = field(default_factory=dict)

    def after(self, decisions: Decisions) -> State:
        """The state after these decisions: what the store says once they are committed, without a store."""
        before = with_new_names(self, decisions.renamed)
        tiers = {**self.tiers, **decisions.tiers}
        alerts = dict(before.alerts)
        alerts.update(((alert.account, alert.trigger), alert) for alert in changed_alerts(decisions))
        runs = {identity(run): run for run in (*before.runs, *decisions.runs)}
        sent = [(account, day) for account, days in self.last_sent.items() for day in days]
        sent.extend((delivery.account, delivery.day) for delivery in decisions.deliveries if counts_as_email(delivery))
        started = {(play, day): count for play, days in self.starts.items() for day, count in days}
        started.update(((play, decisions.day), count) for play, count in decisions.starts.items())
        return State(
            tiers={account: tier for account, tier in tiers.items() if tier},
            alerts={key: alert for key, alert in alerts.items() if remembered(alert, decisions.day)},
            runs=kept_runs(runs.values()),
            last_sent=days_by_account(sent, decisions.day),
            previous_pass=decisions.day,
            scoring_digest=decisions.scoring_digest,
            known_triggers=self.known_triggers | decisions.triggers,
            approvals={play: one for play, one in self.approvals.items() if play not in decisions.answered},
            starts=starts_by_play(started, decisions.day),
            today=(self.today if decisions.day == self.previous_pass else Counts()).plus(decisions.deliveries,
                                                                                        decisions.day),
            heard=self.heard,
            churned={**self.churned, **{one.account: one.day for one in decisions.answers}},
            unsubscribed=self.unsubscribed,
            begun={**self.begun, **decisions.begun},
        )


def with_new_names(state: State, renamed: Iterable[Renamed]) -> State:
    """The state with what these say under the new names."""
    names = {(one.account, one.old): one.new for one in renamed}
    if not names:
        return state
    alerts = {}
    for (account, trigger), alert in state.alerts.items():
        name = names.get((account, trigger), trigger)
        alerts[account, name] = replace(alert, trigger=name)
    runs = (replace(run, group=names.get((run.account, run.group), run.group)) for run in state.runs)
    return replace(state, alerts=alerts, runs=kept_runs(runs))


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
    if len(ordered) < 2:
        return tuple(ordered)
    last = {kin(run): run.occurrence for run in ordered}
    return tuple(
        run for run in ordered
        if run.status in (RunStatus.RUNNING, RunStatus.HELD) or run.outcome is OutcomeStatus.WATCHING
        or run.occurrence == last[kin(run)]
    )


def kin(run: PlayRun) -> tuple[str, str, str, bool]:
    """The runs of which the last one counts: what was only watched tells nothing about what was started."""
    return run.account, run.play, run.group, run.status is RunStatus.SILENCED


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


def starts_by_play(started: Mapping[tuple[str, date], int], day: date) -> dict[str, tuple[tuple[date, int], ...]]:
    """(play, day) → starts, as play → its days in order, of the last 60 days before `day`."""
    first = day - timedelta(days=STARTS_REMEMBERED)
    found: dict[str, list[tuple[date, int]]] = {}
    for (play, on), count in sorted(started.items()):
        if on >= first:
            found.setdefault(play, []).append((on, count))
    return {play: tuple(days) for play, days in found.items()}
