"""CSV files as a source of facts."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from forestall.adapters.sources.files import records
from forestall.adapters.sources.files.places import COMPRESSED
from forestall.adapters.sources.files.source import WRITE_AGAIN, FileSource, TableSettings
from forestall.adapters.sources.tables import BATCH_ROWS, Batch, Layout, Place
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Location, Problem, SourceError

BLOCK_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class CsvSettings(TableSettings):
    """As for every table, and how the text is written: `delimiter` is one character, `encoding` a Python codec."""

    delimiter: str = ","
    encoding: str = "utf-8"


class CsvSource(FileSource):
    """One or several CSV files, plain or compressed, with a line of headings each."""

    Settings = CsvSettings
    endings = (".csv", *(f".csv{ending}" for ending in COMPRESSED))
    supplies_at_once = True

    def __init__(self, name: str, settings: CsvSettings, metrics: Mapping[str, Metric], folder: Path,
                 keep: Path | None = None) -> None:
        super().__init__(name, settings, metrics, folder, keep)
        self._delimiter = settings.delimiter
        self._encoding = settings.encoding
        if len(self._delimiter) != 1 or not self._delimiter.isascii() or self._delimiter in '"\r\n':
            raise self.settings_error("delimiter", f"`delimiter` of the source {name} is not one character.",
                                      'Write for example `delimiter: ";"`.')
        try:
            codecs.lookup(self._encoding)
        except LookupError:
            raise self.settings_error("encoding", f"`encoding` of the source {name} is not known: {self._encoding}.",
                                      "Write for example `encoding: utf-8` or `encoding: cp1252`.") from None

    def headings(self, place: Place) -> tuple[str, ...]:
        """The first record of a file, without blanks around the names."""
        return tuple(field.strip() for field in self._header(place).fields)

    def batches(self, layout: Layout, since: date | None, until: date | None) -> Iterator[Batch]:
        """Every row of the file as texts; `_table` types them."""
        import pyarrow as pa
        import pyarrow.csv

        del since, until                        # nothing in a CSV file tells where a day stands
        place = layout.place
        # columns go by their position, so that both readers agree on odd headings; the header's lines are skipped
        positions = [str(layout.headings.index(column.heading)) for column in layout.columns]
        row = 0
        with self.unchanged(place), self._readable(place):
            header = self._header(place)
            self._check_quotes(place)
            reader = pyarrow.csv.open_csv(
                place.path,
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, block_size=BLOCK_BYTES, encoding=self._encoding,
                    skip_rows=header.line - 1 + header.lines,
                    column_names=[str(index) for index in range(len(layout.headings))],
                ),
                parse_options=pyarrow.csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=positions, column_types=dict.fromkeys(positions, pa.string())),
            )
            for block in reader:
                for start in range(0, block.num_rows, BATCH_ROWS):
                    part = block.slice(start, BATCH_ROWS)
                    yield Batch(row + start, tuple(part.columns))
                row += block.num_rows

    def cell_problem(self, layout: Layout, row: int, heading: str, code: str, message: str, hint: str) -> Problem:
        """The problem with the line and column at which the cell starts in the file."""
        line, column = 0, 0
        read = records.records(layout.place.path, self._encoding, self._delimiter)
        for index, record in enumerate(read, start=-1):       # the headings are record -1
            if index == row:
                line, column = records.column_of(record, layout.headings.index(heading), self._delimiter)
                break
        return Problem(Location(layout.place.shown, line, column), code, message, hint)

    def _header(self, place: Place) -> records.Record:
        with self._readable(place):
            for record in records.records(place.path, self._encoding, self._delimiter):
                return record
        raise self.file_error(place, "empty-file", "the file is empty.",
                              "It needs a line of headings and a row for each account and day.")

    def _check_quotes(self, place: Place) -> None:
        # the fast reader takes an open quote for the start of a field that fills the rest of the file
        with self._readable(place):
            if records.odd_quotes(place.path):
                for _ in records.records(place.path, self._encoding, self._delimiter, strict=True):
                    pass

    @contextmanager
    def _readable(self, place: Place) -> Iterator[None]:
        """Turns whatever a reader raises into one sentence about the file."""
        try:
            yield
        except records.BrokenQuotes as error:
            raise self._line_error(place, error.line, "quotes", "a quote is never closed, or text follows it.",
                                   'Close it, and write a quote inside of a field twice ("").') from None
        except UnicodeError:
            raise self._encoding_error(place) from None
        except (EOFError, zlib.error) as error:
            raise self.file_error(place, "damaged", f"the compressed file is damaged ({error}).",
                                  WRITE_AGAIN) from None
        except OSError as error:
            raise self.file_error(place, "unreadable", f"the file cannot be read ({error.strerror or error}).",
                                  "Check its rights and whether it is complete.") from None
        except ValueError as error:                # pyarrow.ArrowInvalid is a ValueError
            raise self._explained(place, str(error)) from None

    def _encoding_error(self, place: Place) -> SourceError:
        return self._line_error(place, records.undecodable_line(place.path, self._encoding), "encoding",
                                f"the text is not in {self._encoding}.",
                                f"Name its encoding in the source {self.name}, for example `encoding: cp1252`.")

    def _line_error(self, place: Place, line: int, code: str, message: str, hint: str) -> SourceError:
        return SourceError([Problem(Location(place.shown, line, 1 if line else 0), code, message, hint)])

    def _explained(self, place: Place, said: str) -> SourceError:
        """The sentence for a file that the fast reader refused: read again slowly to find the place."""
        try:
            width = 0
            for record in records.records(place.path, self._encoding, self._delimiter, strict=True):
                width = width or len(record.fields)
                if len(record.fields) != width:
                    return self._line_error(
                        place, record.line, "row-length",
                        f"the row has {len(record.fields)} fields where the headings have {width}.",
                        f'Put a text that holds "{self._delimiter}" in quotes, and leave no field out.')
        except records.BrokenQuotes as error:
            return self._line_error(place, error.line, "quotes", "a quote is never closed, or text follows it.",
                                    'Close it, and write a quote inside of a field twice ("").')
        except UnicodeError:
            return self._encoding_error(place)
        reason = said.splitlines()[0] if said else "no reason given"
        return self.file_error(place, "unreadable", f"the file cannot be read as CSV ({reason[:120]}).",
                               "Check that it is a table of text.")

    def separator_cure(self, headings: Sequence[str]) -> str:
        """The delimiter that the line of headings seems to be written with, when it was read as one heading."""
        if len(headings) == 1:
            for delimiter in (",", ";", "\t", "|"):
                if delimiter in headings[0]:
                    shown = "\\t" if delimiter == "\t" else delimiter
                    return f'The file seems to be separated by "{shown}": write `delimiter: "{shown}"`.'
        return ""
