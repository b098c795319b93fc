"""How well the facts of a day arrived: metrics that have gone missing, sources that have fallen silent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from itertools import pairwise

from forestall.engine.detect.collect import Collected
from forestall.engine.detect.history import LOOK_AGAIN, History
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.supply import Silent, Supply

COMPARED = (1, 7, 14)      # days before: an outage is noticed for two weeks, by then a person has
SPEAKS_OFTEN = 14          # a source that spoke of so many of the last days, …
NEVER_LONGER = 4           # … and was never silent for longer, has a rhythm; others cannot be late
ONE_MORE = 1               # day of patience


def supply(history: History, catalogue: Catalogue, collected: Iterable[Collected], day: date,
           metrics: Collection[str]) -> Supply:
    """How well the facts of `day` arrived that these metrics hold, after it was collected."""
    wanted = [metric for metric in catalogue.supplied() if metric.name in metrics]
    counted = history.known(catalogue, [metric.name for metric in wanted],
                            [day, *(day - timedelta(days=back) for back in COMPARED)])
    if day not in counted:
        return Supply()
    today = counted[day]
    known: dict[str, tuple[int, int]] = {}
    for metric in wanted:
        # What counts one day has its weekdays; what is carried does not.
        backs = (7,) if metric.per_day else COMPARED
        before = max((counted.get(day - timedelta(days=back), {}).get(metric.name, 0) for back in backs), default=0)
        known[metric.name] = (today.get(metric.name, 0), before)
    spoken = history.spoken(day - timedelta(days=LOOK_AGAIN), day)
    return Supply(known, silent(spoken, {one.source: one.supplies for one in collected}, day))


def silent(spoken: Mapping[str, Collection[date]], supplies: Mapping[str, tuple[str, ...]],
           day: date) -> dict[str, Silent]:
    """The sources that spoke of nearly every day and have not for longer than they ever kept silent lately."""
    found: dict[str, Silent] = {}
    for source, metrics in supplies.items():
        days = sorted(spoken.get(source, ()))
        if len(days) < SPEAKS_OFTEN:
            continue
        longest = max((later - earlier).days for earlier, later in pairwise(days))
        if longest <= NEVER_LONGER and (day - days[-1]).days > longest + ONE_MORE:
            found[source] = Silent(f"source {source} has said nothing of any day since {days[-1]}", metrics)
    return found
