"""Made-up histories: values missing by chance or for days on end, one-row accounts, values at the very edge."""

import math
import random

import pyarrow as pa

from forestall.engine.language.functions import slack
from forestall.engine.model.expression import Kind

ACCOUNTS, FIRST_DAY, LONGEST = 16, 20000, 30
LAST_DAY = FIRST_DAY + 12 + LONGEST
NUMBERS, TEXTS, FLAGS, DATES = ("a", "b", "n"), ("s", "t"), ("f", "g"), ("on", "off")
PER_DAY = frozenset({"n"})
SUPPLIED = {name: kind for kind, group in (
    (Kind.NUMBER, NUMBERS), (Kind.TEXT, TEXTS), (Kind.FLAG, FLAGS), (Kind.DATE, DATES)) for name in group}
ARROW = {Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.FLAG: pa.bool_(), Kind.DATE: pa.int64()}
# 3, and numbers that are and are not 3 to people; the parts of 78.1 - 63.1 >= 15; divisors that count as zero; what is
# rounded up by a hair as a score
SAID_NUMBERS = (0.0, -0.0, 1.0, -1.0, 2.0, 2.5, -2.5, 3.0, 3.0 + 3e-10, 3.0 - 3e-10, 3.0 + 7e-8, 0.1, 0.2, 0.3, 15.0,
                14.0, 40.0, 63.1, 78.1, 100.0, 1e-10, 62.25 - 3e-8, 77.25 - 3e-8, math.nan, math.inf, -math.inf, 1e15,
                -1e15, 1.1e15)
SAID_TEXTS = ("x", "y", "z  z", "z z", "it's", "", "50%", "ö – #", "X")


def histories(seed):
    """Account → (first day, its rows by day): consecutive days, each value as a source might have said it."""
    luck = random.Random(seed)
    return {f"account {number}": _history(luck, 1 if number == 0 else luck.randrange(2, LONGEST))
            for number in range(ACCOUNTS)}


def _history(luck, days):
    first = FIRST_DAY + luck.randrange(12)
    seldom = luck.choice((0.0, 0.1, 0.5))
    numbers = luck.sample(SAID_NUMBERS, 3) if luck.random() < 0.4 else SAID_NUMBERS
    silent = _silence(luck, first, days)
    rows = {}
    for day in range(first, first + days):
        rows[day] = {name: None if day in silent or luck.random() < seldom else _said(luck, kind, day, numbers)
                     for name, kind in SUPPLIED.items()}
        row = rows[day]
        if row["n"] is not None:
            row["n"] = luck.choice((0.0, 1.0, 0.1, 0.2, 7.0))
        if row["a"] is not None and luck.random() < 0.3:
            row["b"] = _beside(luck, row["a"])
        if day > first and day not in silent and luck.random() < 0.6:      # carried
            row |= {name: rows[day - 1][name] for name in SUPPLIED if name != "n"}
            if row["b"] is not None and luck.random() < 0.3:
                row["b"] = _beside(luck, row["b"])
    return first, rows


def _silence(luck, first, days):
    """Days that carry nothing: some by themselves, and for some accounts a gap."""
    silent = {day for day in range(first, first + days) if luck.random() < 0.1}
    if luck.random() < 0.5:
        start = first + luck.randrange(days)
        silent |= set(range(start, start + luck.randrange(2, 14)))
    return silent


def _said(luck, kind, day, numbers):
    match kind:
        case Kind.NUMBER:
            value = luck.choice(numbers)
            return _beside(luck, value) if luck.random() < 0.15 else value
        case Kind.TEXT:
            return luck.choice(SAID_TEXTS)
        case Kind.FLAG:
            return luck.random() < 0.7
        case Kind.DATE:
            return day - luck.choice((-3, 0, 0, 1, 2, 14, 400))


def _beside(luck, value):
    """The same number, one that is the same to people, or one that just is not."""
    return value + luck.choice((0.0, 0.5, -0.5, 1.5, -1.5)) * slack(value) if math.isfinite(value) else value


def at_the_door(value):
    """A value as it is stored: no number is NaN, infinite or too large."""
    return None if isinstance(value, float) and not abs(value) <= 1e15 else value


def table(accounts):
    """The histories as an engine stores them, in no order."""
    rows = [{"account": account, "day": day, "first_day": first, "named_day": day}
            | {name: at_the_door(value) for name, value in values.items()}
            for account, (first, days) in accounts.items() for day, values in days.items()]
    random.Random(0).shuffle(rows)
    fixed = [(name, pa.string() if name == "account" else pa.int64())
             for name in ("account", "day", "first_day", "named_day")]
    return pa.Table.from_pylist(rows, pa.schema([*fixed, *((name, ARROW[kind]) for name, kind in SUPPLIED.items())]))
