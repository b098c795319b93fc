"""A state database: its transactions, and the statements that SQLite and PostgreSQL both have."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from forestall.engine.errors import Location, StoreError
from forestall.engine.store.tables import schema_version

Trouble = Callable[[Exception], tuple[str, str]]
"""What a database says when something fails → what to say, and how to mend it."""


class Database:
    """One state database, by the name that people know it by: a file of SQLite, a schema of a PostgreSQL server, or one
    in memory that stands for what is not yet there.
    """

    def __init__(self, engine: sa.Engine, name: str, read_only: bool, trouble: Trouble) -> None:
        self.name = name
        self.read_only = read_only
        self._engine = engine
        self._trouble = trouble

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one moment of the database. StoreError when it cannot be read."""
        with self._sentences(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, durable: bool = False) -> Iterator[sa.Connection]:
        """A transaction that writes, all or nothing; `durable` ones survive a power cut as well. StoreError."""
        if self.read_only:
            raise StoreError.one(Location(self.name), "read-only", "the state database was opened to read only.",
                                 "Use --send to let a pass write.")
        with (
            self._sentences(),
            self._engine.connect().execution_options(writes=True, durable=durable) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def changing(self) -> Iterator[sa.Connection]:
        """A durable transaction that changes what the next pass reads: one after the other, also on a server."""
        with self.writing(durable=True) as connection:
            connection.execute(sa.select(schema_version).with_for_update())
            yield connection

    def close(self) -> None:
        """Let go of the file or the server."""
        self._engine.dispose()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        with sentences(self.name, self._trouble):
            yield


@contextmanager
def sentences(name: str, trouble: Trouble) -> Iterator[None]:
    """Turn what the database or the disk says into a StoreError with one sentence."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise _sentence(name, *trouble(error.orig if isinstance(error.orig, Exception) else error)) from error
    except sqlite3.Error as error:
        raise _sentence(name, *trouble(error)) from error
    except OSError as error:
        raise _sentence(name, f"the state database cannot be used: {error.strerror or error}",
                        "Check that the folder exists and may be read and written.") from error


def _sentence(name: str, message: str, hint: str) -> StoreError:
    return StoreError.one(Location(name), "state-not-usable", f"{message}.", hint)


Columns = Mapping[str, Sequence[Any]]
"""Rows of a table by column, as the many rows of a pass are written: a dict for each would cost as much again."""


def by_column(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Rows that all have the same columns."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def upsert(connection: sa.Connection, table: sa.Table, rows: Columns, keep: frozenset[str] = frozenset()) -> int:
    """Insert rows, or give those that are there new values but for the columns `keep`. How many changed anything."""
    insert = _insert(connection, table)
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys and column.name not in keep]
    changed = sa.or_(*(table.c[name].is_distinct_from(insert.excluded[name]) for name in others))
    statement = insert.on_conflict_do_update(
        index_elements=keys, set_={name: insert.excluded[name] for name in others}, where=changed,
    )
    return _rows_written(connection, table, statement, rows)


def insert_new(connection: sa.Connection, table: sa.Table, rows: Columns) -> int:
    """Insert those rows that no unique column knows yet. How many were new."""
    return _rows_written(connection, table, _insert(connection, table).on_conflict_do_nothing(), rows)


def _insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """The one statement that both databases have, each with its own class."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _rows_written(connection: sa.Connection, table: sa.Table, statement: sqlite.Insert | postgresql.Insert,
                  rows: Columns) -> int:
    """Compile once and hand the driver all rows: SQLAlchemy's own way costs as much again as the database."""
    if not any(map(len, rows.values())):
        return 0
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows))
    by_position = compiled.positiontup is not None
    names = list(compiled.positiontup or rows)
    values = list(zip(*(_as_sent(connection, table.c[name], rows[name]) for name in names), strict=True))
    sent: Sequence[Any] = values if by_position else [dict(zip(names, row, strict=True)) for row in values]
    result = connection.exec_driver_sql(str(compiled), sent, execution_options={"preserve_rowcount": True})
    return max(result.rowcount, 0)


def _as_sent(connection: sa.Connection, column: sa.Column[Any], values: Sequence[Any]) -> Sequence[Any]:
    """The values of a column as the driver wants them; each is made only once, since most are the same."""
    kind = column.type.dialect_impl(connection.dialect)
    process = kind.bind_processor(connection.dialect)
    if process is None:
        return values
    sent = {value: process(value) for value in set(values)}
    return [sent[value] for value in values]
