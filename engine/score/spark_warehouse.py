"""A table that Spark reads, as the history: the same questions as of any warehouse, answered by Spark in local mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow

from forestall.engine.errors import ForestallError, Location, UsageError
from forestall.engine.model.warehouse import Warehouse
from forestall.engine.score.spark import TOO_SMALL, text_of
from forestall.engine.score.spark_session import session
from forestall.engine.warehouse.client import Asking, problem_of

NOT_THERE = ("TABLE_OR_VIEW_NOT_FOUND", "PATH_NOT_FOUND", "SCHEMA_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA")


class SparkClient:
    """Spark on every core of this machine. `asked_at` is the place that named it, for what it lacks."""

    dialect = "pyspark"

    def __init__(self, warehouse: Warehouse, asked_at: Location) -> None:
        self._warehouse, self._asked_at = warehouse, asked_at

    def start(self) -> None:
        """See `Client`."""
        session(self._asked_at)

    @contextmanager
    def asking(self) -> Iterator[Asking]:
        """See `Client`."""
        try:
            yield _Asking(session(self._asked_at).newSession())      # has views of its own, and shares the rest
        except ForestallError:
            raise
        except Exception as error:
            told = text_of(error)
            if any(sign in told for sign in TOO_SMALL):
                raise UsageError.one(
                    self._asked_at, "spark-too-small", "Spark ran out of memory or of room on the disk.",
                    "Give it more: SPARK_DRIVER_MEMORY=8g in the environment; TMPDIR names the disk.") from None
            if any(sign in told for sign in NOT_THERE):
                raise problem_of(self._warehouse, "warehouse-table", f"Spark finds no table {self._warehouse.name}.",
                                 "Correct `table` of `warehouse`; files are written parquet.`/lake/account_days`."
                                 ) from None
            raise


class _Asking:
    def __init__(self, own: Any) -> None:
        self._session = own

    def rows(self, statement: str, views: Mapping[str, str], lent: Mapping[str, pyarrow.Table]) -> pyarrow.Table:
        for name, table in lent.items():
            self._session.createDataFrame(table).createOrReplaceTempView(name)
        for name, query in views.items():
            self._session.sql(f"CREATE OR REPLACE TEMPORARY VIEW {name} AS {query}")
        answer = self._session.sql(statement).toArrow()
        return pyarrow.Table.from_arrays(answer.columns, answer.column_names)      # every column may be missing
