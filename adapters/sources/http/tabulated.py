"""Records as tables of DuckDB, and what a query over them says of accounts. It reads these tables and no file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from forestall.adapters.sources.cells import CellError, arrow_type, convert, plain
from forestall.adapters.sources.http.described import ID, Happening, Resource, Rows
from forestall.adapters.sources.http.kept import Kept
from forestall.adapters.sources.http.reading import FieldKind, fields_of
from forestall.adapters.sources.http.troubles import Place
from forestall.adapters.sources.tables import tomorrow
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind

if TYPE_CHECKING:
    import duckdb
    import pyarrow

AT_ONCE = 20_000                # records that become a piece of a table together
BATCH_ROWS = 200_000
MEMORY = "512MB"                # more goes into a temporary file
TYPES = {FieldKind.TEXT: "VARCHAR", FieldKind.NUMBER: "DOUBLE", FieldKind.FLAG: "BOOLEAN", FieldKind.TIME: "TIMESTAMP",
         FieldKind.VALUE: "JSON"}
RECORD = "the record"           # the column of a query that names the record, for sentences
LONG_AGO, FAR_OFF = date(1, 1, 1), date(9999, 12, 31)


@dataclass(slots=True)
class ToCome:
    """Rows of days that have not begun anywhere: how many, and the first such day."""

    rows: int = 0
    first: date | None = None

    def count(self, days: pyarrow.Array, last: date) -> None:
        """Count those after `last`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        later = days.filter(pc.greater(days, pa.scalar(last, pa.date32())))
        if len(later):
            first = pc.min(later).as_py()
            self.rows, self.first = self.rows + len(later), min(first, self.first or first)


def quoted(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted text."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def tables(kept: Kept, resources: Mapping[str, Resource], zone: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with one table for each resource. `day_of(time)` is the day of a time where the day ends."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="forestall-") as folder:
        connection = duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": folder})
        try:
            connection.execute(f"SET TimeZone = {literal(zone)}")
            for name, resource in resources.items():
                _fill(connection, name, resource, kept)
            connection.execute(f"CREATE MACRO day_of(moment) AS CAST(timezone({literal(zone)}, "
                               "timezone('UTC', moment)) AS DATE)")
            yield connection
        finally:
            connection.close()


def closed(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on nothing but what is in the database can be read, and nothing can be set."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def query_of_rows(rows: Rows, resource: Resource, wanted: Mapping[str, tuple[str, Metric]], today: date) -> str:
    """The query that makes rows of the records of one resource; `wanted` are metrics by the column that has them."""
    columns = [f"r.{quoted(ID)} AS {quoted(RECORD)}"]
    for name, (column, metric) in wanted.items():
        value = f"r.{quoted(column)}"
        if column in resource.times and metric.kind is Kind.DATE:
            value = f"day_of({value})"
        columns.append(f"{value} AS {quoted(name)}")
    day = f"day_of(r.{quoted(rows.as_of)})" if rows.as_of else f"DATE '{today.isoformat()}'"
    account, source = account_of(rows)
    return (f"SELECT {account} AS account, {day} AS as_of, {', '.join(columns)} FROM {source} "
            f"WHERE {account} IS NOT NULL" + (f" AND r.{quoted(rows.as_of)} IS NOT NULL" if rows.as_of else ""))


def account_of(one: Rows | Happening) -> tuple[str, str]:
    """The account of a record `r` as an expression, and what to select from."""
    source = f"{quoted(one.of)} r"
    if not one.through:
        return f"r.{quoted(one.account)}", source
    other, _, column = one.through.partition(".")
    return f"o.{quoted(column)}", f"{source} JOIN {quoted(other)} o ON o.{quoted(ID)} = r.{quoted(one.account)}"


def typed(batches: Iterator[pyarrow.RecordBatch], metrics: Sequence[Metric], since: date | None, until: date | None,
          place: Place, to_come: ToCome) -> Iterator[pyarrow.Table]:
    """What a query says, as a source hands it over: typed, and cut to the days asked for; those to come are counted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in batches:
        table = pa.Table.from_batches([batch])
        for name in ("account", "as_of"):
            if name not in table.column_names or table[name].null_count:
                raise place.fault("http-query", f"the query gives no {name} for some row.",
                                    "Every row of it needs an account and a day.")
        days = _converted(table, "as_of", Kind.DATE, place)
        chosen = pc.and_(pc.greater_equal(days, pa.scalar(since or LONG_AGO, pa.date32())),
                         pc.less_equal(days, pa.scalar(until or FAR_OFF, pa.date32())))
        if until is not None:
            to_come.count(days, max(until, tomorrow()))
        table, days = table.filter(chosen), days.filter(chosen)
        if not table.num_rows:
            continue
        made = {"account": _converted(table, "account", Kind.TEXT, place), "as_of": days}
        for metric in metrics:
            made[metric.name] = (_converted(table, metric.name, metric.kind, place)
                                 if metric.name in table.column_names
                                 else pa.nulls(table.num_rows, arrow_type(metric.kind)))
        yield pa.table(made)


def _converted(table: pyarrow.Table, name: str, kind: Kind, place: Place) -> pyarrow.Array:
    column = plain(table[name].combine_chunks())
    try:
        return convert(column, kind)
    except CellError as error:
        row = f"record {table[RECORD][error.row].as_py()}: " if error.row is not None and RECORD in table.column_names \
            else f"{table['account'][error.row].as_py()} on {table['as_of'][error.row].as_py()}: " \
            if error.row is not None else ""
        raise place.fault("http-record", f"{row}{name} holds {error.said} where {error.expected} belongs.",
                            f"Correct `kind` of the metric {name} in rules/metrics.yaml, or its column.") from None


def _fill(connection: duckdb.DuckDBPyConnection, name: str, resource: Resource, kept: Kept) -> None:
    """One table; its columns are `id` and those that the resource names."""
    import pyarrow as pa

    fields = fields_of(resource)
    columns = ", ".join(f"{quoted(field.name)} {TYPES[field.kind]}" for field in fields)
    connection.execute(f"CREATE TABLE {quoted(name)} ({quoted(ID)} VARCHAR{', ' if columns else ''}{columns})")
    arrow = {FieldKind.NUMBER: pa.float64(), FieldKind.FLAG: pa.bool_()}
    for records in kept.records(name, AT_ONCE):
        made: dict[str, Any] = {ID: pa.array([identity for identity, _ in records], pa.string())}
        for field in fields:
            kind = arrow.get(field.kind, pa.string())
            made[field.name] = pa.array([values.get(field.name) for _, values in records], kind)
        connection.register("piece", pa.table(made))
        casts = ", ".join(f"CAST({quoted(field.name)} AS {TYPES[field.kind]})" for field in fields)
        connection.execute(f"INSERT INTO {quoted(name)} SELECT {quoted(ID)}{', ' if casts else ''}{casts} FROM piece")
        connection.unregister("piece")
