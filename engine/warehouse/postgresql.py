"""PostgreSQL as a warehouse. psycopg speaks to it, and comes with the extra `postgres`.

Every question is one SELECT in a transaction that may only read: the view `history` and what we lend are parts of it,
so nothing is made there, and a user who may read the table is enough, also on a server that is a copy.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow

from forestall.engine.errors import UsageError
from forestall.engine.model.places import PostgresPlace
from forestall.engine.model.warehouse import Warehouse
from forestall.engine.warehouse import client
from forestall.engine.warehouse.client import WarehouseError, problem_of

PATIENCE = 10       # seconds for a connection
NO_TABLE, NO_RIGHT = "42P01", "42501"
KEPT_OUT = ("password authentication failed", "no password supplied", "FATAL:  role ", "no pg_hba.conf entry")
# For one transaction, so that it is right behind a pooler too. To compile our long expressions to machine code would
# take longer than to work them out.
FOR_US = "SET LOCAL timezone TO 'UTC'; SET LOCAL jit TO off; SET LOCAL work_mem TO '64MB'"
INTEGERS, FLOATS, NUMERIC, TEXTS, UUID = (20, 21, 23), (700, 701), 1700, (25, 1043, 1042, 19), 2950
TYPES: Mapping[int, pyarrow.DataType] = {
    16: pyarrow.bool_(), 1082: pyarrow.date32(), 1114: pyarrow.timestamp("us"), 1184: pyarrow.timestamp("us", "UTC"),
    NUMERIC: pyarrow.decimal128(38, 9), UUID: pyarrow.binary(16), **dict.fromkeys(INTEGERS, pyarrow.int64()),
    **dict.fromkeys(FLOATS, pyarrow.float64()), **dict.fromkeys(TEXTS, pyarrow.string())}
SQL_TYPES = {pyarrow.string(): "text", pyarrow.int64(): "bigint", pyarrow.bool_(): "boolean"}


class PostgreSql:
    """One server. `place` is where it is, `warehouse` names the table that is read."""

    dialect = "postgres"

    def __init__(self, warehouse: Warehouse, place: PostgresPlace) -> None:
        self._warehouse, self._place = warehouse, place

    def start(self) -> None:
        """See `Client`."""
        if importlib.util.find_spec("psycopg") is None:
            raise UsageError.one(self._warehouse.location, "no-psycopg",
                                 "a warehouse on PostgreSQL needs the package psycopg.",
                                 'Install it: pip install "forestall[postgres]".')

    @contextmanager
    def asking(self) -> Iterator[client.Asking]:
        """See `Client`."""
        self.start()
        import psycopg

        try:
            with self._connected() as connection:
                connection.execute(FOR_US)
                yield Asking(connection)
        except psycopg.Error as error:
            code = error.sqlstate or ""
            if code.startswith("42") and code not in (NO_TABLE, NO_RIGHT):
                raise      # a statement of ours is wrong
            raise self._said(error) from None

    def _connected(self) -> Any:
        import psycopg

        place = self._place
        known = {"host": place.host, "port": place.port, "dbname": place.database, "user": place.user,
                 "password": place.password.reveal() if place.password is not None else None,
                 "connect_timeout": PATIENCE, **dict(place.options)}
        connection = psycopg.connect(
            **{name: value for name, value in known.items() if value}, application_name="forestall",      # type: ignore
            cursor_factory=psycopg.RawCursor, prepare_threshold=None)
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return connection

    def _said(self, error: Exception) -> WarehouseError:
        """What the server or its client says, as a sentence and how to mend it. No sentence repeats the password."""
        place, table = self._place, self._warehouse.name
        said, code = str(error).strip().splitlines()[0] if str(error).strip() else "", getattr(error, "sqlstate", "")
        server = f"{place.host or 'of this machine'}{f':{place.port}' if place.port else ''}"
        if any(sign in said for sign in KEPT_OUT) or (code or "").startswith("28"):
            cure = f"Check the secret {place.password.name}" if place.password else \
                "Add :${secret:WAREHOUSE_PASSWORD} behind the user in `url`"
            return problem_of(self._warehouse, "warehouse-refused",
                              f"the server {server} does not let {place.user or 'us'} in.",
                              f"{cure}, and the user's rights.")
        if code == "3D000" or ("database" in said and "does not exist" in said):
            return problem_of(self._warehouse, "warehouse-refused",
                              f"the server {server} has no database {place.database}.", "Correct `url`.")
        if code in (NO_TABLE, "3F000"):
            return problem_of(self._warehouse, "warehouse-table", f"there is no table {table} in {place.database}.",
                              "Correct `table` of `warehouse`; write the schema too: sales.account_days.")
        if code == NO_RIGHT:
            return problem_of(self._warehouse, "warehouse-refused",
                              f"{place.user or 'this user'} may not read {table}.",
                              "Grant SELECT on it; no more is needed.")
        if code and not code.startswith(("57P", "08", "58")):
            return problem_of(self._warehouse, "warehouse-failed", f"the warehouse could not answer: {_first(said)}.",
                              "Nothing was decided. Look at the server and at the values of the table.")
        return problem_of(self._warehouse, "warehouse-out-of-reach",
                          f"the server {server} cannot be reached: {_first(said)}.",
                          "Check that it runs, `url` of `warehouse`, and the network. Nothing was decided.")


class Asking:
    """An open connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rows(self, statement: str, views: Mapping[str, str], lent: Mapping[str, pyarrow.Table]) -> pyarrow.Table:
        """See `client.Asking`."""
        values: list[list[object]] = []
        parts = []
        for name, table in lent.items():
            arrays = []
            for column in table.columns:
                values.append(column.to_pylist())
                arrays.append(f"${len(values)}::{SQL_TYPES[column.type]}[]")
            named = ", ".join(f'"{one}"' for one in table.column_names)
            parts.append(f'"{name}" AS (SELECT * FROM unnest({", ".join(arrays)}) AS lent({named}))')
        parts += [f'"{name}" AS ({query})' for name, query in views.items()]
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(f"WITH {', '.join(parts)} {statement}" if parts else statement, values)
            fields = [pyarrow.field(one.name, TYPES.get(one.type_code, pyarrow.null())) for one in cursor.description]
            columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(fields)
        return pyarrow.table([_array(field, column) for field, column in zip(fields, columns, strict=True)],
                             schema=pyarrow.schema(fields))


def _array(field: pyarrow.Field, column: Any) -> pyarrow.Array:
    return pyarrow.nulls(len(column)) if pyarrow.types.is_null(field.type) else pyarrow.array(column, field.type)


def _first(said: str) -> str:
    return said.rpartition("failed: ")[2].split(" Is the server running")[0].rstrip(".")[:200]
