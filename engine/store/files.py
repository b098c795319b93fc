"""The state database as a file of SQLite, or one in memory that stands for what is not there yet."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from forestall.engine.store.database import Database, sentences
from forestall.engine.store.versions import bring_up_to_date, copy_rows, found_version, is_current

BUSY_SECONDS = 30.0      # how long a writer waits for another one


def open_file(path: Path, read_only: bool) -> Database:
    """Open the database at `path`; create it unless `read_only`. StoreError when it cannot be used."""
    name = str(path)
    with sentences(name, trouble):
        if read_only and not _has_content(path):
            return in_memory(name)
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
            _use_wal(path)
        database = Database(_engine(path, read_only), name, read_only, trouble)
        try:
            with database.reading() as connection:
                found = found_version(connection, name)
                current = is_current(found)
                memory = in_memory(name, connection if found else None) if read_only and not current else None
            if not read_only and not current:
                with database.writing(durable=True) as connection:
                    bring_up_to_date(connection)
        except BaseException:
            database.close()
            raise
        if memory is not None:
            database.close()
        return memory or database


def in_memory(name: str, older: sa.Connection | None = None) -> Database:
    """For a reader that comes before the first pass, or before the first one that writes under a new version: an empty
    database, or a copy of the older one that is up to date. What is called `name` stays as it is."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        bring_up_to_date(connection)
        if older is not None:
            copy_rows(older, connection)
    return Database(engine, name, True, trouble)


def trouble(error: Exception) -> tuple[str, str]:
    """What SQLite says, as a sentence and how to mend it."""
    said = str(error)
    if "not a database" in said or "malformed" in said:
        return ("this file is not a state database, or it is damaged",
                "Restore it from a backup, or move it away to start afresh.")
    if "locked" in said:
        return "another process is writing to the state database", "Try again when it has finished."
    if "disk is full" in said or "disk I/O error" in said:
        return ("the disk is full or fails; nothing of this step was written to the state database",
                "Make room and run it again.")
    if "unable to open" in said or "readonly" in said:
        return ("the state database cannot be opened",
                "Check that it is a file and that its folder may be read and written.")
    return f"the state database cannot be used: {said}", "Check the file and its disk."


def _has_content(path: Path) -> bool:
    return path.exists() and (path.is_dir() or path.stat().st_size > 0)


def _use_wal(path: Path) -> None:
    """Readers and a writer side by side; kept in the file, so it is set once and not inside a transaction."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        # Of a new file: with the usual 4096 a row of the outbox takes up half a page.
        connection.execute("PRAGMA page_size = 8192")
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
        return sqlite3.connect(where, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool, hide_parameters=True)
    _listen(engine, read_only)
    return engine


def _listen(engine: sa.Engine, read_only: bool) -> None:
    """Set up each connection, and begin transactions ourselves: sqlite3 would begin them too late."""

    def connected(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
        # Keys come in no order: with SQLite's 2 MB every one of 100,000 deliveries would move pages in and out. Their
        # rows take 200 MB; SQLite takes as much of the 256 as there is to keep.
        connection.execute("PRAGMA cache_size = -262144")

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
