"""What sources of files share: a path, a folder, a pattern or a URL to tables on this machine."""

from __future__ import annotations

import glob
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import ClassVar

from forestall.adapters.sources.files import places, remote
from forestall.adapters.sources.files.remembered import remember, remembered, version
from forestall.adapters.sources.tables import Headings, Layout, Place, TableSource, did_you_mean
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Problem, Secret, SourceError

WRITE_AGAIN = "Is it still being written? Write it under another name, and rename it when it is complete."


@dataclass(frozen=True, slots=True)
class TableSettings:
    """Where the files are and how their columns are called.

    `path` is a file, a folder or a pattern, relative to the project, or a URL. `account` and `as_of` name those two
    columns; `metrics` names the column of a metric where it is not the metric's own name. `options` and `secrets` go to
    whatever reaches the URL.
    """

    path: str
    account: str = "account"
    as_of: str = "as_of"
    metrics: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)


class FileSource(TableSource):
    """A source whose facts stand in files, here or where fsspec reaches."""

    endings: ClassVar[tuple[str, ...]]
    keeps = True      # copies of what was fetched from elsewhere, and what took long to find out
    reads_all = False      # to know the columns of a file it must be read to its end

    def __init__(self, name: str, settings: TableSettings, metrics: Mapping[str, Metric], folder: Path,
                 keep: Path | None = None) -> None:
        super().__init__(name, Headings(settings.account, settings.as_of, settings.metrics), metrics)
        self._settings = settings
        self._folder, self._keep = folder, keep
        copies = keep / "files" if keep is not None else None
        self._far = remote.Remote(name, settings.path, settings.options, settings.secrets, self.endings, copies) \
            if remote.is_url(settings.path) else None
        self._headings: dict[Place, tuple[str, ...]] = {}
        if self._far is not None:
            self.supplies_at_once = False      # that would take the network

    @abstractmethod
    def headings(self, place: Place) -> tuple[str, ...]:
        """The headings of a file. SourceError when it cannot be read."""

    def layouts(self) -> list[Layout]:
        """Every file with its columns; what has not changed is not opened twice."""
        return self._laid_out(self.files())

    def supplies(self) -> tuple[str, ...]:
        """The metrics that at least one file has a column for; files elsewhere are not asked for twice in a row."""
        if self._far is None or not self._headings:
            return super().supplies()
        return self.supplied(self._laid_out(list(self._headings)))

    def _laid_out(self, found: list[Place]) -> list[Layout]:
        known = {version(place): headings for place, headings in self._headings.items()}
        asked = repr(self._wanted) if self.reads_all and self._keep is not None and len(found) > 1 else ""
        if asked and self._keep is not None:
            known = remembered(self._keep, asked) | known
        self._headings = {place: known.get(version(place)) or self._read_headings(place) for place in found}
        now = {version(place): headings for place, headings in self._headings.items()}
        if asked and self._keep is not None and now != known:
            remember(self._keep, asked, now)
        if not any(self._headings.values()):
            raise self.file_error(found[0], "empty-file", "the file is empty.",
                                  "It needs a row for each account and day.")
        return [self.layout(place, headings) for place, headings in self._headings.items() if headings]

    def _read_headings(self, place: Place) -> tuple[str, ...]:
        with self.unchanged(place):
            return self.headings(place)

    def file_error(self, place: Place, code: str, message: str, hint: str = "") -> SourceError:
        """An error about a file as a whole."""
        return SourceError([self.table_problem(place, code, message, hint)])

    @contextmanager
    def unchanged(self, place: Place) -> Iterator[None]:
        """SourceError when somebody writes the file while it is read: half of it would be the old one."""
        error = None
        try:
            yield
        except SourceError as found:      # half a file looks damaged
            error = found
        if _stamp(place.path) != place.stamp:
            raise self.file_error(place, "being-written", "the file changed while it was read.",
                                  "Write it under another name and rename it when it is complete.") from None
        if error is not None:
            raise error

    def files(self) -> list[Place]:
        """The files as they are now, in the order of their names. SourceError when there is none."""
        try:
            if self._far is not None:
                return [Place(one.path, one.shown, one.day, _stamp(one.path)) for one in self._far.files()]
            return [Place(file, self._shown(file), day, _stamp(file)) for file, day in self._local()]
        except places.BadPath:
            raise self.settings_error(
                "bad-path", f"`path` of the source {self.name} says the day in another way than it can be read.",
                "Write {day} once for the whole day, or {yyyy}, {mm} and {dd} for its parts.") from None
        except places.BadDay as error:
            raise self.settings_error(
                "bad-path", f"`path` of the source {self.name} finds {error}, whose name holds no day.",
                "Rename the file, or write `path` so that it is not found.") from None

    def _local(self) -> list[tuple[Path, date | None]]:
        path = remote.local_path(self._settings.path)
        try:
            found = places.local(self._folder, path, self.endings)
        except OSError as error:
            raise SourceError([self.table_problem(
                Place(self._folder / path, self._shown(self._folder / path)), "unreadable",
                f"the folder cannot be read ({error.strerror}).",
                "Give the user who runs Forestall the right to read it.")]) from None
        if not found:
            place = self._folder / path
            near = [Path(name).name for name in glob.glob(str(Path(glob.escape(str(place.parent)), "*")))]
            raise self.settings_error(
                "no-file", f"the source {self.name} finds no file at {self._settings.path}.",
                did_you_mean(place.name, near) or "Correct `path`, or put the files there.")
        return found

    def _shown(self, file: Path) -> str:
        """The name of a file as people know it: from the project folder on."""
        return str(file.relative_to(self._folder)) if file.is_relative_to(self._folder) else str(file)


def with_row(problem: Problem, row: int) -> Problem:
    """The problem with the number of the row, counted from 1, in front."""
    return Problem(problem.location, problem.code, f"row {row + 1}: {problem.message}", problem.hint)


def _stamp(file: Path) -> tuple[int, int]:
    """What changes when somebody writes to a file; whoever opens it says why it cannot be read."""
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
