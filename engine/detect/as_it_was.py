"""The history as it was when a pass read it, and what has arrived since then about the days before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
from pyarrow.parquet import read_schema

from forestall.engine.detect import history_sql as sql
from forestall.engine.detect.history import History, days_digest, reaches_back, session
from forestall.engine.detect.in_place import HistoryInPlace
from forestall.engine.detect.manifest import Manifest, bounds, month_of, months_between
from forestall.engine.detect.sql_words import text
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.decision_log import DayRead
from forestall.engine.model.evaluation import Value

MOST = 1000      # corrections that are named; the others are counted


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a source said later about one metric of an account on an earlier day.

    `before` None: it had said nothing of it. `arrived_on` None: an import brought it, which has no day of its own.
    """

    account: str
    metric: str
    day: date
    source: str
    before: Value
    after: Value
    arrived_on: date | None


def day_read(history: History, catalogue: Catalogue, gone_after: int, day: date) -> DayRead:
    """The facts of a day in short: of every account that was not gone."""
    if isinstance(history, HistoryInPlace):
        return history.day_read(catalogue, gone_after, day)
    there = (day - date(1970, 1, 1)).days
    columns = ["account", "first_day", "named_day", *(metric.name for metric in catalogue.supplied())]
    said = ", ".join(f"coalesce(CAST({sql.name(column)} AS VARCHAR), chr(30))" for column in columns)
    with history.reading(catalogue, day, day) as connection:
        found = connection.execute(
            f"SELECT count(*), coalesce(bit_xor(md5_number_lower(concat_ws(chr(31), {said}))), 0) FROM history "
            f"WHERE day = {there} AND named_day >= {there - gone_after}").fetchone()
    accounts, digest = found or (0, 0)
    return DayRead(accounts, f"{digest:016x}")


def as_it_was(history: History, folder: Path, generation: int, catalogue: Catalogue, gone_after: int, first: date,
              day: date) -> History:
    """A history in `folder` with the days from `first` through `day`, built anew from what had arrived by then.

    So neither later arrivals nor metrics that were described in another way since change what is seen.
    """
    now = history.manifest
    if isinstance(history, HistoryInPlace):
        return history      # what it was, only its keeper knows
    if now.generation == generation and now.digest == days_digest(catalogue, gone_after):
        return history
    since = reaches_back(bounds(month_of(first))[0], catalogue, gone_after)
    wanted = set(months_between(since, day))
    with session() as connection, history.files_sound():
        for name in ("arrivals", "accounts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        arrivals = {}
        for month, file in now.arrivals.items():
            if month in wanted:
                arrivals[month] = folder / "arrivals" / f"{month}.parquet"
                connection.execute(_copy(file, generation, arrivals[month]))
        accounts = folder / "accounts" / "accounts.parquet"
        connection.execute(_accounts(list(now.arrivals.values()), generation, accounts) if now.arrivals
                           else _nobody(accounts))
    manifest = Manifest(arrivals=arrivals, accounts=accounts, generation=generation, sources=now.sources,
                        digest=days_digest(catalogue, gone_after), stale_from=first)
    then = History(folder, manifest)
    then.build_days(catalogue, gone_after, day)
    return then


def corrected(history: History, generation: int, catalogue: Catalogue, first: date, day: date,
              account: str = "") -> tuple[int, tuple[Corrected, ...]]:
    """What arrived after this generation about the days from `first` through `day`: how many rows, and the values that
    differ from what was said before, the latest days first.
    """
    files = [file for month, file in sorted(history.manifest.arrivals.items())
             if month in set(months_between(first, day))]
    if not any(sql.GENERATION in read_schema(file).names for file in files):
        return 0, ()
    metrics = sql.stored(catalogue.supplied(), files)
    cells = [sql.cell(metric) for metric in metrics]
    earlier = "".join(f", lag({cell}) OVER versions" for cell in cells)
    only = " AND account = ?" if account else ""
    statement = f"""
SELECT account, as_of, received_on, source{"".join(f", {cell}" for cell in cells)}{earlier}
FROM (SELECT * FROM {sql.parquet(files)}
      WHERE as_of BETWEEN {sql.day(first)} AND {sql.day(day)}{only})
WINDOW versions AS (PARTITION BY account, as_of, source ORDER BY coalesce({sql.GENERATION}, 0), seq)
QUALIFY {sql.GENERATION} > {generation} ORDER BY as_of DESC, account, source, {sql.GENERATION}, seq"""
    with session() as connection, history.files_sound():
        counted = connection.execute(
            f"SELECT count(*) FROM {sql.parquet(files)} WHERE {sql.GENERATION} > {generation} "
            f"AND as_of BETWEEN {sql.day(first)} AND {sql.day(day)}{only}", [account] if account else []).fetchone()
        found = connection.execute(f"{statement} LIMIT {MOST}", [account] if account else [])
        return counted[0] if counted else 0, tuple(_corrections(found, [metric.name for metric in metrics], day))


def _corrections(found: duckdb.DuckDBPyConnection, metrics: list[str], day: date) -> Iterator[Corrected]:
    for account, as_of, received_on, source, *values in found.fetchall():
        now, before = values[:len(metrics)], values[len(metrics):]
        for metric, said, said_before in zip(metrics, now, before, strict=True):
            if said != said_before:
                yield Corrected(account, metric, as_of, source, said_before, said,
                                received_on if received_on > as_of else None)


def _had_arrived(file: Path, generation: int) -> str:
    there = sql.GENERATION in read_schema(file).names
    return f"coalesce({sql.GENERATION}, 0) <= {generation}" if there else "true"


def _copy(file: Path, generation: int, to: Path) -> str:
    return (f"COPY (SELECT * FROM {sql.parquet([file])} WHERE {_had_arrived(file, generation)}) "
            f"TO {text(str(to))} {sql.PARQUET}")


def _accounts(files: list[Path], generation: int, to: Path) -> str:
    """First and last day on which each account was named, by what had arrived."""
    each = " UNION ALL ".join(
        f"SELECT account, greatest(as_of, received_on) AS named FROM {sql.parquet([file])} "
        f"WHERE {_had_arrived(file, generation)}" for file in files)
    return (f"COPY (SELECT account, min(named) AS first_day, max(named) AS last_day FROM ({each}) "
            f"GROUP BY account ORDER BY account) TO {text(str(to))} {sql.PARQUET}")


def _nobody(to: Path) -> str:
    return (f"COPY (SELECT '' AS account, DATE '1970-01-01' AS first_day, DATE '1970-01-01' AS last_day WHERE false) "
            f"TO {text(str(to))} {sql.PARQUET}")
