"""JSON lines as a source of facts: one object on each line."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from forestall.adapters.sources.files import records
from forestall.adapters.sources.files.places import COMPRESSED
from forestall.adapters.sources.files.source import WRITE_AGAIN, FileSource, TableSettings
from forestall.adapters.sources.tables import Batch, Layout, Place
from forestall.adapters.sources.values import Values
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Location, Problem, SourceError

LINES = 50_000      # in one batch: as Python objects they take some ten times the memory of the table


@dataclass(frozen=True, slots=True)
class JsonLinesSettings(TableSettings):
    """As for every table. A column may be a path to what lies deeper: `usage.logins`."""


class JsonLinesSource(FileSource):
    """One or several files of JSON lines, plain or compressed."""

    Settings = JsonLinesSettings
    reads_all = True
    endings = tuple(f"{kind}{ending}" for kind in (".jsonl", ".ndjson") for ending in ("", *COMPRESSED))

    def __init__(self, name: str, settings: JsonLinesSettings, metrics: Mapping[str, Metric], folder: Path,
                 keep: Path | None = None) -> None:
        super().__init__(name, settings, metrics, folder, keep)
        wanted = [settings.account, settings.as_of, *settings.metrics.values()]
        self._deeper = [heading for heading in wanted if "." in heading]

    def headings(self, place: Place) -> tuple[str, ...]:
        """Every key of every line: one that only the last line has counts like any other."""
        found: dict[str, None] = {}
        for _, row in self._rows(place):
            if not row.keys() <= found.keys():
                found |= dict.fromkeys(row)
            if self._deeper:
                found |= dict.fromkeys(path for path in self._deeper if _at(row, path) is not None)
        return tuple(found)

    def batches(self, layout: Layout, since: date | None, until: date | None) -> Iterator[Batch]:
        """Every row, as the values that JSON has."""
        del since, until                        # nothing tells where a day stands
        headings = [column.heading for column in layout.columns]
        with self.unchanged(layout.place):
            columns: list[list[Any]] = [[] for _ in headings]
            first = 0
            for number, (line, row) in enumerate(self._rows(layout.place)):
                for heading, values in zip(headings, columns, strict=True):
                    value = row.get(heading)
                    if value is None and "." in heading:
                        value = _at(row, heading)
                    if isinstance(value, dict | list):
                        raise self._no_value(layout, line, heading, value)
                    values.append(value)
                if number - first + 1 == LINES:
                    yield Batch(first, tuple(map(Values, columns)))
                    columns, first = [[] for _ in headings], number + 1
            if columns[0]:
                yield Batch(first, tuple(map(Values, columns)))

    def cell_problem(self, layout: Layout, row: int, heading: str, code: str, message: str, hint: str) -> Problem:
        """The problem with the line on which the row stands."""
        del heading
        for number, (line, _) in enumerate(self._rows(layout.place)):
            if number == row:
                return Problem(Location(layout.place.shown, line, 1), code, message, hint)
        return self.table_problem(layout.place, code, message, hint)      # somebody has cut the file meanwhile

    def _no_value(self, layout: Layout, line: int, heading: str, value: object) -> SourceError:
        what, cure = "a list", "Write a single value."
        if isinstance(value, dict):
            what, cure = "an object", f"Name what lies in it, as in `{heading}.{next(iter(value), 'key')}`."
        return self._line_error(layout.place, line, "wrong-kind", f"{heading} holds {what} where a value belongs.",
                                cure)

    def _rows(self, place: Place) -> Iterator[tuple[int, dict[str, Any]]]:
        """Every object with its line; blank lines are left out."""
        with self._readable(place), records.opened(place.path) as file:
            for line, raw in enumerate(file, start=1):
                if not raw.strip():
                    continue
                try:
                    row = json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"))
                except UnicodeDecodeError:
                    raise self._line_error(place, line, "encoding", "the text is not in utf-8.",
                                           "JSON is always in UTF-8: write it again.") from None
                except (ValueError, RecursionError) as error:
                    raise self._no_json(place, line, error, cut_off=not raw.endswith(b"\n")) from None
                if not isinstance(row, dict):
                    raise self._line_error(
                        place, line, "json", "the line is no object.",
                        'Write one object like {"account": …} on each line'
                        + (", without the list around them." if isinstance(row, list) else "."))
                yield line, row

    def _no_json(self, place: Place, line: int, error: Exception, *, cut_off: bool) -> SourceError:
        if cut_off and line > 1:
            return self._line_error(place, line, "being-written", "the last line is cut off.",
                                    WRITE_AGAIN)
        said, column = (error.msg, error.colno) if isinstance(error, json.JSONDecodeError) else ("nested too deeply", 1)
        return self._line_error(place, line, "json", f"the line is no JSON ({said.lower()}).",
                                'Write one object like {"account": …} on each line.', column)

    def _line_error(self, place: Place, line: int, code: str, message: str, hint: str, column: int = 1) -> SourceError:
        return SourceError([Problem(Location(place.shown, line, column), code, message, hint)])

    @contextmanager
    def _readable(self, place: Place) -> Iterator[None]:
        """Turns whatever a reader raises into one sentence about the file."""
        try:
            yield
        except (EOFError, zlib.error) as error:
            raise self.file_error(place, "damaged", f"the compressed file is damaged ({error}).",
                                  WRITE_AGAIN) from None
        except OSError as error:
            raise self.file_error(place, "unreadable", f"the file cannot be read ({error.strerror or error}).",
                                  "Check its rights and whether it is complete.") from None


def _at(row: Mapping[str, Any], path: str) -> Any:
    """What lies at a path like `usage.logins`; None where it leads nowhere."""
    found: Any = row
    for key in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(key)
    return found
