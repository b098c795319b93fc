"""The answer for the terminal and for pipes: calm, aligned, at most 110 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells, set_cell_size

from forestall.engine.simulate.comparison import Comparison
from forestall.engine.verdict.outline import Cell, Column, Shift, Table
from forestall.engine.verdict.sections import sections

WIDTH = 110
MOST = 20      # rows of a long list
_ASIDE = 12    # rows of one that is of second rank
_INDENT = 2
_BETWEEN = 2
_LEAST = 10    # no column of words becomes narrower than this


def lines(comparison: Comparison, most: int = MOST) -> Iterator[str]:
    """The answer line by line; of a long list `most` rows."""
    for number, section in enumerate(sections(comparison)):
        if number:
            yield ""
            yield section.title
        for index, said in enumerate(section.said):
            if number == 0 and index == 1:
                yield ""
            yield from wrapped(said, WIDTH, _INDENT if number else 0)
        for one in section.tables:
            if not one.of_chart:
                yield ""
                yield from _table(one, min(most, _ASIDE) if one.folded and section.key != "accounts" else most)


def wrapped(text: str, width: int, indent: int = 0) -> Iterator[str]:
    """The text in lines of at most `width` columns; a word that is longer than a line is cut into several."""
    room = width - indent
    line = ""
    for word in text.split():
        for piece in [word] if cell_len(word) <= room else chop_cells(word, room):
            if line and cell_len(line) + 1 + cell_len(piece) > room:
                yield " " * indent + line
                line = piece
            else:
                line = f"{line} {piece}" if line else piece
    if line:
        yield " " * indent + line


@dataclass(slots=True)
class _Measured:
    """How a column is set: its width, and for shifts those of both figures."""

    column: Column
    width: int
    shift: tuple[int, int] = (0, 0)
    head: tuple[str, ...] = ()


def _table(table: Table, most: int) -> Iterator[str]:
    rows = table.rows[:most]
    yield from wrapped(table.title, WIDTH, _INDENT)
    indent = " " * (_INDENT * 2)
    beside = [index for index, column in enumerate(table.columns) if not column.below]
    measured = _measure([table.columns[index] for index in beside], [[row[index] for index in beside] for row in rows])
    if any(one.column.name for one in measured):
        height = max(len(one.head) for one in measured)
        for line in range(height):
            yield _line(indent, [_set(one, _head(one, line, height)) for one in measured])
    for row in rows:
        yield _line(indent, [_set(one, row[index]) for one, index in zip(measured, beside, strict=True)])
        for index, column in enumerate(table.columns):
            if column.below and row[index]:
                yield from wrapped(str(row[index]), WIDTH, _INDENT * 4)
    if len(table.rows) > most:
        yield f"{indent}… and {len(table.rows) - most:,} more; `--format json` has them all"
    if table.more:
        yield from wrapped(table.more, WIDTH, _INDENT * 2)


def _measure(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[_Measured]:
    """The width of every column, so that a row fits: first heads are broken, then words are cut."""
    measured = []
    for index, column in enumerate(columns):
        cells = [row[index] for row in rows]
        shifts = [cell for cell in cells if isinstance(cell, Shift)]
        sides = (max((cell_len(one.base) for one in shifts), default=0),
                 max((cell_len(one.candidate) for one in shifts), default=0))
        widest = max((cell_len(cell) if isinstance(cell, str) else sum(sides) + 3 for cell in cells), default=0)
        measured.append(_Measured(column, widest, sides, (column.name,)))
    natural = [max(one.width, cell_len(one.column.name)) for one in measured]
    room = WIDTH - _INDENT * 2 - _BETWEEN * (len(columns) - 1)
    if sum(natural) > room:
        for one in measured:
            longest = max((cell_len(word) for word in one.column.name.split()), default=0)
            one.width = max(one.width, longest)
            one.head = tuple(wrapped(one.column.name, one.width)) if one.width else ("",)
        _narrow(measured, room)
    else:
        for one, width in zip(measured, natural, strict=True):
            one.width = width
    return measured


def _narrow(measured: list[_Measured], room: int) -> None:
    """Take from the widest columns of words until a row fits, or until there is nothing left to take."""
    words = [one for one in measured if not one.column.right] or measured
    while sum(one.width for one in measured) > room:
        widest = max(words, key=lambda one: one.width)
        if widest.width <= _LEAST:
            if words is measured:
                return
            words = measured
            continue
        widest.width -= 1
    for one in measured:
        one.head = tuple(wrapped(one.column.name, one.width)) if one.column.name else ("",)


def _head(one: _Measured, line: int, height: int) -> str:
    """A line of a head; heads of fewer lines stand at the bottom."""
    above = height - len(one.head)
    return one.head[line - above] if line >= above else ""


def _set(one: _Measured, cell: Cell) -> str:
    if isinstance(cell, Shift) and cell.base == cell.candidate:
        cell = cell.candidate
    elif isinstance(cell, Shift):
        cell = f"{cell.base:>{one.shift[0]}} → {cell.candidate:>{one.shift[1]}}"
    size = cell_len(cell)
    if size > one.width:
        return set_cell_size(cell, one.width - 1) + "…"
    return " " * (one.width - size) + cell if one.column.right else cell + " " * (one.width - size)


def _line(indent: str, cells: Sequence[str]) -> str:
    line = (indent + (" " * _BETWEEN).join(cells)).rstrip()
    return line if cell_len(line) <= WIDTH else set_cell_size(line, WIDTH - 1).rstrip() + "…"
