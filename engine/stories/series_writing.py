"""Values, one a day, as the compact series of a story: the inverse of `series.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from forestall.engine.model.evaluation import Value

SHORTEST_RAMP = 4
_PLAIN = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")


def sayable(text: str) -> bool:
    """Whether a text can stand in a series, which commas divide."""
    return bool(text) and text == text.strip() and text != "_" and not set(text) & set(",\"'\n\r\t")


def written_series(values: Sequence[Value]) -> str:
    """`20 x14, 20..6 x15, _ x3`. Reading it gives exactly these values."""
    return ", ".join(_pieces(values))


def written_value(value: Value) -> str:
    """One value, as a story says it."""
    match value:
        case None:
            return "_"
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _pieces(values: Sequence[Value]) -> Iterator[str]:
    at = 0
    while at < len(values):
        same = _same(values, at)
        ramp = _ramp(values, at) if same == 1 else 1
        if ramp >= SHORTEST_RAMP:
            yield f"{written_value(values[at])}..{written_value(values[at + ramp - 1])} x{ramp}"
            at += ramp
        else:
            times = f" x{same}" if same > 1 or isinstance(values[at], str) else ""
            yield written_value(values[at]) + times
            at += same


def _same(values: Sequence[Value], at: int) -> int:
    """How many days the value stays."""
    end = at
    while end < len(values) and values[end] == values[at] and type(values[end]) is type(values[at]):
        end += 1
    return end - at


def _ramp(values: Sequence[Value], at: int) -> int:
    """How many days form an exact ramp from here on; 1 where none begins."""
    first = values[at]
    if isinstance(first, date):
        end = at + 1
        while end < len(values) and values[end] == first + timedelta(days=end - at):
            end += 1
        return end - at
    if not isinstance(first, float):
        return 1
    longest = 1
    for end in range(at + SHORTEST_RAMP - 1, len(values)):
        last = values[end]
        if not isinstance(last, float) or not _is_ramp(values[at:end + 1], first, last):
            break
        longest = end - at + 1
    return longest


def _is_ramp(values: Sequence[Value], first: float, last: float) -> bool:
    """Whether reading `first..last` gives these very values, to the last bit."""
    steps = len(values) - 1
    plain = all(_PLAIN.fullmatch(written_value(end)) for end in (first, last))
    return plain and first != last and all(
        value == first + (last - first) * step / steps for step, value in enumerate(values))
