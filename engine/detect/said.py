"""When a source last spoke of each metric of one account: how old a value is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from forestall.engine.detect.history_sql import cell, day, parquet, stored
from forestall.engine.model.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Said:
    """The day of which the newest known value of a metric speaks, and the source that said it."""

    on: date
    source: str


def said_of(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, files: Iterable[Path], account: str,
            by: date) -> dict[str, Said]:
    """Metric → when it was last said, as was known by the end of the day `by`; nothing where it never was."""
    there = list(files)
    metrics = stored(catalogue.supplied(), there) if there else []
    if not metrics:
        return {}
    columns = []
    for metric in metrics:
        on = "greatest(as_of, received_on)" if metric.per_day else "as_of"      # counts come in on the day they arrive
        columns.append(f"max({on}) FILTER ({cell(metric)} IS NOT NULL), "
                       f"arg_max(source, (as_of, seq)) FILTER ({cell(metric)} IS NOT NULL)")
    row = connection.execute(
        f"SELECT {', '.join(columns)} FROM {parquet(there)} WHERE account = ? AND greatest(as_of, received_on) <= "
        f"{day(by)}", [account]).fetchone()
    assert row is not None      # an aggregate always answers
    pairs = zip(metrics, row[::2], row[1::2], strict=True)
    return {metric.name: Said(on, source) for metric, on, source in pairs if on is not None}
