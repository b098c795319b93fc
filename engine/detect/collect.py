"""Run the sources and keep what they say: all of them, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from forestall.engine.detect.history import LOOK_AGAIN, Arrived, History, Progress, quiet
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.ports import Source


@dataclass(frozen=True, slots=True)
class Collected:
    """What one source brought, and the metrics that it supplies."""

    source: str
    supplies: tuple[str, ...]
    arrived: Arrived


def collect(history: History, sources: Iterable[Source], catalogue: Catalogue, day: date, gone_after: int,
            progress: Progress = quiet) -> tuple[Collected, ...]:
    """Ask every source for the days up to `day` and add what is new to the (staged) history.

    What a source says for the first time ever counts as received on its own day, as an import does: there is no other
    way to look back. Later rows count as received on `day`. SourceError leaves the staged history to be thrown away.
    """
    collected: list[Collected] = []
    listed = list(sources)
    for done, source in enumerate(listed):
        progress("sources", done, len(listed))
        known = history.knows(source.name)
        since = day - timedelta(days=LOOK_AGAIN) if known else None
        arrived = history.add(source.name, source.snapshots(since, day), catalogue, day if known else None, gone_after)
        collected.append(Collected(source.name, source.supplies(), arrived))
    history.build_days(catalogue, gone_after, day, progress)
    return tuple(collected)


def import_all(history: History, sources: Iterable[Source], catalogue: Catalogue, until: date, gone_after: int,
               progress: Progress = quiet) -> tuple[Collected, ...]:
    """Ask every source for everything up to `until`; each row counts as received on its own day."""
    collected: list[Collected] = []
    listed = list(sources)
    for done, source in enumerate(listed):
        progress("sources", done, len(listed))
        arrived = history.add(source.name, source.snapshots(None, until), catalogue, None, gone_after)
        collected.append(Collected(source.name, source.supplies(), arrived))
    last = history.last_arrival()
    if last is not None:
        history.build_days(catalogue, gone_after, last, progress)
    return tuple(collected)
