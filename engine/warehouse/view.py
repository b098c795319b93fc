"""The view `history` over a table of a warehouse, in the SQL of its engine. See the head of `language/columnar.py`.

A table of days is taken as it is. A table of arrivals is filled as `detect/history_sql.py` fills ours: one row for
every day since an account's first, each value carried for its `stale_after`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import ibis
import pyarrow
from pyarrow import types

from forestall.engine.language.statement import Statement
from forestall.engine.language.values import TYPES, bounded, number
from forestall.engine.model.catalogue import ByHand, Catalogue, Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.warehouse import Holds, Warehouse

EPOCH = date(1970, 1, 1)
FITS = {Kind.NUMBER: (types.is_floating, types.is_integer, types.is_decimal), Kind.FLAG: (types.is_boolean,),
        Kind.TEXT: (types.is_string, types.is_large_string), Kind.DATE: (types.is_date, types.is_timestamp)}
DAY = FITS[Kind.DATE]
NAMES = (*FITS[Kind.TEXT], types.is_integer, types.is_fixed_size_binary)      # the last: a UUID

# A row for each day from `begin` through `end`: the one thing that every engine writes in its own way.
SPREAD = {
    "duckdb": 'SELECT s.*, unnest(generate_series("begin", "end")) AS "on_day" FROM ({}) AS s',
    "postgres": 'SELECT s.*, "on_day" FROM ({}) AS s CROSS JOIN LATERAL generate_series("begin", "end") AS g("on_day")',
    "pyspark": "SELECT s.*, on_day FROM ({}) AS s LATERAL VIEW explode(sequence(`begin`, `end`)) g AS on_day",
    "databricks": "SELECT s.*, on_day FROM ({}) AS s LATERAL VIEW explode(sequence(`begin`, `end`)) g AS on_day",
    "bigquery": "SELECT s.*, on_day FROM ({}) AS s CROSS JOIN UNNEST(GENERATE_ARRAY(s.`begin`, s.`end`)) AS on_day",
    "snowflake": 'SELECT s.*, CAST(g.value AS BIGINT) AS "on_day" FROM ({}) AS s, '
                 'LATERAL FLATTEN(INPUT => ARRAY_GENERATE_RANGE(s."begin", s."end" + 1)) AS g',
}


@dataclass(frozen=True, slots=True)
class Table:
    """The warehouse's table as it is: its columns by name, each with its type."""

    warehouse: Warehouse
    columns: Mapping[str, pyarrow.DataType]
    dialect: str

    def column(self, metric: Metric) -> str:
        """The column that holds this metric; empty where none does."""
        name = self.warehouse.metrics.get(metric.name, metric.name)
        return name if name in self.columns else ""

    def supplies(self, catalogue: Catalogue) -> tuple[str, ...]:
        """The metrics for which it has a column."""
        return tuple(metric.name for metric in catalogue.supplied() if self.column(metric))

    def whole(self) -> Any:
        """The table for Ibis."""
        *above, name = self.warehouse.table
        names = dict(zip(("database", "catalog"), reversed(above), strict=False))
        return ibis.table({name: _ibis(kind) for name, kind in self.columns.items() if _ibis(kind)}, name=name, **names)

    def chosen(self) -> Any:
        """Its rows of the accounts of the lent table `chosen`."""
        rows = self.whole()
        return rows.filter(_account(self, rows).isin(_chosen().account))

    def during(self, first: date, last: date, *, chosen: bool = False) -> Any:
        """Its rows of these days, and of the accounts of the lent table `chosen`."""
        whole = self.whole()
        rows = whole.filter(_as_date(whole[self.warehouse.as_of]).between(first, last))
        return rows.filter(_account(self, rows).isin(_chosen().account)) if chosen else rows


def _ibis(kind: pyarrow.DataType) -> str:
    """The type of a column in Ibis; empty for one that no metric can use."""
    if types.is_timestamp(kind):
        return "timestamp"
    for fits, name in ((types.is_integer, "int64"), (types.is_floating, "float64"), (types.is_boolean, "boolean"),
                       (types.is_string, "string"), (types.is_large_string, "string"), (types.is_date, "date"),
                       (types.is_fixed_size_binary, "uuid")):
        if fits(kind):
            return name
    return "decimal(38, 9)" if types.is_decimal(kind) else ""


def _chosen() -> Any:
    return ibis.table({"account": "string"}, name="chosen")


def _account(table: Table, rows: Any) -> Any:
    return rows[table.warehouse.account].cast("string")


def _as_date(column: Any) -> Any:
    return column if column.type().is_date() else column.cast("date")


def _day(column: Any) -> Any:
    return _as_date(column).epoch_days().cast("int64")


def number_of(day: date) -> int:
    """A date as a day of the history."""
    return (day - EPOCH).days


def from_number(day: int) -> date:
    """A day of the history as a date."""
    return EPOCH + timedelta(days=day)


def history(table: Table, catalogue: Catalogue, gone_after: int, first: date, last: date, *, chosen: bool) -> str:
    """The query that is the view: only the days from `first` through `last`, dates as days since 1970."""
    if table.warehouse.holds is Holds.ARRIVALS:
        return _filled(table, catalogue, gone_after, first, last, chosen=chosen)
    where, rows = table.warehouse, table.during(first, last, chosen=chosen)
    day = _day(rows[where.as_of])
    named = {"first_day": ibis.coalesce(_day(rows[where.first_day]), day)} if where.first_day else {}
    seen = rows.select(account=_account(table, rows), day=day, **named,
                       named_day=ibis.coalesce(_day(rows[where.named_day]), day) if where.named_day else day,
                       **{metric.name: _cell(table, metric, rows) for metric in catalogue.supplied()})
    if not where.first_day:
        began = table.whole()
        began = began.group_by(**{"account began": _account(table, began)}).aggregate(
            first_day=_day(began[where.as_of].min()))
        seen = seen.left_join(began, seen.account == began["account began"])
    return Statement.of(_said(seen, catalogue, first, last), table.dialect).text


def _said(rows: Any, catalogue: Catalogue, first: date, last: date) -> Any:
    """The columns of the view, with what people say by hand in the place of what the table says."""
    by_hand: dict[str, list[ByHand]] = {}
    for one in catalogue.by_hand:
        if one.since <= last and one.until >= first:
            by_hand.setdefault(one.metric, []).append(one)
    return rows.select(
        account=rows.account, day=rows.day, first_day=rows.first_day, named_day=rows.named_day,
        back=ibis.literal(number_of(last), "int64") - rows.day,
        **{metric.name: _by_hand(rows, metric, by_hand.get(metric.name, ())) for metric in catalogue.supplied()})


def _by_hand(rows: Any, metric: Metric, said: Iterable[ByHand]) -> Any:
    cases = [((rows.account == one.account) & rows.day.between(number_of(one.since), number_of(one.until)),
              _literal(one.value)) for one in said]
    return ibis.cases(*cases, else_=rows[metric.name]) if cases else rows[metric.name]


def _literal(value: float | str | bool | date) -> Any:
    match value:
        case bool() | str():
            return ibis.literal(value)
        case date():
            return ibis.literal(number_of(value), "int64")
    return number(value)


def _cell(table: Table, metric: Metric, rows: Any) -> Any:
    """A metric in the type of its kind; missing where the table has no column for it."""
    name = table.column(metric)
    if not name:
        return ibis.null(TYPES[metric.kind])
    column = rows[name]
    if metric.kind is Kind.NUMBER:
        return bounded(column.cast("float64"))
    return _day(column) if metric.kind is Kind.DATE else column


# -- a table of arrivals ---------------------------------------------------------------------------------------------


def _filled(table: Table, catalogue: Catalogue, gone_after: int, first: date, last: date, *, chosen: bool) -> str:
    metrics = [metric for metric in catalogue.supplied() if table.column(metric)]
    since = first - timedelta(days=max(catalogue.longest_carry(), gone_after) + 1)
    alive = _alive(table, gone_after, first, last, chosen=chosen)
    rows = table.during(since, last, chosen=chosen)
    arrived = rows.select(account=_account(table, rows), day=_day(rows[table.warehouse.as_of]),
                          **{metric.name: _cell(table, metric, rows) for metric in metrics})
    # Every account also gets an empty arrival before, so that days without any in reach have their row.
    before = alive.filter(alive.first_day < number_of(first))
    empty = before.select(account=before["account alive"], day=ibis.literal(number_of(since) - 1, "int64"),
                          **{metric.name: ibis.null(TYPES[metric.kind]) for metric in metrics})
    known = _known(arrived.union(empty), metrics)
    known = known.join(alive, known.account == alive["account alive"])
    spans = known.select(
        *(column for column in known.columns if column not in ("account alive", "until", "next")),
        begin=ibis.greatest(known.day, known.first_day, number_of(first)),
        end=ibis.least(ibis.coalesce(known.next - 1, known.until), known.until, number_of(last)))
    spans = spans.filter(spans.begin <= spans.end)
    below = Statement.of(spans, table.dialect)
    spread = Statement(SPREAD[table.dialect].format(below.text), {**below.columns, "on_day": ibis.dtype("int64")},
                       table.dialect)
    days = spread.stand_in()
    aged = days.select(
        account=days.account, day=days.on_day, first_day=days.first_day,
        named_day=ibis.greatest(days.day, days.on_day - (gone_after + 1)),
        **{metric.name: _aged(days, metric) if metric in metrics else ibis.null(TYPES[metric.kind])
           for metric in catalogue.supplied()})
    return Statement.of(_said(aged, catalogue, first, last), table.dialect, {"layer below": spread}).text


def _alive(table: Table, gone_after: int, first: date, last: date, *, chosen: bool) -> Any:
    """The accounts that have rows from `first` through `last`, each until it is gone."""
    whole = table.chosen() if chosen else table.whole()
    each = whole.group_by(**{"account alive": _account(table, whole)}).aggregate(
        first_day=_day(whole[table.warehouse.as_of].min()), last_day=_day(whole[table.warehouse.as_of].max()))
    there = each.filter((each.first_day <= number_of(last)) & (each.last_day + gone_after >= number_of(first)))
    return there.select("account alive", "first_day", until=there.last_day + gone_after)


def _known(arrived: Any, metrics: Iterable[Metric]) -> Any:
    """Each arrival with all values known by then, the day each was said on, and the day of the next arrival."""
    listed = list(metrics)
    so_far = ibis.window(group_by="account", order_by="day", rows=(None, 0))
    in_order = ibis.window(group_by="account", order_by="day")
    dated = arrived.mutate(
        next=arrived.day.lead(1).over(in_order),
        **{_said_on(metric): arrived[metric.name].notnull().ifelse(arrived.day, ibis.null("int64")).max().over(so_far)
           for metric in listed})
    return dated.select(
        "account", "day", "next", *(_said_on(metric) for metric in listed),
        **{metric.name: dated[metric.name].max().over(ibis.window(group_by=["account", _said_on(metric)]))
           for metric in listed})


def _aged(days: Any, metric: Metric) -> Any:
    reach = 0 if metric.per_day else metric.stale_after
    return ibis.cases((days.on_day <= days[_said_on(metric)] + reach, days[metric.name]))


def _said_on(metric: Metric) -> str:
    return f"{metric.name} said on"
