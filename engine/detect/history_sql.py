"""The statements by which DuckDB keeps the history. Identifiers are checked names, and quoted all the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from pyarrow import DataType, Schema, schema, types
from pyarrow.parquet import read_schema

from forestall.engine.detect.sql_words import DUCKDB, SPARK, Words, by_hand, text
from forestall.engine.model.catalogue import ByHand, Catalogue, Metric
from forestall.engine.model.expression import Kind

TYPES = {Kind.NUMBER: "DOUBLE", Kind.TEXT: "VARCHAR", Kind.FLAG: "BOOLEAN", Kind.DATE: "DATE"}
# Groups of rows that are small beside a stretch of accounts: reading a stretch opens few rows of others.
PARQUET = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 40960)"

MONTHS_OF_INCOMING = "SELECT DISTINCT strftime(as_of, '%Y-%m') FROM incoming ORDER BY 1"
MONTHS_OF_FRESH = "SELECT DISTINCT strftime(as_of, '%Y-%m') FROM fresh ORDER BY 1"
SUMMARY_OF_INCOMING = "SELECT count(*), count(DISTINCT account), min(as_of), max(as_of) FROM incoming"

# A row changes the days from the day on which it takes effect. An account that comes back after it was gone also needs
# the days in between, which were not written because nobody knew that it would.
STALE_FROM = """
SELECT least(
  (SELECT min(greatest(as_of, received_on)) FROM fresh),
  (SELECT min(last_day) FROM known_accounts JOIN fresh USING (account)
   WHERE greatest(as_of, received_on) > last_day + CAST(? AS INTEGER)))
"""


FIRST_NEWS = "SELECT min(greatest(as_of, received_on)) FROM fresh"


def name(identifier: str) -> str:
    """A quoted identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def cell(metric: Metric) -> str:
    """The column in which a metric is stored: never one of ours, and another one when its kind changes."""
    return name(_stored_as(metric))


def _stored_as(metric: Metric) -> str:
    return f"{metric.name} {metric.kind}"


def parquet(files: Iterable[Path]) -> str:
    """A table function over these files; columns that a file lacks are NULL."""
    listed = ", ".join(text(str(path)) for path in files)
    return f"read_parquet([{listed}], union_by_name = true)"


def day(value: date) -> str:
    """A date literal."""
    return f"DATE '{value.isoformat()}'"


def _typed(catalogue: Catalogue) -> str:
    return "".join(f", {cell(metric)} {TYPES[metric.kind]}" for metric in catalogue.supplied())


def _listed(catalogue: Catalogue) -> str:
    return "".join(f", {cell(metric)}" for metric in catalogue.supplied())


def incoming_table(catalogue: Catalogue) -> str:
    """What a source says in one go, in the order in which it says it."""
    return f"CREATE TABLE incoming (seq BIGINT, account VARCHAR, as_of DATE{_typed(catalogue)})"


def take_batch(catalogue: Catalogue, columns: list[str]) -> str:
    """Numbers beyond ±1e15, NaN and infinities are missing from here on."""
    values = "".join(f", {_at_the_door(metric)}" if metric.name in columns else ", NULL"
                     for metric in catalogue.supplied())
    return (f"INSERT INTO incoming SELECT (SELECT count(*) FROM incoming) + row_number() OVER (), "
            f"account, as_of{values} FROM batch")


def _at_the_door(metric: Metric) -> str:
    column = name(metric.name)
    return f"CASE WHEN abs({column}) <= 1e15 THEN {column} END" if metric.kind is Kind.NUMBER else column


def known_view(catalogue: Catalogue, files: list[Path]) -> str:
    """What had arrived before, in the months that the incoming rows touch."""
    columns = "account VARCHAR, as_of DATE, received_on DATE, source VARCHAR, seq BIGINT" + _typed(catalogue)
    if not files:
        return f"CREATE TABLE known ({columns})"
    return f"CREATE VIEW known AS SELECT {_present(catalogue, files)} FROM {parquet(files)}"


def _present(catalogue: Catalogue, files: list[Path]) -> str:
    """The columns of the catalogue that the files have: a metric may be newer than they are."""
    metrics = "".join(f", {cell(metric)}" for metric in stored(catalogue.supplied(), files))
    return "account, as_of, received_on, source, seq" + metrics


def fresh_table(said: Iterable[Metric], known: Iterable[Metric]) -> str:
    """The incoming rows that say something new: of several for one day the last, unless it repeats what is known.

    `said` are the metrics that the source supplies, `known` those that the stored files have. Parameters: source,
    received_on, received_on, source.
    """
    supplied, there = list(said), list(known)
    same = " AND ".join(
        f"k.{cell(metric)} IS NOT DISTINCT FROM i.{cell(metric)}" if metric in there else f"i.{cell(metric)} IS NULL"
        for metric in supplied) or "true"
    values = "".join(f", i.{cell(metric)}" for metric in supplied)
    compared = "".join(f", {cell(metric)}" for metric in supplied if metric in there)
    return f"""
CREATE TABLE fresh AS
WITH i AS (SELECT * FROM incoming QUALIFY row_number() OVER (PARTITION BY account, as_of ORDER BY seq DESC) = 1),
k AS (SELECT account, as_of{compared} FROM known
      WHERE source = ? AND as_of BETWEEN (SELECT min(as_of) FROM incoming) AND (SELECT max(as_of) FROM incoming)
      QUALIFY row_number() OVER (PARTITION BY account, as_of ORDER BY received_on DESC, seq DESC) = 1)
SELECT i.account, i.as_of,
       CASE WHEN ?::DATE IS NULL THEN i.as_of ELSE greatest(?::DATE, i.as_of) END AS received_on,
       ?::VARCHAR AS source,
       (SELECT coalesce(max(seq), 0) FROM known) + row_number() OVER (ORDER BY i.seq) AS seq{values}
FROM i LEFT JOIN k ON k.account = i.account AND k.as_of = i.as_of
WHERE k.account IS NULL OR NOT ({same})
"""


def stored(metrics: Iterable[Metric], files: Iterable[Path]) -> list[Metric]:
    """Those of the metrics for which any of the files has a column, in their order."""
    there = {column for file in files for column in read_schema(file).names}
    return [metric for metric in metrics if _stored_as(metric) in there]


GENERATION = "arrived_in"      # the generation of the history that a row came with; rows of older versions have none


def write_arrivals(stored: Path | None, first: date, last: date, generation: int, path: Path) -> str:
    """One month's file: what was known, with every column that it ever had, and what is new."""
    before = f"SELECT * FROM {parquet([stored])} UNION ALL BY NAME " if stored is not None else ""
    return (f"COPY (SELECT * FROM ({before}SELECT *, CAST({generation} AS BIGINT) AS {GENERATION} FROM fresh "
            f"WHERE as_of BETWEEN {day(first)} AND {day(last)}) "
            f"ORDER BY account, as_of, received_on, seq) TO {text(str(path))} {PARQUET}")


def accounts_table(stored: Path | None) -> str:
    """First and last day on which each account was named."""
    if stored is None:
        return "CREATE TABLE known_accounts (account VARCHAR, first_day DATE, last_day DATE)"
    return f"CREATE TABLE known_accounts AS SELECT * FROM {parquet([stored])}"


def write_accounts(path: Path) -> str:
    """The same, with what is new."""
    return f"""
COPY (SELECT account, min(first_day) AS first_day, max(last_day) AS last_day FROM (
        SELECT account, first_day, last_day FROM known_accounts
        UNION ALL SELECT account, greatest(as_of, received_on), greatest(as_of, received_on) FROM fresh)
      GROUP BY account ORDER BY account) TO {text(str(path))} {PARQUET}
"""


def last_arrival(accounts: Path) -> str:
    """The last day on which anybody was named."""
    return f"SELECT max(last_day) FROM {parquet([accounts])}"


def said_table(catalogue: Catalogue, files: list[Path], since: date, last: date) -> str:
    """The arrivals that can speak in a stretch of days."""
    create = (f"CREATE OR REPLACE TEMP TABLE said "
              f"(account VARCHAR, as_of DATE, received_on DATE, source VARCHAR, seq BIGINT{_typed(catalogue)})")
    if not files:
        return create
    return (f"{create}; INSERT INTO said BY NAME SELECT {_present(catalogue, files)} FROM {parquet(files)} "
            f"WHERE as_of >= {day(since)} AND greatest(as_of, received_on) <= {day(last)}")


ANY_LATE = "SELECT count(*) > 0 FROM said WHERE received_on > as_of"


def filled_table(catalogue: Catalogue, accounts: Path, *, since: date, first: date, last: date, gone_after: int,
                 late: bool) -> str:
    """Every arrival of `said` with all values known by then, the day each was said on, and the day of the next arrival.

    Every account also gets an empty arrival before `since`, so that days without any arrival in reach have their row.
    `late`: some rows were received after their day, and must not replace what newer ones said. `alive` are the accounts
    that have rows from `first` through `last`, each until it is gone.
    """
    filled = "".join(f",\n  {_carried(metric, late)}" for metric in catalogue.supplied())
    added = "".join(f",\n  {_added(metric, gone_after)}" for metric in catalogue.supplied() if late and counts(metric))
    return f"""
CREATE OR REPLACE TEMP TABLE alive AS
  SELECT account, first_day, last_day + {gone_after} AS until FROM {parquet([accounts])}
  WHERE first_day <= {day(last)} AND last_day + {gone_after} >= {day(first)};
CREATE OR REPLACE TEMP TABLE filled AS
WITH arrivals AS (
  SELECT account, greatest(as_of, received_on) AS effective, as_of, seq{_listed(catalogue)} FROM said
  UNION ALL BY NAME
  SELECT account, {day(since)} - 1 AS effective, {day(since)} - 1 AS as_of, -1 AS seq FROM alive
  WHERE first_day < {day(first)}),
counted AS (
  SELECT *{added} FROM arrivals
  WINDOW versions AS (PARTITION BY account, as_of ORDER BY effective, seq
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)),
known AS (
  SELECT account, effective, as_of, seq{filled}
  FROM counted
  WINDOW up_to AS (PARTITION BY account ORDER BY effective, as_of, seq ROWS UNBOUNDED PRECEDING)
  QUALIFY row_number() OVER (PARTITION BY account, effective ORDER BY as_of DESC, seq DESC) = 1)
SELECT *, lead(effective) OVER (PARTITION BY account ORDER BY effective) AS next FROM known
"""


def write_days(catalogue: Catalogue, first: date, last: date, gone_after: int, path: Path) -> str:
    """One month's file: each arrival of `filled` spread over its days, its values missing once they are too old.

    In the days between its going and its return an account was named "longer than `gone_after` days ago": how long is
    not known to a month that is built by itself.
    """
    aged = "".join(f",\n  {_aged(metric)} AS {name(metric.name)}" for metric in catalogue.supplied())
    return f"""
COPY (
WITH spread AS (
  SELECT filled.*, alive.first_day,
    unnest(generate_series(greatest(effective, alive.first_day, {day(first)}),
                           least(coalesce(next - 1, {day(last)}), alive.until, {day(last)}),
                           INTERVAL 1 DAY))::DATE AS on_day
  FROM filled JOIN alive USING (account)
  WHERE effective <= {day(last)} AND (next IS NULL OR next > {day(first)}))
SELECT account, (on_day - DATE '1970-01-01')::BIGINT AS day, (first_day - DATE '1970-01-01')::BIGINT AS first_day,
  (greatest(effective, on_day - {gone_after + 1}) - DATE '1970-01-01')::BIGINT AS named_day{aged}
FROM spread ORDER BY account, day) TO {text(str(path))} {PARQUET}
"""


def _carried(metric: Metric, late: bool) -> str:
    """The newest known value and the day it was said on. A late row about an older day does not replace a newer one."""
    column = cell(metric)
    if late and counts(metric):
        return (f"sum({_what_is_added(metric)}) OVER (PARTITION BY account, effective) AS {column}, "
                f"effective AS {_said_on(metric)}")
    if not late:      # the order of arrival is the order of their days, and this form is five times as fast
        return (f"last_value({column} IGNORE NULLS) OVER up_to AS {column}, last_value(CASE WHEN {column} IS NOT NULL "
                f"THEN as_of END IGNORE NULLS) OVER up_to AS {_said_on(metric)}")
    newest = f"arg_max({column}, (as_of, seq)) FILTER ({column} IS NOT NULL) OVER up_to"
    said_on = f"max(as_of) FILTER ({column} IS NOT NULL) OVER up_to"
    return f"{newest} AS {column}, {said_on} AS {_said_on(metric)}"


def counts(metric: Metric) -> bool:
    """Whether its values are counts of single days, which add up."""
    return metric.per_day and metric.kind is Kind.NUMBER


def _added(metric: Metric, gone_after: int) -> str:
    """What a row adds to the counts known before: all of it, or the difference to what was said of that day so far.

    So a count that comes late is not lost: it counts on the day it came, unless it is later than `gone_after` days.
    """
    column = cell(metric)
    return (f"CASE WHEN effective - as_of <= {gone_after} THEN {column} - coalesce(last_value({column} IGNORE NULLS) "
            f"OVER versions, 0) END AS {_what_is_added(metric)}")


def _what_is_added(metric: Metric) -> str:
    return name(f"{metric.name} added")


def _aged(metric: Metric) -> str:
    reach = 0 if metric.per_day else metric.stale_after
    return f"CASE WHEN on_day <= {_said_on(metric)} + {reach} THEN {cell(metric)} END"


def _said_on(metric: Metric) -> str:
    return name(f"{metric.name} said on")


def accounts_by(accounts: Path, last: date) -> str:
    """The accounts that were named by this day, in order."""
    return f"SELECT account FROM {parquet([accounts])} WHERE first_day <= {day(last)} ORDER BY account"


def history_view(catalogue: Catalogue, files: list[Path], first: date, last: date, *, chosen: bool) -> str:
    """The view that every evaluation reads: days since 1970 for dates, only the days that are needed.

    `back` counts the days before `last`. A metric that is newer than the days, or was of another kind, is missing.
    """
    only = " AND account IN (SELECT account FROM chosen)" if chosen else ""
    return f"CREATE VIEW history AS {_days_between(catalogue, files, first, last)}{only}"


def sorted_view(catalogue: Catalogue, files: list[Path], first: date, last: date, between: tuple[str, str]) -> str:
    """The same for the accounts from one through another, sorted by account and day; for one cursor."""
    start, end = between
    return (f"CREATE OR REPLACE TEMP VIEW history AS {_days_between(catalogue, files, first, last)} "
            f"AND account BETWEEN {text(start)} AND {text(end)} ORDER BY account, day")


def _days_between(catalogue: Catalogue, files: list[Path], first: date, last: date) -> str:
    there = {field.name: field.type for file in files for field in read_schema(file)}
    return select_days(catalogue, there, first, last, parquet(files) if files else "", DUCKDB)


def select_days(catalogue: Catalogue, written: Mapping[str, DataType], first: date, last: date, source: str,
                words: Words) -> str:
    """The rows of the view from a table with the days as they are written; from none where `source` is empty."""
    said: dict[str, list[ByHand]] = {}
    for one in catalogue.by_hand:
        if one.since <= last and one.until >= first:
            said.setdefault(one.metric, []).append(one)
    columns = "".join(
        f", {by_hand(_shown(metric, written, words), said.get(metric.name, []), words)} AS {words.name(metric.name)}"
        for metric in catalogue.supplied())
    if not source:
        nobody = ", ".join(f"CAST(0 AS BIGINT) AS {column}" for column in ("day", "first_day", "named_day", "back"))
        return f"SELECT CAST(NULL AS STRING) AS account, {nobody}{columns} WHERE false"
    begin, end = (one.toordinal() - date(1970, 1, 1).toordinal() for one in (first, last))
    return (f"SELECT account, day, first_day, named_day, {end} - day AS back{columns} "
            f"FROM {source} WHERE day BETWEEN {begin} AND {end}")


_WRITTEN_AS = {Kind.NUMBER: (types.is_floating, types.is_integer, types.is_decimal), Kind.TEXT: (types.is_string,),
               Kind.FLAG: (types.is_boolean,), Kind.DATE: (types.is_date,)}
_SHOWN_AS = {Kind.NUMBER: "DOUBLE", Kind.TEXT: "STRING", Kind.FLAG: "BOOLEAN", Kind.DATE: "BIGINT"}


def usable(metric: Metric, written: Mapping[str, DataType]) -> bool:
    """Whether the days hold this metric, and in a type of its kind."""
    return metric.name in written and any(fits(written[metric.name]) for fits in _WRITTEN_AS[metric.kind])


def _shown(metric: Metric, written: Mapping[str, DataType], words: Words) -> str:
    column = words.name(metric.name)
    if not usable(metric, written):
        return f"CAST(NULL AS {_SHOWN_AS[metric.kind]})"
    return words.days.format(column) if metric.kind is Kind.DATE else f"CAST({column} AS {_SHOWN_AS[metric.kind]})"


def alike(catalogue: Catalogue, files: Iterable[Path]) -> list[tuple[Schema, list[Path]]]:
    """The files of days by the columns that the catalogue can use: for Spark, which reads one form of table at a time.

    A metric may be newer than a file, or have been written in another type there.
    """
    found: dict[Schema, list[Path]] = {}
    for file in files:
        there = read_schema(file)
        written = dict(zip(there.names, there.types, strict=True))
        columns = ["account", "day", "first_day", "named_day"]
        columns += [metric.name for metric in catalogue.supplied() if usable(metric, written)]
        found.setdefault(schema([(column, written[column]) for column in columns]), []).append(file)
    return list(found.items())


def spark_view(catalogue: Catalogue, sources: Iterable[tuple[str, Schema]], first: date, last: date, *,
               chosen: bool) -> str:
    """The view as Spark makes it, from tables with the days and what each of them holds."""
    only = " AND account IN (SELECT account FROM chosen)" if chosen else ""
    selects = [select_days(catalogue, dict(zip(there.names, there.types, strict=True)), first, last, source, SPARK)
               + only for source, there in sources]
    return ("CREATE OR REPLACE TEMPORARY VIEW history AS "
            + (" UNION ALL ".join(selects) or select_days(catalogue, {}, first, last, "", SPARK)))
