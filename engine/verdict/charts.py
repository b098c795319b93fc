"""The charts of the page, drawn as SVG: no script, nothing fetched, and colours that follow light and dark.

Colours are classes of the page's style sheet: `base` and `candidate`, `worse`, `better` and `stays`. Each chart bears a
title and a description for people who do not see it; its figures stand beside it as a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

from forestall.engine.simulate.comparison import DayCompared, Pair, Swept, TierMove
from forestall.engine.verdict.words import amount, cut, day, figure, one_line, share, short_day, tier

_BARS = 62      # so many days are drawn as bars; more as lines


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the figures of a chart lie on its ground, and how high they can be."""

    wide: int
    high: int
    top: float
    left: int = 40
    right: int = 8
    above: int = 10
    below: int = 26

    def y(self, value: float) -> float:
        """The height at which a value stands."""
        return self.above + (self.high - self.above - self.below) * (1 - value / self.top)

    def x(self, part: float) -> float:
        """The place of a part (0 to 1) of the way across."""
        return self.left + (self.wide - self.left - self.right) * part


def ticks(most: float, about: int = 4) -> list[float]:
    """Round values from 0 to the first at or above `most`: 0, 5, 10, 15."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / about
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * one for one in (1, 2, 2.5, 5, 10) if size * one >= raw * 0.999)
    step = max(step, 1.0) if most >= 1 else step
    return [step * number for number in range(math.ceil(most / step * 0.999) + 1)]


def per_day(key: str, title: str, days: Sequence[DayCompared], pick: Callable[[DayCompared], Pair],
            gaps: Sequence[date] = ()) -> str:
    """A count of each day: base as broad quiet bars, candidate as slim ones before them; lines for long periods."""
    pairs = [pick(one) for one in days]
    marks = ticks(max([*(one.candidate for one in pairs), *(one.base or 0 for one in pairs)]))
    frame = _Frame(940, 200, marks[-1])
    drawn = [*_levels(frame, marks), *_days(frame, days)]
    slot = 1 / len(days)
    drawn += [_box("gap", frame.x(number * slot), frame.above, frame.x(slot) - frame.x(0),
                   frame.high - frame.above - frame.below) for number, one in enumerate(days) if one.day in gaps]
    compared = any(one.base is not None for one in pairs)
    if len(days) <= _BARS:
        for number, one in enumerate(pairs):
            if one.base is not None:
                drawn.append(_bar("base", frame, (number + 0.1) * slot, 0.8 * slot, one.base))
            width = 0.36 if compared else 0.6
            drawn.append(_bar("candidate", frame, (number + (1 - width) / 2) * slot, width * slot, one.candidate))
    else:
        if compared:
            drawn.append(f'<path class="base" d="{_steps(frame, [one.base or 0 for one in pairs], closed=True)}"/>')
        drawn.append(f'<path class="line" d="{_steps(frame, [one.candidate for one in pairs], closed=False)}"/>')
    return _svg(key, title, _told(title, days, pairs), frame, drawn)


def _told(title: str, days: Sequence[DayCompared], pairs: Sequence[Pair]) -> str:
    """The chart in words."""
    def side(name: str, values: Sequence[float]) -> str:
        peak = max(values)
        on = days[list(values).index(peak)].day
        return f"{name}: mean {sum(values) / len(values):.1f}, peak {figure(peak)} on {day(on)}."

    base = [one.base for one in pairs if one.base is not None]
    said = [f"{title}, {day(days[0].day)} to {day(days[-1].day)}."]
    said += [side("Base", base)] if len(base) == len(pairs) else []
    return " ".join([*said, side("Candidate", [one.candidate for one in pairs])])


def scores(key: str, title: str, found: Mapping[int, Pair], band: int, median: str) -> str:
    """How many accounts have which score, in bands of some points; `median` says where the middle one is."""
    lows = range(0, 100, band)
    pairs = [found.get(low, Pair(None, 0)) for low in lows]
    marks = ticks(max([*(one.candidate for one in pairs), *(one.base or 0 for one in pairs)]))
    frame = _Frame(460, 300, marks[-1], left=46, right=14)
    drawn = _levels(frame, marks)
    slot = 1 / len(pairs)
    for number, one in enumerate(pairs):
        if one.base is not None:
            drawn.append(_bar("base", frame, (number + 0.06) * slot, 0.88 * slot, one.base))
        width = 0.7 if one.base is None else 0.4
        drawn.append(_bar("candidate", frame, (number + (1 - width) / 2) * slot, width * slot, one.candidate))
    drawn += [_words(frame.x(part / 5), frame.high - 8, str(20 * part), "middle") for part in range(6)]
    return _svg(key, title, f"{title}. {median}", frame, drawn)


def tier_flow(key: str, title: str, names: Sequence[str], moves: Sequence[TierMove]) -> str:
    """Accounts from the base's tiers on the left to the candidate's on the right; who stays is quiet."""
    frame = _Frame(460, 300, 1, left=92, right=92, above=6, below=6)
    flows = {(one.base, one.candidate): one.accounts for one in moves if one.accounts}
    sides = [[name for name in names if any(pair[side] == name for pair in flows)] for side in (0, 1)]
    gap, most = 15.0, max(len(side) for side in sides)
    room = frame.high - frame.above - frame.below - gap * (most - 1) - 2 * len(flows)
    scale = max(room, 0) / max(sum(flows.values()), 1)
    thick = {pair: max(count * scale, 1.5) for pair, count in flows.items()}
    drawn: list[str] = []
    tops: list[dict[str, float]] = [{}, {}]
    for side, there in enumerate(sides):
        y = float(frame.above)
        for name in there:
            height = sum(size for pair, size in thick.items() if pair[side] == name)
            count = sum(number for pair, number in flows.items() if pair[side] == name)
            x = frame.left - 6 if side == 0 else frame.wide - frame.right
            drawn.append(_box("base" if side == 0 else "candidate", x, y, 6, height))
            drawn.append(_words(x - 6 if side == 0 else x + 12, y + height / 2 + 4,
                                f"{cut(tier(name), 14)} {count:,}", "end" if side == 0 else "start"))
            tops[side][name] = y
            y += height + gap
    ribbons: list[tuple[bool, str]] = []
    place = {name: number for number, name in enumerate(names)}
    for (base, candidate), size in sorted(thick.items(), key=lambda one: (place[one[0][0]], place[one[0][1]])):
        y, other = tops[0][base], tops[1][candidate]
        tops[0][base] += size
        tops[1][candidate] += size
        kind = "stays" if base == candidate or not base or not candidate else \
            "worse" if place[candidate] > place[base] else "better"
        ribbons.append((kind != "stays", _ribbon(kind, frame.left, y, frame.wide - frame.right, other, size)))
    drawn = [*(path for _, path in sorted(ribbons)), *drawn]
    moved = sum(count for (base, candidate), count in flows.items() if base != candidate)
    told = f"{title}: {amount(moved, 'account changes', 'accounts change')} tier, " \
           f"{sum(flows.values()) - moved:,} stay where they are."
    return _svg(key, title, told, frame, drawn)


def sweep(key: str, title: str, swept: Sequence[Swept]) -> str:
    """The trade of a threshold: what a CSM gets against the churn that is caught, with intervals."""
    across = ticks(max(one.alerts_per_csm for one in swept), 6)
    marks = ticks(max(100 * one.caught.recall.high for one in swept))
    frame = _Frame(640, 320, marks[-1], left=46, above=12, below=42)
    drawn = [*_levels(frame, marks, " %")]
    drawn += [_words(frame.x(value / across[-1]), frame.high - 24, f"{value:g}", "middle") for value in across]
    drawn.append(_words(frame.x(0.5), frame.high - 6, "alerts per CSM and week", "middle"))
    points = [(frame.x(one.alerts_per_csm / across[-1]), frame.y(100 * (one.caught.recall.share or 0)), one)
              for one in swept]
    drawn += [f'<path class="spread" d="M{x:.1f} {frame.y(100 * one.caught.recall.low):.1f}'
              f'V{frame.y(100 * one.caught.recall.high):.1f}"/>' for x, _, one in points]
    drawn.append('<path class="line" d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points) + '"/>')
    shown: list[tuple[float, float]] = []
    for x, y, one in sorted(points, key=lambda point: not point[2].in_force):
        drawn.append(f'<circle class="{"force" if one.in_force else "point"}" cx="{x:.1f}" cy="{y:.1f}" '
                     f'r="{6 if one.in_force else 3.5}"/>')
        if one.in_force or all(abs(x - other) > 22 or abs(y - height) > 16 for other, height in shown):
            drawn.append(_words(x - 7, y - 8, f"{one.value:g}", "end", strong=one.in_force))
            shown.append((x, y))
    told = f"{title}. " + " ".join(
        f"{one.value:g}: {one.alerts_per_csm:.1f} alerts per CSM and week, {share(one.caught.recall.share or 0)} caught"
        f"{', in the candidate' if one.in_force else ''}." for one in swept)
    return _svg(key, title, told, frame, drawn)


# -- pieces ------------------------------------------------------------------------------------------------------------


def _svg(key: str, title: str, told: str, frame: _Frame, drawn: Sequence[str]) -> str:
    return (f'<svg viewBox="0 0 {frame.wide} {frame.high}" role="img" aria-labelledby="{key}-title {key}-desc">'
            f'<title id="{key}-title">{escape(one_line(title))}</title><desc id="{key}-desc">{escape(one_line(told))}'
            f'</desc>{"".join(drawn)}</svg>')


def _levels(frame: _Frame, marks: Sequence[float], unit: str = "") -> list[str]:
    """Quiet lines across, each with its value."""
    drawn = []
    for value in marks:
        y = frame.y(value)
        drawn.append(f'<path class="{"axis" if not value else "level"}" d="M{frame.left} {y:.1f}'
                     f'H{frame.wide - frame.right}"/>')
        drawn.append(_words(frame.left - 8, y + 4, f"{value:,g}{unit}", "end"))
    return drawn


def _days(frame: _Frame, days: Sequence[DayCompared]) -> list[str]:
    """Some days below the axis, evenly spread, the last one always."""
    step = max(1, math.ceil(len(days) / 8))
    return [_words(frame.x((number + 0.5) / len(days)), frame.high - 8, short_day(days[number].day), "middle")
            for number in range(len(days) - 1, -1, -step)]


def _bar(kind: str, frame: _Frame, at: float, width: float, value: float) -> str:
    if not value:
        return ""
    x, y = frame.x(at), frame.y(value)
    return _box(kind, x, y, frame.x(at + width) - x, frame.y(0) - y)


def _box(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _steps(frame: _Frame, values: Sequence[float], *, closed: bool) -> str:
    """A line that stands at each value for the whole of its day."""
    said = f"M{frame.x(0):.1f} {frame.y(0 if closed else values[0]):.1f}"
    for number, value in enumerate(values):
        said += f"V{frame.y(value):.1f}H{frame.x((number + 1) / len(values)):.1f}"
    return f"{said}V{frame.y(0):.1f}Z" if closed else said


def _ribbon(kind: str, x: float, y: float, end: float, other: float, size: float) -> str:
    middle = (x + end) / 2
    return (f'<path class="{kind}" d="M{x:.1f} {y:.1f}C{middle:.1f} {y:.1f} {middle:.1f} {other:.1f} {end:.1f} '
            f'{other:.1f}V{other + size:.1f}C{middle:.1f} {other + size:.1f} {middle:.1f} {y + size:.1f} {x:.1f} '
            f'{y + size:.1f}Z"/>')


def _words(x: float, y: float, said: str, anchor: str, *, strong: bool = False) -> str:
    weight = ' class="strong"' if strong else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(said)}</text>'
