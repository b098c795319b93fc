"""What was fetched, in a database of one file: a cache. A page is kept with the place to go on from, or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from forestall.adapters.sources.http.reading import Record

FILE = "records.db"
PATIENCE = 60.0                   # seconds for another process to be done with a page
FORM = "1"                        # a file of another form is thrown away
TABLES = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
  resource TEXT NOT NULL, id TEXT NOT NULL, round INTEGER NOT NULL, fields TEXT NOT NULL,
  PRIMARY KEY (resource, id)) WITHOUT ROWID;
"""
UPSERT = ("INSERT INTO records VALUES (?, ?, ?, ?) ON CONFLICT (resource, id) "
          "DO UPDATE SET round = excluded.round, fields = excluded.fields")


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a resource is: the walk under way (`turn` "" when none is), and what the finished ones left behind.

    `whole` says whether the walk lists everything; `round` tells its records from older ones; `begun_at` is when it
    began and `whole_at` when the last whole one did, by the far side's clock; `cursor` is where the next one goes on.
    """

    turn: str = ""
    whole: bool = True
    round: int = 0
    begun_at: str = ""
    whole_at: str = ""
    asked_through: str = ""
    cursor: str = ""


class Kept:
    """The records of one source. Without a folder they are forgotten when this is closed."""

    def __init__(self, folder: Path | None, mark: str) -> None:
        self._folder = folder
        mark = f"{FORM} {mark}"
        try:
            self._base = self._opened(mark)
        except sqlite3.OperationalError:       # another process has it, or the disk is full: nothing is wrong with it
            raise
        except sqlite3.DatabaseError:
            # It is a cache: a damaged one costs the time to fetch again.
            if folder is None:
                raise
            for name in (FILE, f"{FILE}-journal"):
                (folder / name).unlink(missing_ok=True)
            self._base = self._opened(mark)

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def progress(self, resource: str) -> Reached:
        """How far this resource is."""
        found = self.note(f"progress {resource}")
        return Reached(**json.loads(found)) if found else Reached()

    def note(self, name: str) -> str:
        """What was noted under a name, "" for nothing."""
        found = self._base.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def put_note(self, name: str, value: str) -> None:
        """Note something."""
        with self._whole():
            self._note(name, value)

    def add(self, resource: str, records: Iterable[Record], progress: Reached) -> None:
        """Keep a page and how far we are, both or neither."""
        with self._whole():
            for record in records:
                if record.fields is None:
                    self._base.execute("DELETE FROM records WHERE resource = ? AND id = ?", (resource, record.id))
                else:
                    fields = json.dumps(dict(record.fields), ensure_ascii=False, separators=(",", ":"))
                    self._base.execute(UPSERT, (resource, record.id, progress.round, fields))
            self._note_progress(resource, progress)

    def finish(self, resource: str, progress: Reached) -> None:
        """A walk is through; what a whole one did not see is not there any more."""
        with self._whole():
            if progress.whole:
                self._base.execute("DELETE FROM records WHERE resource = ? AND round < ?", (resource, progress.round))
            self._note_progress(resource, progress)

    def forget(self, resource: str) -> None:
        """Forget how far a resource is, so that all of it is asked for again; its records stay until then."""
        with self._whole():
            self._note_progress(resource, Reached(round=self.progress(resource).round))

    def count(self, resource: str) -> int:
        """How many records there are."""
        return int(self._base.execute("SELECT count(*) FROM records WHERE resource = ?", (resource,)).fetchone()[0])

    def records(self, resource: str, at_once: int) -> Iterator[list[tuple[str, Mapping[str, Any]]]]:
        """All records by their id, so many at once."""
        cursor = self._base.execute("SELECT id, fields FROM records WHERE resource = ? ORDER BY id", (resource,))
        while rows := cursor.fetchmany(at_once):
            yield [(identity, json.loads(fields)) for identity, fields in rows]

    def _opened(self, mark: str) -> sqlite3.Connection:
        """The database; one that was made for other settings is emptied."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        base = sqlite3.connect(str(self._folder / FILE) if self._folder else "", isolation_level=None, timeout=PATIENCE)
        try:
            base.executescript(TABLES)
            if (found := base.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
                raise sqlite3.DatabaseError(str(found))
            found = base.execute("SELECT value FROM notes WHERE name = 'mark'").fetchone()
            if found is None or found[0] != mark:
                base.executescript("BEGIN IMMEDIATE; DELETE FROM records; DELETE FROM notes; COMMIT;")
                base.execute("INSERT INTO notes VALUES ('mark', ?)", (mark,))
        except sqlite3.DatabaseError:
            base.close()
            raise
        return base

    def _note(self, name: str, value: str) -> None:
        self._base.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def _note_progress(self, resource: str, progress: Reached) -> None:
        values = {name: getattr(progress, name) for name in Reached.__dataclass_fields__}
        self._note(f"progress {resource}", json.dumps(values))

    @contextmanager
    def _whole(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")


def moment_of(text: str) -> datetime | None:
    """A noted time."""
    return datetime.fromisoformat(text) if text else None
