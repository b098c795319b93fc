"""The candidate day by day, as a table and as part of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean

from forestall.engine.cli.report import KIND_WORDS, amount, table
from forestall.engine.simulate.summary import DaySummary, Replayed


def lines(days: Replayed) -> Iterator[str]:
    """One row per day, then the mean and the peak of each column."""
    counted = days.days
    yield f"Day by day ({amount(len(counted), 'day', 'days')})"
    yield from table([("day", "accounts", "opened", "closed", "started", "held out",
                       *(many for _, many in KIND_WORDS.values()))]
                     + [_row(day) for day in counted] + list(_last_rows(counted)))


def _row(day: DaySummary) -> tuple[str, ...]:
    return (day.day.isoformat(), *(f"{count:,}" for count in _counts(day)))


def _counts(day: DaySummary) -> list[int]:
    return [day.accounts, sum(day.opened.values()), sum(day.closed.values()), sum(day.started.values()),
            sum(day.held_out.values()), *(day.deliveries.get(kind, 0) for kind in KIND_WORDS)]


def _last_rows(days: list[DaySummary]) -> Iterator[tuple[str, ...]]:
    columns = list(zip(*(_counts(day) for day in days), strict=True))
    yield ("mean", *(f"{fmean(column):,.1f}" for column in columns))
    yield ("peak", *(f"{max(column):,}" for column in columns))


def document(day: DaySummary) -> dict[str, object]:
    """One day of one side, with everything that was counted."""
    def plain(counts: Mapping[str, int]) -> dict[str, int]:
        return {str(name): count for name, count in counts.items() if count}

    return {"accounts": day.accounts, "tiers": {name or "unscored": count for name, count in day.tiers.items()},
            "opened": plain(day.opened), "closed": plain(day.closed), "recorded": plain(day.recorded),
            "started": plain(day.started), "held_out": plain(day.held_out), "held_by_guard": plain(day.held),
            "deliveries": {kind.value: day.deliveries.get(kind, 0) for kind in KIND_WORDS}}
