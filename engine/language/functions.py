"""The functions of the language, as ONE table: signature, both implementations, doc line and example.

The checker, both evaluators and the manual read this table. Missing is None in `per_account` and NULL in `columnar`.
A `columnar` implementation takes Ibis values and uses their methods only, so that this table imports nothing heavy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Kind, Window

TOLERANCE = 1e-9
MOST_HAIR = 1e-3     # of floor and round: in proportion to large numbers the tolerance would grow past whole numbers
WHOLE = 2.0**53      # from here on every float is a whole number, and some no longer fit a 64-bit integer
POINT_TO_POINT = frozenset({"ago", "drop", "rise", "drop_percent", "rise_percent"})

N, T, F, D = (frozenset({kind}) for kind in (Kind.NUMBER, Kind.TEXT, Kind.FLAG, Kind.DATE))
ANY = frozenset(Kind)


def slack(*numbers: float) -> float:
    """How far two numbers may differ and still be equal to people: 1e-9 × max(1, |a|, |b|)."""
    return TOLERANCE * max(1.0, *(abs(number) for number in numbers))


def floor(x: float) -> float:
    """The whole number at or below x, where a hair below a whole number counts as that number."""
    return x if abs(x) >= WHOLE else float(math.floor(x + (MOST_HAIR if abs(x) >= MOST_HAIR / TOLERANCE else slack(x))))


class Look(Protocol):
    """One expression of one account, seen from one day."""

    @property
    def rows(self) -> int:
        """How many rows the account has up to today, today included."""

    def at(self, back: int) -> Value:
        """Its value `back` days ago; None when missing or before the first row."""


class ColumnLook(Protocol):
    """One column, seen from every row. Ibis values; untyped because Ibis publishes no types for them."""

    value: Any
    rows: Any

    def ago(self, back: int) -> Any:
        """The value `back` rows before."""

    def over(self, aggregate: Any, first: int, last: int) -> Any:
        """An aggregate over the rows from `first` to `last` days back (first ≥ last ≥ 0)."""


class Reach(StrEnum):
    """Whether a function looks at other days."""

    TODAY = "today"
    DAYS = "days"
    DAYS_OR_WEEKS = "days or weeks"
    ROWS = "rows"          # takes days= and no expression


@dataclass(frozen=True, slots=True)
class Example:
    """A use of the function that the tests run: x has these values on consecutive days, the last one today."""

    text: str
    answer: Value
    x: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `takes` is the kinds that each argument may have; `result` None means the kind of the first one.

    `variadic` repeats the last of `takes`. `same_kind` demands one kind of all arguments. `per_account` takes
    (today as days since 1970, *values) or, for history, (look, window); `columnar` the same in Ibis values.
    """

    name: str
    takes: tuple[frozenset[Kind], ...]
    result: Kind | None
    about: str
    example: Example
    per_account: Callable[..., Value]
    columnar: Callable[..., Any]
    reach: Reach = Reach.TODAY
    variadic: bool = False
    parameters: tuple[str, ...] = field(default=("x",))

    def back(self, window: Window | None) -> int:
        """How many days before today it looks at, at most."""
        if window is None or self.reach in (Reach.TODAY, Reach.ROWS):
            return 0
        if self.name == "usual":
            return window.count + 6
        if self.name in POINT_TO_POINT or self.name == "changed":
            return window.count
        return 7 * (window.count - 1) if window.weekly else window.count - 1

    def signature(self) -> str:
        """As people write it: `drop(x, days=n)`."""
        window = {Reach.TODAY: "", Reach.DAYS: "days=n", Reach.DAYS_OR_WEEKS: "days=n | weeks=n", Reach.ROWS: "days=n"}
        inside = [*self.parameters, *([window[self.reach]] if window[self.reach] else [])]
        return f"{self.name}({', '.join(inside)})"


def _known(look: Look, first: int, last: int) -> list[Any]:
    return [value for back in range(first, last - 1, -1) if (value := look.at(back)) is not None]


def _pointwise(compute: Callable[..., Value]) -> Callable[..., Value]:
    """Missing when any argument is missing."""
    return lambda today, *values: None if any(value is None for value in values) else compute(today, *values)


def _aggregate(compute: Callable[[list[float]], float]) -> Callable[[Look, Window], Value]:
    def over(look: Look, window: Window) -> Value:
        known = _known(look, window.count - 1, 0)
        return compute(known) if known else None
    return over


def _drop(sign: int, percent: bool) -> Callable[[Look, Window], Value]:
    def change(look: Look, window: Window) -> Value:
        then, now = look.at(window.count), look.at(0)
        if not isinstance(then, (int, float)) or not isinstance(now, (int, float)):
            return None
        difference = (then - now) if sign < 0 else (now - then)
        if not percent:
            return difference
        return 100 * difference / abs(then) if abs(then) > TOLERANCE else None
    return change


def _drop_columns(sign: int, percent: bool) -> Callable[[ColumnLook, Window], Any]:
    def change(look: ColumnLook, window: Window) -> Any:
        then, now = look.ago(window.count), look.value
        difference = (then - now) if sign < 0 else (now - then)
        if not percent:
            return difference
        return _divide(difference * 100.0, then.abs())
    return change


def _divide(left: Any, right: Any) -> Any:
    """Division whose divisor is NULL where it is zero: no engine then raises or answers infinity."""
    return left / (right.abs() > TOLERANCE).ifelse(right, None)


def _usual(look: Look, window: Window) -> Value:
    known = _known(look, window.count + 6, 7)
    return sum(known) / len(known) if 2 * len(known) >= window.count else None


def _usual_columns(look: ColumnLook, window: Window) -> Any:
    first, last = window.count + 6, 7
    enough = look.over(look.value.count(), first, last) * 2 >= window.count
    return enough.ifelse(look.over(look.value.mean(), first, last), None)


def looks(window: Window) -> range:
    """How many days back each look of a window goes."""
    return range(0, 7 * window.count, 7) if window.weekly else range(window.count)


def _held(look: Look, window: Window) -> Value:
    seen = [look.at(back) for back in looks(window)]
    if any(value is False for value in seen):
        return False
    return None if any(value is None for value in seen) else True


def _small(value: Any) -> Any:
    """A flag as 2, 1 (unknown), 0: then the minimum over a frame is Kleene's `and`."""
    return value.fill_null(False).ifelse(2, value.notnull().ifelse(0, 1))


def _flag(truth: Any) -> Any:
    """2, 1, 0 as a flag again."""
    return (truth == 2).ifelse(True, (truth == 0).ifelse(False, None))


def _held_columns(look: ColumnLook, window: Window) -> Any:
    if window.weekly:
        seen = [look.value if back == 0 else look.ago(back) for back in looks(window)]
        false = sum((one.fill_null(True).ifelse(0, 1) for one in seen[1:]), seen[0].fill_null(True).ifelse(0, 1))
        true = sum((one.fill_null(False).ifelse(1, 0) for one in seen[1:]), seen[0].fill_null(False).ifelse(1, 0))
        return (false > 0).ifelse(False, (true == window.count).ifelse(True, None))
    least = look.over(_small(look.value).min(), window.count - 1, 0)
    # Fewer rows than days: the days before the first row are unknown, which a false one still decides.
    return _flag(((look.rows < window.count) & (least == 2)).ifelse(1, least))


def _times(look: Look, window: Window) -> Value:
    known = [value for back in looks(window) if (value := look.at(back)) is not None]
    return float(sum(1 for value in known if value)) if known else None


def _times_columns(look: ColumnLook, window: Window) -> Any:
    if window.weekly:
        seen = [look.value if back == 0 else look.ago(back) for back in looks(window)]
        known = sum((one.notnull().ifelse(1, 0) for one in seen[1:]), seen[0].notnull().ifelse(1, 0))
        count = sum((one.fill_null(False).ifelse(1, 0) for one in seen[1:]), seen[0].fill_null(False).ifelse(1, 0))
    else:
        known = look.over(look.value.count(), window.count - 1, 0)
        count = look.over(look.value.fill_null(False).ifelse(1, 0).sum(), window.count - 1, 0)
    return (known > 0).ifelse(count.cast("float64"), None)


def equal(left: Value, right: Value) -> bool:
    """Equal as people see it: numbers within the tolerance, everything else exactly."""
    if isinstance(left, float) and isinstance(right, float):
        return abs(left - right) <= slack(left, right)
    return left == right


def _changed(look: Look, window: Window) -> Value:
    now = look.at(0)
    if now is None:
        return None
    before = _known(look, window.count, 1)
    if any(not equal(value, now) for value in before):
        return True
    return False if len(before) == window.count else None


def _changed_columns(look: ColumnLook, window: Window) -> Any:
    now = look.value
    least, most = (look.over(bound, window.count, 1) for bound in (now.min(), now.max()))
    known = look.over(now.count(), window.count, 1)
    exact = not now.type().is_floating()
    differs = (least != now) | (most != now) if exact else ~_same(least, now) | ~_same(most, now)
    settled = (known == window.count).ifelse(False, None)
    return now.notnull().ifelse(differs.fill_null(False).ifelse(True, settled), None)


def _same(left: Any, right: Any) -> Any:
    size = (left.abs() >= right.abs()).ifelse(left.abs(), right.abs())
    return (left - right).abs() <= (size >= 1.0).ifelse(size, 1.0) * TOLERANCE


def _least_columns(_today: Any, *values: Any) -> Any:
    import ibis  # only where columns are built; this table itself stays light

    return _where_known(ibis.least(*values), values)


def _greatest_columns(_today: Any, *values: Any) -> Any:
    import ibis

    return _where_known(ibis.greatest(*values), values)


def _clamp_columns(_today: Any, x: Any, low: Any, high: Any) -> Any:
    import ibis

    return _where_known(ibis.least(ibis.greatest(x, low), high), (x, low, high))


def _where_known(answer: Any, values: tuple[Any, ...]) -> Any:
    """LEAST and GREATEST skip NULL; in the language one missing value makes the whole missing."""
    known = values[0].notnull()
    for value in values[1:]:
        known = known & value.notnull()
    return known.ifelse(answer, None)


def _coalesce(_today: int, *values: Value) -> Value:
    return next((value for value in values if value is not None), None)


def _scale(_today: int, x: float, low: float, high: float) -> Value:
    if abs(high - low) <= TOLERANCE:
        return None
    return min(max(100 * ((x - low) / (high - low)), 0.0), 100.0)


def _scale_columns(_today: Any, x: Any, low: Any, high: Any) -> Any:
    share = _divide(x - low, high - low) * 100.0
    return (share < 0.0).ifelse(0.0, (share > 100.0).ifelse(100.0, share))


def _floor_columns(x: Any) -> Any:
    hair = (x.abs() >= MOST_HAIR / TOLERANCE).ifelse(MOST_HAIR, (x.abs() >= 1.0).ifelse(x.abs(), 1.0) * TOLERANCE)
    small = (x.abs() < WHOLE).ifelse(x, None)      # Ibis makes a 64-bit integer of it on the way
    return (small + hair).floor().cast("float64").coalesce(x)


ROWS: tuple[Function, ...] = (
    Function("ago", (ANY,), None, "x as it was n days ago; missing before the account's first row.",
             Example("ago(x, days=2)", 5.0, (5.0, 6.0, 7.0)), lambda look, window: look.at(window.count),
             lambda look, window: look.ago(window.count), Reach.DAYS),
    Function("drop", (N,), Kind.NUMBER, "How far x has fallen since n days ago: then minus now.",
             Example("drop(x, days=2)", 14.0, (20.0, 11.0, 6.0)), _drop(-1, False), _drop_columns(-1, False),
             Reach.DAYS),
    Function("rise", (N,), Kind.NUMBER, "How far x has risen since n days ago: now minus then.",
             Example("rise(x, days=2)", 3.0, (1.0, 9.0, 4.0)), _drop(1, False), _drop_columns(1, False),
             Reach.DAYS),
    Function("drop_percent", (N,), Kind.NUMBER,
             "The fall since n days ago in percent of then; missing when then is 0.",
             Example("drop_percent(x, days=1)", 30.0, (10.0, 7.0)), _drop(-1, True), _drop_columns(-1, True),
             Reach.DAYS),
    Function("rise_percent", (N,), Kind.NUMBER,
             "The rise since n days ago in percent of then; missing when then is 0.",
             Example("rise_percent(x, days=1)", 50.0, (10.0, 15.0)), _drop(1, True), _drop_columns(1, True),
             Reach.DAYS),
    Function("average", (N,), Kind.NUMBER, "The mean of the known values of the last n days, today included.",
             Example("average(x, days=3)", 3.0, (2.0, None, 4.0)), _aggregate(lambda known: sum(known) / len(known)),
             lambda look, window: look.over(look.value.mean(), window.count - 1, 0), Reach.DAYS),
    Function("minimum", (N,), Kind.NUMBER, "The smallest known value of the last n days, today included.",
             Example("minimum(x, days=3)", 2.0, (2.0, None, 4.0)), _aggregate(min),
             lambda look, window: look.over(look.value.min(), window.count - 1, 0), Reach.DAYS),
    Function("maximum", (N,), Kind.NUMBER, "The largest known value of the last n days, today included.",
             Example("maximum(x, days=3)", 4.0, (2.0, None, 4.0)), _aggregate(max),
             lambda look, window: look.over(look.value.max(), window.count - 1, 0), Reach.DAYS),
    Function("total", (N,), Kind.NUMBER, "The sum over the last n days of a metric marked `per: day`.",
             Example("total(x, days=3)", 6.0, (2.0, None, 4.0)), _aggregate(sum),
             lambda look, window: look.over(look.value.sum(), window.count - 1, 0), Reach.DAYS),
    Function("usual", (N,), Kind.NUMBER,
             "The average over the n days that ended 7 days ago; missing when fewer than half of them are known.",
             Example("usual(x, days=2)", 4.0, (3.0, 5.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0)), _usual, _usual_columns,
             Reach.DAYS),
    Function("held", (F,), Kind.FLAG,
             "True when c was true on each of the last n days, or (weeks=) today and each week before, n looks in all.",
             Example("held(x < 3, days=3)", True, (1.0, 2.0, 1.0)), _held, _held_columns, Reach.DAYS_OR_WEEKS,
             parameters=("c",)),
    Function("times", (F,), Kind.NUMBER, "On how many of those days c was true; missing when it is known on none.",
             Example("times(x < 3, days=3)", 2.0, (1.0, 5.0, 1.0)), _times, _times_columns, Reach.DAYS_OR_WEEKS,
             parameters=("c",)),
    Function("changed", (ANY,), Kind.FLAG, "True when x differs from what it was on one of the n days before today.",
             Example("changed(x, days=2)", True, (1.0, 2.0, 2.0)), _changed, _changed_columns, Reach.DAYS),
    Function("known_for", (), Kind.FLAG, "True when the account has been known for n days, today included.",
             Example("known_for(days=3)", True, (1.0, 2.0, 3.0)), lambda look, window: look.rows >= window.count,
             lambda look, window: look.rows >= window.count, Reach.ROWS, parameters=()),
    Function("days_since", (D,), Kind.NUMBER, "Whole days from a date until today.",
             Example("days_since(on)", 2.0), _pointwise(lambda today, day: float(today - day)),
             lambda today, day: (today - day).cast("float64"), parameters=("date",)),
    Function("days_until", (D,), Kind.NUMBER, "Whole days from today until a date.",
             Example("days_until(on)", -2.0), _pointwise(lambda today, day: float(day - today)),
             lambda today, day: (day - today).cast("float64"), parameters=("date",)),
    Function("min", (N, N), Kind.NUMBER, "The smallest of two or more values; missing when one is missing.",
             Example("min(x, 2)", 2.0, (5.0,)), _pointwise(lambda _today, *values: min(values)), _least_columns,
             variadic=True, parameters=("x", "y")),
    Function("max", (N, N), Kind.NUMBER, "The largest of two or more values; missing when one is missing.",
             Example("max(x, 2)", 5.0, (5.0,)), _pointwise(lambda _today, *values: max(values)), _greatest_columns,
             variadic=True, parameters=("x", "y")),
    Function("abs", (N,), Kind.NUMBER, "The value without its sign.", Example("abs(x)", 3.0, (-3.0,)),
             _pointwise(lambda _today, x: abs(x)), lambda _today, x: x.abs()),
    Function("round", (N,), Kind.NUMBER, "The nearest whole number; halves go up.", Example("round(x)", 3.0, (2.5,)),
             _pointwise(lambda _today, x: floor(x + 0.5)), lambda _today, x: _floor_columns(x + 0.5)),
    Function("floor", (N,), Kind.NUMBER, "The whole number at or below x.", Example("floor(x)", 2.0, (2.9,)),
             _pointwise(lambda _today, x: floor(x)), lambda _today, x: _floor_columns(x)),
    Function("clamp", (N, N, N), Kind.NUMBER, "x, but not below `low` nor above `high`.",
             Example("clamp(x, 0, 10)", 10.0, (12.0,)), _pointwise(lambda _today, x, low, high: min(max(x, low), high)),
             _clamp_columns, parameters=("x", "low", "high")),
    Function("coalesce", (ANY, ANY), None, "The first of the values that is known.",
             Example("coalesce(x, 0)", 0.0, (None,)), _coalesce, lambda _today, first, *others: first.coalesce(*others),
             variadic=True, parameters=("x", "y")),
    Function("known", (ANY,), Kind.FLAG, "Whether x is known. Never missing itself.",
             Example("known(x)", False, (None,)), lambda _today, x: x is not None, lambda _today, x: x.notnull()),
    Function("missing", (ANY,), Kind.FLAG, "Whether x is missing. Never missing itself.",
             Example("missing(x)", True, (None,)), lambda _today, x: x is None, lambda _today, x: x.isnull()),
    Function("scale", (N, N, N), Kind.NUMBER, "Maps low … high to 0 … 100, held to 0 … 100 outside.",
             Example("scale(x, 10, 20)", 50.0, (15.0,)), _pointwise(_scale), _scale_columns,
             parameters=("x", "low", "high")),
)

FUNCTIONS: Mapping[str, Function] = MappingProxyType({row.name: row for row in ROWS})
