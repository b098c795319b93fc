"""Why an account has its score and tier, and what every trigger saw: through the one-account evaluator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from forestall.engine.detect.history import History
from forestall.engine.detect.said import Said
from forestall.engine.language.syntax import parse
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Expression, Kind, Name, Term, Truth, names
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.scorecard import Measure
from forestall.engine.model.trigger import Trigger
from forestall.engine.score.account import Account
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.earned import Movement, Stake, movement, stakes, without_data
from forestall.engine.score.evaluations import from_epoch, to_epoch
from forestall.engine.score.look_back import look_back
from forestall.engine.score.reason import outermost_calls, truth, why, written
from forestall.engine.score.scorecard import PartPoints, Scored, SignalPoints

AGO = 7      # days: "then" in an explanation, unless another number is asked for


@dataclass(frozen=True, slots=True)
class Saw:
    """One thing that a condition looked at: its text in the rule, and its value on the day."""

    text: str
    value: Value


@dataclass(frozen=True, slots=True)
class Fact:
    """One metric on the day. `said` is None where no source ever said it, and for computed ones; `age` counts the days
    since then, for a computed one since its oldest input was said."""

    name: str
    value: Value
    unit: str
    age: int | None
    said: Said | None
    stale_after: int


@dataclass(frozen=True, slots=True)
class Earned:
    """A signal or a part: what it saw, how old that is, and what it brings to the score.

    `points` None: no data. `earned` and `missed` None: it is not in the score. `effect` is its share of the score after
    the weight of what is missing was shared out. `lacking` names the facts that are missing.
    """

    name: str
    share: float
    effect: float
    points: float | None
    earned: float | None
    missed: float | None
    text: str = ""
    value: Value = None
    unit: str = ""
    age: int | None = None
    lacking: tuple[Fact, ...] = ()
    without_data: str = ""
    parts: tuple[Earned, ...] = ()


@dataclass(frozen=True, slots=True)
class TriggerExplained:
    """A trigger's truth on the day, what it saw, and in one line what made it so."""

    trigger: Trigger
    truth: Truth
    because: str
    clears: Truth | None
    clears_because: str
    saw: tuple[Saw, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One account on one day. `facts` are its metrics without the personal ones; `subject` answers whatever else."""

    account: str
    day: date
    named_on: date
    scored: Scored
    signals: tuple[Earned, ...]
    movement: Movement
    facts: tuple[Fact, ...]
    triggers: tuple[TriggerExplained, ...]
    subject: Account


def explain(rulebook: Rulebook, history: History, account: str, day: date, since: int = AGO,
            rules_then: Rulebook | None = None) -> Explanation | None:
    """Explain one account on one day; None when it has no row on that day.

    `since` is how many days before the score is compared with; `rules_then` are the rules that were in force then,
    where they are others and known.
    """
    back = look_back(rulebook, [expression.term for expression in Conditions.of(rulebook).expressions])
    loaded = load_account(rulebook, history, account, day - timedelta(days=back + since), day)
    if loaded is None:
        return None
    one, named_on = loaded
    today, then = to_epoch(day), day - timedelta(days=since)
    facts = _facts(rulebook.catalogue, one, today, history.said(rulebook.catalogue, account, day))
    scored = one.scored(today)
    moved = movement(one, then, today - since, today, _scored_by(rules_then, history, account, then))
    triggers = tuple(_trigger(rulebook, one, trigger, today) for trigger in rulebook.triggers.values())
    shown = tuple(fact for name, fact in facts.items() if not rulebook.catalogue.metrics[name].personal)
    return Explanation(account, day, named_on, scored, tuple(_signals(rulebook.catalogue, scored, facts)), moved, shown,
                       triggers, one)


def load_account(rulebook: Rulebook, history: History, account: str, first: date,
                 day: date) -> tuple[Account, date] | None:
    """One account with its rows from `first` through `day`, and the day it was last named; None without a row."""
    with history.reading(rulebook.catalogue, first, day, [account]) as connection:
        table = connection.sql("SELECT * FROM history ORDER BY day").to_arrow_table()
    rows = table.to_pylist()
    if not rows or rows[-1]["day"] != to_epoch(day):
        return None
    by_day = {row["day"]: row for row in rows}
    return Account(rulebook, by_day, rows[-1]["first_day"]), from_epoch(rows[-1]["named_day"])


def nearest_accounts(rulebook: Rulebook, history: History, day: date) -> list[str]:
    """Every account that has a row on the day."""
    with history.reading(rulebook.catalogue, day, day) as connection:
        return [row[0] for row in connection.execute("SELECT account FROM history ORDER BY account").fetchall()]


def _scored_by(rules: Rulebook | None, history: History, account: str, day: date) -> Scored | None:
    """The score of a day by other rules."""
    if rules is None:
        return None
    loaded = load_account(rules, history, account, day - timedelta(days=look_back(rules, [])), day)
    return None if loaded is None else loaded[0].scored(to_epoch(day))


# -- facts and signals -----------------------------------------------------------------------------------------------


def _facts(catalogue: Catalogue, account: Account, today: int, said: dict[str, Said]) -> dict[str, Fact]:
    found: dict[str, Fact] = {}
    for name, metric in catalogue.metrics.items():
        spoken = [said[one] for one in sorted(_inputs(catalogue, [name])) if one in said]
        oldest = min((one.on for one in spoken), default=None)
        value = _shown(catalogue, name, account.metric(name, today))
        found[name] = Fact(name, value, metric.unit, None if oldest is None else today - to_epoch(oldest),
                           said.get(name), 0 if metric.per_day else metric.stale_after)
    return found


def _inputs(catalogue: Catalogue, wanted: Iterable[str]) -> set[str]:
    """The supplied metrics of which these names are made."""
    found: set[str] = set()
    for name in wanted:
        metric = catalogue.metrics.get(name)
        if metric is not None:
            found |= {name} if metric.derived is None else _inputs(catalogue, _named(metric.derived.term))
    return found


def _named(term: Term) -> list[str]:
    return [name.name for name in names(term)]


def _signals(catalogue: Catalogue, scored: Scored, facts: dict[str, Fact]) -> Iterator[Earned]:
    staked = stakes(scored)
    for one in scored.signals:
        mine = [stake for stake in staked if stake.signal == one.signal.name]
        measures = {part.name: part.measure for part in one.signal.parts}
        if one.signal.measure is not None:
            yield _leaf(catalogue, one, one.parts[0], one.signal.measure, mine, facts)
            continue
        parts = tuple(_leaf(catalogue, one, part, measures[part.name],
                            [stake for stake in mine if stake.part == part.name], facts) for part in one.parts)
        yield Earned(one.signal.name, one.share, *_sums(mine, one.points), without_data=_without(one), parts=parts)


def _leaf(catalogue: Catalogue, signal: SignalPoints, part: PartPoints, measure: Measure, mine: list[Stake],
          facts: dict[str, Fact]) -> Earned:
    """A signal without parts, or a part."""
    term = measure.value.term
    made_of = _inputs(catalogue, _named(term))
    inputs = [fact for name, fact in facts.items() if name in made_of]
    ages = [fact.age for fact in inputs if fact.age is not None]
    lacking = tuple(fact for fact in inputs if fact.value is None) if part.points is None else ()
    metric = catalogue.metrics.get(term.name) if isinstance(term, Name) else None
    return Earned(part.name, part.share, *_sums(mine, part.points), text=measure.value.text, value=part.value,
                  unit=metric.unit if metric else "", age=max(ages, default=None), lacking=lacking,
                  without_data=_without(signal) if signal.signal.measure is not None else "")


def _without(one: SignalPoints) -> str:
    return without_data(one.signal.missing) if one.points is None else ""


def _sums(mine: list[Stake], points: float | None) -> tuple[float, float | None, float | None, float | None]:
    """Share of the score, points, earned and missed."""
    if not mine:
        return 0.0, points, None, None
    return (sum(one.share for one in mine), points, sum(one.earned for one in mine), sum(one.missed for one in mine))


# -- triggers --------------------------------------------------------------------------------------------------------


def _trigger(rulebook: Rulebook, account: Account, trigger: Trigger, today: int) -> TriggerExplained:
    clear = trigger.clear_when
    return TriggerExplained(
        trigger, truth(account.value(trigger.when, today)), why(trigger.when, account, today),
        truth(account.value(clear, today)) if clear is not None else None,
        why(clear, account, today) if clear is not None else "",
        tuple(_saw(rulebook, account, trigger.when, today)))


def _saw(rulebook: Rulebook, account: Account, expression: Expression, today: int) -> Iterator[Saw]:
    """The history functions of a condition, then its names, each with its value."""
    seen: set[str] = set()
    for node in outermost_calls(parse(expression.text)):
        text = written(node)
        if text not in seen:
            seen.add(text)
            value = account.value(Expression(text, expression.term, expression.location), today)
            is_day = isinstance(value, int) and not isinstance(value, bool)
            yield Saw(text, from_epoch(value) if is_day else value)      # type: ignore[arg-type]
    for name in names(expression.term):
        metric = rulebook.catalogue.metrics.get(name.name)
        if name.name not in seen and not (metric is not None and metric.personal):
            yield Saw(name.name, _shown(rulebook.catalogue, name.name, account.metric(name.name, today)))


def _shown(catalogue: Catalogue, name: str, value: Value) -> Value:
    """A metric's value as people know it: dates as dates."""
    metric = catalogue.metrics.get(name)
    if metric is not None and metric.kind is Kind.DATE and isinstance(value, int):
        return from_epoch(value)
    return value
