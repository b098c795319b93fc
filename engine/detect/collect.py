"""Run the sources and keep what they say: all of them, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pyarrow

from forestall.engine.detect.border import looked_at
from forestall.engine.detect.by_hand import named_by_hand
from forestall.engine.detect.drift import LATELY, drifts
from forestall.engine.detect.history import LOOK_AGAIN, Arrived, History, Progress, quiet, reaches_back
from forestall.engine.detect.in_place import HistoryInPlace
from forestall.engine.detect.incoming import FUTURE_ROWS, Door, sentences
from forestall.engine.detect.keys import keys_of
from forestall.engine.detect.manifest import Heard
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.joining import Joining
from forestall.engine.model.ports import Problem, Source


@dataclass(frozen=True, slots=True)
class Collected:
    """What one source brought, the metrics that it supplies, and what was noticed that stops nothing. `in_place`: it
    is the history itself, which is read where it is."""

    source: str
    supplies: tuple[str, ...]
    arrived: Arrived
    noticed: tuple[Problem, ...] = ()
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Intake:
    """How the rows of sources find their account, by the name of the source."""

    joinings: Mapping[str, Joining] = field(default_factory=dict)

    def waits(self, source: Source) -> bool:
        """Whether the other sources must have been read before."""
        joining = self.joinings.get(source.name)
        return joining is not None and joining.waits


AS_THEY_ARE = Intake()


def collect(history: History, sources: Iterable[Source], catalogue: Catalogue, day: date, gone_after: int,
            progress: Progress = quiet, intake: Intake = AS_THEY_ARE) -> tuple[Collected, ...]:
    """Ask every source for the days up to `day` and add what is new to the (staged) history.

    What a source says for the first time ever counts as received on its own day, as an import does: there is no other
    way to look back. Later rows count as received on `day`. SourceError leaves the staged history to be thrown away.
    """
    if isinstance(history, HistoryInPlace):
        history.build_days(catalogue, gone_after, day, progress)
        there = Arrived(0, 0, 0, history.first, history.through)
        return (Collected(history.name, history.supplies(catalogue), there, in_place=True),)
    reading = _Reading(history, catalogue, gone_after, intake, day, progress)
    collected = tuple(reading.one(source, day - timedelta(days=LOOK_AGAIN) if history.knows(source.name) else None,
                                  day if history.knows(source.name) else None)
                      for source in reading.in_turn(list(sources), progress))
    history.build_days(catalogue, gone_after, day, progress)
    return _with_drifts(history, catalogue, collected, day, 1)


def import_all(history: History, sources: Iterable[Source], catalogue: Catalogue, until: date, gone_after: int,
               progress: Progress = quiet, intake: Intake = AS_THEY_ARE) -> tuple[Collected, ...]:
    """Ask every source for everything up to `until`; each row counts as received on its own day."""
    reading = _Reading(history, catalogue, gone_after, intake, until, progress)
    collected = tuple(reading.one(source, None, None) for source in reading.in_turn(list(sources), progress))
    last = history.last_arrival()
    if last is not None:
        history.build_days(catalogue, gone_after, last, progress)
    return _with_drifts(history, catalogue, collected, until, LATELY)


def _with_drifts(history: History, catalogue: Catalogue, collected: tuple[Collected, ...], until: date,
                 lately: int) -> tuple[Collected, ...]:
    """With what has changed in what the sources say, of those that said something new."""
    found = drifts(history, catalogue, until, lately, [one.source for one in collected if one.arrived.new])
    return tuple(replace(one, noticed=(*one.noticed, *found.get(one.source, ()))) for one in collected)


@dataclass(frozen=True, slots=True)
class _Reading:
    """All sources, read one after the other for the days up to `until`."""

    history: History
    catalogue: Catalogue
    gone_after: int
    intake: Intake
    until: date
    progress: Progress = quiet

    def in_turn(self, sources: list[Source], progress: Progress) -> Iterator[Source]:
        """The sources that wait for others come last, and before them the accounts that only people name."""
        first = [one for one in sources if not self.intake.waits(one)]
        for done, source in enumerate(first):
            progress("sources", done, len(sources))
            if hasattr(source, "progress"):
                source.progress = progress
            yield source
        by_hand = named_by_hand(self.history, self.catalogue, self.until)
        if by_hand is not None:
            yield by_hand
        for done, source in enumerate((one for one in sources if self.intake.waits(one)), len(first)):
            progress("sources", done, len(sources))
            if hasattr(source, "progress"):
                source.progress = progress
            yield source

    def one(self, source: Source, since: date | None, received_on: date | None) -> Collected:
        """Add what a source says of the days from `since` (None: all that are kept) on."""
        door = self._door(source, since)
        tables = looked_at(source.name, source.snapshots(door.since if since is None else since, self.until),
                           self.catalogue)
        arrived = self.history.add(source.name, self._counted(tables), self.catalogue, received_on, self.gone_after,
                                   door)
        noticed = (*getattr(source, "noticed", ()),      # a source of somebody else's may not say
                   *sentences(source.name, arrived.left_out, door))
        left = arrived.left_out
        late = any(problem.code == FUTURE_ROWS for problem in noticed)
        self.history.note(source.name, Heard(self.until, arrived.rows, left.unknown, left.strangers, late,
                                             tuple(str(problem) for problem in noticed)))
        return Collected(source.name, source.supplies(), arrived, noticed)

    def _counted(self, tables: Iterator[pyarrow.Table]) -> Iterator[pyarrow.Table]:
        """The tables, with how many rows have been read so far; nobody knows how many there will be."""
        rows = 0
        for table in tables:
            rows += table.num_rows
            self.progress("rows", rows, 0)
            yield table

    def _door(self, source: Source, since: date | None) -> Door:
        history = self.history
        kept_from = history.manifest.kept_from
        bound = reaches_back(kept_from, self.catalogue, self.gone_after) if kept_from else None
        joining = self.intake.joinings.get(source.name)
        if joining is None:
            return Door(bound, self.until)
        carried = reaches_back(self.until, self.catalogue, self.gone_after)
        keys = keys_of(joining, source.name, history, self.catalogue, None if since is None else carried, self.until)
        return Door(bound, self.until, keys, history.manifest.accounts, joining.only_known)
