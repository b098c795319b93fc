"""Planned deliveries to messages: the facts then and now, the story of the alert, the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from forestall.engine.detect.history import History
from forestall.engine.intervene.messages import message, reason
from forestall.engine.intervene.story import AlertStory, Story
from forestall.engine.intervene.templates import render
from forestall.engine.model.delivery import Delivery, DeliveryStatus, OutboxRow
from forestall.engine.model.evaluation import Facts
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Play, Rulebook, Trigger, tier_alert
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.look_back import look_back

LEAST_DAYS_AGO = 7          # "then" in a message is at least a week before the alert opened
RECURRING_DAYS_AGO = 30     # and a month before a recurring play


def days_ago(rulebook: Rulebook, group: str) -> int:
    """How long before an alert `before` is in its messages: the trigger's own look-back, at least a week."""
    trigger = rulebook.triggers.get(group)
    if trigger is None:
        is_tier = any(tier_alert(tier.name) == group for tier in rulebook.scorecard.tiers)
        return LEAST_DAYS_AGO if is_tier else RECURRING_DAYS_AGO
    return max(LEAST_DAYS_AGO, look_back(rulebook, [trigger.when.term]))


def write_messages(evaluator: Evaluator, directory: Directory, history: History,
                   deliveries: Sequence[Delivery]) -> tuple[OutboxRow, ...]:
    """The outbox rows of planned deliveries, each with its message."""
    rulebook = evaluator.rulebook
    facts = _facts(evaluator, history, deliveries)
    return tuple(_row(rulebook, directory, delivery, facts) for delivery in deliveries)


def _facts(evaluator: Evaluator, history: History,
           deliveries: Sequence[Delivery]) -> Mapping[tuple[str, date], Facts]:
    """Facts by day: accounts that share a day are asked for together."""
    wanted: dict[date, set[str]] = {}
    for delivery in deliveries:
        for day in (delivery.day, _before(evaluator.rulebook, delivery)):
            wanted.setdefault(day, set()).add(delivery.account)
    return evaluator.facts(history, wanted)


def _before(rulebook: Rulebook, delivery: Delivery) -> date:
    return delivery.occurrence - timedelta(days=days_ago(rulebook, delivery.group))


def _row(rulebook: Rulebook, directory: Directory, delivery: Delivery,
         facts: Mapping[tuple[str, date], Facts]) -> OutboxRow:
    story = story_of(rulebook, directory, delivery, facts)
    rendered = render(rulebook.templates[delivery.template], story)
    return OutboxRow(delivery, message(delivery, rendered, story, directory), DeliveryStatus.QUEUED)


def story_of(rulebook: Rulebook, directory: Directory, delivery: Delivery,
             facts: Mapping[tuple[str, date], Facts]) -> Story:
    """Everything that the template of a delivery can say."""
    roles, catalogue = rulebook.catalogue.roles, rulebook.catalogue
    now = facts[delivery.account, delivery.day]
    before = facts.get((delivery.account, _before(rulebook, delivery)))
    play = rulebook.plays[delivery.play]
    labels = {tier.name: tier.label for tier in rulebook.scorecard.tiers}
    return Story(
        account=delivery.account, name=_text(now, roles.name) or delivery.account, now=now, before=before,
        days_ago=(delivery.day - _before(rulebook, delivery)).days, tiers=labels,
        personal=frozenset(metric.name for metric in catalogue.metrics.values() if metric.personal),
        csm=directory.person(_text(now, roles.csm)), executive=directory.person(_text(now, roles.executive)),
        contact=_text(now, roles.contact), alert=_alert(rulebook, play, delivery, now, before, labels),
        play=play.name, within=play.within, resources=play.resources)


def _alert(rulebook: Rulebook, play: Play, delivery: Delivery, now: Facts, before: Facts | None,
           labels: Mapping[str, str]) -> AlertStory | None:
    if play.recurring:
        return None
    trigger: Trigger | None = rulebook.triggers.get(delivery.group)
    name = delivery.group.removeprefix("tier:").replace("_", " ")
    about = trigger.about if trigger is not None else f"fell into {labels.get(play.tier, play.tier)}"
    return AlertStory(name=name, about=about, opened_on=delivery.occurrence,
                      severity=labels.get(delivery.severity, "Unscored"),
                      reason=reason(trigger, now, before, rulebook.catalogue.metrics))


def _text(facts: Facts, metric: str) -> str:
    value = facts.values.get(metric) if metric else None
    return value if isinstance(value, str) else ""
