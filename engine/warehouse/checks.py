"""Whether a table can be the history, and small questions about it, in the SQL of its engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import ibis
import pyarrow

from forestall.engine.language.nearest import did_you_mean
from forestall.engine.language.statement import Statement
from forestall.engine.language.values import TYPES
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.expression import Kind
from forestall.engine.model.warehouse import Holds
from forestall.engine.warehouse import view
from forestall.engine.warehouse.client import Asking, problem_of

NOUNS = {Kind.NUMBER: "a number", Kind.FLAG: "true or false", Kind.TEXT: "a text", Kind.DATE: "a date"}


def columns(table: view.Table) -> None:
    """WarehouseError when a column that forestall.yaml names is not there, or cannot be what it is named for."""
    where, names = table.warehouse, list(table.columns)
    wanted = {"account": where.account, "as_of": where.as_of, "first_day": where.first_day,
              "named_day": where.named_day, **{f"metrics.{key}": name for key, name in where.metrics.items()}}
    for key, name in wanted.items():
        if name and name not in table.columns:
            raise problem_of(where, "warehouse-column", f"{where.name} has no column {name} for `{key}`.",
                             did_you_mean(name, names) or f"Its columns are: {', '.join(names)}.")
    for key, name, fits, need in (("account", where.account, view.NAMES, "a text or a whole number"),
                                  ("as_of", where.as_of, view.DAY, "a date"),
                                  ("first_day", where.first_day, view.DAY, "a date"),
                                  ("named_day", where.named_day, view.DAY, "a date")):
        if name and not any(one(table.columns[name]) for one in fits):
            raise problem_of(where, "warehouse-kind",
                             f"column {name} of {where.name} is {_said(table.columns[name])}, and `{key}` is {need}.",
                             "Name another column, or a view that casts it.")


def kinds(table: view.Table, catalogue: Catalogue) -> None:
    """WarehouseError when a column is of another kind than its metric, or is named for a metric that is not there."""
    supplied = {metric.name for metric in catalogue.supplied()}
    for name in table.warehouse.metrics:
        if name not in supplied:
            raise problem_of(table.warehouse, "warehouse-column",
                             f"`metrics` of `warehouse` names {name}, and metrics.yaml has no such metric to supply.",
                             did_you_mean(name, supplied) or "Take it away, or describe it in metrics.yaml.")
    for metric in catalogue.supplied():
        name = table.column(metric)
        if name and not any(fits(table.columns[name]) for fits in view.FITS[metric.kind]):
            raise problem_of(table.warehouse, "warehouse-kind",
                             f"column {name} of {table.warehouse.name} is {_said(table.columns[name])}, and metric "
                             f"{metric.name} is {NOUNS[metric.kind]}.",
                             "Correct the metric's `kind`, or name a view that casts the column.")


def _said(kind: pyarrow.DataType) -> str:
    return "of a type that no metric has" if pyarrow.types.is_null(kind) else f"of type {kind}"


def holds(table: view.Table, first: date | None, through: date | None, day: date) -> None:
    """WarehouseError when there is nothing to decide a day by."""
    where = table.warehouse
    if first is None or through is None:
        raise problem_of(where, "warehouse-empty", f"{where.name} has no rows.", "Load it first.")
    if day < first or (day > through and where.holds is Holds.DAYS):
        raise problem_of(where, "warehouse-day", f"{where.name} has no rows of {day}: it holds {first} to {through}.",
                         "Let the pass run after the table was loaded, or decide another day: --day.")


def consecutive(table: view.Table, asking: Asking, first: date, last: date,
                lent: Mapping[str, pyarrow.Table]) -> None:
    """WarehouseError when an account has two rows of a day, or, in a table of days, none of a day between others."""
    found = asking.rows(unsound(table, first, last, chosen=bool(lent)), {}, lent).to_pylist()
    if not found:
        return
    row, where = found[0], table.warehouse
    if row["account"] is None:
        raise problem_of(where, "warehouse-rows", f"{row['rows']:,} rows of {where.name} name no account.",
                         f"Column {where.account} must never be NULL; a view can leave them out.")
    if row["rows"] > row["days"]:
        raise problem_of(where, "warehouse-rows",
                         f"{where.name} has {row['rows']:,} rows of account {row['account']} for {row['days']:,} days "
                         f"from {row['first']} to {row['last']}{_and(row['many'])}.",
                         "There must be one row for each account and day; a view can choose the last.")
    raise problem_of(where, "warehouse-gaps",
                     f"{where.name} lacks days: account {row['account']} has rows of {row['days']:,} of the "
                     f"{row['span']:,} days from {row['first']} to {row['last']}{_and(row['many'])}.",
                     "Load the missing days, or say `holds: arrivals`: then days are filled in the warehouse.")


def _and(many: int) -> str:
    return f"; so it is with {many - 1:,} others" if many > 1 else ""


def unsound(table: view.Table, first: date, last: date, *, chosen: bool = False) -> str:
    """The first account whose rows are not what they must be; no row where all are."""
    rows = table.during(first, last, chosen=chosen)
    told = rows.select(account=rows[table.warehouse.account].cast("string"),
                       day=rows[table.warehouse.as_of].cast("date"))
    each = told.group_by("account").aggregate(
        rows=told.count(), days=told.day.nunique(), first=told.day.min(), last=told.day.max())
    each = each.mutate(span=each.last.epoch_days() - each.first.epoch_days() + 1)
    wrong = each.account.isnull() | (each.rows != each.days)
    if table.warehouse.holds is Holds.DAYS:
        wrong = wrong | (each.days != each.span)
    found = each.filter(wrong)
    found = found.mutate(many=found.count().over(ibis.window()))
    return _text(found.order_by(found.account.isnull().desc(), found.account).limit(1), table.dialect)


def span(table: view.Table, *, chosen: bool = False) -> str:
    """`first` and `last` day of the table, or of the one account that is lent."""
    rows = table.chosen() if chosen else table.whole()
    day = rows[table.warehouse.as_of].cast("date")
    return _text(rows.aggregate(first=day.min(), last=day.max()), table.dialect)


def days(table: view.Table, first: date, last: date) -> str:
    """Every `day` of a stretch of which there is a row."""
    rows = table.during(first, last)
    day = rows[table.warehouse.as_of].cast("date").epoch_days().cast("int64")
    return _text(rows.select(day=day).distinct(), table.dialect)


def said(table: view.Table, catalogue: Catalogue, first: date, last: date) -> str:
    """Metric → the last day on which the account that is lent has a value for it."""
    rows = table.during(first, last, chosen=True)
    day = rows[table.warehouse.as_of].cast("date").epoch_days().cast("int64")
    there = [metric for metric in catalogue.supplied() if table.column(metric)]
    return _text(rows.aggregate(**{metric.name: day.max(where=rows[table.column(metric)].notnull())
                                   for metric in there}), table.dialect)


def in_short(catalogue: Catalogue, dialect: str, named_since: int) -> str:
    """One row about the view `history`, of accounts that are not gone."""
    schema = {"account": "string", "named_day": "int64", **{one.name: TYPES[one.kind] for one in catalogue.supplied()}}
    rows = ibis.table(schema, name="history")
    rows = rows.filter(rows.named_day >= named_since)
    told: dict[str, Any] = {"accounts": rows.count(), "from": rows.account.min(), "to": rows.account.max()}
    for metric in catalogue.supplied():
        column = rows[metric.name].cast("int32") if metric.kind is Kind.FLAG else rows[metric.name]
        told |= {f"{metric.name} known": column.count(), f"{metric.name} least": column.min(),
                 f"{metric.name} most": column.max()}
        if metric.kind is not Kind.TEXT:
            told[f"{metric.name} sum"] = column.sum().cast("float64")
    return _text(rows.aggregate(**told), dialect)


def _text(expression: Any, dialect: str) -> str:
    return Statement.of(expression, dialect).text
