"""From the table `log` to what the windows are made of: one row per account and day with events, and steps.

A step is a change of a number that stands until the next one: `+1` where a user enters a window, `-1` where it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forestall.adapters.sources.daily.declared import NUMERIC, STAGES, DailyMetric
from forestall.adapters.sources.daily.intake import Columns, text
from forestall.adapters.sources.daily.log import NAME

if TYPE_CHECKING:
    import duckdb

FROM_DAY = "{from day}"      # stands in a statement where the first day goes that any of its windows reaches


@dataclass
class Table:
    """A table over the log; `reach` is the longest window over it, 0 where all of the log is needed."""

    name: str
    reach: int


@dataclass
class Facts:
    """Columns of the table `facts` by their SQL, so that metrics share what is the same, and tables of values."""

    columns: Columns
    by_expression: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)

    def column(self, expression: str) -> str:
        """The name of the column of `facts` that holds this aggregate of one account's day."""
        return self.by_expression.setdefault(expression, f"f{len(self.by_expression)}")

    def count(self, condition: str) -> str:
        """The column that counts the events of a day that fulfil a condition."""
        return self.column(f"CAST(count(*) FILTER ({condition}) AS BIGINT)")

    def table(self, statement: str, reach: int = 0) -> str:
        """The name of the table that holds the answer to a query over the log."""
        table = self.tables.setdefault(statement, Table(f"v{len(self.tables)}", reach))
        table.reach = max(table.reach, reach)
        return table.name

    def condition(self, metric: DailyMetric) -> str:
        """Which rows of the log a metric is about."""
        parts = [self.named(metric.events)] if metric.events and metric.measure not in STAGES else []
        parts += self.where(metric.where)
        return " AND ".join(parts) or "true"

    def where(self, chosen: Mapping[str, tuple[str, ...]]) -> list[str]:
        """One condition for each column that has to have a certain text."""
        return [_in(self.columns.texts[column], values) for column, values in chosen.items()]

    def named(self, events: tuple[str, ...]) -> str:
        """That a row has one of these names."""
        return _in(self.columns.texts[NAME], events)

    def value(self, metric: DailyMetric) -> str:
        """The column of the log that holds what `of` names."""
        return (self.columns.numbers if metric.measure in NUMERIC else self.columns.texts)[metric.of]

    def values(self, metric: DailyMetric) -> str:
        """The table with account, value, day, how often it came, and the days before and after on which it came too.

        Values are numbered: sorting numbers takes half the time of sorting texts.
        """
        value = self.value(metric)
        return self.table(f"""
SELECT account, value, day, times, lag(day) OVER versions AS before, lead(day) OVER versions AS after FROM (
  SELECT account, value, day, CAST(count(*) AS INTEGER) AS times
  FROM coded JOIN (SELECT {value}, CAST(row_number() OVER () AS INTEGER) AS value
                   FROM (SELECT DISTINCT {value} FROM coded)) USING ({value})
  WHERE day >= {FROM_DAY} AND {self.condition(metric)} GROUP BY account, value, day)
WINDOW versions AS (PARTITION BY account, value ORDER BY day)""", metric.days or 1)

    def intervals(self, metric: DailyMetric) -> str:
        """The table with account, first day open, and first day closed again or null, for what opens and closes.

        What opens and closes on one day was not open at its end.
        """
        value = self.value(metric)
        opens = " AND ".join([self.named(metric.events), *self.where(metric.where)])
        closes = self.named(metric.until)
        return self.table(f"""
SELECT account, opened, closed FROM (
  SELECT account, closing, day AS opened, lead(day) OVER turns AS closed FROM (
    SELECT account, {value} AS value, moment, day, {closes} AS closing,
      lag({closes}) OVER (PARTITION BY account, {value} ORDER BY moment, {closes}) AS before
    FROM coded WHERE ({opens} OR {closes}) AND {value} IS NOT NULL)
  WHERE closing IS DISTINCT FROM coalesce(before, true)
  WINDOW turns AS (PARTITION BY account, value ORDER BY moment, closing))
WHERE NOT closing AND (closed IS NULL OR closed > opened)""")


def write_facts(connection: duckdb.DuckDBPyConnection, facts: Facts, since: int, last: int, furthest: int) -> None:
    """The tables for the days from `since` through `last`, with accounts as numbers, in the order of their names.

    They are sorted by account, so that a stretch of accounts is read quickly. All that lies more than `furthest` days
    before is one row of an account: no window reaches it, and counts, first and last days are as good together.
    """
    before = since - furthest - 1
    connection.execute("CREATE TABLE accounts AS SELECT account AS name, CAST(row_number() OVER (ORDER BY account) "
                       "AS INTEGER) AS account FROM (SELECT DISTINCT account FROM log)")
    connection.execute("CREATE TABLE coded AS SELECT log.* REPLACE (accounts.account AS account) "
                       f"FROM log JOIN accounts ON accounts.name = log.account WHERE day <= {last}")
    connection.execute("DROP TABLE log")
    columns = "".join(f", {expression} AS {name}" for expression, name in facts.by_expression.items())
    connection.execute("CREATE TABLE facts AS SELECT * FROM ("
                       f"SELECT account, greatest(coded.day, {before}) AS day{columns} FROM coded "
                       f"GROUP BY account, greatest(coded.day, {before})) ORDER BY account, day")
    for statement, table in facts.tables.items():
        made = statement.replace(FROM_DAY, str(since - table.reach + 1))
        connection.execute(f"CREATE TABLE {table.name} AS SELECT * FROM ({made}) ORDER BY account")


def entering(table: str, days: int, between: str) -> str:
    """Steps of how many different values there are in a window: in with the first event, out `days` after the last."""
    return (f"SELECT account, day, 1 AS amount FROM {table} WHERE {between} "
            f"AND (before IS NULL OR before + {days} < day) "
            f"UNION ALL SELECT account, day + {days}, -1 FROM {table} WHERE {between} "
            f"AND (after IS NULL OR day + {days} < after)")


def opening(table: str, between: str) -> str:
    """Steps of how many are open."""
    return (f"SELECT account, opened AS day, 1 AS amount FROM {table} WHERE {between} "
            f"UNION ALL SELECT account, closed, -1 FROM {table} WHERE closed IS NOT NULL AND {between}")


def longest_open(table: str, since: int, last: int, between: str) -> str:
    """For how many days the longest of them is open, for each day on which any is."""
    return (f"SELECT account, day, day - min(opened) AS amount FROM (SELECT account, opened, "
            f"unnest(range(greatest(opened, {since}), least(coalesce(closed, {last} + 1), {last} + 1))) AS day "
            f"FROM {table} WHERE {between}) GROUP BY account, day")


def most_repeated(table: str, days: int, since: int, last: int, between: str) -> str:
    """How often the commonest value came in the window, for each day on which there is any."""
    return (f"SELECT account, day, max(amount) AS amount FROM (SELECT account, value, day, sum(times) AS amount FROM ("
            f"SELECT account, value, times, unnest(range(greatest(day, {since}), least(day + {days}, {last} + 1))) "
            f"AS day FROM {table} WHERE {between}) GROUP BY account, value, day) GROUP BY account, day")


def _in(column: str, values: tuple[str, ...]) -> str:
    wanted = ", ".join(text(value) for value in values)
    return f"coalesce({column} IN ({wanted}), false)"
