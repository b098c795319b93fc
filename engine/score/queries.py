"""The queries of a rulebook: what a pass must know of every account, and what a message may say about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import ibis

from forestall.engine.language.columnar import Columns
from forestall.engine.language.functions import slack
from forestall.engine.language.latest import NotPointwise, OneDay
from forestall.engine.language.streamed import Streamed
from forestall.engine.language.values import Build, Column, Row, Values, number
from forestall.engine.model.expression import Expression, Kind, Name, NameRole
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.columns import add_scorecard
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.look_back import look_back

TRUTHS_AT_ONCE = 31      # two bits each in a 64-bit integer, whose sign stays out of it
ROLES = ("name", "contact", "csm", "executive", "revenue", "renewal", "opted_out", "time_zone")


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query over the view `history`, and how many days before the first wanted day it reads.

    `outputs` are its columns besides `account`, `day`, `first_day` and `named_day`.
    """

    statement: str
    back: int
    outputs: tuple[str, ...]


def decisions(rulebook: Rulebook, conditions: Conditions, dialect: str, *, streaming: bool) -> Query:
    """Score, tier, roles and the truth of every condition, on every day: by windows.

    `streaming`: the rows of `history` arrive sorted by account and day, and the engine keeps their order.
    """
    columns = (Streamed if streaming else Columns)(supplied(rulebook), derived(rulebook))
    score(rulebook, columns)
    outputs = _scored(columns) | decisive(rulebook, conditions, columns)
    return Query(columns.statement(outputs, dialect).text, back(rulebook, conditions), tuple(outputs))


def decisions_of_one_day(rulebook: Rulebook, conditions: Conditions, dialect: str) -> Query | None:
    """The same on the last day alone, without windows; None where the rules nest them so that windows are needed."""
    query = OneDay(supplied(rulebook), derived(rulebook), lambda values: score(rulebook, values))
    try:
        outputs = _scored(query.at(0)) | decisive(rulebook, conditions, query.at(0))
    except NotPointwise:
        return None
    return Query(query.statement(outputs, dialect).text, back(rulebook, conditions), tuple(outputs))


def changes(rulebook: Rulebook, conditions: Conditions, dialect: str, *, streaming: bool) -> Query:
    """The same without the score, and `changed`: whether a row differs from the account's row of the day before."""
    columns = (Streamed if streaming else Columns)(supplied(rulebook), derived(rulebook))
    score(rulebook, columns)
    outputs = decisive(rulebook, conditions, columns)
    frame = ibis.window() if streaming else ibis.window(group_by="account", order_by="day")
    never = {role for role in ROLES if not getattr(rulebook.catalogue.roles, role)}      # nothing says them: no change

    def changed(row: Row) -> dict[str, Any]:
        answer = row.day == row.first_day
        for name in (name for name in outputs if name not in never):
            answer = answer | ~row[name].identical_to(row[name].lag(1).over(frame))
        return {"changed": answer}

    statement = columns.statement(outputs, dialect).adding(changed)
    return Query(statement.text, back(rulebook, conditions) + 1, tuple(outputs))


def details(rulebook: Rulebook, dialect: str) -> Query:
    """Every metric and signal, score and tier, on every day."""
    columns = Columns(supplied(rulebook), derived(rulebook))
    score(rulebook, columns)
    named = [_metric(rulebook, name) for name in rulebook.catalogue.metrics]
    signals = dict.fromkeys(signal.name for profile in rulebook.scorecard.profiles for signal in profile.signals)
    named += [Name(name, Kind.NUMBER, NameRole.SIGNAL) for name in signals]
    outputs = {"score": columns.column(SCORE), "tier": columns.column(TIER)}
    for name in named:
        outputs[f"f_{name.name}"] = columns.define("f", [name], partial(columns.value, term=name))
    return Query(columns.statement(outputs, dialect).text, look_back(rulebook, named), tuple(outputs))


SCORE = Name("score", Kind.NUMBER, NameRole.SCORE)
TIER = Name("tier", Kind.TEXT, NameRole.TIER)


def supplied(rulebook: Rulebook) -> Mapping[str, Kind]:
    """The columns of the history."""
    return {metric.name: metric.kind for metric in rulebook.catalogue.supplied()}


def score(rulebook: Rulebook, values: Values) -> None:
    """Bind the signals, the score and the tier."""
    add_scorecard(values, rulebook.scorecard, rulebook.catalogue.roles.since)


def _scored(values: Values) -> dict[str, Column]:
    return {"score": values.column(SCORE)}


def decisive(rulebook: Rulebook, conditions: Conditions, values: Values) -> dict[str, Column]:
    """Everything that a decision may turn on: tier, whether the account is gone, roles, and the truths, packed."""
    terms = [expression.term for expression in conditions.expressions]
    score = values.column(SCORE)
    outputs = {"tier": values.column(TIER), "clear_of": values.define("above", [score], _clear_of(rulebook, score)),
               "gone": values.define("gone", [], lambda row: row.day - row.named_day >= rulebook.gone_after)}
    values.share(terms)
    outputs |= _roles(rulebook, values)
    # Truths are worked out last, all in one SELECT, and packed in the next: no SELECT below has to carry them.
    flags = [values.define_last("t", term) for term in terms]
    for start in range(0, len(terms), TRUTHS_AT_ONCE):
        some = flags[start:start + TRUTHS_AT_ONCE]
        outputs[f"truths{start // TRUTHS_AT_ONCE}"] = values.define("p", some, _packed(some))
    return outputs


def _clear_of(rulebook: Rulebook, score: Column) -> Build:
    lines = [tier.clears_at for tier in rulebook.scorecard.tiers if tier.clears_at is not None]      # the highest first

    def build(row: Row) -> Any:
        cases = [(row[score.name] - number(line) >= -number(slack(line)), ibis.literal(len(lines) - index, "int8"))
                 for index, line in enumerate(lines)]
        return ibis.cases(*cases, else_=ibis.literal(0, "int8")) if cases else ibis.literal(0, "int8")

    return build


def back(rulebook: Rulebook, conditions: Conditions) -> int:
    """How many days before a day its decisions look at."""
    return look_back(rulebook, [expression.term for expression in conditions.expressions])


def derived(rulebook: Rulebook) -> Mapping[str, Expression]:
    """The metrics that are computed from others."""
    return {metric.name: metric.derived for metric in rulebook.catalogue.metrics.values()
            if metric.derived is not None}


def _metric(rulebook: Rulebook, name: str) -> Name:
    metric = rulebook.catalogue.metrics[name]
    return Name(name, metric.kind, NameRole.METRIC if metric.supplied else NameRole.DERIVED)


def _roles(rulebook: Rulebook, values: Values) -> dict[str, Column]:
    empty = {"revenue": "float64", "renewal": "int64", "opted_out": "boolean"}
    found: dict[str, Column] = {}
    for role in (*ROLES, *(["churned_on"] if rulebook.catalogue.roles.churned_on else [])):
        metric = getattr(rulebook.catalogue.roles, role)
        if metric:
            name = _metric(rulebook, metric)
            found[role] = values.define(role, [name], partial(values.value, term=name))
        else:
            found[role] = values.define(role, [], _nothing(empty.get(role, "string")))
    return found


def _packed(flags: Sequence[Column]) -> Build:
    """Conditions as 2, 1 (unknown), 0, two bits each, the first one lowest."""
    def build(row: Row) -> Any:
        answer = None
        for index, column in enumerate(flags):
            flag, unit = row[column.name], 1 << 2 * index
            truth = ibis.cases((flag, ibis.literal(2 * unit, "int64")), (~flag, ibis.literal(0, "int64")),
                               else_=ibis.literal(unit, "int64"))
            answer = truth if answer is None else answer + truth
        return answer
    return build


def _nothing(kind: str) -> Build:
    return lambda _row: ibis.null(kind)
