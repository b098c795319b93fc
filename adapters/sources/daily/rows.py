"""From facts and steps to one row per account and day, some accounts at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from forestall.adapters.sources.daily import facts as making
from forestall.adapters.sources.daily.declared import OPENS, STAGES, DailyMetric, Measure
from forestall.adapters.sources.daily.facts import Facts
from forestall.adapters.sources.daily.intake import quoted, text
from forestall.adapters.sources.tables import BATCH_ROWS
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind

if TYPE_CHECKING:
    import duckdb
    import pyarrow

ROWS_AT_ONCE = 1_000_000      # of all accounts of a stretch: what a query holds in memory
TYPES = {Kind.NUMBER: "DOUBLE", Kind.TEXT: "VARCHAR", Kind.FLAG: "BOOLEAN", Kind.DATE: "DATE"}
Extra = Callable[[int, int, str], str]      # a query for account, day and amount: of steps, or of single days
EVER = "(PARTITION BY account ORDER BY day RANGE UNBOUNDED PRECEDING)"


class Rows:
    """The statements for the declared metrics; building them says which facts are needed."""

    def __init__(self, declared: Mapping[str, DailyMetric], catalogue: Mapping[str, Metric], facts: Facts,
                 forget_after: int) -> None:
        self._declared = {name: declared[name] for name in catalogue if name in declared}
        self._catalogue = catalogue
        self._facts = facts
        self._forget_after = forget_after
        self._extras: dict[str, tuple[str, Extra]] = {}
        self._windows: dict[str, str] = {}
        self._shown = {name: self._expression(name, metric) for name, metric in self._declared.items()}

    def tables(self, connection: duckdb.DuckDBPyConnection, since: int, last: int) -> Iterator[pyarrow.Table]:
        """The rows from `since` through `last`."""
        connection.execute(f"""
CREATE TABLE spans AS SELECT * FROM (
  SELECT account, greatest(day, {since}) AS first_day,
    least(lead(day, 1, {last} + 1) OVER (PARTITION BY account ORDER BY day) - 1, day + {self._forget_after}, {last})
      AS last_day FROM facts) WHERE first_day <= last_day ORDER BY account""")
        for low, high in _stretches(connection):
            answer = connection.sql(self._statement(since, last, f"account BETWEEN {low} AND {high}"))
            yield from _in_tables(answer)

    def _statement(self, since: int, last: int, between: str) -> str:
        names = [*self._facts.by_expression.values(), *(name for name, _ in self._extras.values())]
        parts = ["SELECT account, unnest(range(first_day, last_day + 1)) AS day, true AS told FROM spans "
                 f"WHERE {between}",
                 f"SELECT *, false AS told FROM facts WHERE {between}"]
        for name, statement in self._extras.values():
            parts.append(f"SELECT account, day, sum(amount) AS {name}, false AS told FROM ("
                         f"{statement(since, last, between)}) WHERE day <= {last} GROUP BY account, day")
        together = "".join(f", any_value({name}) AS {name}" for name in names)
        windows = "".join(f", {expression} AS {name}" for expression, name in self._windows.items())
        shown = "".join(f", CAST({expression} AS {TYPES[self._catalogue[name].kind]}) AS {quoted(name)}"
                        for name, expression in self._shown.items())
        return f"""
SELECT name AS account, DATE '1970-01-01' + day AS as_of{shown} FROM (
  SELECT *{windows} FROM (
    SELECT account, CAST(day AS INTEGER) AS day, bool_or(told) AS told{together}
    FROM ({" UNION ALL BY NAME ".join(parts)}) GROUP BY account, day)) JOIN accounts USING (account) WHERE told"""

    def _expression(self, name: str, metric: DailyMetric) -> str:
        """What stands in the column of one metric, over the windows of an account."""
        measure, facts = metric.measure, self._facts
        window = _window(metric.days or 1)
        if measure in STAGES:
            return self._stage(metric)
        if measure in OPENS or measure in (Measure.DISTINCT, Measure.REPEATS):
            return self._of_values(metric)
        if measure is Measure.LATEST:
            value = facts.value(metric)
            found = facts.column(f"arg_max({value}, (moment, {value})) FILTER ({facts.condition(metric)} "
                                 f"AND {value} IS NOT NULL)")
            newest = f"arg_max({found}, day) FILTER ({found} IS NOT NULL)"
            return as_kind(self._over(newest, window), self._catalogue[name].kind)
        if metric.of:
            return self._of_numbers(metric, window)
        if metric.days is None and measure in (Measure.DAYS_SINCE, Measure.LAST_DAY):
            window = EVER
        if measure in (Measure.DAYS_SINCE, Measure.LAST_DAY):
            latest = self._over(f"max({facts.column(f'max(day) FILTER ({facts.condition(metric)})')})", window)
            return f"day - {latest}" if measure is Measure.DAYS_SINCE else _date(latest)
        if measure is Measure.FIRST_DAY:
            first = facts.column(f"min(day) FILTER ({facts.condition(metric)})")
            return _date(self._over(f"min({first})", EVER))
        count = facts.count(facts.condition(metric))
        match measure:
            case Measure.COUNT:
                return f"coalesce({self._over(f'sum({count})', window)}, 0)"
            case Measure.ACTIVE_DAYS:
                return self._over(f"count(*) FILTER ({count} > 0)", window)
            case Measure.TOTAL:
                return f"coalesce({self._over(f'sum({count})', EVER)}, 0)"
        assert measure is Measure.RATIO
        return self._ratio(metric, count)

    def _of_numbers(self, metric: DailyMetric, window: str) -> str:
        facts, value = self._facts, self._facts.value(metric)
        only = f"FILTER ({facts.condition(metric)})"
        match metric.measure:
            case Measure.SMALLEST:
                return self._over(f"min({facts.column(f'min({value}) {only}')})", window)
            case Measure.LARGEST:
                return self._over(f"max({facts.column(f'max({value}) {only}')})", window)
        total = self._over(f"sum({facts.column(f'sum({value}) {only}')})", window)
        if metric.measure is Measure.SUM:
            return f"coalesce({total}, 0)"
        known = facts.column(f"count({value}) {only}")
        return f"CAST({total} AS DOUBLE) / nullif({self._over(f'sum({known})', window)}, 0)"

    def _of_values(self, metric: DailyMetric) -> str:
        facts, days = self._facts, metric.days or 1
        if metric.measure in OPENS:
            table = facts.intervals(metric)
            if metric.measure is Measure.OPEN:
                steps = self._extra(table, lambda _since, _last, between: making.opening(table, between))
                return f"coalesce({self._over(f'sum({steps})', EVER)}, 0)"
            return self._extra(f"{table} longest", lambda since, last, between: making.longest_open(
                table, since, last, between))
        table = facts.values(metric)
        if metric.measure is Measure.DISTINCT:
            steps = self._extra(f"{table} {days}", lambda _since, _last, between: making.entering(table, days, between))
            return f"coalesce({self._over(f'sum({steps})', EVER)}, 0)"
        amounts = self._extra(f"{table} {days} most", lambda since, last, between: making.most_repeated(
            table, days, since, last, between))
        return f"coalesce({amounts}, 0)"

    def _over(self, aggregate: str, window: str) -> str:
        """The column of an aggregate over a window of days; one for the same."""
        return self._windows.setdefault(f"{aggregate} OVER {window}", f"w{len(self._windows)}")

    def _extra(self, key: str, statement: Extra) -> str:
        """The column of such a statement; one for the same key."""
        name, _ = self._extras.setdefault(key, (f"x{len(self._extras)}", statement))
        return name

    def _stage(self, metric: DailyMetric) -> str:
        """The furthest of the stages that was ever reached, or the day on which it was reached first."""
        reached = []
        for event in metric.events:
            condition = " AND ".join([self._facts.named((event,)), *self._facts.where(metric.where)])
            first = self._facts.column(f"min(day) FILTER ({condition})")
            reached.append(self._over(f"min({first})", EVER))
        furthest_first = list(zip(reversed(metric.events), reversed(reached), strict=True))
        if metric.measure is Measure.STAGE:
            cases = " ".join(f"WHEN {day} IS NOT NULL THEN {text(event)}" for event, day in furthest_first)
            return f"CASE {cases} END"
        since = f"coalesce({', '.join(day for _, day in furthest_first)})"
        return f"day - {since}" if metric.measure is Measure.DAYS_IN_STAGE else _date(since)

    def _ratio(self, metric: DailyMetric, count: str) -> str:
        """Events per day in the window, in parts of the days before it.

        Missing for accounts that had no row before both began: half of a period would look like growth.
        """
        days = metric.days or 1
        before = metric.before or days
        both = days + before
        now, base = self._over(f"sum({count})", _window(days)), self._over(f"sum({count})", _window(both, days))
        there = self._over(f"count(*) FILTER ({self._facts.count('true')} > 0)",
                           _window(both + self._forget_after + 1, both))
        return f"CASE WHEN {there} > 0 THEN (coalesce({now}, 0) / {days}) / nullif({base} / {before}, 0) END"


def as_kind(expression: str, kind: Kind) -> str:
    """A text from the log in the kind of its metric; what cannot be read as one is missing."""
    match kind:
        case Kind.NUMBER:
            return f"CASE WHEN abs(TRY_CAST({expression} AS DOUBLE)) <= 1e15 THEN TRY_CAST({expression} AS DOUBLE) END"
        case Kind.DATE:
            return f"TRY_CAST(left({expression}, 10) AS DATE)"
        case Kind.FLAG:
            return (f"CASE WHEN lower({expression}) IN ('true', 'yes', '1') THEN true "
                    f"WHEN lower({expression}) IN ('false', 'no', '0') THEN false END")
    return expression


def _window(days: int, end: int = 0) -> str:
    """The `days` days through the one `end` days ago, without the last `end` of them."""
    through = f"{end} PRECEDING" if end else "CURRENT ROW"
    return f"(PARTITION BY account ORDER BY day RANGE BETWEEN {days - 1} PRECEDING AND {through})"


def _date(expression: str) -> str:
    return f"DATE '1970-01-01' + CAST({expression} AS INTEGER)"


def _stretches(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
    """The first and last account of stretches with about ROWS_AT_ONCE rows."""
    return connection.execute(f"""
SELECT min(account), max(account) FROM (
  SELECT account, sum(days) OVER (ORDER BY account ROWS UNBOUNDED PRECEDING) // {ROWS_AT_ONCE} AS stretch FROM (
    SELECT account, sum(last_day - first_day + 1) AS days FROM spans GROUP BY account))
GROUP BY stretch ORDER BY stretch""").fetchall()


def _in_tables(answer: duckdb.DuckDBPyRelation) -> Iterator[pyarrow.Table]:
    """The answer in tables of at most BATCH_ROWS."""
    import pyarrow as pa

    for batch in answer.to_arrow_reader(BATCH_ROWS):
        if batch.num_rows:
            yield pa.Table.from_batches([batch])
