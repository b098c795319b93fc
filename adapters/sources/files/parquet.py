"""Parquet files as a source of facts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from forestall.adapters.sources.cells import plain
from forestall.adapters.sources.files.source import FileSource, TableSettings, with_row
from forestall.adapters.sources.tables import BATCH_ROWS, Batch, Layout, Place, tomorrow
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Problem

if TYPE_CHECKING:
    import pyarrow.parquet


@dataclass(frozen=True, slots=True)
class ParquetSettings(TableSettings):
    """As for every table."""


class ParquetSource(FileSource):
    """One or several Parquet files."""

    Settings = ParquetSettings
    endings = (".parquet", ".pq")

    def __init__(self, name: str, settings: ParquetSettings, metrics: Mapping[str, Metric], folder: Path,
                 keep: Path | None = None) -> None:
        super().__init__(name, settings, metrics, folder, keep)

    def headings(self, place: Place) -> tuple[str, ...]:
        """The names of the columns at the top level of the schema."""
        import pyarrow.parquet

        with self._readable(place), pyarrow.parquet.ParquetFile(place.path) as parquet:
            return tuple(parquet.schema_arrow.names)

    def batches(self, layout: Layout, since: date | None, until: date | None) -> Iterator[Batch]:
        """The columns of `layout`; groups of rows that lie wholly outside of the days are not read."""
        import pyarrow.parquet

        wanted = list(dict.fromkeys(column.heading for column in layout.columns))
        place, day = layout.place, layout.as_of
        with (self.unchanged(place), self._readable(place),
              pyarrow.parquet.ParquetFile(place.path) as parquet):
            first = 0
            for group in range(parquet.metadata.num_row_groups):
                rows = parquet.metadata.row_group(group).num_rows
                if day is None or not _outside(parquet, group, day.heading, since, until):
                    row = first
                    for part in parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted):
                        yield Batch(row, tuple(plain(part.column(column.heading)) for column in layout.columns))
                        row += part.num_rows
                first += rows

    def cell_problem(self, layout: Layout, row: int, heading: str, code: str, message: str, hint: str) -> Problem:
        """The problem with the number of the row, counted from 1."""
        del heading
        return with_row(self.table_problem(layout.place, code, message, hint), row)

    @contextmanager
    def _readable(self, place: Place) -> Iterator[None]:
        """Turns whatever the reader raises into one sentence about the file."""
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as error:
            if place.path.is_file() and not place.path.stat().st_size:
                raise self.file_error(place, "empty-file", "the file is empty.", "Write it again.") from None
            if "magic bytes" in str(error) or "smaller than the minimum" in str(error):
                raise self.file_error(place, "not-parquet", "this is not a Parquet file, or it is cut off.",
                                      "Write it again, or use `adapter: csv` if it is CSV.") from None
            number = getattr(error, "errno", None)
            reason = os.strerror(number) if number else str(error).splitlines()[0][:120]
            raise self.file_error(place, "unreadable", f"the file cannot be read ({reason}).",
                                  "Check its rights and whether it is complete.") from None


def _outside(
    parquet: pyarrow.parquet.ParquetFile, group: int, heading: str, since: date | None, until: date | None
) -> bool:
    """Whether the file says of a group of rows that all its days lie outside; False when it says nothing."""
    described = parquet.metadata.row_group(group)
    for index in range(described.num_columns):
        column = described.column(index)
        if column.path_in_schema == heading and column.is_stats_set and column.statistics.has_min_max:
            low, high = column.statistics.min, column.statistics.max
            if not isinstance(low, date) or column.statistics.null_count:
                return False
            if isinstance(low, datetime):      # in its own zone it may be of the day before or after
                low, high = low.date() - timedelta(days=1), high.date() + timedelta(days=1)
            # what lies in the days to come is read, so that it can be told
            return (since is not None and high < since) or (until is not None and low > until and high <= tomorrow())
    return False
