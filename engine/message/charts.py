"""The history of one number as one line of small bars, which every mail program and Slack can show."""

from __future__ import annotations

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
NOT_KNOWN = "·"


def sparkline(values: Sequence[float | None], *, least: float = 0.0, from_zero: bool = False) -> str:
    """One bar for each value, a dot where it is not known; empty when fewer than two are.

    The line is as high as the values reach, at least `least`, so that a small wobble does not look like a fall.
    `from_zero` begins at 0, as counts do.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < least:
        middle = (high + low) / 2
        low, high = middle - least / 2, middle + least / 2
    if high <= low:
        return "".join(NOT_KNOWN if value is None else BARS[len(BARS) // 2 if high else 0] for value in values)
    span, steps = high - low, len(BARS)
    bars = BARS + BARS[-1]      # the highest value is the upper end of the last step
    return "".join([NOT_KNOWN if value is None else bars[int((value - low) / span * steps)] for value in values])
