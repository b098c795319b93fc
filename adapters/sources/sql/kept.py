"""Rows that were read before, so that only those that changed since are asked for.

A cache: thrown away, it is made anew from the database. `state.json` names the files that count; replacing it is what
makes a reading whole, so a reading that fails leaves the cache as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow

Mark = datetime | date | int | float | Decimal | str

ROWS = 100_000       # in one table
MOST_FILES = 30      # then they become one, without what was replaced
_KINDS: dict[str, Callable[[str], Mark]] = {
    "datetime": datetime.fromisoformat, "date": date.fromisoformat, "int": int, "float": float, "Decimal": Decimal,
    "str": str}


@dataclass(frozen=True, slots=True)
class State:
    """What is kept: all rows of days from `since` on (None: of all days) that had been written by `mark`."""

    since: date | None
    mark: Mark | None
    files: tuple[str, ...]

    def reaches(self, since: date | None) -> bool:
        """Whether it holds every row from this day on."""
        return self.since is None or (since is not None and self.since <= since)


class Kept:
    """The cache in one folder, for one query: `digest` stands for it and for what its columns mean."""

    def __init__(self, folder: Path, digest: str) -> None:
        self._folder, self._digest = folder, digest

    def state(self) -> State | None:
        """What is kept; None where nothing is, or something else."""
        try:
            stored = json.loads((self._folder / "state.json").read_text("utf-8"))
            if stored["digest"] != self._digest or not all((self._folder / file).is_file() for file in stored["files"]):
                return None
            kind, mark = stored["mark"] or ("", "")
            return State(date.fromisoformat(stored["since"]) if stored["since"] else None,
                         _KINDS[kind](mark) if kind else None, tuple(stored["files"]))
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
            return None

    def tables(self, state: State, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        """The rows of these days, each as it was read last."""
        import pyarrow as pa

        if not state.files:
            return
        with (self._database() as connection,
              connection.sql(self._latest(state.files, since, until)).to_arrow_reader(ROWS) as reader):
            for batch in reader:
                if batch.num_rows:
                    yield pa.Table.from_batches([batch])

    def add(self, state: State | None, tables: Iterator[pyarrow.Table], asked: date | None,
            mark: Callable[[], Mark | None]) -> State:
        """Keep these rows beside those of `state` (None: instead of all), when the last is through.

        `asked`: the first day that anybody asks for now; what lies before it may go. `mark` is asked at the end.
        """
        import pyarrow.parquet

        self._folder.mkdir(parents=True, exist_ok=True)
        before = state.files if state is not None else ()
        path = self._folder / _named(int(before[-1][5:-8]) + 1 if before else 1)
        begun, writer = path.with_suffix(".new"), None
        try:
            for table in tables:
                writer = writer or pyarrow.parquet.ParquetWriter(begun, table.schema, compression="zstd")
                writer.write_table(table)
            if writer is not None:
                writer.close()
                begun.replace(path)
        finally:
            if writer is not None:
                writer.close()
            begun.unlink(missing_ok=True)
        files = (*before, path.name) if writer is not None else before
        since = state.since if state is not None else asked
        if len(files) > MOST_FILES:
            files, since = (self._as_one(files, asked),), asked
        state = State(since, mark(), files)
        self._put(state)
        return state

    def _as_one(self, files: tuple[str, ...], asked: date | None) -> str:
        one = _named(int(files[-1][5:-8]) + 1)
        with self._database() as connection:
            connection.execute(f"COPY ({self._latest(files, asked, None)}) TO {_text(str(self._folder / one))} "
                               "(FORMAT parquet, COMPRESSION zstd)")
        return one

    def _latest(self, files: tuple[str, ...], since: date | None, until: date | None) -> str:
        listed = ", ".join(_text(str(self._folder / file)) for file in files)
        # one reading is as the database gave it, and need not be sorted
        latest = "" if len(files) == 1 else """
QUALIFY row_number() OVER (PARTITION BY account, as_of ORDER BY filename DESC, file_row_number DESC) = 1"""
        return f"""
SELECT * EXCLUDE (filename, file_row_number)
FROM read_parquet([{listed}], filename = true, file_row_number = true)
WHERE as_of BETWEEN DATE '{since or date(1, 1, 1)}' AND DATE '{until or date(9999, 12, 31)}'{latest}"""

    def _database(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        return duckdb.connect(config={"temp_directory": str(self._folder / "spill"), "memory_limit": "1GB"})

    def _put(self, state: State) -> None:
        mark = None if state.mark is None else [type(state.mark).__name__, _written(state.mark)]
        fresh = self._folder / "state.new"
        fresh.write_text(json.dumps({"digest": self._digest, "files": state.files, "mark": mark,
                                     "since": state.since.isoformat() if state.since else None}), "utf-8")
        fresh.replace(self._folder / "state.json")
        for path in self._folder.glob("rows-*"):
            if path.name not in state.files:
                path.unlink(missing_ok=True)


def rewound(mark: Mark) -> Mark:
    """A little before a mark: what was written at that time may have been committed later."""
    match mark:
        case datetime():
            return mark - timedelta(hours=1)
        case date():
            return mark - timedelta(days=1)
    return mark


def _written(mark: Mark) -> str:
    return mark.isoformat() if isinstance(mark, date) else str(mark)


def _named(number: int) -> str:
    return f"rows-{number:06}.parquet"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
