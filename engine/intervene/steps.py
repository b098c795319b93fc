"""The steps of one play that are due on one day: what is sent, what is put off, what is skipped and why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from forestall.engine.intervene import courtesy
from forestall.engine.intervene.digest import reached_by_digest
from forestall.engine.intervene.quiet import after_business_days, known_zone, zone_of
from forestall.engine.model.delivery import (
    Delivery,
    MessageKind,
    PlayRun,
    RunStatus,
    Silence,
    SilenceReason,
)
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.expression import Truth
from forestall.engine.model.people import Directory, Person, bare_address
from forestall.engine.model.play import (
    EmailStep,
    MessageStep,
    Play,
    SlackStep,
    StopIfStep,
    TaskStep,
    WaitStep,
    WebhookStep,
)
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import SAID
from forestall.engine.score.conditions import Conditions

UNKNOWN_WAITS = 3      # days for which a message to a customer waits for an unknown stop_if

KINDS: Mapping[type, MessageKind] = {
    EmailStep: MessageKind.EMAIL, SlackStep: MessageKind.SLACK, WebhookStep: MessageKind.WEBHOOK,
    TaskStep: MessageKind.TASK,
}


@dataclass(slots=True)
class Sent:
    """What the day has used up so far: the days of each account's emails, and today the tasks of each person and the
    messages to each address. `beyond` is what is too much for a person's day and goes into one message. `moment` is
    that of the pass; None where days have no hours, as in a simulation. `unsubscribed` want no email any more."""

    emails: dict[str, list[date]]
    tasks: dict[str, int] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    beyond: dict[str, tuple[Person, list[Delivery]]] = field(default_factory=dict)
    moment: datetime | None = None
    unsubscribed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Address:
    """Whom a step reaches: the channel, the address on it, and the person where it is one."""

    channel: str
    recipient: str
    to_customer: bool = False
    person: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a run stands after its due steps, and what they caused."""

    run: PlayRun
    deliveries: tuple[Delivery, ...]
    silences: tuple[Silence, ...]


def advance(rulebook: Rulebook, conditions: Conditions, directory: Directory, play: Play, run: PlayRun, row: AccountDay,
            day: date, sent: Sent) -> Moved:
    """Do the steps of a run from where it stands until one has to wait."""
    walk = _Walk(rulebook, conditions, directory, play, run, row, day, sent)
    walk.go()
    return Moved(walk.moved(), tuple(walk.deliveries), tuple(walk.silences))


def beside(rulebook: Rulebook, conditions: Conditions, directory: Directory, play: Play, run: PlayRun, row: AccountDay,
           day: date, sent: Sent, steps: Iterable[MessageStep]) -> Moved:
    """Say something to a colleague beside the steps of a run, by the first of these ways that reaches anybody."""
    walk = _Walk(rulebook, conditions, directory, play, run, row, day, sent)
    ways = list(steps)
    for step in ways:
        if walk._lacks_words(step):
            break
        address = walk._address(step)
        if address is not None:
            walk._deliver(step, address)
            break
    else:
        why = f"nothing says how to reach {ways[0].to}" if ways else f"{play.name} says nothing to a colleague"
        walk._silence(SilenceReason.NO_ADDRESS, ways[0].id if ways else "reminder", why)
    return Moved(run, tuple(walk.deliveries), tuple(walk.silences))


class _Walk:
    def __init__(self, rulebook: Rulebook, conditions: Conditions, directory: Directory, play: Play, run: PlayRun,
                 row: AccountDay, day: date, sent: Sent) -> None:
        self._rulebook, self._conditions, self._directory = rulebook, conditions, directory
        self._play, self._row, self._day, self._sent = play, row, day, sent
        self.run = run      # as it was; where it stands now is in these five
        self._step, self._next_on, self._since = run.step, run.next_on, run.since
        self._told_on, self._reason = run.told_on, run.reason
        self.deliveries: list[Delivery] = []
        self.silences: list[Silence] = []

    def go(self) -> None:
        while self.run.status is RunStatus.RUNNING and self._next_on is not None and self._next_on <= self._day:
            if self._step >= len(self._play.steps):
                self._end()
                return
            step = self._play.steps[self._step]
            if isinstance(step, WaitStep):
                self._next(on=self._after(step))
            elif isinstance(step, StopIfStep):
                self._stop_if(step)
            else:
                self._message(step)

    def moved(self) -> PlayRun:
        """The run as it stands now."""
        return self.run.at(self._step, self._next_on, self._since, self._told_on, self._reason)

    def _end(self, reason: str = "") -> None:
        """Through its steps. The run ends tomorrow: today is taken, so a second pass of the day starts nothing more."""
        self._step, self._next_on, self._since = len(self._play.steps), self._day + timedelta(days=1), None
        self._reason = reason

    def _next(self, on: date | None = None) -> None:
        self._step, self._next_on, self._since = self._step + 1, on or self._day, None

    def _after(self, step: WaitStep) -> date:
        if step.business:
            return after_business_days(self._day, step.days, self._rulebook.limits.holidays)
        return self._day + timedelta(days=step.days)

    def _put_off(self) -> None:
        self._next_on, self._since = self._day + timedelta(days=1), self._since or self._day

    def _stop_if(self, step: StopIfStep) -> None:
        if self._truth(step) is Truth.TRUE:
            self._end(f"stop_if: {step.condition.text}")
        else:
            self._next()

    def _truth(self, step: StopIfStep) -> Truth:
        return self._row.truth(self._conditions.stop_if(self._play, step.id))

    def _in_question(self) -> StopIfStep | None:
        """The stop_if that stands over the current message: only other messages are between them."""
        for step in reversed(self._play.steps[:self._step]):
            if isinstance(step, StopIfStep):
                return step
            if isinstance(step, WaitStep):
                return None
        return None

    def _wait_for_facts(self, stop_if: StopIfStep, step: MessageStep) -> None:
        """A message to a customer waits for an unknown stop_if, and is then left out."""
        if (self._day - (self._since or self._day)).days < UNKNOWN_WAITS:
            self._silence(SilenceReason.FACTS_MISSING, step.id, f"put off: unknown: {stop_if.condition.text}")
            self._put_off()
            return
        self._silence(SilenceReason.FACTS_MISSING, step.id,
                      f"skipped: unknown for {UNKNOWN_WAITS} days: {stop_if.condition.text}")
        # `since` stays: the next message under the same stop_if has waited as long
        self._step, self._next_on = self._step + 1, self._day

    def _message(self, step: MessageStep) -> None:
        if self._lacks_words(step):
            self._next()
            return
        address = self._address(step)
        stop_if = self._in_question() if address is not None and address.to_customer else None
        if stop_if is not None and self._truth(stop_if) is not Truth.FALSE:
            if self._truth(stop_if) is Truth.TRUE:      # it has become true while the message was put off
                self._stop_if(stop_if)
            else:
                self._wait_for_facts(stop_if, step)
            return
        if address is None:
            self._silence(SilenceReason.NO_ADDRESS, step.id, f"nothing says how to reach {step.to}")
            self._next()
        elif address.to_customer and self._row.opted_out:
            self._silence(SilenceReason.OPTED_OUT, step.id, "the customer asked for no email")
            self._next()
        elif address.to_customer and bare_address(address.recipient) in self._sent.unsubscribed:
            self._silence(SilenceReason.OPTED_OUT, step.id, f"{address.recipient} has unsubscribed")
            self._next()
        elif not self._email_allowed(address) or not self._task_allowed(step) or not self._may_be_told(step, address):
            self._too_much(step, address)
        else:
            self._deliver(step, address)
            self._next()

    def _lacks_words(self, step: MessageStep) -> bool:
        """Whether the template is gone, which is said: so it can be in steps that the rules do not say any more."""
        gone = step.template not in self._rulebook.templates
        if gone:
            self._silence(SilenceReason.NO_TEMPLATE, step.id, f"there is no template {step.template} any more")
        return gone

    def _email_allowed(self, address: Address) -> bool:
        if not address.to_customer or courtesy.urgent(self._rulebook.limits, self.run.severity):
            return True
        sent = self._sent.emails.get(self._row.account, [])
        return courtesy.email_allowed_on(self._rulebook.limits, sent, self._day) <= self._day

    def _task_allowed(self, step: MessageStep) -> bool:
        if not isinstance(step, TaskStep) or courtesy.urgent(self._rulebook.limits, self.run.severity):
            return True
        return courtesy.within_budget(self._rulebook.limits, self._sent.tasks.get(self._worker(step), 0))

    def _worker(self, step: TaskStep) -> str:
        """Whose day a task takes up."""
        person = self._person(step.person)
        return person.key if person is not None else step.person

    def _may_be_told(self, step: MessageStep, address: Address) -> bool:
        if not isinstance(step, (EmailStep, SlackStep)) or courtesy.urgent(self._rulebook.limits, self.run.severity):
            return True
        return courtesy.may_be_told(self._rulebook.limits, self._sent.messages.get(address.recipient, 0))

    def _too_much(self, step: MessageStep, address: Address) -> None:
        """Into the one message about what is too much for a colleague's day; without that it waits, or is skipped."""
        limits, is_task = self._rulebook.limits, isinstance(step, TaskStep)
        person = self._person(step.person) if isinstance(step, TaskStep) else self._directory.person(address.person)
        reason = SilenceReason.BUDGET if is_task else SilenceReason.CAP
        why = self._enough(step, address)
        if not address.to_customer and person is not None and reached_by_digest(limits, person):
            self._silence(reason, step.id, f"in the one message that lists it for {person.name}: {why}")
            self._sent.beyond.setdefault(person.key, (person, []))[1].append(self._made(step, address))
            self._tell()
            self._next()
        elif courtesy.may_be_put_off(self._play, self._since or self._day, self._day):
            self._silence(reason, step.id, f"put off: {why}")
            self._put_off()
        else:
            self._silence(reason, step.id, f"skipped: {why}")
            self._next()

    def _enough(self, step: MessageStep, address: Address) -> str:
        """Why there is no room for this today."""
        limits = self._rulebook.limits
        if isinstance(step, TaskStep):
            return f"{limits.tasks_per_csm} tasks a day are enough for one person"
        if not self._email_allowed(address):
            return "another email went to this customer a short while ago"
        return f"{limits.messages_per_person} messages a day are enough for one person"

    def _tell(self) -> None:
        self._told_on = self._told_on or self._day

    def _deliver(self, step: MessageStep, address: Address) -> None:
        self._tell()
        delivery = self._made(step, address)
        self.deliveries.append(self._not_in_quiet_hours(delivery, step, address))
        if address.to_customer:
            self._sent.emails.setdefault(self._row.account, []).append(self._day)
        if isinstance(step, TaskStep):
            self._sent.tasks[delivery.person] = self._sent.tasks.get(delivery.person, 0) + 1
        elif delivery.kind in SAID:
            self._sent.messages[address.recipient] = self._sent.messages.get(address.recipient, 0) + 1

    def _not_in_quiet_hours(self, delivery: Delivery, step: MessageStep, address: Address) -> Delivery:
        """The same, with the hours in which it must not leave; a machine at the other end has none."""
        if self._sent.moment is None:
            return delivery
        person = self._directory.person(address.person)
        if not (address.to_customer or person or delivery.kind in SAID):
            return delivery
        said = self._row.time_zone if address.to_customer else person.time_zone if person else ""
        zone = said if said and known_zone(said) else self._directory.time_zone
        delivery = courtesy.not_in_quiet_hours(delivery, self._rulebook.limits, zone, self._sent.moment)
        if delivery.not_before is not None:
            self._silence(SilenceReason.QUIET_HOURS, step.id,
                          f"it leaves on {delivery.not_before.astimezone(zone_of(zone)):%Y-%m-%d at %H:%M} ({zone})")
        return delivery

    def _made(self, step: MessageStep, address: Address) -> Delivery:
        sender = self._person(step.sender) if isinstance(step, EmailStep) and step.sender else None
        return Delivery(
            key=key_of(self.run, step.id, address.recipient), account=self._row.account, play=self._play.name,
            group=self.run.group, occurrence=self.run.occurrence, day=self._day, step=step.id, kind=KINDS[type(step)],
            channel=address.channel, recipient=address.recipient, template=step.template,
            to_customer=address.to_customer, severity=self.run.severity, sender=sender.name if sender else "",
            sender_address=sender.email if sender else "",
            person=self._worker(step) if isinstance(step, TaskStep) else address.person,
            started_by=self._rulebook.started_by(self._play, self.run.group), due_on=self.run.due_on)

    # -- addresses ---------------------------------------------------------------------------------------------------

    def _address(self, step: MessageStep) -> Address | None:
        destination = self._directory.destinations.get(step.to)
        if destination is not None:
            return Address(destination.channel, destination.address)
        if step.to == "contact":
            return Address(self._directory.email_channel, self._row.contact, True) if self._row.contact else None
        person = self._person(step.to)
        if person is None:
            return None
        if isinstance(step, SlackStep):
            return Address(self._directory.slack_channel, person.slack, person=person.key) if person.slack else None
        return Address(self._directory.email_channel, person.email, person=person.key) if person.email else None

    def _person(self, role: str) -> Person | None:
        said, _, manager = role.partition(".")
        names = {"csm": self._row.csm, "executive": self._row.executive}
        person = self._directory.person(names.get(said, said))
        if person is not None and manager == "manager":
            return self._directory.people.get(person.manager)
        return person

    def _silence(self, reason: SilenceReason, step: str, detail: str) -> None:
        run = self.run
        self.silences.append(Silence(run.account, run.play, run.group, run.occurrence, self._day, reason, step, detail))


def as_sent(rulebook: Rulebook, conditions: Conditions, directory: Directory, play: Play, run: PlayRun, row: AccountDay,
            day: date, step: MessageStep) -> Delivery | None:
    """The delivery of one step as made on `day`, whatever holds it back; None when nobody can be reached."""
    walk = _Walk(rulebook, conditions, directory, play, run, row, day, Sent({}))
    address = walk._address(step)
    if address is None:
        return None
    walk._deliver(step, address)
    return walk.deliveries[0]


def key_of(run: PlayRun, step: str, recipient: str) -> str:
    """The same for the same step of the same opening and recipient, whenever it is planned again."""
    words = "\0".join((run.play, run.account, run.group, run.occurrence.isoformat(), step, recipient))
    return hashlib.sha256(words.encode()).hexdigest()[:32]
