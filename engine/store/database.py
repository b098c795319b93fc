"""Opening the state database, and its transactions; every error of it becomes a sentence."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from forestall.engine.errors import ForestallError, Location, StoreError
from forestall.engine.store.tables import VERSION, metadata, schema_version

_BUSY_SECONDS = 30.0


class Database:
    """One state database: a file of SQLite, or an empty one in memory that stands for a file not yet there."""

    def __init__(self, engine: sa.Engine, path: Path, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self._engine = engine

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one moment of the database. StoreError when it cannot be read."""
        with self._sentences(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, durable: bool = False) -> Iterator[sa.Connection]:
        """A transaction that writes, all or nothing; `durable` ones survive a power cut as well. StoreError."""
        if self.read_only:
            raise StoreError.one(Location(str(self.path)), "read-only", "the state database was opened to read only.",
                                 "Use --send to let a pass write.")
        with (
            self._sentences(),
            self._engine.connect().execution_options(writes=True, durable=durable) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        with sentences(self.path):
            yield


def open_database(path: Path, read_only: bool) -> Database:
    """Open the database at `path`; create it unless `read_only`. StoreError when it cannot be used."""
    with sentences(path):
        if read_only and not _has_content(path):
            return _nothing_yet(path)
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
            _use_wal(path)
        database = Database(_engine(path, read_only), path, read_only)
        try:
            ready = _prepared(database)
        except BaseException:
            database.close()
            raise
        if ready:
            return database
        database.close()
        return _nothing_yet(path)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]],
           keep: frozenset[str] = frozenset()) -> int:
    """Insert rows, or give those that are there new values but for the columns `keep`. How many changed anything."""
    if not rows:
        return 0
    insert = _insert(connection, table)
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys and column.name not in keep]
    changed = sa.or_(*(table.c[name].is_distinct_from(insert.excluded[name]) for name in others))
    statement = insert.on_conflict_do_update(
        index_elements=keys, set_={name: insert.excluded[name] for name in others}, where=changed,
    )
    return _rows_written(connection, statement, rows)


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> int:
    """Insert those rows that no unique column knows yet. How many were new."""
    if not rows:
        return 0
    return _rows_written(connection, _insert(connection, table).on_conflict_do_nothing(), rows)


def _insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """The one statement that both databases have, each with its own class."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _rows_written(connection: sa.Connection, statement: sa.Executable, rows: Sequence[dict[str, Any]]) -> int:
    result = connection.execute(statement, rows, execution_options={"preserve_rowcount": True})
    return max(result.rowcount, 0)


def _has_content(path: Path) -> bool:
    return path.exists() and (path.is_dir() or path.stat().st_size > 0)


def _use_wal(path: Path) -> None:
    """Readers and a writer side by side; kept in the file, so it is set once and not inside a transaction."""
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _engine(path: Path, read_only: bool) -> sa.Engine:
    mode = "rwc"
    if read_only:
        # A reader of a WAL needs to write its index; where it may not, a file without a WAL cannot change either.
        writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        alone = not path.with_name(f"{path.name}-wal").exists()
        mode = "rw" if writable else "ro&immutable=1" if alone else "ro"
    where = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(where, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool)
    _listen(engine, read_only)
    return engine


def _nothing_yet(path: Path) -> Database:
    """An empty database in memory, for a reader that comes before the first pass."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        metadata.create_all(connection)
    return Database(engine, path, read_only=True)


def _listen(engine: sa.Engine, read_only: bool) -> None:
    """Set up each connection, and begin transactions ourselves: sqlite3 would begin them too late."""

    def connected(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")

    def begun(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        if options.get("writes"):
            # NORMAL may lose the last receipts in a power cut, never the file: they are sent again with the same key.
            connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if options.get('durable') else 'NORMAL'}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begun)


def _prepared(database: Database) -> bool:
    """Create the tables in an empty database, or say False where we may only read; refuse one that is not ours."""
    with database.reading() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        found = connection.scalar(sa.select(sa.func.max(schema_version.c.version))) \
            if schema_version.name in tables else None
    if found == VERSION:
        return True
    where = Location(str(database.path))
    if found is not None and found > VERSION:
        raise StoreError.one(where, "newer-state",
                             f"this state database has version {found}, and this Forestall knows versions up to "
                             f"{VERSION}.", "Use the newer Forestall that wrote it.")
    if tables:
        raise StoreError.one(where, "foreign-state", "this database was not written by Forestall.",
                             "Name another folder under `state:` in forestall.yaml.")
    if database.read_only:
        return False
    with database.writing(durable=True) as connection:
        metadata.create_all(connection)
        insert_new(connection, schema_version, [{"version": VERSION}])
    return True


@contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Turn what the database or the disk says into a StoreError with one sentence."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise _sentence(path, str(error.orig)) from error
    except sqlite3.Error as error:
        raise _sentence(path, str(error)) from error
    except OSError as error:
        raise StoreError.one(Location(str(path)), "state-not-usable",
                             f"the state database cannot be used: {error.strerror or error}.",
                             "Check that the folder exists and may be read and written.") from error


def _sentence(path: Path, said: str) -> ForestallError:
    if "not a database" in said or "malformed" in said:
        message, hint = "this file is not a state database, or it is damaged", \
            "Restore it from a backup, or move it away to start afresh."
    elif "locked" in said:
        message, hint = "another process is writing to the state database", "Try again when it has finished."
    elif "disk is full" in said:
        message, hint = "the disk is full; nothing of this pass was written", "Make room and run it again."
    elif "unable to open" in said or "readonly" in said:
        message, hint = "the state database cannot be opened", \
            "Check that it is a file and that its folder may be read and written."
    else:
        message, hint = f"the state database cannot be used: {said}", "Check the file and its disk."
    return StoreError.one(Location(str(path)), "state-not-usable", f"{message}.", hint)
