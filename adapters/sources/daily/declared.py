"""Daily metrics as forestall.yaml declares them, and what each way of measuring needs.

    metrics:
      logins_14d:       {measure: count, events: login, days: 14}
      seats_active_14d: {measure: distinct, of: user, days: 14}
      last_activity_on: {measure: last_day}
      plan:             {measure: latest, of: properties.plan}
      invoices_open:    {measure: open, of: invoice, events: invoice_sent, until: [invoice_paid, invoice_void]}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from forestall.adapters.sources.text.declared import Texts
from forestall.engine.model.expression import Kind

LONGEST = 1830      # days: five years


class Measure(StrEnum):
    """What is measured. A window is the last `days` days, the day itself included.

    Those of the second group look back to the beginning of the log, so that the source must give all of it.
    """

    COUNT = "count"                  # how many events in the window; 0 without any
    DISTINCT = "distinct"            # how many different values of the column `of` in the window; 0 without any
    ACTIVE_DAYS = "active_days"      # on how many days of the window there was any; 0 without any
    SUM = "sum"                      # of the numbers in the column `of` in the window; 0 without any
    AVERAGE = "average"              # of the same; missing without any
    SMALLEST = "smallest"
    LARGEST = "largest"
    LATEST = "latest"                # the value that column `of` had last in the window; missing without any
    REPEATS = "repeats"              # how often the commonest value of `of` came in the window; 0 without any
    RATIO = "ratio"                  # events per day in the window, in parts of those in the `before` days before it

    TOTAL = "total"                  # how many events since the beginning
    DAYS_SINCE = "days_since"        # whole days since the last one, 0 on its day; missing before the first
    FIRST_DAY = "first_day"          # the day of the first one, a date
    LAST_DAY = "last_day"            # the day of the last one, a date
    STAGE = "stage"                  # the last name in the list `events` that has ever happened, a text
    DAYS_IN_STAGE = "days_in_stage"  # whole days since that happened first
    STAGE_SINCE = "stage_since"      # the day on which it happened first, a date
    OPEN = "open"                    # how many values of `of` had an event of `events` and none of `until` after it
    DAYS_OPEN = "days_open"          # how many whole days the longest of them is open; missing when none is


NEEDS_COLUMN = frozenset({Measure.DISTINCT, Measure.SUM, Measure.AVERAGE, Measure.SMALLEST, Measure.LARGEST,
                          Measure.LATEST, Measure.REPEATS, Measure.OPEN, Measure.DAYS_OPEN})
FROM_THE_BEGINNING = frozenset({Measure.TOTAL, Measure.DAYS_SINCE, Measure.FIRST_DAY, Measure.LAST_DAY, Measure.STAGE,
                                Measure.DAYS_IN_STAGE, Measure.STAGE_SINCE, Measure.OPEN, Measure.DAYS_OPEN})
STAGES = frozenset({Measure.STAGE, Measure.DAYS_IN_STAGE, Measure.STAGE_SINCE})
OPENS = frozenset({Measure.OPEN, Measure.DAYS_OPEN})
KINDS: dict[Measure, tuple[Kind, ...]] = dict.fromkeys(Measure, (Kind.NUMBER,)) | {
    Measure.FIRST_DAY: (Kind.DATE,), Measure.LAST_DAY: (Kind.DATE,), Measure.STAGE_SINCE: (Kind.DATE,),
    Measure.STAGE: (Kind.TEXT,), Measure.LATEST: tuple(Kind),
}
NUMERIC = frozenset({Measure.SUM, Measure.AVERAGE, Measure.SMALLEST, Measure.LARGEST})
MAY_LOOK_AS_FAR = frozenset({Measure.DAYS_SINCE, Measure.LAST_DAY})      # `days` ends their look back


@dataclass(frozen=True, slots=True)
class DailyMetric:
    """One metric: what is measured, over which events and which days.

    `events` are names (of the column `name`); none means every event, except for stages, whose names stand in their
    order. `where` narrows to rows whose column has that text, or one of them. `of` is a column, or a property as in
    `properties.plan`. `days` is the window, 1 when it is left out; `days_since` and `last_day` look no further back
    than it, if it is there. `before` belongs to `ratio`: the days before the window that it is compared with, as many
    as the window when it is left out. `until` belongs to `open`: the events that close.
    """

    measure: Measure
    events: tuple[str, ...] = ()
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    of: str = ""
    days: int | None = None
    before: int | None = None
    until: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """ValueError with what is wrong and its cure, where the parts do not go together."""
        for said, cure in _mistakes(self):
            raise ValueError(said, cure)


@dataclass(frozen=True, slots=True)
class Daily:
    """What shall become of a log: metrics of the catalogue by name, and what a day is.

    `time_zone` is where a day ends; empty: that of forestall.yaml. An account has a row for every day from its first
    event through `forget_after` days after its last, and never beyond the last day of the log as a whole: then it is
    the log that is silent. `today`: whether the day asked for last counts already, although it is not over. `text`:
    what is read out of words in the log, as columns `text.…` beside its own.
    """

    metrics: dict[str, DailyMetric]
    time_zone: str = ""
    forget_after: int = 90
    today: bool = False
    text: Texts | None = None


def look_back(daily: Daily) -> int | None:
    """How many days before the first day asked for a log must be given; None: from its beginning."""
    if any(metric.measure in FROM_THE_BEGINNING and not (metric.measure in MAY_LOOK_AS_FAR and metric.days)
           for metric in daily.metrics.values()):
        return None
    return furthest_window(daily)


def furthest_window(daily: Daily) -> int:
    """How many days before a day a window of it, or the memory of an account, begins."""
    furthest = daily.forget_after
    for metric in daily.metrics.values():
        window = metric.days or 1
        if metric.measure is Measure.RATIO:
            window += (metric.before or window) + daily.forget_after
        furthest = max(furthest, window)
    return furthest


def _mistakes(metric: DailyMetric) -> Iterator[tuple[str, str]]:
    said = f"`measure: {metric.measure}`"
    measure = metric.measure
    if measure in NEEDS_COLUMN and not metric.of:
        example = "user" if measure is Measure.DISTINCT else "properties.amount"
        yield f"{said} needs `of`.", f"Say of which column, for example `of: {example}`."
    if metric.of and measure not in NEEDS_COLUMN:
        yield f"{said} has no use for `of`.", "Take `of` away, or name another measure."
    if measure in STAGES and (len(metric.events) < 2 or len(set(metric.events)) < len(metric.events)):
        yield (f"{said} needs `events`, two or more different ones.",
               "Name those of the stages in their order, `events: [signed_up, invited, launched]`.")
    if measure in OPENS and not (metric.events and metric.until):
        yield (f"{said} needs `events` and `until`.",
               "Say what opens and what closes: `events: opened`, `until: solved`.")
    if metric.until and measure not in OPENS:
        yield f"{said} has no use for `until`.", "Take `until` away."
    if metric.before is not None and measure is not Measure.RATIO:
        yield f"{said} has no use for `before`.", "Take `before` away."
    if metric.days is not None and measure in FROM_THE_BEGINNING - MAY_LOOK_AS_FAR:
        yield f"{said} looks back to the beginning of the log, whatever `days` says.", "Take `days` away."
    for key, days in (("days", metric.days), ("before", metric.before)):
        if days is not None and not 1 <= days <= LONGEST:
            yield f"`{key}` must be 1 to {LONGEST}, not {days}.", f"Write for example `{key}: 14`."
