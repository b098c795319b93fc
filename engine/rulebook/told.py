"""Parts of a rulebook as people write them: what each says, by its key. What says nothing has no key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from forestall.engine.model.catalogue import Metric
from forestall.engine.model.delivery import StartedBy
from forestall.engine.model.expression import Expression
from forestall.engine.model.play import (
    EmailStep,
    Goal,
    Play,
    SlackStep,
    Step,
    StopIfStep,
    TaskStep,
    WaitStep,
    WebhookStep,
)
from forestall.engine.model.rulebook import Rulebook, Template
from forestall.engine.model.scorecard import Measure, Points, Signal, Tier
from forestall.engine.model.trigger import Trigger

Told = Mapping[str, str]


def told_metric(metric: Metric) -> Told:
    """A metric."""
    return _said({
        "kind": str(metric.kind), "is": _text(metric.derived), "unit": metric.unit, "about": metric.about,
        "one_of": ", ".join(metric.one_of), "per": "day" if metric.per_day else "",
        "stale_after": _days(metric.stale_after) if metric.supplied and not metric.per_day else "",
        "personal": _flag(metric.personal), "by_hand": _flag(metric.by_hand),
    })


def told_roles(book: Rulebook) -> Told:
    """Which metric plays which role."""
    roles = book.catalogue.roles
    return _said({field.name: getattr(roles, field.name) for field in fields(roles)})


def told_scorecard(book: Rulebook) -> Told:
    """What holds for all signals."""
    card = book.scorecard
    return _said({"minimum_coverage": _percent(card.minimum_coverage),
                  "new_accounts": f"unscored for {_days(card.unscored_days)}" if card.unscored_days else "scored"})


def told_signal(signal: Signal, share: float) -> Told:
    """A signal with its share of the score in percent."""
    found = {"weight": f"{_number(signal.weight)} ({share:.3g} % of the score)", "measure": _measure(signal.measure),
             "missing": str(signal.missing), "about": signal.about}
    whole = sum(part.weight for part in signal.parts) or 1
    for part in signal.parts:
        found[f"part {part.name}"] = (f"{_number(part.weight)} ({100 * part.weight / whole:.3g} % of the signal), "
                                      f"{_measure(part.measure)}")
        found[f"about of part {part.name}"] = part.about
    return _said(found)


def told_tier(tier: Tier) -> Told:
    """A tier."""
    return _said({"range": f"{tier.low}-{tier.high}", "when": _text(tier.when)})


def told_trigger(trigger: Trigger) -> Told:
    """A trigger."""
    return _said({
        "when": _text(trigger.when), "clear_when": _text(trigger.clear_when), "severity": trigger.severity or "tier",
        "cooldown": _days(trigger.cooldown), "lasts": _days(trigger.lasts), "existing": str(trigger.existing),
        "repeat": "" if trigger.repeat is None else _days(trigger.repeat),
        "renamed_from": ", ".join(trigger.renamed_from), "about": trigger.about,
        "started_by": "" if trigger.started_by is StartedBy.DATA else trigger.started_by,
    })


def told_play(play: Play) -> Told:
    """A play without its steps."""
    every = play.every
    return _said({
        "trigger": ", ".join(play.triggers), "tier": play.tier,
        "every": _count(every.count, "month") if every and every.monthly else _days(every.count) if every else "",
        "applies_to": _text(play.applies_to), "owner": play.owner,
        "within": "" if play.within is None else _days(play.within), "goal": _goal(play.goal),
        "holdout": _percent(play.holdout), "resources": ", ".join(play.resources),
        "alongside": _flag(play.alongside), "finish_anyway": _flag(play.finish_anyway),
        "existing": str(play.existing) if play.tier or play.recovered_to else "", "about": play.about,
        "recovered_to": play.recovered_to, "escalate": told_step(play.escalate) if play.escalate else "",
        "started_by": play.started_by or "",
    })


def told_step(step: Step) -> str:
    """A step in a line."""
    match step:
        case EmailStep():
            sender = f", from {step.sender}" if step.sender else ""
            return f"email to {step.to}, template {step.template}{sender}"
        case SlackStep():
            return f"slack to {step.to}, template {step.template}"
        case WebhookStep():
            return f"webhook to {step.to}, template {step.template}"
        case TaskStep():
            ends = f", done when {_text(step.done_when)}" if step.done_when else ""
            return f"task for {step.person}, to {step.to}, template {step.template}{ends}"
        case WaitStep():
            return f"wait {_days(step.days)}" if not step.business else f"wait {step.days} business days"
        case StopIfStep():
            return f"stop_if {_text(step.condition)}"


def told_limits(book: Rulebook) -> Told:
    """The limits, and what holds for the alerts that tiers open."""
    limits = book.limits
    emails = limits.emails_per_account
    return _said({
        "emails_per_account": f"{emails[0]} per {_days(emails[1])}" if emails else "",
        "tasks_per_csm": f"{limits.tasks_per_csm} per day" if limits.tasks_per_csm is not None else "",
        "messages_per_person": "" if limits.messages_per_person is None else f"{limits.messages_per_person} per day",
        "digest": f"{limits.digest.template} by {limits.digest.by}" if limits.digest else "",
        "per_play": str(limits.per_play) if limits.per_play is not None else "",
        "times_usual": f"{limits.times_usual:g}" if limits.times_usual is not None else "",
        "quiet_hours": "-".join(f"{one:%H:%M}" for one in limits.quiet_hours or ()),
        "holidays": ", ".join(map(str, limits.holidays)), "urgent": ", ".join(limits.urgent),
        "cooldown of alerts by tier": _days(book.tier_cooldown), "lasts of alerts by tier": _days(book.tier_lasts),
        "repeat of alerts by tier": "" if book.tier_repeat is None else _days(book.tier_repeat),
    })


def told_template(template: Template) -> Told:
    """A message."""
    return {"subject": template.subject, "body": template.body.rstrip()}


def _said(found: dict[str, str]) -> Told:
    return {key: value for key, value in found.items() if value}


def _text(expression: Expression | None) -> str:
    """As it was written, in one line."""
    return " ".join(expression.text.split()) if expression else ""


def _measure(measure: Measure | None) -> str:
    if measure is None:
        return ""
    if measure.curve is None:
        return f"score {_text(measure.value)}"
    kind, corners = ("points", measure.curve.corners) if isinstance(measure.curve, Points) else (
        "steps", measure.curve.bands)
    return f"metric {_text(measure.value)}, {kind} {{{', '.join(f'{at:g}: {to:g}' for at, to in corners)}}}"


def _goal(goal: Goal | None) -> str:
    return f"{_text(goal.when)} within {_days(goal.within)}" if goal else ""


def _days(count: int) -> str:
    return _count(count, "day") if count else "same day"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _percent(share: float) -> str:
    return f"{100 * share:g} percent" if share else ""


def _number(value: float) -> str:
    return f"{value:g}"


def _flag(value: bool) -> str:
    return "true" if value else ""
