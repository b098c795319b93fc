"""Each message of a play as it would look for one account on one day. Nothing is decided, written or sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from forestall.engine.detect.history import History
from forestall.engine.intervene.due import due_on
from forestall.engine.intervene.steps import as_sent
from forestall.engine.intervene.writing import Writer
from forestall.engine.model.delivery import Delivery, Message, PlayRun, RunStatus
from forestall.engine.model.evaluation import AccountDay, Facts
from forestall.engine.model.people import Directory
from forestall.engine.model.play import MessageStep, Play, StopIfStep, WaitStep
from forestall.engine.score.evaluate import Evaluator


@dataclass(frozen=True, slots=True)
class Previewed:
    """A step that sends something. `after` counts the days of waiting before it, `unless` is the stop_if over it.

    `message` is None when nobody can be reached; `withheld` says why it would not go out today; `overdue` marks the
    escalation, which goes out when the time of the play has passed.
    """

    number: int
    step: MessageStep
    after: int
    unless: str
    delivery: Delivery | None
    message: Message | None
    withheld: str = ""
    overdue: bool = False


def sending(play: Play) -> tuple[MessageStep, ...]:
    """What a play sends: its steps, then its escalation."""
    steps = tuple(step for step in play.steps if isinstance(step, MessageStep))
    return (*steps, play.escalate) if play.escalate is not None else steps


def preview(evaluator: Evaluator, directory: Directory, history: History, play: Play, account: str, day: date,
            opened: date | None = None) -> tuple[Previewed, ...]:
    """Every message of the play, rendered as a pass would. Empty when the account has no row on the day.

    `opened` is the day on which the alert opened (default: `day`).
    """
    facts = evaluator.facts(history, {day: [account]}).get((account, day))
    if facts is None:
        return ()
    row, occurrence = _row(evaluator, facts), opened or day
    group = play.name if play.recurring else play.alert_names()[0]
    trigger = evaluator.rulebook.triggers.get(group)
    severity = (trigger.severity if trigger else play.tier) or facts.tier or ""
    run = PlayRun(account, play.name, group, occurrence, severity, RunStatus.RUNNING, play.digest,
                  due_on=due_on(play, occurrence, day))
    planned = [(step, as_sent(evaluator.rulebook, evaluator.conditions, directory, play, run, row, day, step))
               for step in sending(play)]
    writer = Writer(evaluator, directory, history, [delivery for _, delivery in planned if delivery])
    return tuple(_previewed(play, planned, writer, row))


def _previewed(play: Play, planned: Sequence[tuple[MessageStep, Delivery | None]], writer: Writer,
               row: AccountDay) -> Iterator[Previewed]:
    for number, (step, delivery) in enumerate(planned, 1):
        overdue = step is play.escalate
        before = () if overdue else play.steps[:play.steps.index(step)]
        after = (play.within or 0) if overdue else sum(one.days for one in before if isinstance(one, WaitStep))
        above = before[-1] if before and isinstance(before[-1], StopIfStep) else None
        withheld = f"nothing says how to reach {step.to}" if delivery is None else \
            "the customer asked for no email" if delivery.to_customer and row.opted_out else ""
        yield Previewed(number, step, after, above.condition.text if above else "", delivery,
                        writer.message(delivery) if delivery else None, withheld, overdue)


def _row(evaluator: Evaluator, facts: Facts) -> AccountDay:
    """What a pass knows of the account, as far as messages need it."""
    roles = evaluator.rulebook.catalogue.roles

    def text(metric: str) -> str:
        value = facts.values.get(metric) if metric else None
        return value if isinstance(value, str) else ""

    return AccountDay(facts.account, facts.day, facts.tier, 0, name=text(roles.name) or facts.account,
                      contact=text(roles.contact), csm=text(roles.csm), executive=text(roles.executive),
                      opted_out=bool(roles.opted_out and facts.values.get(roles.opted_out) is True))
