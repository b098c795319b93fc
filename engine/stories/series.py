"""The compact series of a story: `20 x14, 20..6 x15, _ x3` is one value a day for 32 days."""

from __future__ import annotations

import re
from datetime import date, timedelta

from forestall.engine.errors import Location
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Kind
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import ScalarNode

MOST_DAYS = 1100
REPEATED = re.compile(r"^(?P<value>.*?)(?:\s+x\s*(?P<times>[0-9]+))?$")
RAMPS = {
    Kind.NUMBER: re.compile(r"^(?P<first>-?[0-9.]+?)\s*\.\.\s*(?P<last>-?[0-9.]+)$"),
    Kind.DATE: re.compile(r"^(?P<first>[0-9]{4}-[0-9]{2}-[0-9]{2})\s*\.\.\s*(?P<last>[0-9]{4}-[0-9]{2}-[0-9]{2})$")}
WORDS = {Kind.NUMBER: "a number", Kind.TEXT: "a text", Kind.FLAG: "true or false",
         Kind.DATE: "a date such as 2026-01-05"}


def read_series(written: ScalarNode, metric: Metric, findings: Findings) -> tuple[Value, ...]:
    """One value a day; None where nothing arrives. Says in `findings` what cannot be read."""
    values: list[Value] = []
    offset = 0
    for piece in written.text.split(","):
        place = written.place(offset + len(piece) - len(piece.lstrip()))
        offset += len(piece) + 1
        found = _piece(piece.strip(), metric, place, findings)
        values.extend(found)
        if len(values) > MOST_DAYS:
            findings.say(place, "series-too-long", f"the series of {metric.name} is longer than {MOST_DAYS} days.",
                         "Shorten it.")
            return ()
    return tuple(values)


def _piece(piece: str, metric: Metric, place: Location, findings: Findings) -> list[Value]:
    matched = REPEATED.match(piece)
    text = matched["value"].strip() if matched else piece
    times = min(int(matched["times"]), MOST_DAYS + 1) if matched and matched["times"] else 1
    if text == "_":
        return [None] * times
    ramp = RAMPS[metric.kind].match(text) if metric.kind in RAMPS else None
    if ramp:
        return _ramp(ramp["first"], ramp["last"], times, metric, place, findings)
    value = read_value(text, metric, place, findings)
    return [value] * times


def _ramp(first: str, last: str, times: int, metric: Metric, place: Location, findings: Findings) -> list[Value]:
    low, high = (read_value(end, metric, place, findings) for end in (first, last))
    if times < 2:
        findings.say(place, "series", f"a ramp of {metric.name} needs at least two days.",
                     f"Write {first}..{last} x7.")
        return []
    if isinstance(low, date) and isinstance(high, date):
        return _days(low, high, times, metric, place, findings)
    if not isinstance(low, float) or not isinstance(high, float):
        return []
    return [low + (high - low) * step / (times - 1) for step in range(times)]


def _days(first: date, last: date, times: int, metric: Metric, place: Location, findings: Findings) -> list[Value]:
    """A day each day; also backwards, or several days a day, as long as they are whole ones."""
    step, rest = divmod((last - first).days, times - 1)
    if rest:
        findings.say(place, "series", f"{first}..{last} cannot be taken in {times - 1} equal steps of whole days.",
                     f"From one day to the next it is {first}..{first + timedelta(days=times - 1)} x{times}.")
        return []
    return [first + timedelta(days=step * done) for done in range(times)]


def read_value(text: str, metric: Metric, place: Location, findings: Findings) -> Value:
    """A value of the metric's kind; None and a finding where the text is none."""
    try:
        match metric.kind:
            case Kind.NUMBER:
                return float(text)
            case Kind.DATE:
                return date.fromisoformat(text)
            case Kind.FLAG:
                return {"true": True, "false": False}[text.casefold()]
            case _:
                return text.strip("\"'")
    except (ValueError, KeyError):
        findings.say(place, "wrong-kind", f"`{text}` is no value of {metric.name}: {WORDS[metric.kind]} is needed.",
                     "A series is written: 20 x14, 20..6 x15, _ x3.")
        return None
