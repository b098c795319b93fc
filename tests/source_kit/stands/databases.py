"""Where the kit puts its facts for queries of databases."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow

from forestall.engine.conformance import Stand


def query(more=""):
    return (f"SELECT account, as_of, logins, segment, opted_out, renewal{more} FROM facts "
            "WHERE as_of BETWEEN {{ since }} AND {{ until }}")


class SqliteStand(Stand):
    """SQLite has no dates and no flags: they are texts and numbers there."""

    adapter = "sql"
    many = 20_000       # row by row, as Python's driver gives them
    memory = 96 << 20

    def put(self, facts):
        (self.folder / "book.db").unlink(missing_ok=True)
        with sqlite3.connect(self.folder / "book.db") as book:
            book.execute("CREATE TABLE facts (account TEXT, as_of TEXT, logins REAL, segment TEXT, opted_out INTEGER, "
                         "renewal TEXT)")
            rows = zip(*(facts.column(name).cast(pyarrow.string() if name in ("as_of", "renewal") else
                                                 facts.schema.field(name).type).to_pylist()
                         for name in facts.column_names), strict=True)
            book.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?)", rows)
        book.close()

    def settings(self):
        return {"url": "sqlite:///book.db", "query": query()}

    def damage(self):
        (self.folder / "book.db").write_bytes(b"no database" * 100)


class DuckDbStand(Stand):
    """A table that says when a row was written: only what has changed is asked for again."""

    adapter = "sql"
    keeps = True
    many = 20_000
    memory = 128 << 20

    def __init__(self, folder):
        super().__init__(folder)
        self._written = datetime(2026, 3, 1, tzinfo=UTC)

    def put(self, facts):
        self._written += timedelta(hours=3)
        if self._damaged():
            (self.folder / "book.duckdb").unlink()
        with duckdb.connect(self.folder / "book.duckdb") as book:
            book.register("incoming", facts)
            book.execute("CREATE TABLE IF NOT EXISTS facts AS SELECT *, TIMESTAMPTZ '2026-01-01' AS changed_at "
                         "FROM incoming LIMIT 0")
            book.execute("CREATE TABLE there AS SELECT * EXCLUDE changed_at FROM facts")
            book.execute("DELETE FROM facts WHERE (account, as_of) IN (SELECT (account, as_of) FROM "
                         "(FROM there EXCEPT FROM incoming))")
            book.execute("INSERT INTO facts SELECT *, ? FROM (FROM incoming EXCEPT FROM there)", [self._written])
            book.execute("DROP TABLE there")

    def settings(self):
        return {"url": "duckdb:///book.duckdb", "incremental": "changed_at", "query": query(", changed_at")}

    def damage(self):
        (self.folder / "book.duckdb").write_bytes(b"no database" * 1000)

    def _damaged(self):
        file = self.folder / "book.duckdb"
        return file.exists() and file.read_bytes()[:11] == b"no database"


STANDS = (SqliteStand, DuckDbStand)
