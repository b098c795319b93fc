"""Copies of a log's files in Parquet: text is slow to read, and of a copy only the times asked for need be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

WORTH_IT = 256 << 10      # bytes: smaller files are read as quickly as their copies


class Spoilt(Exception):
    """A copy cannot be read to its end; it is gone now."""


class Copies:
    """A folder of copies, each named after what it was made of. Thrown away, they cost time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, *made_of: object) -> Path:
        """Where the copy of something is, or would be."""
        return self._folder / (hashlib.sha256(repr(made_of).encode()).hexdigest()[:24] + ".parquet")

    def read(self, copy: Path, since: datetime | None, until: datetime | None) -> Iterator[pyarrow.Table] | None:
        """The rows of a copy, without groups outside of these times; None when there is no copy, or a bad one."""
        import pyarrow as pa
        import pyarrow.parquet

        try:
            parquet = pyarrow.parquet.ParquetFile(copy)
        except (OSError, pa.ArrowException):
            copy.unlink(missing_ok=True)
            return None
        return _rows(parquet, copy, since, until)

    def nameless(self, copy: Path) -> int:
        """How many rows of the file named no account, as was noted in its copy."""
        import pyarrow.parquet

        noted = pyarrow.parquet.read_metadata(copy).metadata or {}
        return int(noted.get(b"nameless", b"0"))

    def making(self, copy: Path, tables: Iterable[pyarrow.Table], counter: list[int]) -> Iterator[pyarrow.Table]:
        """The tables, while a copy is made of them; it is there when all of them are through.

        `counter` holds how many rows named no account, up to now.
        """
        import pyarrow.parquet

        self._folder.mkdir(parents=True, exist_ok=True)
        begun = copy.with_suffix(".part")
        before, writer = counter[0], None
        try:
            for table in tables:
                if writer is None:
                    writer = pyarrow.parquet.ParquetWriter(begun, table.schema, compression="zstd")
                writer.write_table(table)
                yield table
            if writer is not None:
                writer.add_key_value_metadata({"nameless": str(counter[0] - before)})
                writer.close()
                begun.replace(copy)
        finally:
            if writer is not None and writer.is_open:
                writer.close()
            begun.unlink(missing_ok=True)

    def keep_only(self, copies: Iterable[Path]) -> None:
        """Delete the copies of files that are gone, or were written anew."""
        wanted = set(copies)
        for path in self._folder.glob("*.parquet") if self._folder.is_dir() else ():
            if path not in wanted:
                path.unlink(missing_ok=True)


def _rows(parquet: pyarrow.parquet.ParquetFile, copy: Path, since: datetime | None, until: datetime | None
          ) -> Iterator[pyarrow.Table]:
    import pyarrow as pa

    try:
        with parquet:
            for group in range(parquet.metadata.num_row_groups):
                times = parquet.metadata.row_group(group).column(1).statistics
                low, high = (when.replace(tzinfo=None) for when in (times.min, times.max))
                if (since is not None and high < since.replace(tzinfo=None)) \
                        or (until is not None and low >= until.replace(tzinfo=None)):
                    continue
                yield parquet.read_row_group(group)
    except (OSError, pa.ArrowException):
        copy.unlink(missing_ok=True)
        raise Spoilt from None
