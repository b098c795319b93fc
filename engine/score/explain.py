"""Why an account has its score and tier, and what every trigger saw: through the one-account evaluator."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from forestall.engine.detect.history import History
from forestall.engine.language.functions import FUNCTIONS, Reach
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Expression, Kind, Name, Truth, names
from forestall.engine.model.rulebook import Rulebook, Trigger
from forestall.engine.score.account import Account
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.evaluations import from_epoch, to_epoch
from forestall.engine.score.look_back import look_back
from forestall.engine.score.scorecard import Scored

AGO = 7      # days: "then" in an explanation


@dataclass(frozen=True, slots=True)
class Saw:
    """One thing that a condition looked at: its text in the rule, and its value on the day."""

    text: str
    value: Value


@dataclass(frozen=True, slots=True)
class TriggerExplained:
    """A trigger's truth on the day, and what it saw."""

    trigger: Trigger
    truth: Truth
    clears: Truth | None
    saw: tuple[Saw, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One account on one day. `then` is its score a week before; `inputs` are its metrics by name,
    without the personal ones."""

    account: str
    day: date
    named_on: date
    scored: Scored
    then: Scored | None
    inputs: tuple[Saw, ...]
    triggers: tuple[TriggerExplained, ...]


def explain(rulebook: Rulebook, history: History, account: str, day: date) -> Explanation | None:
    """Explain one account on one day; None when it has no row on that day."""
    conditions = Conditions.of(rulebook)
    terms = [expression.term for expression in conditions.expressions]
    first = day - timedelta(days=look_back(rulebook, terms) + AGO)
    loaded = load_account(rulebook, history, account, first, day)
    if loaded is None:
        return None
    one, named_on = loaded
    today = to_epoch(day)
    then = one.scored(today - AGO) if today - AGO >= one.first_day else None
    inputs = tuple(Saw(name, _shown(rulebook, name, one.metric(name, today)))
                   for name, metric in rulebook.catalogue.metrics.items() if not metric.personal)
    triggers = tuple(_trigger(rulebook, one, trigger, today) for trigger in rulebook.triggers.values())
    return Explanation(account, day, named_on, one.scored(today), then, inputs, triggers)


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


def _trigger(rulebook: Rulebook, account: Account, trigger: Trigger, today: int) -> TriggerExplained:
    clears = truth(account.value(trigger.clear_when, today)) if trigger.clear_when is not None else None
    return TriggerExplained(trigger, truth(account.value(trigger.when, today)), clears,
                            tuple(_saw(rulebook, account, trigger.when, today)))


def truth(value: Value) -> Truth:
    """A flag as one of three values."""
    return Truth.UNKNOWN if value is None else Truth.TRUE if value else Truth.FALSE


def _saw(rulebook: Rulebook, account: Account, expression: Expression, today: int) -> Iterator[Saw]:
    """The history functions of a condition, then its names, each with its value."""
    seen: set[str] = set()
    for node in _outermost_calls(ast.parse(expression.text, mode="eval").body):
        text = ast.unparse(node)
        if text not in seen:
            seen.add(text)
            yield Saw(text, account.value(Expression(text, expression.term, expression.location), today))
    for name in names(expression.term):
        if name.name not in seen:
            yield Saw(name.name, _of(rulebook, account, name, today))


def _outermost_calls(node: ast.AST) -> Iterator[ast.Call]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and (
            FUNCTIONS[node.func.id].reach is not Reach.TODAY):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _outermost_calls(child)


def _of(rulebook: Rulebook, account: Account, name: Name, today: int) -> Value:
    return _shown(rulebook, name.name, account.metric(name.name, today))


def _shown(rulebook: Rulebook, name: str, value: Value) -> Value:
    """A metric's value as people know it: dates as dates."""
    metric = rulebook.catalogue.metrics.get(name)
    if metric is not None and metric.kind is Kind.DATE and isinstance(value, int):
        return from_epoch(value)
    return value
