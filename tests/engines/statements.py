"""Checked expressions to the SQL of an engine: on every day, and on one day alone."""

import ibis
from ibis.config import Config

from forestall.engine.language.columnar import Columns
from forestall.engine.language.latest import NotPointwise, OneDay


class _SparkOptions(Config):
    """What Ibis asks of its Spark backend while it compiles. Loading that backend sets it too, but takes pandas."""

    treat_nan_as_null: bool = False      # a NaN ends at the door


def _sql(table, dialect):
    if dialect == "pyspark" and ibis.options.pyspark is None:
        ibis.options.pyspark = _SparkOptions()
    return str(ibis.to_sql(table, dialect=dialect, pretty=False))


def _nothing(_values):
    """Bind no signals, no score and no tier."""


def every_day(expressions, kinds, derived=None, dialect="duckdb", prepare=_nothing):
    """A query that answers `e0`, `e1`, … for every account and day; `prepare` binds score and tier."""
    columns = Columns(kinds, derived or {})
    prepare(columns)
    columns.share([one.term for one in expressions])
    outputs = {f"e{number}": columns.column(one.term) for number, one in enumerate(expressions)}
    return _sql(columns.table(outputs), dialect)


def one_day(expressions, kinds, derived=None, dialect="duckdb", prepare=_nothing):
    """The same about a single day, without windows, and the numbers of the expressions that it answers.

    The others look over many days at something that itself looks at other days: they need windows.
    """
    answered = [number for number, one in enumerate(expressions) if _pointwise(one, kinds, derived, prepare)]
    query = OneDay(kinds, derived or {}, prepare)
    today = query.at(0)
    today.share([expressions[number].term for number in answered])
    outputs = {f"e{number}": today.column(expressions[number].term) for number in answered}
    return _sql(query.table(outputs), dialect), answered


def _pointwise(expression, kinds, derived, prepare):
    try:
        OneDay(kinds, derived or {}, prepare).at(0).column(expression.term)
    except NotPointwise:
        return False
    return True
