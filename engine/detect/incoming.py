"""What a source says in one go, before any of it is kept: cut to the days asked for, each row under its account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow

from forestall.engine.detect import history_sql as sql
from forestall.engine.detect.keys import Keys
from forestall.engine.errors import Location, Problem, Severity
from forestall.engine.model.catalogue import Catalogue, Metric

SHOWN = 5      # keys or accounts that are named; the others are counted


@dataclass(frozen=True, slots=True)
class Door:
    """What is let in: rows of days from `since` through `until`, each under the account that its key means.

    `keys` None: rows name their account themselves. `known`: the file of accounts that others have named; rows of
    other accounts are left out.
    """

    since: date | None = None
    until: date | None = None
    keys: Keys | None = None
    known: Path | None = None
    only_known: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that were not let in. `unknown` rows have a key or an account that nobody knows: `strangers` of them there
    are, and `examples` are those with the most rows. `disputed` are keys that several accounts claim, `shared` is how
    many accounts have several keys that spoke of one day."""

    late: int = 0
    early: int = 0
    unknown: int = 0
    strangers: int = 0
    examples: tuple[str, ...] = ()
    disputed: tuple[str, ...] = ()
    shared: int = 0


WIDE_OPEN = Door()
NOTHING = LeftOut()


def take(connection: duckdb.DuckDBPyConnection, tables: Iterable[pyarrow.Table], catalogue: Catalogue) -> list[str]:
    """Put all tables into the table `incoming`; the metrics that they have."""
    connection.execute(sql.incoming_table(catalogue))
    said: dict[str, None] = {}
    for table in tables:
        said |= dict.fromkeys(table.column_names[2:])
        connection.register("batch", table)
        connection.execute(sql.take_batch(catalogue, table.column_names))
        connection.unregister("batch")
    return list(said)


def let_in(connection: duckdb.DuckDBPyConnection, door: Door, catalogue: Catalogue) -> LeftOut:
    """Leave in `incoming` what the door lets in, and say what it does not."""
    late, early = _cut(connection, door.since, door.until)
    unknown, strangers, shared = 0, 0, 0
    examples: tuple[str, ...] = ()
    if door.keys is not None:
        connection.register("keys", door.keys.table)
        unknown, strangers, examples = _strangers(connection, "SELECT key FROM keys")
        shared = _rename(connection, catalogue)
        connection.unregister("keys")
    if door.only_known:
        accounts = f"SELECT account FROM {sql.parquet([door.known])}" if door.known else "SELECT '' WHERE false"
        more, others, named = _strangers(connection, accounts)
        connection.execute(f"DELETE FROM incoming WHERE account NOT IN ({accounts})")
        unknown, strangers, examples = unknown + more, strangers + others, (*examples, *named)[:SHOWN]
    return LeftOut(late, early, unknown, strangers, examples, door.keys.disputed if door.keys else (), shared)


def _cut(connection: duckdb.DuckDBPyConnection, since: date | None, until: date | None) -> tuple[int, int]:
    late = f"as_of > {sql.day(until)}" if until else "false"
    early = f"as_of < {sql.day(since)}" if since else "false"
    found = connection.execute(
        f"SELECT count(*) FILTER ({late}), count(*) FILTER ({early}) FROM incoming").fetchone() or (0, 0)
    if any(found):
        connection.execute(f"DELETE FROM incoming WHERE {late} OR {early}")
    return found[0], found[1]


def _strangers(connection: duckdb.DuckDBPyConnection, known: str) -> tuple[int, int, tuple[str, ...]]:
    """Rows whose account is not among the known, how many accounts they name, and the first of these."""
    found = connection.execute(
        f"SELECT account, count(*) AS rows FROM incoming WHERE account NOT IN ({known}) "
        "GROUP BY account ORDER BY rows DESC, account").fetchall()
    return sum(row[1] for row in found), len(found), tuple(row[0] for row in found[:SHOWN])


def _rename(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> int:
    """Keys become accounts. Where several keys of one account speak of a day, counts of single days are added up; of
    anything else the row that was read last counts. Answers how many accounts that concerns."""
    metrics = catalogue.supplied()
    listed = "".join(f", i.{sql.cell(metric)}" for metric in metrics)
    connection.execute(f"CREATE TABLE renamed AS SELECT i.seq, k.account, i.as_of{listed}, i.account AS key "
                       "FROM incoming i JOIN keys k ON i.account = k.key")
    row = connection.execute("SELECT count(DISTINCT account) FROM (SELECT account FROM renamed "
                             "GROUP BY account, as_of HAVING count(DISTINCT key) > 1)").fetchone()
    shared = int(row[0]) if row else 0
    if shared:
        merged = "".join(f", {_merged(metric)} AS {sql.cell(metric)}" for metric in metrics)
        connection.execute(
            f"CREATE TABLE merged AS SELECT max(seq) AS seq, account, as_of{merged} FROM (SELECT * FROM renamed "
            "QUALIFY row_number() OVER (PARTITION BY key, as_of ORDER BY seq DESC) = 1) GROUP BY account, as_of")
    connection.execute("DROP TABLE incoming")
    if shared:
        connection.execute("ALTER TABLE merged RENAME TO incoming")
    else:
        connection.execute("ALTER TABLE renamed DROP COLUMN key")
        connection.execute("ALTER TABLE renamed RENAME TO incoming")
    return shared


def _merged(metric: Metric) -> str:
    cell = sql.cell(metric)
    return f"sum({cell})" if sql.counts(metric) else f"arg_max({cell}, seq) FILTER ({cell} IS NOT NULL)"


def sentences(source: str, left: LeftOut, door: Door) -> Iterator[Problem]:
    """What was not let in, as warnings."""
    def warning(code: str, message: str, hint: str) -> Problem:
        return Problem(Location(f"source {source}"), code, message, hint, Severity.WARNING)

    if left.unknown:
        more = "" if left.strangers <= len(left.examples) else ", …"
        what = "keys that no account has" if door.keys is not None else "accounts that no other source names"
        yield warning("rows-of-nobody", f"{left.unknown:,} rows of {left.strangers:,} {what} were left out: "
                      f"{', '.join(left.examples)}{more}.",
                      "Add them to the keys of the source, or see to it that the accounts are known.")
    if left.disputed:
        more = ", …" if len(left.disputed) > SHOWN else ""
        yield warning("keys-disputed", f"{len(left.disputed):,} keys are claimed by several accounts, so they count "
                      f"for none: {', '.join(left.disputed[:SHOWN])}{more}.", "Let one account have each key.")
    if left.shared:
        yield warning("keys-shared", f"{left.shared:,} accounts have several keys that speak of the same day: counts "
                      "are added up, of anything else the row that was read last counts.", "Nothing, if that is meant.")
    if left.late:
        yield warning("future-rows", f"{left.late:,} rows of days after {door.until} were left out.",
                      "Correct their day, if it has not come yet.")
    if left.early:
        yield warning("older-than-kept", f"{left.early:,} rows of days before {door.since} were left out: the history "
                      "is not kept for so long.", "Make `retention` in forestall.yaml longer, if they matter.")
