"""(Rulebook, history, days) → evaluations: scores, tiers and the truth of every condition. The only one in production.

Evaluations travel as Arrow tables; an `AccountDay` is made only where something is to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, partial
from typing import Any

import ibis
import pyarrow
from pyarrow import compute

from forestall.engine.detect.history import History
from forestall.engine.language.columnar import Build, Column, Columns, Row
from forestall.engine.language.functions import FUNCTIONS
from forestall.engine.model.evaluation import AccountDay, Facts, Value
from forestall.engine.model.expression import Call, Expression, Kind, Name, NameRole, Term, parts
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.columns import add_scorecard
from forestall.engine.score.conditions import Conditions

EPOCH = date(1970, 1, 1).toordinal()
ROLES = ("name", "contact", "csm", "executive", "revenue", "renewal", "opted_out")


def from_epoch(days: int) -> date:
    """A day of the history as a date."""
    return date.fromordinal(EPOCH + days)


def to_epoch(day: date) -> int:
    """A date as a day of the history."""
    return day.toordinal() - EPOCH


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


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query over the view `history`, and how many days before the first wanted day it reads."""

    statement: str
    back: int


class Evaluations:
    """The evaluations of some days: one Arrow row per account and day, sorted by day and account."""

    def __init__(self, table: pyarrow.Table, conditions: int) -> None:
        self._table = table
        self._conditions = conditions
        self._starts: dict[int, tuple[int, int]] = {}
        position = 0
        counts = table.group_by("day", use_threads=False).aggregate([("day", "count")])
        for day, count in zip(counts["day"].to_pylist(), counts["day_count"].to_pylist(), strict=True):
            self._starts[day] = (position, count)
            position += count

    def only(self, account: str) -> Evaluations:
        """The rows of one account."""
        return Evaluations(self._table.filter(compute.equal(self._table["account"], account)), self._conditions)

    def on(self, day: date) -> DayOfEvaluations:
        """The rows of one day."""
        start, count = self._starts.get(to_epoch(day), (0, 0))
        return DayOfEvaluations(day, self._table.slice(start, count), self._conditions)


class DayOfEvaluations:
    """One day's rows: columns for counting, `AccountDay` for those that are asked for."""

    def __init__(self, day: date, table: pyarrow.Table, conditions: int) -> None:
        self.day = day
        self._table = table
        self._conditions = conditions

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @cached_property
    def accounts(self) -> list[str]:
        """Every account that has a row, in order."""
        return list(self._table["account"].to_pylist())

    @cached_property
    def tiers(self) -> list[str | None]:
        """Their tiers; None is unscored."""
        return list(self._table["tier"].to_pylist())

    @cached_property
    def silent_days(self) -> list[int]:
        """For how many days no source has named them."""
        today = to_epoch(self.day)
        return [today - named for named in self._table["named_day"].to_pylist()]

    @cached_property
    def alarmed(self) -> list[bool]:
        """Whether any trigger's condition is true."""
        return list(self._table["alarmed"].to_pylist())

    def truths(self, index: int) -> list[int]:
        """The truth of one condition for every account: 0, 1 (unknown) or 2."""
        return list(self._table[f"t{index}"].to_pylist())

    def take(self, rows: list[int]) -> Iterator[AccountDay]:
        """The rows with these numbers as nouns, in their order."""
        chosen = self._table.take(pyarrow.array(rows, pyarrow.int64()))
        columns = {name: chosen[name].to_pylist() for name in ("account", "score", "tier", "named_day", *ROLES)}
        truths = [chosen[f"t{index}"].to_pylist() for index in range(self._conditions)]
        packed = [bytes(row) for row in zip(*truths, strict=True)] if truths else [b""] * len(rows)
        for index in range(len(rows)):
            renewal = columns["renewal"][index]
            yield AccountDay(
                account=columns["account"][index], day=self.day, score=columns["score"][index],
                tier=columns["tier"][index], truths=packed[index], named_on=from_epoch(columns["named_day"][index]),
                name=columns["name"][index] or columns["account"][index], contact=columns["contact"][index] or "",
                csm=columns["csm"][index] or "", executive=columns["executive"][index] or "",
                revenue=columns["revenue"][index], renewal=from_epoch(renewal) if renewal is not None else None,
                opted_out=columns["opted_out"][index] is True)


class Evaluator:
    """Evaluates one rulebook. Compiles once, then answers for any history and days."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        self.conditions = Conditions.of(rulebook)

    def evaluate(self, history: History, first: date, last: date) -> Evaluations:
        """Score, tier and truths of every account on each of the days from `first` through `last`."""
        table = self._run(history, self._decision, first, last, None)
        return Evaluations(table, len(self.conditions.expressions))

    def facts(self, history: History,
              accounts_by_day: Mapping[date, Iterable[str]]) -> Mapping[tuple[str, date], Facts]:
        """Everything known about these accounts on these days: metrics, derived metrics, signals, score and tier."""
        wanted = [(account, to_epoch(day)) for day, accounts in sorted(accounts_by_day.items())
                  for account in sorted(set(accounts))]
        if not wanted:
            return {}
        found: dict[tuple[str, date], Facts] = {}
        for row in self._run(history, self._details, min(accounts_by_day), max(accounts_by_day), wanted).to_pylist():
            day = from_epoch(row["day"])
            values = {name.removeprefix("f_"): self._value(name.removeprefix("f_"), value)
                      for name, value in row.items() if name.startswith("f_")}
            found[row["account"], day] = Facts(row["account"], day, row["score"], row["tier"], values)
        return found

    def _value(self, name: str, value: object) -> Value:
        metric = self.rulebook.catalogue.metrics.get(name)
        if metric is not None and metric.kind is Kind.DATE and isinstance(value, int):
            return from_epoch(value)
        return value if isinstance(value, (float, str, bool)) else None

    def _run(self, history: History, query: Query, first: date, last: date,
             wanted: Sequence[tuple[str, int]] | None) -> pyarrow.Table:
        """The rows of a query from `first` through `last`, or only those of the `wanted` accounts and days."""
        accounts = None if wanted is None else sorted({account for account, _ in wanted})
        connection = history.open_days(self.rulebook.catalogue, first - timedelta(days=query.back), last, accounts)
        try:
            only = ""
            if wanted is not None:
                connection.register("wanted", pyarrow.table({
                    "account": pyarrow.array([account for account, _ in wanted], pyarrow.string()),
                    "day": pyarrow.array([day for _, day in wanted], pyarrow.int64())}))
                only = "SEMI JOIN wanted USING (account, day) "
            answer = connection.sql(
                f"SELECT * FROM ({query.statement}) {only}"
                f"WHERE day BETWEEN {to_epoch(first)} AND {to_epoch(last)} ORDER BY day, account")
            return answer.to_arrow_table()
        finally:
            connection.close()

    # -- compilation -------------------------------------------------------------------------------------------------

    @cached_property
    def _decision(self) -> Query:
        terms = [expression.term for expression in self.conditions.expressions]
        columns, score, tier = self._scored()
        columns.share(terms)
        outputs = {"score": score, "tier": tier} | self._roles(columns)
        for index, term in enumerate(terms):
            outputs[f"t{index}"] = columns.define("t", [term], _truth_of(columns, term))
        whens = [outputs[f"t{self.conditions.when(name)}"] for name in self.rulebook.triggers]
        outputs["alarmed"] = columns.define("alarmed", whens, lambda row: _any_true([row[one.name] for one in whens]))
        return self._compiled(columns, outputs, terms)

    @cached_property
    def _details(self) -> Query:
        columns, score, tier = self._scored()
        named: list[Name] = [self._metric(name) for name in self.rulebook.catalogue.metrics]
        signals = dict.fromkeys(signal.name for profile in self.rulebook.scorecard.profiles
                                for signal in profile.signals)
        named += [Name(name, Kind.NUMBER, NameRole.SIGNAL) for name in signals]
        outputs = {"score": score, "tier": tier}
        for name in named:
            outputs[f"f_{name.name}"] = columns.define("f", [name], partial(columns.value, term=name))
        return self._compiled(columns, outputs, list(named))

    def _scored(self) -> tuple[Columns, Column, Column]:
        catalogue = self.rulebook.catalogue
        derived: dict[str, Expression] = {
            metric.name: metric.derived for metric in catalogue.metrics.values() if metric.derived is not None}
        columns = Columns({metric.name: metric.kind for metric in catalogue.supplied()}, derived)
        score, tier = add_scorecard(columns, self.rulebook.scorecard, catalogue.roles.since)
        return columns, score, tier

    def _metric(self, name: str) -> Name:
        metric = self.rulebook.catalogue.metrics[name]
        return Name(name, metric.kind, NameRole.METRIC if metric.supplied else NameRole.DERIVED)

    def _roles(self, columns: Columns) -> dict[str, Column]:
        roles = self.rulebook.catalogue.roles
        empty = {"revenue": "float64", "renewal": "int64", "opted_out": "boolean"}
        found: dict[str, Column] = {}
        for role in ROLES:
            metric = getattr(roles, role)
            if metric:
                name = self._metric(metric)
                found[role] = columns.define(role, [name], partial(columns.value, term=name))
            else:
                found[role] = columns.define(role, [], _nothing(empty.get(role, "string")))
        return found

    def _compiled(self, columns: Columns, outputs: Mapping[str, Column], terms: list[Term]) -> Query:
        table = columns.table(outputs)
        return Query(str(ibis.to_sql(table, dialect="duckdb")), look_back(self.rulebook, terms))


def _truth_of(columns: Columns, term: Term) -> Build:
    """A condition as 2, 1 (unknown), 0."""
    def build(row: Row) -> Any:
        flag = columns.value(row, term)
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

