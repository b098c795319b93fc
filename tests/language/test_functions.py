"""The table of functions: every example, through both evaluators."""

import inspect

import duckdb
import pyarrow as pa
import pytest

from forestall.engine.errors import Location
from forestall.engine.language.check import Vocabulary, check
from forestall.engine.language.columnar import Columns
from forestall.engine.language.functions import FUNCTIONS, Reach
from forestall.engine.language.per_account import AccountEvaluator
from forestall.engine.model.expression import Kind, Name, NameRole

KINDS = {"x": Kind.NUMBER, "c": Kind.FLAG, "on": Kind.DATE}
WORDS = Vocabulary({name: Name(name, kind, NameRole.METRIC) for name, kind in KINDS.items()}, per_day=frozenset({"x"}))
TODAY = 20000


def rows(values):
    """One account: x on consecutive days, the last one today; `on` is two days before today."""
    first = TODAY - max(0, len(values) - 1)
    return {first + index: {"x": value, "c": None, "on": TODAY - 2} for index, value in enumerate(values or (None,))}


def expression(text):
    checked = check(text, lambda offset: Location("test", 1, 1 + offset), WORDS, None, "the example")
    assert checked.problems == ()
    return checked.expression


def alone(text, history):
    evaluator = AccountEvaluator(lambda name, day: history.get(day, {}).get(name), min(history), lambda day: None)
    return evaluator.value(expression(text), TODAY)


def together(text, history):
    columns = Columns(KINDS, {})
    columns.used.update(KINDS)
    statement = columns.statement({"answer": columns.column(expression(text).term)}, "duckdb").text
    table = pa.Table.from_pylist(
        [{"account": "one", "day": day, "first_day": min(history), "named_day": day} | row
         for day, row in history.items()],
        pa.schema([("account", pa.string()), ("day", pa.int64()), ("first_day", pa.int64()), ("named_day", pa.int64()),
                   ("x", pa.float64()), ("c", pa.bool_()), ("on", pa.int64())]))
    connection = duckdb.connect()
    connection.register("history", table)
    answer = connection.sql(f"SELECT answer FROM ({statement}) WHERE day = {TODAY}").fetchall()
    connection.close()
    return answer[0][0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_a_function_is_true(name):
    example = FUNCTIONS[name].example
    assert example.text.startswith(f"{name}(")
    history = rows(example.x)
    for answer in (alone(example.text, history), together(example.text, history)):
        assert (type(answer), answer) == (type(example.answer), example.answer)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_row_of_the_table_tells_what_people_and_the_checker_need(function):
    assert FUNCTIONS[function.name] is function
    assert function.about.endswith(".")
    assert len(function.parameters) == len(function.takes)
    assert function.signature().startswith(f"{function.name}(")
    assert ("n" in function.signature().split("=")) or function.reach is Reach.TODAY or "=n" in function.signature()
    assert callable(function.per_account)
    assert len(inspect.signature(function.columnar).parameters) >= 2


N = None
# text, values of x up to today, answer: the sentences of the design, one by one
MEANING = [
    ("ago(x, days=3)", (1.0, 2.0, 3.0), N),                               # before the first row
    ("drop(x, days=1)", (N, 3.0), N), ("drop(x, days=1)", (3.0, N), N),
    ("drop_percent(x, days=1)", (0.0, 3.0), N),                           # from 0 there are no percents
    ("drop_percent(x, days=1)", (1e-10, 3.0), N),                         # which is 0 to people
    ("drop_percent(x, days=1)", (-10.0, -15.0), 50.0),                    # 100 * (-10 + 15) / 10
    ("rise_percent(x, days=1)", (-10.0, -5.0), 50.0),
    ("average(x, days=5)", (N, N), N), ("average(x, days=2)", (8.0, 2.0, 4.0), 3.0),
    ("average(x, days=9)", (2.0, 4.0), 3.0),                              # a young account has few
    ("minimum(x, days=2)", (1.0, 5.0, 4.0), 4.0), ("maximum(x, days=2)", (9.0, 4.0, N), 4.0),
    ("total(x, days=2)", (9.0, N, 4.0), 4.0), ("total(x, days=2)", (9.0, N, N), N),
    # usual(…, days=2) sees days d-8 and d-7; half of them must be known
    ("usual(x, days=2)", (N, 5.0, *[9.0] * 7), 5.0), ("usual(x, days=2)", (5.0, *[9.0] * 7), 5.0),
    ("usual(x, days=2)", (N, N, *[9.0] * 7), N), ("usual(x, days=3)", (5.0, *[9.0] * 7), N),
    ("usual(x, days=2)", (7.0, 3.0, 5.0, *[9.0] * 7), 4.0),
    ("held(x < 3, days=3)", (9.0, 1.0, 1.0, 1.0), True), ("held(x < 3, days=3)", (1.0, 9.0, 1.0), False),
    ("held(x < 3, days=3)", (1.0, N, 1.0), N), ("held(x < 3, days=3)", (9.0, N, 1.0), False),   # false decides
    ("held(x < 3, days=3)", (1.0, 1.0), N), ("held(x < 3, days=3)", (9.0, 1.0), False),         # before the first row
    ("held(x < 3, weeks=2)", (1.0, *[9.0] * 6, 1.0), True), ("held(x < 3, weeks=2)", (9.0, *[1.0] * 7), False),
    ("held(x < 3, weeks=2)", (*[1.0] * 7,), N), ("held(x < 3, weeks=2)", (N, *[1.0] * 7), N),
    ("held(x < 3, weeks=2)", (N, *[1.0] * 6, 9.0), False), ("held(x < 3, weeks=1)", (9.0, 1.0), True),
    ("times(x < 3, days=3)", (1.0, 1.0, N, 9.0), 1.0), ("times(x < 3, days=3)", (N, N, N), N),
    ("times(x < 3, days=3)", (9.0, N, N), 0.0),
    ("times(x < 3, weeks=3)", (1.0, *[9.0] * 6, N, *[9.0] * 6, 1.0), 2.0),
    ("times(x < 3, weeks=3)", (N, *[9.0] * 6, N, *[9.0] * 6, N), N),
    ("changed(x, days=2)", (1.0, 1.0, 1.0), False), ("changed(x, days=2)", (2.0, 1.0, 1.0), True),
    ("changed(x, days=2)", (2.0, 1.0, N), N), ("changed(x, days=2)", (N, 1.0, 1.0), N),
    ("changed(x, days=2)", (N, 2.0, 1.0), True), ("changed(x, days=2)", (1.0, 1.0), N),
    ("changed(x, days=2)", (3.0 + 1e-10, 3.0, 3.0 - 1e-10), False),       # equal to people
    ("changed(x, days=2)", (3.0 + 1e-8, 3.0, 3.0), True),
    ("known_for(days=3)", (N, N), False), ("known_for(days=2)", (N, N), True),
    ("round(x)", (-2.5,), -2.0), ("round(x)", (2.4999999999,), 3.0), ("round(x)", (1e9,), 1e9), ("round(x)", (N,), N),
    ("floor(x)", (-2.1,), -3.0), ("floor(x)", (0.7999999999999999 * 10,), 8.0), ("floor(x)", (1e12,), 1e12),
    ("floor(x)", (999999999999.5,), 999999999999.0), ("floor(x * 1000000000000)", (1e15,), 1e27),
    ("round(0 - x * 1000000000000)", (1e15,), -1e27), ("floor(x)", (1e15,), 1e15), ("round(x)", (-1e15,), -1e15),
    ("clamp(x, 0, 10)", (N,), N), ("clamp(5, x, 10)", (N,), N), ("clamp(5, 8, 2)", (), 2.0), ("min(x, 2, 3)", (N,), N),
    ("max(2, 3, x)", (N,), N), ("max(2, 3, x)", (1.0,), 3.0), ("min(2, 3, x, 1, 7, 4, 2, 9, 12, 5, 6, 8)", (1.5,), 1.0),
    ("scale(x, 20, 10)", (15.0,), 50.0), ("scale(x, 10, 20)", (99.0,), 100.0), ("scale(x, 10, 20)", (-9.0,), 0.0),
    ("scale(x, 10, 10)", (10.0,), N), ("scale(x, 0, 10)", (N,), N),
    ("coalesce(x, x + 1, 7)", (N,), 7.0), ("known(x) and missing(x)", (N,), False), ("missing(x / 0)", (1.0,), True),
    ("days_since(on) + days_until(on)", (), 0.0), ("known(not true)", (), True), ("missing(1 / 0 > 3)", (), True),
    # three truth values
    ("x > 3 and x < 3", (N,), N), ("x > 3 and 1 > 2", (N,), False), ("x > 3 or 1 < 2", (N,), True),
    ("not x > 3", (N,), N), ("x > 3 or 1 > 2", (N,), N), ("1 > 2 and x > 3", (N,), False), ("c == c", (), N),
    ("x in [1, 2]", (N,), N), ("x not in [1, 2]", (N,), N), ("1 if x > 3 else 2", (N,), N), ("1 < x < 3", (N,), N),
    ("3 < x < 1", (2.0,), False), ("1 < 0 < x", (N,), False),
    # equal means equal to people
    ("78.1 - 63.1 >= 15", (), True), ("x - 63.1 >= 15", (78.1,), True), ("x - 63.1 > 15", (78.1,), False),
    ("x + 0.2 == 0.3", (0.1,), True), ("x + 0.2 != 0.3", (0.1,), False), ("x + 0.2 in [0.3]", (0.1,), True),
    ("x == 0", (1e-9,), True), ("x == 0", (1.1e-9,), False), ("x < 1000000000000", (999999999999.5,), False),
    ("1 / x", (1e-9,), N), ("1 / x", (-1e-9,), N), ("1 / x", (2e-9,), 5e8), ("-x", (N,), N),
]


@pytest.mark.parametrize(("text", "values",
    "answer"), MEANING, ids=[f"{text} {values[:3]}" for text, values, _ in MEANING])
def test_the_meaning_sentence_by_sentence(text, values, answer):
    history = rows(values)
    for found in (alone(text, history), together(text, history)):
        assert type(found) is type(answer)
        assert found == (pytest.approx(answer, rel=1e-12) if isinstance(answer, float) else answer)


def test_the_longest_looks_stay_quick():
    """157 weeks, and the largest expressions that the checker allows, do not multiply in the query."""
    deep = "x"
    for _ in range(12):
        deep = f"clamp(min({deep}, x + 3), 0 - round(x), 1000)"
    wide = f"min(x + 0, {', '.join(f'x + {number}' for number in range(1, 60))})"
    chained = "0 < (1 if 0 < (1 if 0 < (1 if 0 < x < 9 else 0) < 2 else 0) < 2 else 0) < 2"
    history = rows((5.0,) * 1100)
    for text, answer in (("held(x < 9, weeks=157)", True), ("times(x < 9, weeks=157)", 157.0),
                         ("held(x < 9, days=1100)", True), (deep, 5.0), (wide, 5.0), (chained, True)):
        assert alone(text, history) == answer
        assert together(text, history) == answer
