"""CSV files as a source of facts."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from forestall.adapters.sources import records
from forestall.adapters.sources.tables import BATCH_ROWS, Batch, Layout, TableSettings, TableSource
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Location, Problem, SourceError

BLOCK_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class CsvSettings(TableSettings):
    """As for every table, and how the text is written: `delimiter` is one character, `encoding` a Python codec."""

    delimiter: str = ","
    encoding: str = "utf-8"


class CsvSource(TableSource):
    """One or several CSV files, plain or as .csv.gz, with a line of headings each."""

    Settings = CsvSettings
    endings = (".csv", ".csv.gz")
    supplies_at_once = True

    def __init__(self, name: str, settings: CsvSettings, metrics: Mapping[str, Metric], folder: Path) -> None:
        super().__init__(name, settings, metrics, folder)
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

    def headings(self, file: Path) -> tuple[str, ...]:
        """The first record of `file`, without blanks around the names."""
        return tuple(field.strip() for field in self._header(file).fields)

    def batches(self, layout: Layout, since: date | None, until: date | None) -> Iterator[Batch]:
        """Every row of the file as texts; `_table` types them."""
        import pyarrow as pa
        import pyarrow.csv

        del since, until                        # nothing in a CSV file tells where a day stands
        file = layout.file
        header = self._header(file)
        self._check_quotes(file)
        # columns go by their position, so that both readers agree on odd headings; the header's lines are skipped
        positions = [str(layout.headings.index(column.heading)) for column in layout.columns]
        row = 0
        with self._readable(file):
            reader = pyarrow.csv.open_csv(
                file,
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

    def cell_error(self, layout: Layout, row: int, heading: str, code: str, message: str, hint: str) -> SourceError:
        """The error with the line and column at which the cell starts in the file."""
        line, column = 0, 0
        read = records.records(layout.file, self._encoding, self._delimiter)
        for index, record in enumerate(read, start=-1):       # the headings are record -1
            if index == row:
                line, column = records.column_of(record, layout.headings.index(heading), self._delimiter)
                break
        return SourceError([Problem(Location(self.shown(layout.file), line, column), code, message, hint)])

    def _header(self, file: Path) -> records.Record:
        with self._readable(file):
            for record in records.records(file, self._encoding, self._delimiter):
                return record
        raise self.file_error(file, "empty-file", "the file is empty.",
                              "It needs a line of headings and a row for each account and day.")

    def _check_quotes(self, file: Path) -> None:
        # the fast reader takes an open quote for the start of a field that fills the rest of the file
        with self._readable(file):
            if records.odd_quotes(file):
                for _ in records.records(file, self._encoding, self._delimiter, strict=True):
                    pass

    @contextmanager
    def _readable(self, file: Path) -> Iterator[None]:
        """Turns whatever a reader raises into one sentence about `file`."""
        try:
            yield
        except records.BrokenQuotes as error:
            raise self._line_error(file, error.line, "quotes", "a quote is never closed, or text follows it.",
                                   'Close it, and write a quote inside of a field twice ("").') from None
        except UnicodeError:
            raise self._encoding_error(file) from None
        except (EOFError, zlib.error) as error:
            raise self.file_error(file, "damaged", f"the compressed file is damaged ({error}).",
                                  "Write it again.") from None
        except OSError as error:
            raise self.file_error(file, "unreadable", f"the file cannot be read ({error.strerror or error}).",
                                  "Check its rights and whether it is complete.") from None
        except ValueError as error:                # pyarrow.ArrowInvalid is a ValueError
            raise self._explained(file, str(error)) from None

    def _encoding_error(self, file: Path) -> SourceError:
        return self._line_error(file, records.undecodable_line(file, self._encoding), "encoding",
                                f"the text is not in {self._encoding}.",
                                f"Name its encoding in the source {self.name}, for example `encoding: cp1252`.")

    def _line_error(self, file: Path, line: int, code: str, message: str, hint: str) -> SourceError:
        return SourceError([Problem(Location(self.shown(file), line, 1 if line else 0), code, message, hint)])

    def _explained(self, file: Path, said: str) -> SourceError:
        """The sentence for a file that the fast reader refused: read again slowly to find the place."""
        try:
            width = 0
            for record in records.records(file, self._encoding, self._delimiter, strict=True):
                width = width or len(record.fields)
                if len(record.fields) != width:
                    return self._line_error(
                        file, record.line, "row-length",
                        f"the row has {len(record.fields)} fields where the headings have {width}.",
                        f'Put a text that holds "{self._delimiter}" in quotes, and leave no field out.')
        except records.BrokenQuotes as error:
            return self._line_error(file, error.line, "quotes", "a quote is never closed, or text follows it.",
                                    'Close it, and write a quote inside of a field twice ("").')
        except UnicodeError:
            return self._encoding_error(file)
        reason = said.splitlines()[0] if said else "no reason given"
        return self.file_error(file, "unreadable", f"the file cannot be read as CSV ({reason[:120]}).",
                               "Check that it is a table of text.")

    def separator_cure(self, headings: Sequence[str]) -> str:
        """The delimiter that the line of headings seems to be written with, when it was read as one heading."""
        if len(headings) == 1:
            for delimiter in (",", ";", "\t", "|"):
                if delimiter in headings[0]:
                    shown = "\\t" if delimiter == "\t" else delimiter
                    return f'The file seems to be separated by "{shown}": write `delimiter: "{shown}"`.'
        return ""
