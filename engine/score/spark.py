"""Spark as the engine of evaluations: the files of the history, read by Spark itself in local mode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.detect.history_sql import spark_view
from forestall.engine.errors import ForestallError, Location, UsageError
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.score.engine import Reading
from forestall.engine.score.spark_session import session

PATTERN = str.maketrans({letter: f"\\{letter}" for letter in "\\*?[]{}"})      # Spark takes a path for a pattern
GONE = "Java is gone"      # it ends itself when it is out of memory
TOO_SMALL = (GONE, "OutOfMemoryError", "No space left")
DAMAGED = ("FAILED_READ_FILE", "CANNOT_READ_FILE_FOOTER", "PATH_NOT_FOUND", "org.apache.parquet",
           "org.apache.spark.sql.execution.datasources.parquet")


class Spark:
    """Spark on every core of this machine. `asked_at` is the place that named it, for what it lacks."""

    dialect = "pyspark"
    in_order = False
    far = False

    def __init__(self, asked_at: Location) -> None:
        self._asked_at = asked_at

    def start(self) -> None:
        """See `Engine`."""
        session(self._asked_at)

    @contextmanager
    def reading(self, history: History, catalogue: Catalogue, first: date, last: date,
                accounts: Iterable[str] | None = None) -> Iterator[Reading]:
        """See `Engine`."""
        parts = history.day_files(catalogue, first, last)
        try:
            own = session(self._asked_at).newSession()      # has views of its own, and shares the rest
            yield _SparkReading(own, parts, catalogue, first, last, accounts)
        except ForestallError:
            raise
        except Exception as error:
            if (said := self._said(history, error)) is None:
                raise
            raise said from None

    def answers(self, history: History, catalogue: Catalogue, first: date, last: date, statement: str,
                progress: Progress = quiet) -> Iterator[pyarrow.Table]:
        """See `Engine`."""
        with self.reading(history, catalogue, first, last) as reading:
            yield reading.rows(statement)
        progress("evaluate", 1, 1)

    def _said(self, history: History, error: Exception) -> ForestallError | None:
        """The sentence for what a file or this machine causes; None where a statement of ours is wrong."""
        told = text_of(error)
        if any(sign in told for sign in TOO_SMALL):
            return UsageError.one(self._asked_at, "spark-too-small", "Spark ran out of memory or of room on the disk.",
                                  "Give it more: SPARK_DRIVER_MEMORY=8g in the environment; TMPDIR names the disk.")
        if any(sign in told for sign in DAMAGED):
            return history.damaged(error)
        return None


def text_of(error: Exception) -> str:
    """What Java says went wrong."""
    from py4j.protocol import Py4JError, Py4JNetworkError

    if isinstance(error, (Py4JNetworkError, OSError)):
        return GONE
    try:
        return str(error)
    except (Py4JError, OSError):      # the text is asked of Java
        return GONE


class _SparkReading:
    def __init__(self, own: Any, parts: list[tuple[pyarrow.Schema, list[Path]]], catalogue: Catalogue, first: date,
                 last: date, accounts: Iterable[str] | None) -> None:
        from pyspark.sql.pandas.types import from_arrow_schema

        self._session = own
        if accounts is not None:
            self.lend("chosen", pyarrow.table({"account": pyarrow.array(list(accounts), pyarrow.string())}))
        for number, (there, files) in enumerate(parts):
            written = own.read.schema(from_arrow_schema(there)).parquet(*(_literally(file) for file in files))
            written.createOrReplaceTempView(f"days_{number}")
        sources = [(f"days_{number}", there) for number, (there, _) in enumerate(parts)]
        own.sql(spark_view(catalogue, sources, first, last, chosen=accounts is not None))

    def lend(self, name: str, table: pyarrow.Table) -> None:
        self._session.createDataFrame(table).createOrReplaceTempView(name)

    def rows(self, statement: str) -> pyarrow.Table:
        answer = self._session.sql(statement).toArrow()
        return pyarrow.Table.from_arrays(answer.columns, answer.column_names)      # every column may be missing


def _literally(file: Path) -> str:
    return str(file.resolve()).translate(PATTERN)
