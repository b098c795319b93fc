"""What stories reach of the rules, and what none of them does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from forestall.engine.intervene.steps import KINDS
from forestall.engine.model.alert import TransitionKind
from forestall.engine.model.delivery import NOT_STARTED, SilenceReason
from forestall.engine.model.play import MessageStep, Play, StopIfStep, TaskStep, WaitStep
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.stories.outcome import Told
from forestall.engine.stories.stories import UNSCORED

CUSTOMER = "contact"


@dataclass(frozen=True, slots=True)
class Reached:
    """One kind of thing: all that there are, and those that no story reaches. `cannot` no story of one account can."""

    name: str
    all: tuple[str, ...]
    missing: tuple[str, ...]
    cannot: tuple[str, ...] = ()


def coverage(rulebook: Rulebook, told: Sequence[Told]) -> tuple[Reached, ...]:
    """Triggers that opened, tiers that were entered, plays that started, steps that went out, reasons for silence."""
    days = [day for one in told for day in one.days]
    opened = {transition.alert.trigger for day in days for transition in day.decisions.transitions
              if transition.kind in (TransitionKind.OPENED, TransitionKind.RECORDED)}
    started = {run.play for day in days for run in day.decisions.runs if run.status not in NOT_STARTED}
    sent = {(one.play, one.step) for day in days for one in day.decisions.deliveries}
    steps = {(play.name, step.id): f"{play.name}.{KINDS[type(step)].value}:{step.template}"
             for play in rulebook.plays.values() for step in _messages(play)}
    reasons = {silence.reason for day in days for silence in day.decisions.silences}
    possible = possible_reasons(rulebook)
    return (
        _reached("triggers", rulebook.triggers, opened),
        _reached("tiers", [*(tier.name for tier in rulebook.scorecard.tiers), UNSCORED], {day.tier for day in days}),
        _reached("plays", rulebook.plays, started),
        Reached("steps", tuple(steps.values()), tuple(label for step, label in steps.items() if step not in sent)),
        Reached("reasons", tuple(one.value for one in SilenceReason if one in possible),
                tuple(one.value for one in SilenceReason if one in possible and one not in reasons),
                tuple(one.value for one in SilenceReason if one not in possible)))


def _reached(name: str, all_of_them: Iterable[str], reached: set[str]) -> Reached:
    names = tuple(all_of_them)
    return Reached(name, names, tuple(one for one in names if one not in reached))


def possible_reasons(rulebook: Rulebook) -> frozenset[SilenceReason]:
    """Why these rules can keep quiet about an account that is alone in the world, as that of a story is."""
    plays, limits = list(rulebook.plays.values()), rulebook.limits
    steps = [step for play in plays for step in _messages(play)]
    to_customer = any(step.to == CUSTOMER for step in steps)
    tasks = sum(isinstance(step, TaskStep) for step in steps)
    risk = [play for play in plays if not play.alongside]
    names = (*rulebook.triggers, *rulebook.tier_alerts(), *rulebook.recovery_alerts())
    named = {name: rulebook.plays_for(name) for name in names}
    when = {
        SilenceReason.HOLDOUT: any(play.holdout for play in plays),
        SilenceReason.CAP: limits.emails_per_account is not None and to_customer,
        SilenceReason.BUDGET: limits.tasks_per_csm is not None and limits.tasks_per_csm < tasks,
        SilenceReason.OPTED_OUT: bool(rulebook.catalogue.roles.opted_out) and to_customer,
        SilenceReason.ANOTHER_PLAY: len(risk) > 1,
        SilenceReason.GUARD: False,      # `per_play` allows one start at least
        SilenceReason.COOLDOWN: any(trigger.cooldown for trigger in rulebook.triggers.values()),
        SilenceReason.QUIET_HOURS: False,      # the days of a story have no hours
        SilenceReason.NO_ADDRESS: any(step.to in (CUSTOMER, "csm", "executive", "csm.manager") for step in steps),
        SilenceReason.FACTS_MISSING: any(_waits_for_facts(play) for play in plays),
        SilenceReason.NO_PLAY: any(found and all(play.applies_to is not None for play in found)
                                   for found in named.values()),
    }
    return frozenset(reason for reason, can_be in when.items() if can_be)


def _messages(play: Play) -> list[MessageStep]:
    """Its steps that say something, and its escalation."""
    found = [step for step in play.steps if not isinstance(step, (WaitStep, StopIfStep))]
    return [*found, play.escalate] if play.escalate is not None else found


def _waits_for_facts(play: Play) -> bool:
    """Whether a message to the customer stands behind a stop_if."""
    asked = False
    for step in play.steps:
        if isinstance(step, StopIfStep):
            asked = True
        elif isinstance(step, WaitStep):
            asked = False
        elif asked and step.to == CUSTOMER:
            return True
    return False
