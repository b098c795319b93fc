"""Mistakes that somebody could make in an evaluator, to be planted one at a time: the judge must find each.

Where both evaluators read the same table of functions, a fault replaces the implementation of one of them only.
"""

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from forestall.engine.language import columnar, functions, latest, per_account, streamed, values
from forestall.engine.language.functions import FUNCTIONS
from forestall.engine.model.expression import Junction
from forestall.engine.score import columns, scorecard


@dataclass(frozen=True)
class Fault:
    """A fault, how it is planted with pytest's monkeypatch, and a word of the expressions that can show it."""

    name: str
    plant: Callable
    word: str = ""
    scored: bool | None = None      # whether it takes a scorecard to show it


@dataclass(frozen=True)
class _Moved:
    """A look, of one account or of a column, that goes to other days than it is asked for."""

    look: object
    days: Callable

    @property
    def value(self):
        return self.look.value

    @property
    def rows(self):
        return self.look.rows

    def at(self, back):
        return self.look.at(self.days(back))

    def ago(self, back):
        return self.look.ago(self.days(back))

    def over(self, aggregate, first, last):
        return self.look.over(aggregate, self.days(first), self.days(last))


def _a_day_more(back):
    return back + 1


def _a_day_less(back):
    return back - 1


def _eight_days_a_week(back):
    return back // 7 * 8


def _function(side, name, implementation):
    """Plant an implementation of a function for one evaluator: per_account or columnar."""
    modules = {"per_account": (per_account,), "columnar": (columnar, latest, values)}[side]

    def plant(monkeypatch):
        table = {**FUNCTIONS, name: replace(FUNCTIONS[name], **{side: implementation})}
        for module in modules:
            monkeypatch.setattr(module, "FUNCTIONS", table)
    return plant


def _moved(side, name, days):
    right = getattr(FUNCTIONS[name], side)
    return _function(side, name, lambda look, window: right(_Moved(look, days), window))


def _set(module, name, value):
    return lambda monkeypatch: monkeypatch.setattr(module, name, value)


# -- one account at a time --------------------------------------------------------------------------------------------

def _exact_at_least(right):
    return lambda operator, difference, room: right(
        operator, difference, 0.0 if isinstance(operator, ast.GtE) else room)


def _unknown_is_false(self, node):
    found = [self._eval(value) for value in node.values]
    if isinstance(node.op, ast.Or):
        return any(value is True for value in found)
    return False if False in found else None if None in found else True


def _choice_of_unknown(self, node):
    return self._eval(node.body if self._eval(node.test) else node.orelse)


def _changed_exactly(look, window):
    right = [look.at(back) for back in range(window.count + 1)]
    if right[0] is None:
        return None
    if any(value is not None and value != right[0] for value in right):
        return True
    return None if None in right else False


def _least_known(_today, *found):
    return min((value for value in found if value is not None), default=None)


def _often(look, window):
    return float(sum(1 for back in functions.looks(window) if look.at(back)))


ALONE = (
    Fault(">= without the tolerance", _set(per_account, "_near", _exact_at_least(per_account._near)), ">="),
    Fault("`or` takes unknown for false", _set(per_account._Nodes, "_junction", _unknown_is_false), " or "),
    Fault("`if` takes unknown for false", _set(per_account._Nodes, "_choice", _choice_of_unknown), " if "),
    Fault("held looks a day too far back", _moved("per_account", "held", _a_day_more), "held("),
    Fault("usual ends 6 days ago", _moved("per_account", "usual", _a_day_less), "usual("),
    Fault("weeks have 8 days", _moved("per_account", "times", _eight_days_a_week), "weeks="),
    Fault("a divisor near zero divides", _set(per_account, "TOLERANCE", 0.0), "/"),
    Fault("changed compares bit by bit", _function("per_account", "changed", _changed_exactly), "changed("),
    Fault("min skips what is missing", _function("per_account", "min", _least_known), "min("),
    Fault("times counts unknown days as false", _function("per_account", "times", _often), "times("),
    Fault("floor without its hair", _set(functions, "floor", lambda x: float(math.floor(x))), "floor("),
    Fault("the score before other signals had data counts", _set(per_account, "POINT_TO_POINT", frozenset()), "score",
          True),
    Fault("the score is rounded without its hair", _set(scorecard, "ROUNDING_HAIR", 0.0), "score", True),
    Fault("steps and tiers without the tolerance", _set(scorecard, "slack", lambda *numbers: 0.0), "score", True),
)


# -- all accounts on every day ----------------------------------------------------------------------------------------

def _exact_columns_at_least(right):
    return lambda operator, difference, room: difference >= 0.0 if operator == ">=" else right(
        operator, difference, room)


def _unknown_column_is_false(right):
    def value(self, row, term):
        if isinstance(term, Junction) and term.operator == "or":
            answer = right(self, row, term.operands[0]).fill_null(False)
            for operand in term.operands[1:]:
                answer = answer | right(self, row, operand).fill_null(False)
            return answer
        return right(self, row, term)
    return value


def _unguarded(operator, left, right):
    return {"+": left + right, "-": left - right, "*": left * right, "/": left / right}[operator]


def _often_columns(look, window):
    return FUNCTIONS["times"].columnar(look, window).fill_null(0.0)


TOGETHER = (
    Fault(">= without the tolerance", _set(values, "_near", _exact_columns_at_least(values._near)), ">="),
    Fault("`or` takes unknown for false", _set(values.Values, "value", _unknown_column_is_false(values.Values.value)),
          " or "),
    Fault("a divisor near zero divides", _set(values, "_arithmetic", _unguarded), "/"),
    Fault("held looks a day too far back", _moved("columnar", "held", _a_day_more), "held("),
    Fault("usual ends 6 days ago", _moved("columnar", "usual", _a_day_less), "usual("),
    Fault("weeks have 8 days", _moved("columnar", "times", _eight_days_a_week), "weeks="),
    Fault("before the first row stands today's value", _function(
        "columnar", "ago", lambda look, window: look.ago(window.count).coalesce(look.value)), "ago("),
    Fault("LEAST skips NULL", _set(functions, "_where_known", lambda answer, found: answer), "min("),
    Fault("times counts unknown days as false", _function("columnar", "times", _often_columns), "times("),
    Fault("changed compares bit by bit", _set(functions, "_same", lambda left, right: left == right), "changed("),
    Fault("floor without its hair", _set(functions, "_floor_columns", lambda x: x.floor().cast("float64")), "floor("),
    Fault("the score before other signals had data counts", _set(
        values.Values, "bind_patterns", lambda self, patterns: None), "score", True),
    Fault("the score is rounded without its hair", _set(columns, "ROUNDING_HAIR", 0.0), "score", True),
    Fault("steps and tiers without the tolerance", _set(columns, "slack", lambda *numbers: 0.0), "score", True),
)


# -- all accounts on every day, streaming ------------------------------------------------------------------------------

_ENDLESS = _set(streamed.Streamed, "rows", lambda self, row: values.Values.rows(self, row) + 1000)

STREAMING_ONLY = (
    Fault("the account before is looked at", _ENDLESS, "ago("),
    Fault("the account before is added", _ENDLESS, "total("),
    Fault("the account before has the maximum", _ENDLESS, "maximum("),
)


# -- all accounts on one day ------------------------------------------------------------------------------------------

def _a_day_late(right):
    return lambda self, aggregate, first, last: right(self, aggregate, first - 1, last - 1)


ONE_DAY_ONLY = (
    Fault("before the first row nothing is missing", _set(
        latest._Seen, "__getitem__", lambda self, name: self._row[name]), "ago("),
    Fault("aggregates end a day late", _set(latest._Aggregates, "over", _a_day_late(latest._Aggregates.over)), "days="),
    Fault("a day before takes itself for today", _set(latest.DayBefore, "today", lambda self, row: row.day), "days_"),
)
