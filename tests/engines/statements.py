"""Checked expressions to the SQL of an engine, in every form that the engine has."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from forestall.engine.language.columnar import Columns
from forestall.engine.language.latest import NotPointwise, OneDay
from forestall.engine.language.streamed import Streamed

ALL = frozenset({"duckdb", "postgres", "pyspark"})
FIXED = ("day", "first_day", "named_day")


def _nothing(_values):
    """Bind no signals, no score and no tier."""


def every_day(expressions, kinds, derived=None, dialect="duckdb", prepare=_nothing, made_of=Columns):
    """A query that answers `e0`, `e1`, … for every account and day, and the numbers of the expressions: all of them.

    `prepare` binds score and tier; `made_of` says how other days are reached.
    """
    columns = made_of(kinds, derived or {})
    prepare(columns)
    columns.share([one.term for one in expressions])
    outputs = {f"e{number}": columns.column(one.term) for number, one in enumerate(expressions)}
    return columns.statement(outputs, dialect).text, range(len(expressions))


def one_day(expressions, kinds, derived=None, dialect="duckdb", prepare=_nothing):
    """The same about a single day, without windows, and the numbers of the expressions that it answers.

    The others look over many days at something that itself looks at other days: they need windows.
    """
    answered = [number for number, one in enumerate(expressions) if _pointwise(one, kinds, derived, prepare)]
    query = OneDay(kinds, derived or {}, prepare)
    today = query.at(0)
    today.share([expressions[number].term for number in answered])
    outputs = {f"e{number}": today.column(expressions[number].term) for number in answered}
    return query.statement(outputs, dialect).text, answered


def _pointwise(expression, kinds, derived, prepare):
    try:
        OneDay(kinds, derived or {}, prepare).at(0).column(expression.term)
    except NotPointwise:
        return False
    return True


def as_stored(_days, _metrics):
    """The history for a query over every day."""
    return "SELECT * FROM stored"


def in_order(_days, _metrics):
    """The same, sorted, for a query that streams."""
    return "SELECT * FROM stored ORDER BY account, day"


def until_each(days, metrics):
    """The history as it is on each of these days, for a query about one: `back` counts the days before it.

    Each day has accounts of its own, so that one query answers as if it had been asked on each day by itself.
    """
    asked = ", ".join(f"({day})" for day in days)
    kept = ", ".join(f"stored.{name}" for name in (*FIXED, *metrics))
    return (f"SELECT concat(stored.account, '@', today) AS account, {kept}, today - day AS back "
            f"FROM stored, (VALUES {asked}) AS asked(today) WHERE day <= today")


@dataclass(frozen=True)
class Form:
    """One way to compute expressions for all accounts at once: its query, and the view `history` that it reads.

    An engine makes the view of the table `stored`.
    """

    name: str
    query: Callable
    view: Callable
    dialects: frozenset = ALL

    def ask(self, engine, expressions, days, kinds, derived=None, prepare=_nothing):
        """(account, day) → row for these days, and the numbers of the expressions answered: `e0`, `e1`, …"""
        statement, answered = self.query(expressions, kinds, derived, engine.dialect, prepare)
        rows = engine.rows(statement, self.view(days, kinds))
        found = {(row["account"].partition("@")[0], row["day"]): row for row in rows}
        assert len(found) == len(rows), "two rows of one account on one day"
        return {key: row for key, row in found.items() if key[1] in days}, answered


EVERY_DAY = Form("every day", every_day, as_stored)
ONE_DAY = Form("one day alone", one_day, until_each)
STREAMED = Form("every day, streaming", partial(every_day, made_of=Streamed), in_order, frozenset({"duckdb"}))
FORMS = (EVERY_DAY, STREAMED, ONE_DAY)      # all that is under judgement, on every engine that it is meant for


def forms(engine):
    """The forms that this engine has."""
    return [form for form in FORMS if engine.dialect in form.dialects]
