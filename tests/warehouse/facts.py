"""Facts about made-up accounts, with gaps in them, and the Parquet history that they make."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from forestall.engine.detect.history import History
from forestall.engine.errors import Location
from forestall.engine.model.catalogue import ByHand, Catalogue, Metric, Roles
from forestall.engine.model.expression import Kind

HERE = Location("forestall.yaml", 3, 1)
FIRST, LAST, GONE = date(2026, 1, 1), date(2026, 3, 5), 14
METRICS = [Metric("seats", Kind.NUMBER, HERE, stale_after=5), Metric("plan", Kind.TEXT, HERE, stale_after=9),
           Metric("vip", Kind.FLAG, HERE, stale_after=3), Metric("renewal", Kind.DATE, HERE, stale_after=30),
           Metric("tickets", Kind.NUMBER, HERE, per_day=True), Metric("nowhere", Kind.NUMBER, HERE)]
SAID = [("a1", "seats", 7.5), ("a2", "plan", "it's"), ("a3", "renewal", date(2027, 1, 1)), ("a3", "vip", True)]
CATALOGUE = Catalogue({one.name: one for one in METRICS}, Roles(), tuple(
    ByHand(account, metric, value, date(2026, 1, 10), date(2026, 2, 20), "me", "", HERE)
    for account, metric, value in SAID))
COLUMNS = {"account": pa.string(), "as_of": pa.date32(), "seats": pa.float64(), "plan": pa.string(), "vip": pa.bool_(),
           "renewal": pa.date32(), "tickets": pa.float64()}
STRETCHES = [(FIRST, LAST), (date(2026, 2, 10), date(2026, 2, 20)), (date(2026, 3, 1), date(2026, 3, 1))]


def facts() -> Iterator[tuple[object, ...]]:
    """Rows with gaps of a day to a month, in which accounts are gone and come back."""
    chance = random.Random(1)
    for number in range(30):
        day = FIRST + timedelta(days=chance.randrange(20))
        while day < date(2026, 3, 1):
            yield (f"a{number}", day, chance.choice([None, float(chance.randrange(9)), 1.5e15, float("nan")]),
                   chance.choice([None, "ü", "b"]), chance.choice([None, True, False]),
                   chance.choice([None, date(1960, 1, 1), day]), chance.choice([None, 2.0]))
            day += timedelta(days=chance.choice([1, 1, 1, 2, 3, 8, 30]))


def table() -> pa.Table:
    """The same as Arrow."""
    arrays = [pa.array(column, kind) for column, kind in zip(zip(*facts(), strict=True), COLUMNS.values(), strict=True)]
    return pa.table(arrays, list(COLUMNS))


def parquet_history(folder: Path) -> History:
    """Our own history of them, imported."""
    history = History(folder)
    history.add("source", [table()], CATALOGUE, None, GONE)
    history.build_days(CATALOGUE, GONE, LAST)
    history.publish()
    return history


def rows_of(history: History, first: date, last: date, accounts: list[str] | None) -> list[dict[str, object]]:
    """The rows of a stretch of days, in order."""
    with history.reading(CATALOGUE, first, last, accounts) as connection:
        found = connection.sql("SELECT * FROM history ORDER BY account, day").to_arrow_table()
    rows: list[dict[str, object]] = found.to_pylist()
    return rows
