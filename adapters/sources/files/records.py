"""CSV files read slowly and exactly: the headings, and where in a file something is wrong."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast


@dataclass(frozen=True, slots=True)
class Record:
    """One record, the line it starts on, and its text: over several lines when a quoted field has line breaks."""

    line: int
    lines: int
    fields: tuple[str, ...]
    raw: str


class BrokenQuotes(ValueError):
    """A quoted field never ends, or goes on after its end. `line` is where its record starts."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(f"line {line}")


def opened(file: Path) -> BinaryIO:
    """The bytes of `file`, decompressed when its name ends in .gz, .bz2 or .zst."""
    if file.suffix == ".gz":
        return cast(BinaryIO, gzip.open(file, "rb"))
    if file.suffix == ".bz2":
        return cast(BinaryIO, bz2.open(file, "rb"))
    if file.suffix == ".zst":
        import pyarrow  # Python itself learns to read these with 3.14

        return cast(BinaryIO, io.BufferedReader(pyarrow.input_stream(file)))
    return file.open("rb")


def records(file: Path, encoding: str, delimiter: str, *, strict: bool = False) -> Iterator[Record]:
    """Every record, blank lines left out. BrokenQuotes, UnicodeError, OSError or EOFError when it cannot go on."""
    # a byte order mark is no part of the first heading
    encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    lines: list[str] = []
    line = 1
    with opened(file) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
        reader = csv.reader(_kept(text, lines), delimiter=delimiter, strict=strict)
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error:
                raise BrokenQuotes(line) from None
            if fields:
                yield Record(line, len(lines), tuple(fields), "".join(lines))
            line += len(lines)
            lines.clear()


def column_of(record: Record, index: int, delimiter: str) -> tuple[int, int]:
    """Line and column, from 1, at which field `index` of `record` starts."""
    quoted = False
    line, column = record.line, 1
    for char in record.raw:
        if not index:
            break
        if char == '"':
            quoted = not quoted
        elif char == delimiter and not quoted:
            index -= 1
        if char == "\n":
            line, column = line + 1, 1
        else:
            column += 1
    return line, column


def undecodable_line(file: Path, encoding: str) -> int:
    """The first line whose bytes are not in `encoding`, or 0 when there is none."""
    with opened(file) as raw:
        for number, line in enumerate(raw, start=1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return number
    return 0


def odd_quotes(file: Path) -> bool:
    """Whether the number of quotes is odd: a quick sign that one may never be closed."""
    count = 0
    with opened(file) as raw:
        while block := raw.read(1 << 20):
            count += block.count(b'"')
    return count % 2 == 1


def _kept(text: TextIO, lines: list[str]) -> Iterator[str]:
    for line in text:
        lines.append(line)
        yield line
