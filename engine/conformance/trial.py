"""A source that is asked for what it promises: one of forestall.yaml, or one that stands on made-up facts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Mapping
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow
import yaml

from forestall.engine.conformance import facts
from forestall.engine.conformance.facts import Row
from forestall.engine.conformance.stand import Stand
from forestall.engine.conformance.surroundings import environment
from forestall.engine.detect.border import fault
from forestall.engine.detect.history import Arrived, History
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.ports import Problem, Source
from forestall.engine.settings import FILE, open_source, read_settings

GONE_AFTER = 14
NAME = "kit"        # of the source in a trial's forestall.yaml


class Broken(AssertionError):
    """A source does not keep a promise: what it did, and what it should do."""

    def __init__(self, what: str, cure: str = "") -> None:
        self.what = what
        self.cure = cure
        super().__init__(f"{what} {cure}".strip())


class NotAsked(Exception):
    """A promise that cannot be asked for here, and why."""


class Asked:
    """A source, and its tables looked at one by one as they come."""

    def __init__(self, name: str, opened: Callable[[], Source], metrics: Mapping[str, Metric], scratch: Path) -> None:
        self.name = name
        self.opened = opened
        self.metrics = metrics
        self.scratch = scratch
        self.catalogue = Catalogue(dict(metrics), Roles())
        self.noticed: tuple[Problem, ...] = ()      # by the last reading that came to its end

    def supplies(self, source: Source) -> tuple[str, ...]:
        """What the source says that it supplies. Broken when the catalogue has no such metric."""
        supplied = source.supplies()
        if not isinstance(supplied, tuple) or not all(isinstance(one, str) for one in supplied):
            raise Broken("supplies() gives something else than a tuple of names.")
        for name in supplied:
            if name not in self.metrics:
                raise Broken(f"supplies() names {name}, which the catalogue does not have.",
                             "Name only metrics of the mapping that the source was made with.")
        if len(set(supplied)) < len(supplied):
            raise Broken("supplies() names a metric twice.")
        return supplied

    def tables(self, since: date | None, until: date | None) -> Generator[pyarrow.Table, None, None]:
        """Every table of these days. Broken at the first that is not as the protocol says."""
        source = self.opened()
        supplied = self.supplies(source)
        schema: pyarrow.Schema | None = None
        for number, table in enumerate(source.snapshots(since, until), 1):
            if wrong := fault(table, supplied, self.metrics, since, until):
                raise Broken(f"table {number} {wrong}.", "docs/source-kit.md says how a table looks.")
            if schema is not None and table.column_names != schema.names:
                raise Broken(f"table {number} has other columns than the one before.", "Give every table all columns.")
            schema = table.schema
            yield table
        self.noticed = tuple(getattr(source, "noticed", ()))

    def rows(self, since: date | None, until: date | None) -> list[Row]:
        """Every row of these days, sorted."""
        return [row for table in self.tables(since, until) for row in facts.rows_of(table, self.metrics)]

    def history(self, name: str = "history") -> History:
        """A history of this trial's own."""
        return History(self.scratch / name)

    def add(self, history: History, since: date | None, until: date, received_on: date | None = None) -> Arrived:
        """What the source says, added to a history as a pass or an import does it."""
        return history.add(self.name, self.tables(since, until), self.catalogue, received_on, GONE_AFTER)


class Trial(Asked):
    """A source on a stand with made-up facts, opened by a forestall.yaml as people write it."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.last = stand.last
        self.given = {name: metric for name, metric in stand.metrics.items()
                      if stand.given is None or name in stand.given}
        self._folder = tempfile.TemporaryDirectory(prefix="forestall-trial-")
        self._secrets = environment(dict(stand.secrets))
        super().__init__(NAME, self._open, stand.metrics, Path(self._folder.name))

    def __enter__(self) -> Self:
        self._secrets.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._secrets.__exit__(kind, error, trace)
        self.stand.close()
        self._folder.cleanup()

    def few(self) -> pyarrow.Table:
        """The made-up facts that most promises are asked with."""
        return facts.few(self.given, self.stand.accounts, self.last, self.stand.days, gaps=self.stand.gaps)

    def put(self, said: pyarrow.Table) -> list[Row]:
        """These facts are there from now on; hands back what the source must say."""
        expected = self.stand.put(said)
        return facts.rows_of(said if expected is None else expected, self.metrics)

    def difference(self, wanted: list[Row], got: list[Row]) -> str:
        """How what the source says differs from what it must say; empty where it does not."""
        return facts.difference(wanted, got, self.metrics, more=self.stand.says_more)

    def _open(self) -> Source:
        """The source as a pass opens it: found by its entry point, its settings read and checked."""
        described = {"adapter": self.stand.adapter, **self.stand.settings()}
        (self.stand.folder / FILE).write_text(
            yaml.safe_dump({"time_zone": "UTC", "sources": {NAME: described}}, allow_unicode=True), encoding="utf-8")
        settings = read_settings(self.stand.folder)
        return open_source(settings, settings.sources[0], self.metrics)
