"""What an alert is about, in words: values then and now, the rule, the history, what is at stake, what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache

from forestall.engine.message.charts import sparkline
from forestall.engine.message.rule_words import headed, in_words, label
from forestall.engine.message.story import Ahead, Change, Chart
from forestall.engine.message.wording import counted, day, one_line, short_day, value_text
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.evaluation import Facts, Value
from forestall.engine.model.expression import Kind, Name, NameRole, names
from forestall.engine.model.play import EmailStep, MessageStep, SlackStep, Step, StopIfStep, TaskStep, WaitStep
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.trigger import Trigger

MOST_CHANGES = 6
CHART_DAYS = 56        # eight weeks
CHART_EVERY = 2        # a bar for every second day: 29 of them fit the screen of a phone
LEAST_BARS = 2
LEAST_OF_SCORE = 20.0  # points: a chart of the score is at least so high

SCORE = Name("score", Kind.NUMBER, NameRole.SCORE)
TIER = Name("tier", Kind.TEXT, NameRole.TIER)


class Subjects:
    """What the alerts of a rulebook can be about: worked out once, looked at for each message."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._personal = frozenset(one.name for one in rulebook.catalogue.metrics.values() if one.personal)
        self._metrics = rulebook.catalogue.metrics
        self._labels: dict[str, tuple[str, str]] = {}
        # Of each signal its weight, and the metrics below it.
        self._signals = [
            (signal.name, signal.weight, tuple(dict.fromkeys(
                name for measure in ([signal.measure] if signal.measure else [part.measure for part in signal.parts])
                for name in names(measure.value.term) if self._may_be_told(name) and name.role is not NameRole.SIGNAL)))
            for signal in rulebook.scorecard.profiles[-1].signals]

    def named(self, trigger: Trigger | None) -> tuple[Name, ...]:
        """What the condition of an alert names; of a fall into a tier the score."""
        told = names(trigger.when.term) if trigger else (SCORE,)
        return tuple(name for name in told if self._may_be_told(name))

    def told(self, asked: tuple[Name, ...], now: Facts, before: Facts | None) -> tuple[Name, ...]:
        """What an alert is about, most telling first: what its condition names, then the score and what moved that."""
        if all(name.role in (NameRole.METRIC, NameRole.DERIVED) for name in asked):
            return (*asked, SCORE)
        return tuple(dict.fromkeys((*asked, SCORE, TIER, *self._moved(now, before))))

    def label(self, name: Name) -> tuple[str, str]:
        """What people call it, with a capital, and its unit unless that says it already."""
        if name.name not in self._labels:
            said = label(name)
            unit = "points" if name.role is NameRole.SIGNAL else \
                self._metrics[name.name].unit if name.name in self._metrics else ""
            self._labels[name.name] = headed(said), unit if unit and unit.split()[0] not in said.split() else ""
        return self._labels[name.name]

    def _may_be_told(self, name: Name) -> bool:
        return name.name not in self._personal

    def _moved(self, now: Facts, before: Facts | None) -> list[Name]:
        """The metrics below the signals that moved the score, those of the largest movement first."""
        found: list[tuple[float, int, Name]] = []
        for signal, weight, below in self._signals if before is not None else ():
            today, then = now.values.get(signal), before.values.get(signal) if before else None
            if isinstance(today, float | int) and isinstance(then, float | int) and today != then:
                for name in below:
                    if before is not None and _value(now, name) != _value(before, name):
                        found.append((-abs(today - then) * weight, len(found), name))
        return [name for _, _, name in sorted(found)]


def changes(subjects: Subjects, told: Sequence[Name], asked: int, now: Facts, before: Facts | None,
            tiers: Mapping[str, str]) -> tuple[Change, ...]:
    """Each thing with its value then and now. The first `asked` are of the rule: their numbers show unchanged too."""
    found: list[Change] = []
    for place, name in enumerate(told):
        today, then = _value(now, name), _value(before, name) if before else None
        if today is None and then is None:
            continue
        if today == then and (place >= asked or isinstance(today, bool | str)):
            continue
        said, unit = subjects.label(name)
        found.append(Change(said, _words(name, then, tiers, ""), _words(name, today, tiers, unit)))
        if len(found) == MOST_CHANGES:
            break
    return tuple(found)


def charted(told: Sequence[Name]) -> tuple[Name, ...]:
    """What the chart shows: the score, and the number that the alert is most about."""
    number = next((name for name in told if name.kind is Kind.NUMBER and name.role in (
        NameRole.METRIC, NameRole.DERIVED)), None)
    return (SCORE, number) if number is not None else (SCORE,)


@lru_cache(maxsize=64)
def chart_days(today: date) -> tuple[date, ...]:
    """The days that a chart has bars for, oldest first."""
    return tuple(today - timedelta(days=back) for back in range(CHART_DAYS, -1, -CHART_EVERY))


def charts(shown: Sequence[Name], days: Sequence[date], past: Mapping[str, Sequence[Value]]) -> Iterator[Chart]:
    """The history of each thing as a line of bars; `past` has a value for each of the days."""
    for name in shown:
        values = past.get(name.name, ())
        known = [value for value in values if value is not None]
        if len(known) < LEAST_BARS:
            continue
        first = next(place for place, value in enumerate(values) if value is not None)
        is_score = name.role is NameRole.SCORE
        line = sparkline(_numbers(values[first:]), least=LEAST_OF_SCORE if is_score else 0.0,
                         from_zero=not is_score)
        yield Chart(headed(label(name)), line, value_text(known[0]), value_text(known[-1]), days[first])


def _numbers(values: Sequence[Value]) -> list[float | None]:
    return [value if isinstance(value, float) else None for value in values]


def stakes(catalogue: Catalogue, now: Facts) -> str:
    """What the account pays and when it renews, as far as that is known."""
    roles = catalogue.roles
    revenue, renewal = (now.values.get(name) if name else None for name in (roles.revenue, roles.renewal))
    said: list[str] = []
    if isinstance(revenue, float | int):
        unit = catalogue.metrics[roles.revenue].unit
        said.append(f"{value_text(revenue)} {unit}".strip() if unit else f"{label_of(roles.revenue)} "
                                                                         f"{value_text(revenue)}")
    if isinstance(renewal, date):
        left = (renewal - now.day).days
        when = f"in {counted(left, 'day', 'days')}" if left > 0 else "today" if left == 0 else "past"
        said.append(f"renewal on {day(renewal)} ({when})")
    return ", ".join(said)


def label_of(metric: str) -> str:
    """What people call a metric."""
    return headed(label(Name(metric, Kind.NUMBER, NameRole.METRIC)))


def ahead(steps: Sequence[Step], step: str, today: date, escalate: MessageStep | None = None,
          due: date | None = None) -> tuple[Ahead, ...]:
    """What a play will still do by itself after the step with this id, told to whom that step is for."""
    places = [place for place, one in enumerate(steps) if one.id == step]
    if not places:
        return ()
    told = _reader(steps[places[0]])
    found: list[Ahead] = []
    on, unless = today, ""
    for one in steps[places[0] + 1:]:
        if isinstance(one, WaitStep):
            on += timedelta(days=one.days)
        elif isinstance(one, StopIfStep):
            unless = f", unless {in_words(one.condition.term)} by then"
        else:
            found.append(Ahead("Today" if on == today else f"About {short_day(on)}", _step(one, told) + unless))
            unless = ""
    # Without a task the first message is what `within` asks for, and this is one.
    if escalate is not None and due is not None and due >= today and any(isinstance(one, TaskStep) for one in steps):
        found.append(Ahead(f"If nobody has acted by {short_day(due)}", _step(escalate, told)))
    return tuple(found)


def _reader(step: Step) -> str:
    """The role or destination that a message is for."""
    return step.person if isinstance(step, TaskStep) else step.to if isinstance(step, MessageStep) else ""


def _step(step: MessageStep, told: str) -> str:
    match step:
        case EmailStep(to="contact", sender=sender):
            name = "" if not sender else " in your name" if sender == told else f" from the {_role(sender)}"
            return f"an email to the customer{name}"
        case EmailStep():
            return f"an email to {_whom(step.to, told)}"
        case SlackStep():
            return f"a Slack message to {_whom(step.to, told)}"
        case TaskStep(person=person):
            return f"a task for {_whom(person, told)}"
    return f"a message to {_role(step.to)}"


def _whom(role: str, told: str) -> str:
    return "you" if role == told else f"the {_role(role)}" if role in ("csm", "executive") else _role(role)


def _role(role: str) -> str:
    return {"csm": "CSM", "executive": "executive", "csm.manager": "the CSM's manager"}.get(
        role, role.replace("_", " "))


def _value(facts: Facts, name: Name) -> Value:
    if name.role is NameRole.SCORE:
        return facts.score
    return facts.tier if name.role is NameRole.TIER else facts.values.get(name.name)


def _words(name: Name, value: Value, tiers: Mapping[str, str], unit: str) -> str:
    if value is None:
        return "unknown"
    if name.role is NameRole.TIER:
        return tiers.get(str(value), str(value))
    if isinstance(value, str):
        return one_line(value).replace("_", " ") if name.kind is Kind.TEXT and " " not in value else one_line(value)
    if isinstance(value, date):
        return day(value)
    return f"{value_text(value)} {unit}" if unit and not isinstance(value, bool) else value_text(value)
