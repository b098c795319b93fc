"""The facts that the kit makes up: small ones that cross a change to summer time, and very many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import duckdb
import pyarrow

from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.tables import arrow_type

OF_MANY = 10_000              # accounts among which very many rows are shared out
SHOWN = 3

Row = tuple[object, ...]


def few(metrics: Mapping[str, Metric], accounts: Sequence[str], last: date, days: int, *,
        gaps: bool) -> pyarrow.Table:
    """These accounts on each of so many days up to `last`; with `gaps` every seventh value is missing."""
    rows = [(account, last - timedelta(days=back)) for back in reversed(range(days)) for account in accounts]
    columns: dict[str, pyarrow.Array] = {
        "account": pyarrow.array([account for account, _ in rows], pyarrow.string()),
        "as_of": pyarrow.array([day for _, day in rows], pyarrow.date32())}
    for place, (name, metric) in enumerate(metrics.items()):
        values = [None if gaps and (number + place) % 7 == 6 else _value(metric.kind, number, day)
                  for number, (_, day) in enumerate(rows)]
        columns[name] = pyarrow.array(values, arrow_type(metric.kind))
    return pyarrow.table(columns)


def many(metrics: Mapping[str, Metric], last: date, rows: int, days: int) -> pyarrow.Table:
    """So many rows, day by day, of the last days up to `last`: of 10,000 accounts, or of more where that takes longer
    than `days`.
    """
    accounts = max(OF_MANY, -(-rows // days))
    made = {
        Kind.NUMBER: "CAST(i % 9 + 1 AS DOUBLE)", Kind.TEXT: "'text ' || i % 5", Kind.FLAG: "i % 2 = 0",
        Kind.DATE: f"DATE '{last}' + CAST(i % 40 AS INTEGER)"}
    columns = "".join(f', {made[metric.kind]} AS "{name}"' for name, metric in metrics.items())
    with duckdb.connect() as connection:
        return connection.sql(
            f"SELECT 'account-' || i % {accounts} AS account, "
            f"DATE '{last}' - CAST({(rows - 1) // accounts} - i // {accounts} AS INTEGER) AS as_of{columns} "
            f"FROM range({rows}) rows(i)").to_arrow_table()


def changed(facts: pyarrow.Table, row: int, metrics: Mapping[str, Metric]) -> pyarrow.Table:
    """The same facts with other values in one row."""
    said = facts.to_pylist()
    for name, metric in metrics.items():
        said[row][name] = _another(metric.kind, said[row][name])
    return pyarrow.Table.from_pylist(said, schema=facts.schema)


def without(facts: pyarrow.Table, row: int) -> pyarrow.Table:
    """The same facts without one row."""
    return pyarrow.concat_tables([facts.slice(0, row), facts.slice(row + 1)])


def rows_of(table: pyarrow.Table, metrics: Mapping[str, Metric]) -> list[Row]:
    """Account, day and values in the order of the metrics, sorted; what is not a column says nothing."""
    there = set(table.column_names)
    chosen = [table.column(name).to_pylist() if name in there else [None] * table.num_rows
              for name in ("account", "as_of", *metrics)]
    return sorted(zip(*chosen, strict=True), key=lambda row: (row[0], row[1]))


def difference(wanted: list[Row], got: list[Row], metrics: Mapping[str, Metric], *, more: bool = False) -> str:
    """What is missing, what is too many and what differs, with examples; empty where nothing does.

    Of several rows for one account and day the last one counts, as in the history. `more`: rows that nobody asked for,
    and values where nothing was said, are no difference.
    """
    expected, there = _by_day(wanted), _by_day(got)
    missing = [f"{account} on {day} is missing" for account, day in expected if (account, day) not in there]
    extra = [] if more else [f"{account} on {day} should not be there" for account, day in there
                             if (account, day) not in expected]
    other = [f"{account} on {day}: {name} is {_shown(has)} instead of {_shown(value)}"
             for (account, day), values in expected.items() if (account, day) in there
             for name, value, has in zip(metrics, values, there[account, day], strict=True)
             if not _same(value, has) and not (more and value is None)]
    found = [*missing, *extra, *other]
    if not found:
        return ""
    rest = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + rest


def _by_day(rows: list[Row]) -> dict[tuple[object, object], Row]:
    return {(row[0], row[1]): row[2:] for row in rows}


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-9 * max(1.0, abs(one))
    return one == other


def _shown(value: object) -> str:
    return "missing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _value(kind: Kind, number: int, day: date) -> object:
    match kind:
        case Kind.NUMBER:
            return float(number % 9 + 1)
        case Kind.TEXT:
            return ("growth", "enterprise", "à la carte, 5 % more", 'the "old" one')[number % 4]
        case Kind.FLAG:
            return number % 3 == 0
        case Kind.DATE:
            return day + timedelta(days=number % 40)


def _another(kind: Kind, value: object) -> object:
    match kind:
        case Kind.NUMBER:
            return 3.0 if value is None else float(str(value)) % 9 + 1
        case Kind.TEXT:
            return "corrected"
        case Kind.FLAG:
            return not value
        case Kind.DATE:
            return date(2027, 2, 28)
