"""The queries of a rulebook: what a pass must know of every account, and what a message may say about one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import ibis
from ibis.config import Config

from forestall.engine.language.columnar import Columns
from forestall.engine.language.functions import FUNCTIONS
from forestall.engine.language.latest import NotPointwise, OneDay
from forestall.engine.language.values import Build, Column, Row, Values
from forestall.engine.model.expression import Call, Expression, Kind, Name, NameRole, Term, parts
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.columns import add_scorecard
from forestall.engine.score.conditions import Conditions

ROLES = ("name", "contact", "csm", "executive", "revenue", "renewal", "opted_out")


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query over the view `history`, and how many days before the first wanted day it reads."""

    statement: str
    back: int


def decisions(rulebook: Rulebook, conditions: Conditions, dialect: str) -> Query:
    """Score, tier, roles and the truth of every condition, on every day: by windows."""
    columns = _every_day(rulebook)
    return _decided(rulebook, conditions, columns, columns, dialect)


def decisions_of_one_day(rulebook: Rulebook, conditions: Conditions, dialect: str) -> Query | None:
    """The same on the last day alone, without windows; None where the rules nest them so that windows are needed."""
    query = OneDay({metric.name: metric.kind for metric in rulebook.catalogue.supplied()}, _derived(rulebook),
                   lambda values: _score(rulebook, values))
    try:
        return _decided(rulebook, conditions, query.at(0), query, dialect)
    except NotPointwise:
        return None


def details(rulebook: Rulebook, dialect: str) -> Query:
    """Every metric and signal, score and tier, on every day."""
    columns = _every_day(rulebook)
    named = [_metric(rulebook, name) for name in rulebook.catalogue.metrics]
    signals = dict.fromkeys(signal.name for profile in rulebook.scorecard.profiles for signal in profile.signals)
    named += [Name(name, Kind.NUMBER, NameRole.SIGNAL) for name in signals]
    outputs = {"score": columns.column(SCORE), "tier": columns.column(TIER)}
    for name in named:
        outputs[f"f_{name.name}"] = columns.define("f", [name], partial(columns.value, term=name))
    return Query(sql(columns.table(outputs), dialect), look_back(rulebook, named))


def look_back(rulebook: Rulebook, terms: Iterable[Term]) -> int:
    """How many days before a day the values of these terms depend on."""
    card = rulebook.scorecard
    measures = [measure.value.term for profile in card.profiles for signal in profile.signals
                for measure in ([signal.measure] if signal.measure else [part.measure for part in signal.parts])]
    conditions = [one.applies_to.term for one in card.profiles if one.applies_to]
    conditions += [tier.when.term for tier in card.tiers if tier.when]
    scored = max((_reach(rulebook, term, 0) for term in [*measures, *conditions]), default=0)
    return max((_reach(rulebook, term, scored) for term in terms), default=scored)


def _reach(rulebook: Rulebook, term: Term, scored: int) -> int:
    if isinstance(term, Name):
        derived = rulebook.catalogue.metrics[term.name].derived if term.role is NameRole.DERIVED else None
        if derived is not None:
            return _reach(rulebook, derived.term, scored)
        return scored if term.role in (NameRole.SIGNAL, NameRole.SCORE, NameRole.TIER) else 0
    own = FUNCTIONS[term.function].back(term.window) if isinstance(term, Call) else 0
    return own + max((_reach(rulebook, part, scored) for part in parts(term)), default=0)


SCORE = Name("score", Kind.NUMBER, NameRole.SCORE)
TIER = Name("tier", Kind.TEXT, NameRole.TIER)


def _every_day(rulebook: Rulebook) -> Columns:
    columns = Columns({metric.name: metric.kind for metric in rulebook.catalogue.supplied()}, _derived(rulebook))
    _score(rulebook, columns)
    return columns


def _score(rulebook: Rulebook, values: Values) -> None:
    add_scorecard(values, rulebook.scorecard, rulebook.catalogue.roles.since)


def _decided(rulebook: Rulebook, conditions: Conditions, values: Values, query: Columns | OneDay,
             dialect: str) -> Query:
    terms = [expression.term for expression in conditions.expressions]
    outputs = {"score": values.column(SCORE), "tier": values.column(TIER)}
    values.share(terms)
    outputs |= _roles(rulebook, values)
    # Truths are worked out last, all in one SELECT: no SELECT below has to carry them.
    for index, term in enumerate(terms):
        outputs[f"t{index}"] = values.define_last("t", term, _truth_of(values, term))
    table = query.table(outputs)
    whens = [table[f"t{conditions.when(name)}"] for name in rulebook.triggers]
    return Query(sql(table.mutate(alarmed=_any_true(whens)), dialect), look_back(rulebook, terms))


def _derived(rulebook: Rulebook) -> Mapping[str, Expression]:
    return {metric.name: metric.derived for metric in rulebook.catalogue.metrics.values()
            if metric.derived is not None}


def _metric(rulebook: Rulebook, name: str) -> Name:
    metric = rulebook.catalogue.metrics[name]
    return Name(name, metric.kind, NameRole.METRIC if metric.supplied else NameRole.DERIVED)


def _roles(rulebook: Rulebook, values: Values) -> dict[str, Column]:
    empty = {"revenue": "float64", "renewal": "int64", "opted_out": "boolean"}
    found: dict[str, Column] = {}
    for role in ROLES:
        metric = getattr(rulebook.catalogue.roles, role)
        if metric:
            name = _metric(rulebook, metric)
            found[role] = values.define(role, [name], partial(values.value, term=name))
        else:
            found[role] = values.define(role, [], _nothing(empty.get(role, "string")))
    return found


class _SparkOptions(Config):      # type: ignore[misc]  # Ibis publishes no types
    """What Ibis asks of its Spark backend while it compiles. Loading that backend sets it too, but takes pandas."""

    treat_nan_as_null: bool = False      # a NaN ends at the door


def sql(table: Any, dialect: str) -> str:
    """An Ibis table as the text of a query."""
    if dialect == "pyspark" and ibis.options.pyspark is None:
        ibis.options.pyspark = _SparkOptions()
    return str(ibis.to_sql(table, dialect=dialect, pretty=False))


def _truth_of(values: Values, term: Term) -> Build:
    """A condition as 2, 1 (unknown), 0."""
    def build(row: Row) -> Any:
        flag = values.value(row, term)
        return ibis.cases((flag, ibis.literal(2, "int8")), (~flag, ibis.literal(0, "int8")),
                          else_=ibis.literal(1, "int8"))
    return build


def _nothing(kind: str) -> Build:
    return lambda _row: ibis.null(kind)


def _any_true(truths: list[Any]) -> Any:
    answer = ibis.literal(False)
    for truth in truths:
        answer = answer | (truth == ibis.literal(2, "int8"))
    return answer

