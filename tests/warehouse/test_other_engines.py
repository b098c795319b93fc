"""Snowflake, BigQuery and Databricks, to which nobody connects here: every query compiles for them, and their SQL, as
sqlglot reads it, gives DuckDB's own answers when DuckDB runs it. That proves what the text says, not what the servers
do with it."""

import random
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from forestall.engine.errors import Location
from forestall.engine.language.statement import quoted
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.warehouse import Holds, Warehouse
from forestall.engine.rulebook.loader import load
from forestall.engine.score import queries
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.telling import Remembered, absent, told
from forestall.engine.warehouse import checks, view

FIRST = date(2026, 1, 1)
LAST = FIRST + timedelta(days=39)
KINDS = {Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.FLAG: pa.bool_(), Kind.DATE: pa.date32()}
RULES = load(Path(__file__).parents[1] / "rulebook" / "minimal" / "rules", None)
CONDITIONS = Conditions.of(RULES)
COLUMNS = {"account": pa.string(), "as_of": pa.date32(),
           **{one.name: KINDS[one.kind] for one in RULES.catalogue.supplied()}}
# What sqlglot cannot put into DuckDB's words: the one place in which Snowflake makes rows of a range.
FLATTEN = re.compile(r', LATERAL FLATTEN\(INPUT => ARRAY_GENERATE_RANGE\((.*?), (.*?)\)\) AS g\b')


def value(metric: Metric, day: date, chance: random.Random) -> object:
    if chance.random() < 0.1:
        return None
    return {Kind.NUMBER: float(chance.randrange(100)), Kind.TEXT: chance.choice(metric.one_of or ("a", "b")),
            Kind.FLAG: chance.random() < 0.5, Kind.DATE: day - timedelta(days=chance.randrange(-9, 99))}[metric.kind]


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """Facts of 30 accounts: a table of days, and one of arrivals in which three of four rows are missing."""
    chance, rows = random.Random(3), []
    for number in range(30):
        for day in (FIRST + timedelta(days=step) for step in range(40)):
            rows.append((f"a{number:02}", day, *(value(one, day, chance) for one in RULES.catalogue.supplied())))
    connection = duckdb.connect()
    connection.register("made", pa.table([pa.array(column, kind) for column, kind in zip(
        zip(*rows, strict=True), COLUMNS.values(), strict=True)], list(COLUMNS)))
    connection.execute("CREATE SCHEMA sales; CREATE TABLE sales.days AS FROM made; "
                       "CREATE TABLE sales.arrivals AS FROM made WHERE hash(account, as_of) % 4 = 0; "
                       "CREATE MACRO ieee_divide(a, b) AS a / b")      # BigQuery's name for it
    number = view.number_of(LAST)
    connection.register("asked", pa.table({"today": pa.array([number], pa.int64())}))
    connection.register("chosen", pa.table({"account": ["a03", "a07"]}))
    connection.register("known", Remembered({"a01": "healthy", "zz": "at_risk"}, {"a02"}).table())
    yield connection
    connection.close()


def answer(duck: duckdb.DuckDBPyConnection, dialect: str, statement: str, days: str = "") -> list[object]:
    """What DuckDB says to the SQL of an engine."""
    quote = quoted(("history",), dialect)[0]
    whole = f"WITH {quote} AS ({days}) {statement}" if days else statement
    whole = FLATTEN.sub(r" CROSS JOIN UNNEST(RANGE(\1, \2)) AS g(value)", whole)
    text = sqlglot.transpile(whole, read={"pyspark": "spark"}.get(dialect, dialect), write="duckdb")[0]
    return sorted(duck.sql(text).fetchall(), key=repr)


QUESTIONS: dict[str, Callable[[str], str]] = {
    "told": lambda dialect: told(RULES, CONDITIONS, dialect).statement,
    "changes": lambda dialect: queries.changes(RULES, CONDITIONS, dialect, streaming=False).statement,
    "details": lambda dialect: queries.details(RULES, dialect).statement,
    "absent": lambda dialect: absent(14, dialect),
    "short": lambda dialect: checks.in_short(RULES.catalogue, dialect, 0)}


def answers(duck: duckdb.DuckDBPyConnection, dialect: str) -> dict[str, list[object]]:
    """To every question, and to those about a table of arrivals itself."""
    table = view.Table(Warehouse(("sales", "days"), Location("x")), COLUMNS, dialect)
    days = view.history(table, RULES.catalogue, 14, FIRST, LAST, chosen=False)
    return {**{name: answer(duck, dialect, asked(dialect), days) for name, asked in QUESTIONS.items()},
            **{f"{number}": answer(duck, dialect, statement) for number, statement in enumerate(about(dialect))}}


@pytest.fixture(scope="module")
def wanted(duck: duckdb.DuckDBPyConnection) -> dict[str, list[object]]:
    """What DuckDB says to its own SQL."""
    return answers(duck, "duckdb")


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery", "databricks"])
def test_queries_mean_the_same(duck: duckdb.DuckDBPyConnection, wanted: dict[str, list[object]], dialect: str) -> None:
    assert answers(duck, dialect) == wanted
    assert all(wanted.values())
    assert len(wanted["0"]) > 600


def about(dialect: str) -> list[str]:
    """What is asked of a table of arrivals itself."""
    arrivals = Warehouse(("sales", "arrivals"), Location("x"), holds=Holds.ARRIVALS)
    table = view.Table(arrivals, COLUMNS, dialect)
    gaps = view.Table(Warehouse(("sales", "arrivals"), Location("x")), COLUMNS, dialect)
    return [view.history(table, RULES.catalogue, 14, FIRST + timedelta(days=15), LAST, chosen=False),
            view.history(gaps, RULES.catalogue, 14, FIRST, LAST, chosen=True),
            checks.unsound(gaps, FIRST, LAST), checks.span(table), checks.days(table, FIRST, LAST)]
