"""(Rulebook, history, days) → evaluations: scores, tiers and the truth of every condition. The only one in production.

Evaluations travel as Arrow tables; an `AccountDay` is made only where something is to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property

import pyarrow
from pyarrow import compute

from forestall.engine.detect.history import History
from forestall.engine.model.evaluation import AccountDay, Facts, Value
from forestall.engine.model.expression import Kind
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score import queries
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.engine import DuckDb, Engine
from forestall.engine.score.queries import ROLES, Query

EPOCH = date(1970, 1, 1).toordinal()


def from_epoch(days: int) -> date:
    """A day of the history as a date."""
    return date.fromordinal(EPOCH + days)


def to_epoch(day: date) -> int:
    """A date as a day of the history."""
    return day.toordinal() - EPOCH


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

    def __init__(self, rulebook: Rulebook, engine: Engine | None = None) -> None:
        """`engine` None: DuckDB."""
        self.rulebook = rulebook
        self.engine = engine or DuckDb()
        self.conditions = Conditions.of(rulebook)

    def evaluate(self, history: History, first: date, last: date) -> Evaluations:
        """Score, tier and truths of every account on each of the days from `first` through `last`."""
        query = self._latest if first == last else None
        table = self._run(history, query or self._decision, first, last, None)
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
        since = first - timedelta(days=query.back)
        with self.engine.reading(history, self.rulebook.catalogue, since, last, accounts) as reading:
            only = ""
            if wanted is not None:
                reading.lend("wanted", pyarrow.table({
                    "account": pyarrow.array([account for account, _ in wanted], pyarrow.string()),
                    "day": pyarrow.array([day for _, day in wanted], pyarrow.int64())}))
                only = " AND (account, day) IN (SELECT account, day FROM wanted)"
            return reading.rows(
                f"SELECT * FROM ({query.statement}) AS answer "
                f"WHERE day BETWEEN {to_epoch(first)} AND {to_epoch(last)}{only} ORDER BY day, account")

    @cached_property
    def _decision(self) -> Query:
        return queries.decisions(self.rulebook, self.conditions, self.engine.dialect)

    @cached_property
    def _latest(self) -> Query | None:
        return queries.decisions_of_one_day(self.rulebook, self.conditions, self.engine.dialect)

    @cached_property
    def _details(self) -> Query:
        return queries.details(self.rulebook, self.engine.dialect)
