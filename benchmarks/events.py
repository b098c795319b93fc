"""10,000,000 events of 10,000 accounts to daily metrics, beside the same in SQL written by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
from figures import HERE, Figures, apart, main, most_memory, timed

from forestall.adapters.sources.daily.declared import KINDS, DailyMetric, Measure
from forestall.adapters.sources.events.source import EventsSettings, EventsSource
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Location

FIRST, DAYS = date(2025, 1, 1), 365
LAST = FIRST + timedelta(days=DAYS - 1)
DECLARED = {
    "logins_14d": DailyMetric(Measure.COUNT, ("login",), days=14),
    "active_days_28d": DailyMetric(Measure.ACTIVE_DAYS, days=28),
    "days_since_login": DailyMetric(Measure.DAYS_SINCE, ("login",)),
    "last_activity_on": DailyMetric(Measure.LAST_DAY),
    "users_28d": DailyMetric(Measure.DISTINCT, of="user", days=28),
    "features_28d": DailyMetric(Measure.DISTINCT, of="name", days=28),
}
# A log as products have it: some accounts are large, most are small, a fifth stop at some time, nights are quiet.
MADE_UP = """
COPY (
  WITH e AS (SELECT i, hash(i * 3 + 1) % 1000003 / 1000003.0 AS a, hash(i * 7 + 2) AS b, hash(i * 11 + 3) AS c
             FROM range({events}) t(i)),
  who AS (SELECT *, CAST(floor({accounts} * a * a) AS INTEGER) AS n FROM e)
  SELECT 'account-' || lpad(CAST(n AS VARCHAR), 6, '0') AS account,
    TIMESTAMPTZ '{first} 00:00:00+00'
      + INTERVAL 1 SECOND * CAST(i * ({days} * 86400.0 / {events}) AS BIGINT) AS "at",
    ['login', 'login', 'search', 'report', 'export', 'comment', 'invite', 'upload'][1 + CAST(b % 8 AS INTEGER)] AS name,
    'user-' || CAST(c % (3 + n % 40) AS VARCHAR) AS "user"
  FROM who WHERE n % 5 > 0 OR i < {events} * ((n % 97) / 97.0)) TO '{to}' ({form})
"""


def measure(figures: Figures, folder: Path, events: int = 11_300_000, accounts: int = 10_000) -> bool:
    """A log to daily metrics: ours beside SQL written by hand, one pass later, and from text files."""
    apart(write, folder / "log.parquet", events, accounts, "FORMAT parquet")
    rows = duckdb.execute(f"SELECT count(*) FROM '{folder / 'log.parquet'}'").fetchall()[0][0]
    seconds, memory, said, _ = apart(ours, folder, "log.parquet")
    figures.seconds(f"{rows:,} events of {accounts:,} accounts to {said:,} rows of six metrics", seconds, under=60)
    figures.add("most memory, in a process of its own", f"{memory:.1f} GB", "under 2 GB", memory < 2)
    seconds, memory, said, _ = apart(ours, folder, "log.parquet", LAST - timedelta(days=35))
    figures.seconds(f"what a pass asks for: the last 36 days ({said:,} rows)", seconds)
    (folder / "log.parquet").unlink()
    fewer = events // 10, accounts // 10
    same = True
    for name, form in (("log.parquet", "FORMAT parquet"), ("log.csv", "FORMAT csv"), ("log.jsonl", "FORMAT json")):
        apart(write, folder / name, *fewer, form)
        seconds, memory, said, digest = apart(ours, folder, name)
        figures.seconds(f"a tenth of it, from {name} ({said:,} rows)", seconds)
        if name == "log.parquet":
            same = beside(figures, folder, name, seconds, f"{said:,} rows with digest {digest}")
        (folder / name).unlink()
    return same


def beside(figures: Figures, folder: Path, name: str, ours: float, said: str) -> bool:
    seconds, memory, rows, digest = apart(by_hand, folder, name)
    figures.seconds("the same in SQL written by hand, in DuckDB", seconds)
    figures.add("most memory of that", f"{memory:.1f} GB")
    figures.ratio("ratio", ours / seconds)
    theirs = f"{rows:,} rows with digest {digest}"
    return figures.same("every row of both", [] if said == theirs else [f"ours {said}, by hand {theirs}"])


def write(to: Path, events: int, accounts: int, form: str) -> None:
    duckdb.execute("SET enable_progress_bar = false")
    duckdb.execute(MADE_UP.format(events=events, accounts=accounts, first=FIRST, days=DAYS, to=to, form=form))


def ours(folder: Path, name: str, since: date | None = None) -> tuple[float, float, int, str]:
    metrics = {metric: Metric(metric, KINDS[one.measure][0], Location("", 1, 1)) for metric, one in DECLARED.items()}
    source = EventsSource("product", EventsSettings(path=name, metrics=DECLARED), metrics, folder)
    return taken(lambda: source.snapshots(since, LAST))


def by_hand(folder: Path, name: str) -> tuple[float, float, int, str]:
    connection = duckdb.connect(config={"temp_directory": str(folder / "spilled")})
    connection.execute("SET enable_progress_bar = false")

    def answers() -> Iterator[pa.Table]:
        relation = connection.sql((HERE / "events.sql").read_text(), params={
            "log": str(folder / name), "last": LAST})
        yield from (pa.Table.from_batches([batch]) for batch in relation.to_arrow_reader(200_000))

    return taken(answers)


def taken(answers: Callable[[], Iterator[pa.Table]]) -> tuple[float, float, int, str]:
    """Seconds and memory to take all tables, how many rows they have, and a digest that knows no order of rows."""
    tables, seconds, rows, digest = answers(), 0.0, 0, 0
    while True:
        took, table = timed(lambda: next(tables, None))
        seconds += took
        if table is None:
            return seconds, most_memory(), rows, f"{digest:032x}"
        rows += table.num_rows
        digest ^= _digest(table)


def _digest(table: pa.Table) -> int:
    told = ", ".join(f"coalesce(CAST({name} AS VARCHAR), '-')" for name in ("account", "as_of", *DECLARED))
    with duckdb.connect() as connection:
        connection.register("answers", table)
        ((digest,),) = connection.execute(
            f"SELECT bit_xor(md5_number_lower(concat_ws('|', {told}))) FROM answers").fetchall()
    return int(digest)


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
