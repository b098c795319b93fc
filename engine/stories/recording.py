"""A stretch of an account's real history as a story: no name that is in it belongs to anybody."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from forestall.engine.detect.history import History
from forestall.engine.errors import Location, UsageError
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Kind
from forestall.engine.model.people import Directory
from forestall.engine.rulebook.source import meaning
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import from_epoch, to_epoch
from forestall.engine.score.look_back import look_back
from forestall.engine.stories.expecting import expectations
from forestall.engine.stories.naming import Renamed, needed
from forestall.engine.stories.outcome import DayTold
from forestall.engine.stories.series import MOST_DAYS
from forestall.engine.stories.series_writing import written_series, written_value
from forestall.engine.stories.stories import UNSCORED, read_stories
from forestall.engine.stories.telling import tell

WIDTH = 112
NOTHING_YET = ["- {day: 1, no_alerts: []}"]
_NOT_PLAIN = re.compile(r"[^\w.,@+/ -]|^[@-](?![0-9])")      # what could mean something in YAML
_PLAIN = re.compile(r"[A-Za-z0-9][\w.@+/-]*(?: [\w.@+/-]+)*")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A story as it stands in a file, and the days on which it goes otherwise than the real account did, in words."""

    text: str
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What the story says: its first day, the metrics that never change, and the others with a value a day."""

    name: str
    start: date
    days: int
    constant: Mapping[str, Value]
    varied: Mapping[str, Sequence[Value]]


def record(evaluator: Evaluator, directory: Directory, history: History, account: str, first: date, last: date,
           name: str) -> Recorded | None:
    """The story of these days; None when the account has no row on any of them.

    It begins as many days earlier as the rules look back, and expects what the engine decides from `first` on.
    """
    rulebook = evaluator.rulebook
    back = look_back(rulebook, [expression.term for expression in evaluator.conditions.expressions])
    rows = _rows(evaluator, history, account, first - timedelta(days=back), last)
    if not any(day >= to_epoch(first) for day in rows):
        return None
    stretch = _stretch(evaluator, directory, rows, name, last)
    if stretch.days > MOST_DAYS:
        raise UsageError.one(Location("--from"), "series-too-long",
                             f"this is {stretch.days} days, with those that the rules look back on; a story has at "
                             f"most {MOST_DAYS}.", "Record a shorter time.")
    told = _tell(evaluator, directory, _text(stretch, NOTHING_YET))
    from_day = max(1, (first - stretch.start).days + 1)
    lines = list(expectations(told, from_day))
    text = _text(stretch, lines)
    _tell(evaluator, directory, text)
    return Recorded(text, tuple(_differences(evaluator, history, account, first, told)))


def _rows(evaluator: Evaluator, history: History, account: str, first: date,
          last: date) -> dict[int, Mapping[str, Value]]:
    with history.reading(evaluator.rulebook.catalogue, first, last, [account]) as connection:
        table = connection.sql("SELECT * FROM history ORDER BY day").to_arrow_table()
    return {row["day"]: row for row in table.to_pylist()}


def _stretch(evaluator: Evaluator, directory: Directory, rows: Mapping[int, Mapping[str, Value]], name: str,
             last: date) -> _Stretch:
    start = min(rows)
    days = range(start, to_epoch(last) + 1)
    # Where the account was gone for a while, the story names it on the days on which it was named, and on no other.
    whole = all(day in rows for day in days) and not any(
        _unnamed(rows, day) > evaluator.rulebook.gone_after for day in days)
    renamed = Renamed(evaluator.rulebook, directory)
    constant: dict[str, Value] = {}
    varied: dict[str, Sequence[Value]] = {}
    for metric in needed(evaluator.rulebook):
        values = [_as_said(metric, rows[day][metric.name]) if day in rows else None for day in days]
        values = [renamed.value(metric, value) for value in values]
        if all(value is None for value in values):
            continue
        if whole and len(set(values)) == 1:
            constant[metric.name] = values[0]
        else:
            said = _said_so_that_it_ends(metric, values)
            varied[metric.name] = said if whole or metric.per_day else [
                value if at == 0 or _unnamed(rows, day) == 0 else None
                for at, (day, value) in enumerate(zip(days, said, strict=True))]
    return _Stretch(name, from_epoch(start), len(days), constant, varied)


def _unnamed(rows: Mapping[int, Mapping[str, Value]], day: int) -> int:
    """For how many days no source has named the account; -1 on days without a row."""
    named = rows[day]["named_day"] if day in rows else None
    return day - named if isinstance(named, int) else -1


def _as_said(metric: Metric, value: Value) -> Value:
    """The history holds dates as days since 1970."""
    return from_epoch(value) if metric.kind is Kind.DATE and isinstance(value, int) else value


def _said_so_that_it_ends(metric: Metric, values: Sequence[Value]) -> Sequence[Value]:
    """A value that goes stale was last said `stale_after` days before: the story falls silent on that day as well."""
    if metric.per_day:
        return values
    said = list(values)
    for at in range(1, len(values)):
        if values[at] is None and values[at - 1] is not None:
            for silent in range(max(1, at - metric.stale_after), at):
                said[silent] = None
    return said


# -- the text --------------------------------------------------------------------------------------------------------


def _text(stretch: _Stretch, expected: Sequence[str]) -> str:
    lines = ["stories:", f"  - name: {_name(stretch.name)}", f"    from: {stretch.start.isoformat()}"]
    if stretch.constant:
        lines.append("    account:")
        lines += [f"      {name}: {_scalar(written_value(value))}" for name, value in stretch.constant.items()]
    if stretch.varied:
        lines.append("    series:")
        for name, values in stretch.varied.items():
            lines += _wrapped(f"      {name}: ", written_series(values))
    return "\n".join([*lines, "    expect:", *(f"      {line}" for line in expected), ""])


def _wrapped(head: str, series: str) -> Iterator[str]:
    """A series over several lines; YAML puts them together again."""
    if _NOT_PLAIN.search(series):
        yield head + _quoted(series)
        return
    line = head
    for number, piece in enumerate(series.split(", ")):
        added = ("" if number == 0 else ", ") + piece
        if number and len(line) + len(added) > WIDTH:
            yield line + ","
            line, added = "        ", piece
        line += added
    yield line


def _scalar(text: str) -> str:
    """A text as YAML reads it back; quotes only where they are needed."""
    return text if _PLAIN.fullmatch(text) and meaning(text) is not None else _quoted(text)


def _name(text: str) -> str:
    """A story's name is a text, also where it looks like a number."""
    return _scalar(text) if isinstance(meaning(text), str) else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# -- holding it against what was -------------------------------------------------------------------------------------


def _tell(evaluator: Evaluator, directory: Directory, text: str) -> tuple[DayTold, ...]:
    """Read the story as `forestall test` would, and tell it. A story that does not go as it says is a bug of ours."""
    with tempfile.TemporaryDirectory(prefix="forestall-record-") as folder:
        (Path(folder) / "recorded.yaml").write_text(text, encoding="utf-8")
        stories = read_stories(Path(folder), evaluator.rulebook)
        (told,) = tell(evaluator, directory, stories)
    assert not told.misses, told.misses
    return told.days


def _differences(evaluator: Evaluator, history: History, account: str, first: date,
                 told: Sequence[DayTold]) -> Iterator[str]:
    """Where score or tier are not what they were: a story knows less of the days before it."""
    days = [day for day in told if day.day >= first]
    real = evaluator.facts(history, {day.day: [account] for day in days})
    for day in days:
        was = real.get((account, day.day))
        tier = (was.tier if was is not None else None) or UNSCORED
        score = was.score if was is not None else None
        if (tier, score) != (day.tier, day.score):
            yield f"{day.day}: the score was {_points(score)} ({tier}), in the story it is {_points(day.score)} " \
                  f"({day.tier})"


def _points(score: float | None) -> str:
    return "none" if score is None else f"{score:g}"


def refuse_backwards(first: date, last: date) -> None:
    """UsageError for a stretch that ends before it begins."""
    if last < first:
        raise UsageError.one(Location("--to"), "period", f"{last} is before {first}.",
                             "Give the first day with --from and the last with --to.")
