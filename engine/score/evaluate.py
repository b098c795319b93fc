"""(Rulebook, history, days) → evaluations: scores, tiers, truths of conditions. The only one in production."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import pyarrow

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.model.evaluation import Facts, Value
from forestall.engine.model.expression import Kind
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score import queries
from forestall.engine.score.changes import Changes
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.engine import DuckDb, Engine
from forestall.engine.score.evaluations import DayOfEvaluations, EveryDay, from_epoch, to_epoch
from forestall.engine.score.queries import Query
from forestall.engine.score.telling import Remembered, TellingDay, absent, tiers_of, told

_PLAIN = (pyarrow.float64(), pyarrow.string(), pyarrow.bool_())      # columns of these hold nothing else


@dataclass(frozen=True, slots=True)
class Compiled:
    """The queries that a pass needs. `decisions` stands for `latest` where the rules cannot do without windows, `told`
    for both where the history is far away."""

    latest: Query | None
    decisions: Query | None
    details: Query
    told: Query | None = None

    @classmethod
    def of(cls, rulebook: Rulebook, dialect: str, in_order: bool, far: bool) -> Compiled:
        """Compile them, wherever that is done, for an engine (see `Engine`) of which these are true."""
        conditions = Conditions.of(rulebook)
        if far:
            return cls(None, None, queries.details(rulebook, dialect), told(rulebook, conditions, dialect))
        latest = queries.decisions_of_one_day(rulebook, conditions, dialect)
        windows = None if latest else queries.decisions(rulebook, conditions, dialect, streaming=in_order)
        return cls(latest, windows, queries.details(rulebook, dialect))


class Evaluator:
    """Evaluates one rulebook. Compiles once, then answers for any history and days."""

    def __init__(self, rulebook: Rulebook, engine: Engine | None = None, compiled: Compiled | None = None,
                 conditions: Conditions | None = None) -> None:
        """`engine` None: DuckDB. `compiled`: what is compiled already. `conditions`: those of the rulebook, and maybe
        of another one with the same metrics and score besides."""
        self.rulebook = rulebook
        self.engine = engine or DuckDb()
        self.conditions = conditions or Conditions.of(rulebook)
        self._compiled = compiled

    def following(self, rulebook: Rulebook) -> Evaluator:
        """One for the same rules and other steps that plays began with (`Rulebook.begun`): what is compiled stays so
        unless these have conditions."""
        other = Evaluator(rulebook, self.engine)
        if other.conditions == self.conditions:
            other._compiled = self.compiled()
        return other

    def compiled(self) -> Compiled:
        """The queries that a pass needs."""
        if self.engine.far:
            return Compiled(None, None, self._details, self._told)
        return Compiled(self._latest, None if self._latest else self._decision, self._details)

    def evaluate(self, history: History, first: date, last: date) -> EveryDay:
        """Score, tier and truths of every account on each of the days from `first` through `last`."""
        query = self._latest if first == last else None
        return EveryDay(self._run(history, query, first, last, None) if query else self._decided(history, first, last),
                        self.conditions)

    def told(self, history: History, day: date, known: Remembered) -> DayOfEvaluations:
        """One day, with a row at least of every account about which something may be to say, given what is `known`."""
        if not self.engine.far:
            return self.evaluate(history, day, day).on(day)
        query, catalogue = self._told, self.rulebook.catalogue
        with self.engine.reading(history, catalogue, day - timedelta(days=query.back), day) as reading:
            reading.lend("asked", pyarrow.table({"today": pyarrow.array([to_epoch(day)], pyarrow.int64())}))
            reading.lend("known", known.table())
            answer = reading.rows(query.statement)
            missing = reading.rows(absent(self.rulebook.gone_after, self.engine.dialect))
        return TellingDay(day, answer, self.conditions, tiers_of(self.rulebook),
                          missing["known_account"].to_pylist())

    def changes(self, history: History, first: date, last: date, progress: Progress = quiet) -> Changes:
        """Tier and truths over the same days, from the rows in which something changed: for long periods."""
        with self.engine.reading(history, self.rulebook.catalogue, first, last) as reading:
            ends = reading.rows("SELECT account, max(day) AS day FROM history GROUP BY account ORDER BY day")
        return Changes.of(self._changed(history, first, last, progress), ends, self.conditions, first)

    def changed(self, history: History, first: date, last: date, progress: Progress = quiet) -> pyarrow.Table:
        """The rows from `first` through `last` in which something changed, and those of `first`; in no order.

        Columns: `account`, `day` (since 1970), `tier`, `clear_of`, `gone`, the roles, and `truths0`, `truths1`, … with
        two bits for each condition.
        """
        return pyarrow.concat_tables(self._changed(history, first, last, progress))

    def _changed(self, history: History, first: date, last: date, progress: Progress) -> Iterable[pyarrow.Table]:
        query = self._changes
        begin, end = to_epoch(first), to_epoch(last)
        statement = (f"SELECT {', '.join(('account', 'day', *query.outputs))} FROM ({query.statement}) AS answer "
                     f"WHERE (changed OR day = {begin}) AND day BETWEEN {begin} AND {end}")
        since = first - timedelta(days=query.back)
        return self.engine.answers(history, self.rulebook.catalogue, since, last, statement, progress)

    def facts(self, history: History,
              accounts_by_day: Mapping[date, Iterable[str]]) -> Mapping[tuple[str, date], Facts]:
        """Everything known about these accounts on these days: metrics, derived metrics, signals, score and tier."""
        wanted = [(account, to_epoch(day)) for day, accounts in sorted(accounts_by_day.items())
                  for account in sorted(set(accounts))]
        if not wanted:
            return {}
        table = self._run(history, self._details, min(accounts_by_day), max(accounts_by_day), wanted)
        names = [name.removeprefix("f_") for name in table.column_names if name.startswith("f_")]
        values = zip(*(self._values(name, table[f"f_{name}"]) for name in names), strict=True)
        days = {day: from_epoch(day) for day in set(table["day"].to_pylist())}
        heads = zip(*(table[name].to_pylist() for name in ("account", "day", "score", "tier")), strict=True)
        return {(account, days[day]): Facts(account, days[day], score, tier, dict(zip(names, row, strict=True)))
                for (account, day, score, tier), row in zip(heads, values, strict=True)}

    def past(self, history: History, accounts: Iterable[str], days: Sequence[date],
             names: Iterable[str]) -> Mapping[str, Mapping[str, Sequence[Value]]]:
        """Score and these metrics on some days, for charts: account → name → a value for each day, in their order."""
        wanted = [(account, to_epoch(day)) for account in sorted(set(accounts)) for day in days]
        if not wanted:
            return {}
        kept = ("score", *sorted(set(names) - {"score"}))
        table = self._run(history, self._details, min(days), max(days), wanted,
                          ("account", "day", "score", *(f"f_{name}" for name in kept[1:])))
        place = {to_epoch(day): at for at, day in enumerate(days)}
        owners = table["account"].to_pylist()
        first = {account: number * len(days) for number, account in enumerate(dict.fromkeys(owners))}
        at = [first[account] + place[day] for account, day in zip(owners, table["day"].to_pylist(), strict=True)]
        found: dict[str, dict[str, list[Value]]] = {account: {} for account in first}
        for name in kept:
            values: list[Value] = [None] * (len(days) * len(first))
            for index, value in zip(at, self._values(name, table["score" if name == "score" else f"f_{name}"]),
                                    strict=True):
                values[index] = value
            for account, begin in first.items():
                found[account][name] = values[begin:begin + len(days)]
        return found

    def _values(self, name: str, column: pyarrow.ChunkedArray) -> list[Value]:
        """The values of one column, each in the type of its kind."""
        metric, values = self.rulebook.catalogue.metrics.get(name), column.to_pylist()
        if metric is not None and metric.kind is Kind.DATE:
            dates = {value: from_epoch(value) if isinstance(value, int) else None for value in set(values)}
            return [dates[value] for value in values]
        if column.type in _PLAIN:
            return values      # type: ignore[no-any-return]
        return [value if isinstance(value, (float, str, bool)) else None for value in values]

    def _decided(self, history: History, first: date, last: date) -> pyarrow.Table:
        """The same by windows, which are large: some accounts at a time, where the engine can."""
        query = self._decision
        statement = (f"SELECT * FROM ({query.statement}) AS answer "
                     f"WHERE day BETWEEN {to_epoch(first)} AND {to_epoch(last)}")
        tables = self.engine.answers(history, self.rulebook.catalogue, first - timedelta(days=query.back), last,
                                     statement)
        return pyarrow.concat_tables(tables).sort_by([("day", "ascending"), ("account", "ascending")])

    def _run(self, history: History, query: Query, first: date, last: date,
             wanted: Sequence[tuple[str, int]] | None, columns: Sequence[str] = ("*",)) -> pyarrow.Table:
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
                f"SELECT {', '.join(columns)} FROM ({query.statement}) AS answer "
                f"WHERE day BETWEEN {to_epoch(first)} AND {to_epoch(last)}{only} ORDER BY day, account")

    @cached_property
    def _decision(self) -> Query:
        if self._compiled and self._compiled.decisions:
            return self._compiled.decisions
        return queries.decisions(self.rulebook, self.conditions, self.engine.dialect,
                                 streaming=self.engine.in_order)

    @cached_property
    def _changes(self) -> Query:
        return queries.changes(self.rulebook, self.conditions, self.engine.dialect, streaming=self.engine.in_order)

    @cached_property
    def _told(self) -> Query:
        if self._compiled and self._compiled.told:
            return self._compiled.told
        return told(self.rulebook, self.conditions, self.engine.dialect)

    @cached_property
    def _latest(self) -> Query | None:
        if self._compiled and not self.engine.far:
            return self._compiled.latest
        return queries.decisions_of_one_day(self.rulebook, self.conditions, self.engine.dialect)

    @cached_property
    def _details(self) -> Query:
        if self._compiled:
            return self._compiled.details
        return queries.details(self.rulebook, self.engine.dialect)
