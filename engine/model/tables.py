"""Rows to the tables that cross the border from a source: typed, and of a bounded size.

For adapters that make their rows one by one. Whoever has columns already makes the tables directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from forestall.engine.errors import Location, SourceError
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind

if TYPE_CHECKING:
    import pyarrow

ROWS = 50_000       # in one table: as Python objects they take some ten times the memory of the table
UNIT = b"unit"      # a column of a table may say its unit in its metadata; it must be the one of the catalogue
_EXPECTED = {Kind.NUMBER: "a number", Kind.TEXT: "a text", Kind.FLAG: "true or false", Kind.DATE: "a date"}


@dataclass(frozen=True, slots=True)
class Row:
    """What a source says of an account on a day: metric → value, None or nothing at all where it says nothing.

    `at` is where that stands, for the sentence that is said when a value is not of its kind.
    """

    account: str
    as_of: date
    values: Mapping[str, object]
    at: Location


def arrow_type(kind: Kind) -> pyarrow.DataType:
    """The type in which a source hands over a metric of this kind."""
    import pyarrow as pa

    return {Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.FLAG: pa.bool_(), Kind.DATE: pa.date32()}[kind]


def tables(rows: Iterable[Row], supplies: Iterable[str], metrics: Mapping[str, Metric], since: date | None = None,
           until: date | None = None) -> Iterator[pyarrow.Table]:
    """The rows of the days from `since` through `until`, as `Source.snapshots` must give them.

    `supplies` names the metrics that become columns. Texts like 2026-01-31 are taken as dates where a date belongs.
    SourceError for an empty account and for a value that is not of its metric's kind.
    """
    wanted = tuple(supplies)
    columns: dict[str, list[object]] = {name: [] for name in ("account", "as_of", *wanted)}
    for row in rows:
        if (since is not None and row.as_of < since) or (until is not None and row.as_of > until):
            continue
        if not row.account:
            raise SourceError.one(row.at, "empty", "account is empty.", "Every row needs an account and a day.")
        columns["account"].append(row.account)
        columns["as_of"].append(row.as_of)
        for name in wanted:
            columns[name].append(_value(row, metrics[name]))
        if len(columns["account"]) >= ROWS:
            yield _table(columns, wanted, metrics)
            columns = {name: [] for name in columns}
    if columns["account"]:
        yield _table(columns, wanted, metrics)


def _table(columns: Mapping[str, list[object]], wanted: Iterable[str], metrics: Mapping[str, Metric]) -> pyarrow.Table:
    import pyarrow as pa

    fields = [pa.field("account", pa.string()), pa.field("as_of", pa.date32())]
    fields += [pa.field(name, arrow_type(metrics[name].kind)) for name in wanted]
    return pa.table(dict(columns), schema=pa.schema(fields))


def _value(row: Row, metric: Metric) -> object:
    value = row.values.get(metric.name)
    match metric.kind:
        case _ if value is None:
            return None
        case Kind.NUMBER if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        case Kind.TEXT if isinstance(value, str):
            return value.strip() or None
        case Kind.FLAG if isinstance(value, bool):
            return value
        case Kind.DATE if isinstance(value, date) and not isinstance(value, datetime):
            return value
        case Kind.DATE if isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
    shown = str(value) if len(str(value)) <= 40 else f"{str(value)[:39]}…"
    raise SourceError.one(row.at, "wrong-kind",
                          f'{metric.name} holds "{shown}" where {_EXPECTED[metric.kind]} belongs.',
                          f"Correct it, or `kind` of the metric {metric.name} in rules/metrics.yaml.")
