"""A log of events in files as a source of daily metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from forestall.adapters.sources.daily.checked import did_you_mean, zone
from forestall.adapters.sources.daily.declared import Daily, DailyMetric
from forestall.adapters.sources.daily.log import Wanted
from forestall.adapters.sources.daily.metrics import DailyMetrics
from forestall.adapters.sources.events.files import LogFiles, Names
from forestall.adapters.sources.events.keep import Copies
from forestall.adapters.sources.files.csv import CsvSettings, CsvSource
from forestall.adapters.sources.files.jsonl import JsonLinesSettings, JsonLinesSource
from forestall.adapters.sources.files.parquet import ParquetSettings, ParquetSource
from forestall.adapters.sources.files.source import FileSource
from forestall.adapters.sources.tables import SETTINGS_FILE, Place
from forestall.adapters.sources.text.declared import Texts
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Location, Problem, Secret, Severity, SourceError

if TYPE_CHECKING:
    import pyarrow


class Format(StrEnum):
    """How the files are written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class EventsSettings:
    """Where the log is, how its columns are called, and what shall become of it.

    `path`, `options`, `secrets`, `delimiter` and `encoding` are those of files with tables; `format` is needed where
    the names of the files do not tell it. `account`, `at`, `name`, `user` and `id` name columns. `clock` is the time
    zone of times that do not say theirs. The rest, `text` among it, is that of `Daily`.
    """

    path: str
    metrics: dict[str, DailyMetric]
    account: str = "account"
    at: str = "at"
    name: str = "name"
    user: str = "user"
    id: str = ""
    format: Format | None = None
    clock: str = "UTC"
    time_zone: str = ""
    forget_after: int = 90
    today: bool = False
    text: Texts | None = None
    delimiter: str = ","
    encoding: str = "utf-8"
    options: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)


class EventsSource:
    """What people did in a product, one row per event, in CSV, JSON lines or Parquet."""

    Settings = EventsSettings
    supplies_at_once = True
    keeps = True

    def __init__(self, name: str, settings: EventsSettings, metrics: Mapping[str, Metric], folder: Path,
                 keep: Path | None = None) -> None:
        self.name = name
        self._settings = settings
        if zone(settings.clock) is None:
            raise self._wrong("unknown-time-zone", f"`clock` of the source {name} is no time zone: `{settings.clock}`.",
                              "Write a region and a city, such as Europe/Berlin, or UTC.")
        daily = Daily(settings.metrics, settings.time_zone, settings.forget_after, settings.today,
                      settings.text)
        self._daily = DailyMetrics(name, daily, metrics)
        names = Names(settings.account, settings.at, {"name": settings.name, "user": settings.user, "id": settings.id},
                      settings.clock, settings.time_zone or "UTC")
        written = (settings.delimiter, settings.encoding)
        self._files = [LogFiles(reader, names, Copies(keep / "copies" / kind) if keep is not None else None, written)
                       for kind, reader in self._readers(folder, keep).items()]
        self.noticed: tuple[Problem, ...] = ()
        self.progress: Callable[[str, int, int], None] = _quiet

    def supplies(self) -> tuple[str, ...]:
        """The declared metrics; opens no file."""
        return self._daily.supplies()

    def snapshots(self, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        """Rows of days from `since` through `until`, as `Source` says."""
        self.noticed = ()
        yield from self._daily.snapshots(self._log, since, until)
        self.noticed = (*self._nameless(), *self._daily.noticed)

    def _log(self, wanted: Wanted) -> Iterator[pyarrow.Table]:
        columns = (*wanted.columns, "id") if self._settings.id else wanted.columns
        wanted = Wanted(columns, wanted.since, wanted.until)
        found, rows = self._found(), 0
        zone = ZoneInfo(self._settings.time_zone or "UTC")
        for files, places in found:
            files.through = None if self._settings.today else datetime.now(zone).date() - timedelta(days=1)
            for table in files.tables(wanted, places):
                rows += table.num_rows
                self.progress(f"{self.name}: events", rows, 0)      # nobody knows how many there will be
                yield table
        read = [files for files, places in found if places]
        for column in columns if wanted.since is None else ():      # the last weeks need not have what there once was
            if all(column not in files.seen for files in read) and any(files.seen for files in read):
                raise self._missing(column, found)

    def _found(self) -> list[tuple[LogFiles, list[Place]]]:
        """Each reader with its files; one that finds none where another does is silent."""
        found: list[tuple[LogFiles, list[Place]]] = []
        nothing: SourceError | None = None
        for files in self._files:
            try:
                places = files.reader.files()
                if len(self._files) > 1:      # a pattern may stand for files of every format
                    places = [place for place in places if place.shown.endswith(files.reader.endings)]
                found.append((files, places))
            except SourceError as error:
                if error.problems[0].code != "no-file":
                    raise
                nothing = error
        if not found and nothing is not None:
            raise nothing
        if not any(places for _, places in found):
            raise self._wrong("no-file", f"`path` of the source {self.name} finds files, and none whose name says how "
                              "it is written.", "Say it: `format: csv`, `jsonl` or `parquet`.")
        return found

    def _readers(self, folder: Path, keep: Path | None) -> dict[Format, FileSource]:
        """One for files whose format is known; one for each format for a folder of any."""
        given = self._settings
        chosen = [given.format] if given.format else [
            one for one, kind in _KINDS.items() if given.path.lower().endswith(kind.endings)] or list(_KINDS)
        told: dict[str, Any] = {"path": given.path, "account": given.account, "as_of": given.at,
                                "options": given.options, "secrets": given.secrets}
        made: dict[Format, FileSource] = {}
        for one in chosen:
            place = keep / "fetched" / one.value if keep is not None else None
            match one:
                case Format.CSV:
                    settings = CsvSettings(**told, delimiter=given.delimiter, encoding=given.encoding)
                    made[one] = CsvSource(self.name, settings, {}, folder, place)
                case Format.JSONL:
                    made[one] = JsonLinesSource(self.name, JsonLinesSettings(**told), {}, folder, place)
                case Format.PARQUET:
                    made[one] = ParquetSource(self.name, ParquetSettings(**told), {}, folder, place)
        return made

    def _nameless(self) -> Iterator[Problem]:
        count = sum(files.nameless[0] for files in self._files)
        if count:
            yield Problem(Location(SETTINGS_FILE), "no-account",
                          f"the log of the source {self.name} leaves out {count:,} of its rows: they name no account.",
                          "Nothing need be done if they are of visitors.", Severity.WARNING)

    def _missing(self, column: str, found: list[tuple[LogFiles, list[Place]]]) -> SourceError:
        files, places = next((files, places) for files, places in found if places)
        heading, headings = files.names.others.get(column, column), files.reader.headings(places[0])
        setting = column if column in files.names.others else "metrics"
        return self._wrong("missing-column", f"`{setting}` of the source {self.name} names the column {heading}, which "
                           f"no file has.", did_you_mean(heading, headings) or f"There are: {', '.join(headings[:8])}.")

    def _wrong(self, code: str, message: str, cure: str) -> SourceError:
        return SourceError([Problem(Location(SETTINGS_FILE), code, message, cure)])


def _quiet(_what: str, _done: int, _all: int) -> None:
    """Report no progress."""


_KINDS: dict[Format, type[FileSource]] = {
    Format.CSV: CsvSource, Format.JSONL: JsonLinesSource, Format.PARQUET: ParquetSource}
