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

FUTURE_ROWS = "future-rows"
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
    many accounts have several keys that spoke of one day. `repeated`: for so many accounts and days there are rows that
    say different things, as of `repeated_of`; the last of them is let in."""

    late: int = 0
    early: int = 0
    unknown: int = 0
    strangers: int = 0
    examples: tuple[str, ...] = ()
    disputed: tuple[str, ...] = ()
    shared: int = 0
    repeated: int = 0
    repeated_of: str = ""


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
    return LeftOut(late, early, unknown, strangers, examples, door.keys.disputed if door.keys else (), shared,
                   *_repeated(connection, catalogue))


def _repeated(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> tuple[int, str]:
    """For how many accounts and days there are several rows that say different things, and one of them."""
    cells = ", ".join(sql.cell(metric) for metric in catalogue.supplied()) or "1"
    counted, = connection.execute(f"""
SELECT count(*), coalesce(min(account || ' on ' || as_of), '') FROM (
  SELECT account, as_of FROM incoming
  SEMI JOIN (SELECT account, as_of FROM incoming GROUP BY account, as_of HAVING count(*) > 1) USING (account, as_of)
  GROUP BY account, as_of HAVING count(DISTINCT ROW({cells})) > 1)""").fetchall()
    return counted[0], counted[1]


def _cut(connection: duckdb.DuckDBPyConnection, since: date | None, until: date | None) -> tuple[int, int]:
    late = f"as_of > {sql.day(until)}" if until else "false"
    early = f"as_of < {sql.day(since)}" if since else "false"
    counted, = connection.execute(
        f"SELECT count(*) FILTER ({late}), count(*) FILTER ({early}) FROM incoming").fetchall()
    if any(counted):
        connection.execute(f"DELETE FROM incoming WHERE {late} OR {early}")
    return counted[0], counted[1]


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
        noun, who = ("key", "no account has") if door.keys is not None else ("account", "no other source names")
        yield warning("rows-of-nobody", f"{_amount(left.unknown, 'row')} of {_amount(left.strangers, noun)} that {who} "
                      f"{_were(left.unknown)} left out: {', '.join(left.examples)}{more}.",
                      "Add them to the keys of the source, or see to it that the accounts are known.")
    if left.disputed:
        more = ", …" if len(left.disputed) > SHOWN else ""
        yield warning("keys-disputed", f"{_amount(len(left.disputed), 'key')} {_were(len(left.disputed))} claimed by "
                      f"several accounts and left out: {', '.join(left.disputed[:SHOWN])}{more}.",
                      "Let one account have each key.")
    if left.shared:
        yield warning("keys-shared", f"{_amount(left.shared, 'account')} with several keys that speak of one day: "
                      "counts are added up, of anything else the row that was read last counts.",
                      "Nothing, if that is meant.")
    if left.repeated:
        noun = "an account and day" if left.repeated == 1 else f"{left.repeated:,} pairs of account and day"
        yield warning("rows-disagree", f"several rows of {noun} say different things ({left.repeated_of}, for "
                      "example): the row that was read last counts.",
                      "Keep one of them, or let two sources say what belongs together.")
    if left.late:
        yield warning(FUTURE_ROWS, f"{_amount(left.late, 'row')} of days after {door.until} {_were(left.late)} left "
                      "out.", "Correct the day, if it has not come yet.")
    if left.early:
        yield warning("older-than-kept", f"{_amount(left.early, 'row')} of days before {door.since} "
                      f"{_were(left.early)} left out: the history is not kept for so long.",
                      "Make `retention` in forestall.yaml longer, if that matters.")


def _amount(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
