"""What happened in a story, written as the expectations that it meets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from forestall.engine.stories.outcome import DayTold


def expectations(told: Sequence[DayTold], from_day: int) -> Iterator[str]:
    """A line for each day from `from_day` on (1 is the first) on which something changes, is planned or is held back;
    and one for each stretch in between, in which nothing must go out."""
    days = range(from_day, len(told) + 1)
    for quiet, found in groupby(days, key=lambda day: _is_quiet(told, day, from_day)):
        stretch = list(found)
        if not quiet:
            yield from (_line(told, day, from_day) for day in stretch)
            continue
        which = str(stretch[0]) if len(stretch) == 1 else f"{stretch[0]}-{stretch[-1]}"
        alerts = "" if any(told[day - 1].alerts for day in stretch) else "no_alerts: all, "
        yield f"- {{day: {which}, {alerts}no_deliveries: all}}"


def _is_quiet(told: Sequence[DayTold], day: int, from_day: int) -> bool:
    today = told[day - 1]
    if day in (from_day, len(told)) or today.deliveries:
        return False
    before = told[day - 2]
    return (today.tier, today.alerts, today.silences) == (before.tier, before.alerts, before.silences)


def _line(told: Sequence[DayTold], day: int, from_day: int) -> str:
    today = told[day - 1]
    before = told[day - 2] if day > from_day else None
    said = [f"day: {day}"]
    if before is None or before.tier != today.tier or day == len(told):
        said.append(f"tier: {today.tier}")
        said += [f"score: {today.score:g}"] if today.score is not None else []
    opened = today.alerts - (before.alerts if before is not None else frozenset())
    closed = before.alerts - today.alerts if before is not None else frozenset()
    said += _listed("alerts", opened)
    if before is None and not today.alerts:
        said.append("no_alerts: all")
    said += _listed("no_alerts", closed)
    said += _listed("deliveries", today.deliveries) or ["no_deliveries: all"]
    if before is None or before.silences != today.silences:
        said += _listed("silence", today.silences)
    return f"- {{{', '.join(said)}}}      # {today.day.isoformat()}"


def _listed(key: str, names: Sequence[str] | frozenset[str]) -> list[str]:
    """`alerts: [inactivity, "tier:at_risk"]`, each once; nothing for no names."""
    unique = dict.fromkeys(sorted(names) if isinstance(names, frozenset) else names)
    written = [f'"{name}"' if ":" in name else name for name in unique]
    return [f"{key}: [{', '.join(written)}]"] if written else []
