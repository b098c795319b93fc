"""A history made smaller: days that need not be kept, and rows that were replaced on the day on which they came.

Whole months go, so at least what is to be kept is kept. Of what arrived, a stretch before the first kept day stays:
values are carried from there. Rows that a source replaced on the same day (it was read several times) go where the
later row says all that they said; no day of the history comes out otherwise without them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb

from forestall.engine.detect import history_sql as sql
from forestall.engine.detect.history import LOOK_AGAIN, History, Progress, quiet, reaches_back, session
from forestall.engine.detect.manifest import bounds, month_of, next_generation
from forestall.engine.detect.sql_words import text
from forestall.engine.model.catalogue import Catalogue

OURS = frozenset({"account", "as_of", "received_on", "source", "seq", sql.GENERATION})


@dataclass(frozen=True, slots=True)
class Compaction:
    """What goes, or went: months of days and of arrivals, accounts that were gone before, rows that were replaced out
    of all rows that were looked at, and bytes. `kept_from` is the first day that is kept (None: all are)."""

    kept_from: date | None
    days: tuple[str, ...]
    arrivals: tuple[str, ...]
    accounts: int
    replaced: int
    rows: int
    bytes_before: int
    bytes_after: int

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.days or self.arrivals or self.accounts or self.replaced)


def compact(history: History, catalogue: Catalogue, gone_after: int, keep: int | None,
            progress: Progress = quiet) -> Compaction:
    """Stage a smaller history that keeps the last `keep` days (None: all), and say what went."""
    manifest = history.manifest
    before = _size(manifest.files())
    if manifest.through is None or manifest.accounts is None:
        return Compaction(None, (), (), 0, 0, 0, before, before)
    kept_from = _kept_from(history, keep)
    days = tuple(sorted(month for month in manifest.days if kept_from and bounds(month)[1] < kept_from))
    reach = reaches_back(kept_from, catalogue, gone_after) if kept_from else date.min
    arrivals = tuple(sorted(month for month in manifest.arrivals if bounds(month)[1] < reach))
    staged = next_generation(manifest)
    for month in days:
        del staged.days[month]
    for month in arrivals:
        del staged.arrivals[month]
    accounts = replaced = rows = 0
    with session() as connection, history.files_sound():
        settled = sorted(month for month in staged.arrivals
                         if bounds(month)[1] < manifest.through - timedelta(days=LOOK_AGAIN))
        for done, month in enumerate(settled):
            progress("compact", done, len(settled))
            path = history.new_file("arrivals", month, staged)
            gone, looked_at = _rewrite(connection, staged.arrivals[month], path)
            replaced, rows = replaced + gone, rows + looked_at
            if gone:
                staged.arrivals[month] = path
        if kept_from:
            path = history.new_file("accounts", "accounts", staged)
            accounts = _drop_accounts(connection, manifest.accounts, kept_from - timedelta(days=gone_after), path)
            staged = replace(staged, accounts=path if accounts else manifest.accounts)
    first = max(manifest.first, kept_from) if manifest.first and kept_from else manifest.first
    stale_from = max(manifest.stale_from, kept_from) if manifest.stale_from and kept_from else manifest.stale_from
    history.stage(replace(staged, first=first, kept_from=kept_from, stale_from=stale_from))
    return Compaction(kept_from, days, arrivals, accounts, replaced, rows, before, _size(staged.files()))


def _kept_from(history: History, keep: int | None) -> date | None:
    """The first day to keep, the first of a month; never earlier than before, and None while nothing would go."""
    manifest = history.manifest
    if keep is None or manifest.through is None:
        return manifest.kept_from
    wanted = bounds(month_of(manifest.through - timedelta(days=keep)))[0]
    begins = bounds(min([*manifest.days, *manifest.arrivals]))[0]
    return max(wanted, manifest.kept_from or wanted) if wanted > begins else manifest.kept_from


def _rewrite(connection: duckdb.DuckDBPyConnection, file: Path, path: Path) -> tuple[int, int]:
    """Write a month's arrivals without rows that were replaced on the day they came; only if there are any. How many
    they are, and of how many."""
    columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {sql.parquet([file])}").fetchall()]
    covered = " AND ".join(f"({cell} IS NULL OR first_value({cell}) OVER latest IS NOT NULL)"
                           for cell in (sql.name(one) for one in columns if one not in OURS)) or "true"
    versions = "PARTITION BY account, as_of, received_on, source ORDER BY seq DESC"
    kept = (f"SELECT * FROM {sql.parquet([file])} WINDOW latest AS ({versions}) "
            f"QUALIFY row_number() OVER latest = 1 OR NOT ({covered})")
    rows, different = connection.execute(
        f"SELECT count(*), count(DISTINCT (account, as_of, received_on, source)) FROM {sql.parquet([file])}"
        ).fetchone() or (0, 0)
    if rows == different:
        return 0, rows
    left, = connection.execute(f"SELECT count(*) FROM ({kept})").fetchone() or (rows,)
    if left < rows:
        connection.execute(f"COPY (SELECT * FROM ({kept}) ORDER BY account, as_of, received_on, seq) "
                           f"TO {text(str(path))} {sql.PARQUET}")
    return rows - left, rows


def _drop_accounts(connection: duckdb.DuckDBPyConnection, file: Path, last: date, path: Path) -> int:
    """Write the accounts without those last named before `last`; only if there are any. How many they are."""
    gone, = connection.execute(
        f"SELECT count(*) FROM {sql.parquet([file])} WHERE last_day < {sql.day(last)}").fetchone() or (0,)
    if gone:
        connection.execute(f"COPY (SELECT * FROM {sql.parquet([file])} WHERE last_day >= {sql.day(last)} "
                           f"ORDER BY account) TO {text(str(path))} {sql.PARQUET}")
    return int(gone)


def _size(files: set[Path]) -> int:
    return sum(file.stat().st_size for file in files)
