"""Making the tables of the state database, and bringing those of an older version up to date: only ever adding."""

from __future__ import annotations

import sqlalchemy as sa

from forestall.engine.errors import Location, StoreError
from forestall.engine.store.tables import VERSION, metadata, schema_version

_PAGE = 10_000


def found_version(connection: sa.Connection, name: str) -> int | None:
    """The version of the tables, None for a database without any. StoreError when they are not Forestall's."""
    tables = set(sa.inspect(connection).get_table_names())
    if not tables:
        return None
    found = connection.scalar(sa.select(sa.func.max(schema_version.c.version))) \
        if schema_version.name in tables else None
    if found is None:
        raise StoreError.one(Location(name), "foreign-state", "this database was not written by Forestall.",
                             "Name another place under `state:` in forestall.yaml.")
    if found > VERSION:
        raise StoreError.one(Location(name), "newer-state",
                             f"this state database has version {found}, and this Forestall knows versions up to "
                             f"{VERSION}.", "Use the newer Forestall that wrote it.")
    return int(found)


def is_current(version: int | None) -> bool:
    """Whether nothing is missing in a database of this version."""
    return version == VERSION


def bring_up_to_date(connection: sa.Connection) -> None:
    """Add the tables, columns and indexes that are missing, in the transaction of `connection`.

    Nothing is taken away or rewritten, so what an older version wrote stays as it was.
    """
    there = set(sa.inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if table.name in there:
            _add_columns(connection, table)
            for index in sorted(table.indexes, key=lambda each: str(each.name)):
                index.create(connection, checkfirst=True)
    metadata.create_all(connection)
    if (connection.scalar(sa.select(sa.func.max(schema_version.c.version))) or 0) < VERSION:
        connection.execute(sa.insert(schema_version).values(version=VERSION))


def copy_rows(older: sa.Connection, connection: sa.Connection) -> None:
    """Every row of an older database into one that is up to date; what it does not have is as if just added."""
    there = set(sa.inspect(older).get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in there or table is schema_version:
            continue
        known = _columns(older, table)
        found = older.execution_options(yield_per=_PAGE).execute(
            sa.select(*(column for column in table.columns if column.name in known)))
        for page in found.partitions():
            connection.execute(sa.insert(table), [dict(row._mapping) for row in page])


def _add_columns(connection: sa.Connection, table: sa.Table) -> None:
    known = _columns(connection, table)
    for column in table.columns:
        if column.name not in known:
            what = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            name = connection.dialect.identifier_preparer.format_table(table)
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {what}")


def _columns(connection: sa.Connection, table: sa.Table) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
