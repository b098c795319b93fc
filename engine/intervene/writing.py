"""Planned deliveries to messages: the facts then and now, the story of the alert, the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from forestall.engine.detect.history import History
from forestall.engine.intervene.due import reminder
from forestall.engine.message.changes import (
    Subjects,
    ahead,
    changes,
    chart_days,
    charted,
    charts,
    stakes,
)
from forestall.engine.message.listing import listing
from forestall.engine.message.rendering import message, reason
from forestall.engine.message.rule_words import in_words
from forestall.engine.message.story import AlertStory, Chart, Story
from forestall.engine.message.templates import needed, render
from forestall.engine.model.delivery import Delivery, DeliveryStatus, Message, MessageKind, OutboxRow
from forestall.engine.model.evaluation import Facts, Value
from forestall.engine.model.expression import Name
from forestall.engine.model.people import Directory, Person
from forestall.engine.model.play import Step, recovery_alert, tier_alert
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.trigger import Trigger
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.look_back import look_back

_FOR_CUSTOMERS = frozenset({"reason"})
LEAST_DAYS_AGO = 7          # "then" in a message is at least a week before the alert opened
RECURRING_DAYS_AGO = 30     # and a month before a recurring play


def days_ago(rulebook: Rulebook, group: str) -> int:
    """How long before an alert `before` is in its messages: the trigger's own look-back, at least a week."""
    trigger = rulebook.triggers.get(group)
    if trigger is None:
        is_tier = any(group in (tier_alert(tier.name), recovery_alert(tier.name)) for tier in rulebook.scorecard.tiers)
        return LEAST_DAYS_AGO if is_tier else RECURRING_DAYS_AGO
    return max(LEAST_DAYS_AGO, look_back(rulebook, [trigger.when.term]))


def write(evaluator: Evaluator, directory: Directory, history: History, deliveries: Sequence[Delivery],
          digests: Mapping[str, Sequence[Delivery]]) -> list[Message]:
    """The messages of planned deliveries. `digests`: what some of them stand for."""
    told = [one for delivery in deliveries for one in digests.get(delivery.key, (delivery,))]
    writer = Writer(evaluator, directory, history, told)

    def written(delivery: Delivery) -> Message:
        items = digests.get(delivery.key)
        return writer.message(delivery) if items is None else \
            listing(evaluator.rulebook, directory, delivery, items, writer.story)

    return [written(delivery) for delivery in deliveries]


def outbox_rows(deliveries: Sequence[Delivery], messages: Sequence[Message]) -> tuple[OutboxRow, ...]:
    """Deliveries and their messages, ready to be stored."""
    return tuple(OutboxRow(delivery, message, DeliveryStatus.QUEUED, next_attempt=delivery.not_before)
                 for delivery, message in zip(deliveries, messages, strict=True))


class Writer:
    """Writes the messages of some deliveries. What they need from the history is read once for all of them."""

    def __init__(self, evaluator: Evaluator, directory: Directory, history: History,
                 deliveries: Sequence[Delivery]) -> None:
        self._rulebook, self._directory = evaluator.rulebook, directory
        self._subjects = Subjects(evaluator.rulebook)
        self._labels = {tier.name: tier.label for tier in evaluator.rulebook.scorecard.tiers}
        self._about = {name: _About(evaluator.rulebook, self._subjects, name, self._labels)
                       for name in {one.group for one in deliveries}}
        self._personal = frozenset(
            metric.name for metric in evaluator.rulebook.catalogue.metrics.values() if metric.personal)
        self._needed = {name: needed(evaluator.rulebook.templates[name]) for name in {
            one.template for one in deliveries}}
        self._people: dict[str, Person | None] = {}
        self._facts = self._read(evaluator, history, deliveries)
        self._past = self._read_past(evaluator, history, deliveries)

    def message(self, delivery: Delivery) -> Message:
        """The message of one of the deliveries."""
        story = self.story(delivery)
        rendered = render(self._rulebook.templates[delivery.template], story)
        return message(delivery, rendered, story, self._directory)

    def story(self, delivery: Delivery) -> Story:
        """Everything that the template of one of the deliveries can say."""
        rulebook, roles = self._rulebook, self._rulebook.catalogue.roles
        play, about = rulebook.plays[delivery.play], self._about[delivery.group]
        now, before, needs = self._now(delivery), self._before(delivery), self._needs(delivery)
        told = self._told(delivery) if needs & {"changes", "charts"} else ()
        within_alert, inside = not play.recurring, not delivery.to_customer
        due = delivery.due_on if within_alert else None
        return Story(
            account=delivery.account, name=_text(now, roles.name) or delivery.account, now=now, before=before,
            days_ago=(delivery.day - self._before_day(delivery)).days, tiers=self._labels, personal=self._personal,
            csm=self._person(_text(now, roles.csm)), executive=self._person(_text(now, roles.executive)),
            contact=_text(now, roles.contact),
            alert=self._alert(delivery, about, now, before, needs) if within_alert else None,
            play=play.name, within=play.within, resources=play.resources, about=play.about,
            due=due,
            changes=changes(self._subjects, told, len(about.asked), now, before, self._labels)
            if "changes" in needs else (),
            charts=self._charts(delivery, told) if "charts" in needs else (),
            ahead=ahead(self._steps(delivery), delivery.step, delivery.day, play.escalate, due)
            if "ahead" in needs else (),
            stakes=stakes(rulebook.catalogue, now) if "stakes" in needs else "", inside=inside,
            reminder=inside and delivery.step == reminder(delivery.day),
            overdue=inside and play.escalate is not None and delivery.step == play.escalate.id)

    def _steps(self, delivery: Delivery) -> tuple[Step, ...]:
        """The steps among which a delivery is one: those of now, or others that somebody began with."""
        begun = (one.steps for (play, _), one in self._rulebook.begun.items() if play == delivery.play)
        now = self._rulebook.plays[delivery.play].steps
        return next((steps for steps in (now, *begun) if any(step.id == delivery.step for step in steps)), now)

    def _person(self, said: str) -> Person | None:
        if said not in self._people:
            self._people[said] = self._directory.person(said)
        return self._people[said]

    def _needs(self, delivery: Delivery) -> frozenset[str]:
        """What of the story is worked out: only what the template tells, and nothing of it to a customer."""
        needs = self._needed[delivery.template]
        return needs & _FOR_CUSTOMERS if delivery.to_customer else needs

    def _alert(self, delivery: Delivery, about: _About, now: Facts, before: Facts | None,
               needs: frozenset[str]) -> AlertStory:
        spoken = "reason" in needs or delivery.kind in (MessageKind.WEBHOOK, MessageKind.TASK)
        return AlertStory(
            name=about.name, about=about.about, opened_on=delivery.occurrence,
            severity=self._labels.get(delivery.severity, "Unscored"),
            reason=reason(about.trigger, now, before, self._rulebook.catalogue.metrics) if spoken else "",
            rule=about.rule, condition=about.condition)

    def _read(self, evaluator: Evaluator, history: History,
              deliveries: Sequence[Delivery]) -> Mapping[tuple[str, date], Facts]:
        """Facts by day: accounts that share a day are asked for together."""
        wanted: dict[date, set[str]] = {}
        for delivery in deliveries:
            for day in (delivery.day, self._before_day(delivery)):
                wanted.setdefault(day, set()).add(delivery.account)
        return evaluator.facts(history, wanted)

    # -- charts --------------------------------------------------------------------------------------------------------

    def _read_past(self, evaluator: Evaluator, history: History,
                   deliveries: Sequence[Delivery]) -> Mapping[date, Mapping[str, Mapping[str, Sequence[Value]]]]:
        """The past of every account that has a chart in one of its messages, by the day of the message."""
        wanted: dict[date, tuple[set[str], set[str]]] = {}
        for delivery in deliveries:
            if "charts" in self._needs(delivery):
                accounts, shown = wanted.setdefault(delivery.day, (set(), set()))
                accounts.add(delivery.account)
                shown.update(name.name for name in charted(self._told(delivery)))
        return {day: evaluator.past(history, accounts, chart_days(day), shown)
                for day, (accounts, shown) in wanted.items()}

    def _charts(self, delivery: Delivery, told: Sequence[Name]) -> tuple[Chart, ...]:
        past = self._past[delivery.day].get(delivery.account, {})
        return tuple(charts(charted(told), chart_days(delivery.day), past))

    def _told(self, delivery: Delivery) -> tuple[Name, ...]:
        """What the alert of a delivery is about, most telling first."""
        return self._subjects.told(self._about[delivery.group].asked, self._now(delivery), self._before(delivery))

    def _now(self, delivery: Delivery) -> Facts:
        return self._facts.get((delivery.account, delivery.day)) \
            or Facts(delivery.account, delivery.day, None, None, {})

    def _before(self, delivery: Delivery) -> Facts | None:
        return self._facts.get((delivery.account, self._before_day(delivery)))

    def _before_day(self, delivery: Delivery) -> date:
        return delivery.occurrence - timedelta(days=self._about[delivery.group].days_ago)


class _About:
    """What is the same for every message of one alert."""

    def __init__(self, rulebook: Rulebook, subjects: Subjects, group: str, labels: Mapping[str, str]) -> None:
        self.trigger: Trigger | None = rulebook.triggers.get(group)
        kind, _, tier = group.rpartition(":")
        moved = f"{'recovered' if kind == 'recovered' else 'fell'} into {labels.get(tier, tier)}"
        self.name = tier.replace("_", " ")
        self.days_ago = days_ago(rulebook, group)
        self.asked = subjects.named(self.trigger)
        self.about = self.trigger.about if self.trigger else moved
        self.rule = in_words(self.trigger.when.term) if self.trigger else f"the account {moved}"
        self.condition = self.trigger.when.text if self.trigger else ""


def _text(facts: Facts, metric: str) -> str:
    value = facts.values.get(metric) if metric else None
    return value if isinstance(value, str) else ""
