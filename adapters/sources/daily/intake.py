"""The rows of a log, as they come, into a table of DuckDB: their days, their texts and their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from forestall.adapters.sources.daily.checked import SETTINGS_FILE
from forestall.adapters.sources.daily.clock import EPOCH, local_day
from forestall.adapters.sources.daily.declared import NUMERIC, Daily
from forestall.adapters.sources.daily.log import ACCOUNT, AT, ID, NAME
from forestall.adapters.sources.tables import EARLIEST
from forestall.engine.model.ports import Location, Problem, SourceError

if TYPE_CHECKING:
    import duckdb
    import pyarrow

NUMBER = "DECIMAL(38, 6)"      # sums of floats would depend on the order of the rows
LARGEST_NUMBER = "1e15"


def quoted(identifier: str) -> str:
    """A quoted identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def text(value: str) -> str:
    """A quoted text."""
    return "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Given:
    """A column of a table of the log: its name in the statements, and its type."""

    name: str
    type: pyarrow.DataType


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of the log are kept, and what they are called in the table: as texts, and as numbers."""

    texts: Mapping[str, str]
    numbers: Mapping[str, str]

    def wanted(self) -> tuple[str, ...]:
        """What the log is asked for, beside the account and the time."""
        return tuple(dict.fromkeys([*self.texts, *self.numbers]))


def columns_of(daily: Daily) -> Columns:
    """The columns that the declared metrics need."""
    texts: dict[str, None] = {}
    numbers: dict[str, None] = {}
    for metric in daily.metrics.values():
        if metric.events or metric.until:
            texts[NAME] = None
        texts |= dict.fromkeys(metric.where)
        if metric.of:
            (numbers if metric.measure in NUMERIC else texts)[metric.of] = None
    return Columns({column: f"t{index}" for index, column in enumerate(texts)},
                   {column: f"n{index}" for index, column in enumerate(numbers)})


@dataclass
class Taken:
    """Which rows were left out: those after the days asked for, with the latest day, and those before EARLIEST."""

    later: int = 0
    latest: date | None = None
    older: int = 0
    oldest: date | None = None


@dataclass
class Intake:
    """Takes tables of a log into the table `log` of a connection, cut to the days from `first` through `until`."""

    connection: duckdb.DuckDBPyConnection
    source: str
    columns: Columns
    zone: ZoneInfo
    first: date | None
    until: date | None
    taken: Taken = field(default_factory=Taken)
    has_ids: bool = False

    def __post_init__(self) -> None:
        kept = "".join(f", {name} VARCHAR" for name in self.columns.texts.values())
        kept += "".join(f", {name} {NUMBER}" for name in self.columns.numbers.values())
        self.connection.execute(f"CREATE TABLE log (account VARCHAR, moment BIGINT, day INTEGER, id VARCHAR{kept})")

    def take(self, table: pyarrow.Table) -> None:
        """One table more. SourceError for a text where a number is needed."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not table.num_rows:
            return
        at = table.column(AT).cast(pa.timestamp("us"), safe=False)
        ends = pc.min_max(at)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        # names of its own: those of a log may differ only in their case, or mean something in SQL
        there = {field.name: Given(f"g{index}", field.type) for index, field in enumerate(table.schema)
                 if field.name == ID or self._is_needed(field.name)}
        given = pa.table({"account": table.column(ACCOUNT), "moment": at,
                          **{one.name: table.column(column) for column, one in there.items()}})
        self.has_ids = self.has_ids or ID in there
        self.connection.register("given", given)
        try:
            self._check_numbers(there)
            self._insert(there, low.replace(tzinfo=UTC), high.replace(tzinfo=UTC))
        finally:
            self.connection.unregister("given")

    def forget_repeats(self) -> None:
        """Of the rows with one `id` only the one that was given last stays."""
        if self.has_ids:
            self.connection.execute("""
DELETE FROM log USING (SELECT id, max(rowid) AS kept FROM log WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1)
  AS repeated WHERE log.id = repeated.id AND log.rowid <> repeated.kept""")

    def _is_needed(self, column: str) -> bool:
        return any(column in (wanted, wanted.split(".")[0]) for wanted in self.columns.wanted())

    def _insert(self, there: Mapping[str, Given], low: datetime, high: datetime) -> None:
        texts = "".join(f", {_as_text(column, there)} AS {name}" for column, name in self.columns.texts.items())
        numbers = "".join(f", {_as_number(column, there)} AS {name}" for column, name in self.columns.numbers.items())
        identity = f"CAST({there[ID].name if ID in there else 'NULL'} AS VARCHAR)"
        self.connection.execute(f"""
CREATE OR REPLACE TEMP VIEW typed AS
SELECT CAST(account AS VARCHAR) AS account, moment, {local_day('moment', self.zone, low, high)} AS day,
  {identity} AS id{texts}{numbers} FROM (SELECT * REPLACE (epoch_us(moment) AS moment) FROM given)""")
        first, last = number(self.first or EARLIEST), number(self.until or date.max)
        if low.date() <= EARLIEST or (self.until is not None and high.date() >= self.until):
            self._count_left_out(last)
        self.connection.execute(
            f"INSERT INTO log SELECT * FROM typed WHERE day BETWEEN {max(first, number(EARLIEST))} AND {last}")

    def _count_left_out(self, last: int) -> None:
        (found,) = self.connection.execute(
            f"SELECT count(*) FILTER (day > {last}), max(day), count(*) FILTER (day < {number(EARLIEST)}), min(day) "
            "FROM typed").fetchall()
        later, latest, older, oldest = found
        if later:
            self.taken.later += later
            self.taken.latest = max(self.taken.latest or date.min, day_of(latest))
        if older:
            self.taken.older += older
            self.taken.oldest = min(self.taken.oldest or date.max, day_of(oldest))

    def _check_numbers(self, there: Mapping[str, Given]) -> None:
        for column in self.columns.numbers:
            expression = _reached(column, there)
            if expression is None or _is_number(column, there):
                continue
            bad = self.connection.execute(
                f"SELECT account, moment, word FROM (SELECT account, moment, CAST({expression} AS VARCHAR) AS word "
                f"FROM given) WHERE trim(word) <> '' AND TRY_CAST(trim(word) AS DOUBLE) IS NULL "
                f"AND lower(trim(word)) NOT IN ('true', 'false') LIMIT 1"
            ).fetchall()
            for account, moment, word in bad:
                raise SourceError([Problem(
                    Location(SETTINGS_FILE), "wrong-kind",
                    f"`metrics` of the source {self.source} reckons with {column}, and an event of {account} at "
                    f"{moment:%Y-%m-%d %H:%M} has `{word[:40]}` there, which is no number.",
                    "Correct the log, or measure something else of that column.")])


def number(day: date) -> int:
    """A day as days since 1970."""
    return (day - EPOCH.date()).days


def day_of(number: int) -> date:
    """The day of a number of days since 1970; the last one there is where it lies beyond."""
    return EPOCH.date() + timedelta(days=min(number, (date.max - EPOCH.date()).days))


def _reached(column: str, there: Mapping[str, Given]) -> str | None:
    """SQL for a column or, with dots, for what stands inside of one; None where the table does not have it."""
    import pyarrow.types as types

    if column in there:
        return there[column].name
    first, *rest = column.split(".")
    if first not in there or not rest:
        return None
    inside, kind = there[first].name, there[first].type
    if types.is_struct(kind):
        if kind.get_field_index(rest[0]) < 0:
            return None
        found = f"{inside}[{text(rest[0])}]"
        return found if len(rest) == 1 else _in_json(f"to_json({found})", rest[1:])
    if types.is_map(kind):
        return f"{inside}[{text(rest[0])}]" if len(rest) == 1 else None
    return None if types.is_null(kind) else _in_json(f"CAST({inside} AS VARCHAR)", rest)


def _in_json(expression: str, path: list[str]) -> str:
    steps = "".join('."' + step.replace('"', '\\"') + '"' for step in path)
    # a text that is no JSON has no properties
    return f"CASE WHEN json_valid({expression}) THEN json_extract_string({expression}, {text('$' + steps)}) END"


def _as_text(column: str, there: Mapping[str, Given]) -> str:
    expression = _reached(column, there)
    return "CAST(NULL AS VARCHAR)" if expression is None else f"nullif(trim(CAST({expression} AS VARCHAR)), '')"


def _as_number(column: str, there: Mapping[str, Given]) -> str:
    """As a decimal: true and false are 1 and 0; what is beyond any sense is null, as NaN is."""
    expression = _reached(column, there)
    if expression is None:
        return f"CAST(NULL AS {NUMBER})"
    double = f"CAST({expression} AS DOUBLE)"
    if not _is_number(column, there):
        word = f"lower(trim(CAST({expression} AS VARCHAR)))"
        double = f"CASE {word} WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 ELSE TRY_CAST({word} AS DOUBLE) END"
    return f"CASE WHEN abs({double}) <= {LARGEST_NUMBER} THEN CAST({double} AS {NUMBER}) END"


def _is_number(column: str, there: Mapping[str, Given]) -> bool:
    """Whether it can be read as it stands: 32 bits are read as the decimal that people see, by way of a text."""
    import pyarrow.types as types

    kind = there[column].type if column in there else None
    return kind is not None and (types.is_integer(kind) or types.is_float64(kind))
