"""Parquet files as a source of facts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from forestall.adapters.sources.cells import plain
from forestall.adapters.sources.tables import BATCH_ROWS, Batch, Layout, TableSettings, TableSource
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import SourceError

if TYPE_CHECKING:
    import pyarrow.parquet


@dataclass(frozen=True, slots=True)
class ParquetSettings(TableSettings):
    """As for every table."""


class ParquetSource(TableSource):
    """One or several Parquet files."""

    Settings = ParquetSettings
    endings = (".parquet", ".pq")

    def __init__(self, name: str, settings: ParquetSettings, metrics: Mapping[str, Metric], folder: Path) -> None:
        super().__init__(name, settings, metrics, folder)

    def headings(self, file: Path) -> tuple[str, ...]:
        """The names of the columns at the top level of the schema."""
        import pyarrow.parquet

        with self._readable(file), pyarrow.parquet.ParquetFile(file) as parquet:
            return tuple(parquet.schema_arrow.names)

    def batches(self, layout: Layout, since: date | None, until: date | None) -> Iterator[Batch]:
        """The columns of `layout`; groups of rows that lie wholly outside of the days are not read."""
        import pyarrow.parquet

        wanted = list(dict.fromkeys(column.heading for column in layout.columns))
        with self._readable(layout.file), pyarrow.parquet.ParquetFile(layout.file) as parquet:
            first = 0
            for group in range(parquet.metadata.num_row_groups):
                rows = parquet.metadata.row_group(group).num_rows
                if not _outside(parquet, group, layout.columns[1].heading, since, until):
                    row = first
                    for part in parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted):
                        yield Batch(row, tuple(plain(part.column(column.heading)) for column in layout.columns))
                        row += part.num_rows
                first += rows

    def cell_error(self, layout: Layout, row: int, heading: str, code: str, message: str, hint: str) -> SourceError:
        """The error with the number of the row, counted from 1."""
        del heading
        return self.file_error(layout.file, code, f"row {row + 1}: {message}", hint)

    @contextmanager
    def _readable(self, file: Path) -> Iterator[None]:
        """Turns whatever the reader raises into one sentence about `file`."""
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as error:
            if file.is_file() and not file.stat().st_size:
                raise self.file_error(file, "empty-file", "the file is empty.", "Write it again.") from None
            if "magic bytes" in str(error) or "smaller than the minimum" in str(error):
                raise self.file_error(file, "not-parquet", "this is not a Parquet file, or it is cut off.",
                                      "Write it again, or use `adapter: csv` if it is CSV.") from None
            number = getattr(error, "errno", None)
            reason = os.strerror(number) if number else str(error).splitlines()[0][:120]
            raise self.file_error(file, "unreadable", f"the file cannot be read ({reason}).",
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
            # a timestamp may belong to another day in its own zone, so only days are trusted
            if isinstance(low, datetime) or not isinstance(low, date) or column.statistics.null_count:
                return False
            return (since is not None and high < since) or (until is not None and low > until)
    return False
