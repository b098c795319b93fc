"""by_hand.csv beside the rules: what people know and no source says, with who says so, why and until when."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from forestall.engine.errors import Location
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.catalogue import ByHand, Metric
from forestall.engine.model.expression import Kind
from forestall.engine.rulebook.findings import Findings

FILE = "by_hand.csv"
LONG = ("account", "metric", "value", "since", "until", "by", "note")      # a line for each value
WIDE = ("account", "since", "until", "by", "note")      # a line for each account, and a column for each metric
_CELL = {cut: re.compile(rf'(?:^|{cut})(?:"((?:[^"]|"")*)"|([^{cut}"]*))(?={cut}|$)') for cut in (",", ";", "\t")}
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
MAX_NUMBER = 1e15


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    location: Location


def read(file: Path, metrics: Mapping[str, Metric], findings: Findings) -> tuple[tuple[ByHand, ...], str]:
    """What the file says, and its text; nothing where there is no such file."""
    try:
        whole = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return (), ""
    except (OSError, UnicodeDecodeError) as error:
        code = "not-utf-8" if isinstance(error, UnicodeDecodeError) else "unreadable-file"
        findings.say(Location(str(file)), code, "this file cannot be read as text.",
                     "Save it as CSV in UTF-8.")
        return (), ""
    lines = [(number, line) for number, line in enumerate(whole.splitlines(), 1) if line.strip(" ,;\t")]
    cut = _delimiter(lines[0][1]) if lines else ","
    heads = list(_cells(file, *lines[0], cut)) if lines else []
    names = [cell.text for cell in heads]
    if not set(WIDE) <= set(names) or ("metric" in names) != ("value" in names):
        findings.say(Location(str(file), 1, 1), "by-hand-columns",
                     f"the first line must name the columns: {','.join(LONG)}.",
                     "Or, with a column for each metric, account,since,until,by,note and the names of the metrics.")
        return (), whole
    found: list[ByHand] = []
    for number, line in lines[1:]:
        cells = list(_cells(file, number, line, cut))
        if len(cells) < len(names) or any(cell.text for cell in cells[len(names):]):
            findings.say(Location(str(file), number, 1), "by-hand-columns",
                         f"this line has {len(cells)} cells, and there are {len(names)} columns.",
                         "Put a text with a comma in quotes.")
            continue
        found.extend(_line(heads, cells, metrics, findings))
    _twice(found, findings)
    return tuple(found), whole


def _delimiter(head: str) -> str:
    """What stands between the cells: spreadsheets of some countries write semicolons."""
    return next((one for one in (",", ";", "\t") if one in head), ",")


def _cells(file: Path, number: int, line: str, cut: str) -> Iterator[_Cell]:
    for cell in _CELL[cut].finditer(line):
        quoted, bare = cell.group(1), cell.group(2)
        start = cell.start(1) - 1 if quoted is not None else cell.start(2)
        content = quoted.replace('""', '"') if quoted is not None else bare
        yield _Cell(content.strip(), Location(str(file), number, start + 1))


def _line(heads: Sequence[_Cell], cells: Sequence[_Cell], metrics: Mapping[str, Metric],
          findings: Findings) -> Iterator[ByHand]:
    """What one line says: one value, or one in each column that is called like a metric and not empty."""
    named = {head.text: cell for head, cell in zip(heads, cells, strict=False)}
    if "metric" in named:
        one = _row({name: named[name] for name in LONG}, metrics, findings)
        if one is not None:
            yield one
        return
    if not any(cell.text for name, cell in named.items() if name not in WIDE):
        findings.say(named["account"].location, "by-hand-cell", "this line says no value.",
                     "Fill in a metric, or take the line out.")
    for head, cell in zip(heads, cells, strict=False):
        if head.text and head.text not in WIDE and cell.text:
            one = _row({**{name: named[name] for name in WIDE}, "metric": head, "value": cell}, metrics, findings)
            if one is not None:
                yield one


def _row(cells: Mapping[str, _Cell], metrics: Mapping[str, Metric], findings: Findings) -> ByHand | None:
    for name, cell in cells.items():
        if not cell.text:
            findings.say(cell.location, "by-hand-cell", f"`{name}` is empty.",
                         "Say who knows it (by), why (note), and from when until when it holds.")
            return None
    metric = metrics.get(cells["metric"].text)
    if metric is None:
        findings.say(cells["metric"].location, "unknown-name", f"there is no metric `{cells['metric'].text}`.",
                     did_you_mean(cells["metric"].text, metrics) or "Add it to metrics.yaml.")
        return None
    if not metric.by_hand:
        findings.say(cells["metric"].location, "not-by-hand", f"metric {metric.name} is not meant to be set by hand.",
                     f"Write `by_hand: true` for {metric.name} in metrics.yaml.")
        return None
    value = _value(metric, cells["value"], findings)
    since, until = (_day(cells[name], name, findings) for name in ("since", "until"))
    if value is None or since is None or until is None:
        return None
    if until < since:
        findings.say(cells["until"].location, "by-hand-cell", f"`until` lies before `since` ({since}).",
                     "Write the last day on which it holds.")
        return None
    return ByHand(cells["account"].text, metric.name, value, since, until, cells["by"].text, cells["note"].text,
                  cells["account"].location)


def _value(metric: Metric, cell: _Cell, findings: Findings) -> float | str | bool | date | None:
    found: float | str | bool | date | None = None
    match metric.kind:
        case Kind.NUMBER:
            try:
                number = float(cell.text)
            except ValueError:
                number = math.nan
            found = number if abs(number) <= MAX_NUMBER else None      # NaN is never at most anything
        case Kind.FLAG:
            found = _FLAGS.get(cell.text.casefold())
        case Kind.DATE:
            found = _as_day(cell.text)
        case Kind.TEXT:
            found = cell.text if not metric.one_of or cell.text in metric.one_of else None
    if found is None:
        wanted = {Kind.NUMBER: "a number, such as 12.5", Kind.FLAG: "true or false", Kind.DATE: "a day: 2026-03-31",
                  Kind.TEXT: f"one of {', '.join(metric.one_of)}"}[metric.kind]
        findings.say(cell.location, "by-hand-cell", f"`{cell.text}` does not fit metric {metric.name}.",
                     f"Write {wanted}.")
    return found


def _day(cell: _Cell, name: str, findings: Findings) -> date | None:
    found = _as_day(cell.text)
    if found is None:
        findings.say(cell.location, "by-hand-cell", f"`{name}` is no day: `{cell.text}`.", "Write it as 2026-03-31.")
    return found


def _as_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-03-31") else None
    except ValueError:
        return None


def _twice(found: list[ByHand], findings: Findings) -> None:
    """Two lines must not say two things of one account on one day."""
    last: dict[tuple[str, str], ByHand] = {}
    for one in sorted(found, key=lambda each: each.since):
        before = last.get((one.account, one.metric))
        if before is not None and one.since <= before.until:
            findings.say(one.location, "by-hand-twice",
                         f"{one.metric} of {one.account} is said twice for {one.since}: line {before.location.line} "
                         f"holds until {before.until}.", "Let the earlier one end before, or take one away.")
        last[one.account, one.metric] = max((one, before or one), key=lambda each: each.until)
