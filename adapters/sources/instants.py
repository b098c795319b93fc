"""Columns of a table as instants in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forestall.adapters.sources.cells import plain, shortened

if TYPE_CHECKING:
    import pyarrow

DATE = r"^\d{4}-\d{2}-\d{2}$"
NUMBER = r"^\d{9,}(\.\d*)?$"
ZONED = r"([zZ]|[+-]\d{2}(:?\d{2})?)$"
TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d"
CURE = "Write it like 2026-01-31T09:30:00Z."


class NoInstant(Exception):
    """A cell that is no instant, or with `row` None a column that holds none. `row` counts from 0."""

    def __init__(self, row: int | None, said: str) -> None:
        self.row, self.said = row, said
        super().__init__(said)


def instants(column: pyarrow.Array, clock: str, zone: str) -> pyarrow.Array:
    """A column as timestamps in microseconds, in UTC; what is empty stays so. NoInstant for what does not fit.

    Times that do not say their zone are of `clock`. Whole days count as their noon in `zone`, so that they are that day
    for everybody who ends days there. Numbers are seconds since 1970, or milli- or microseconds where they are as large
    as that.
    """
    import pyarrow as pa
    import pyarrow.types as types

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    column = plain(column)
    kind = column.type
    if types.is_null(kind):
        return column.cast(pa.timestamp("us"))
    if types.is_timestamp(kind):
        wall = column.cast(pa.timestamp("us", kind.tz), safe=False)
        return wall.cast(pa.timestamp("us")) if kind.tz else _from_wall(wall, clock)
    if types.is_date(kind):
        return _noon(column.cast(pa.date32()), zone)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return _from_number(column.cast(pa.float64(), safe=False))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind):
        return _from_text(column, clock, zone)
    raise NoInstant(None, f"{kind} values")


def _from_text(column: pyarrow.Array, clock: str, zone: str) -> pyarrow.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    except pa.ArrowInvalid:
        raise NoInstant(None, "bytes that are no UTF-8") from None
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    texts = pc.replace_substring_regex(texts, r" ?(UTC|GMT)$", "Z")
    texts = pc.replace_substring_regex(texts, r" ([+-]\d{2}(:?\d{2})?)$", r"\1")
    nothing = pa.scalar(None, pa.string())
    day, number = pc.match_substring_regex(texts, DATE), pc.match_substring_regex(texts, NUMBER)
    time = pc.match_substring_regex(texts, TIME)
    zoned = pc.and_(time, pc.match_substring_regex(texts, ZONED))
    local = pc.and_not(time, zoned)
    known = pc.or_(pc.or_(day, number), time)
    if (row := pc.index(pc.fill_null(known, True), False).as_py()) >= 0:
        raise NoInstant(row, shortened(texts[row].as_py()))
    made: list[pyarrow.Array] = []
    if pc.any(zoned).as_py():
        made.append(_parsed(pc.if_else(zoned, texts, nothing), pa.timestamp("us", "UTC")).cast(pa.timestamp("us")))
    if pc.any(local).as_py():
        made.append(_from_wall(_parsed(pc.if_else(local, texts, nothing), pa.timestamp("us")), clock))
    if pc.any(day).as_py():
        made.append(_noon(_parsed(pc.if_else(day, texts, nothing), pa.date32()), zone))
    if pc.any(number).as_py():
        made.append(_from_number(_parsed(pc.if_else(number, texts, nothing), pa.float64())))
    return pc.coalesce(*made) if made else texts.cast(pa.timestamp("us"))


def _parsed(texts: pyarrow.Array, wanted: pyarrow.DataType) -> pyarrow.Array:
    """Texts in another type; only after a failure is the first bad one looked for."""
    import pyarrow as pa

    try:
        return texts.cast(wanted)
    except pa.ArrowInvalid:
        for row, text in enumerate(texts):
            try:
                text.cast(wanted)
            except pa.ArrowInvalid:
                raise NoInstant(row, shortened(text.as_py())) from None
        raise


def _from_number(numbers: pyarrow.Array) -> pyarrow.Array:
    """By its size: nobody has events of the year 5138 in seconds, or of 1973 in milliseconds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    factor = pc.if_else(pc.greater(numbers, 1e14), 1.0, pc.if_else(pc.greater(numbers, 1e11), 1e3, 1e6))
    micro = pc.multiply(numbers, factor)
    fits = pc.and_(pc.is_finite(numbers), pc.less(pc.abs(micro), 2e17))
    if (row := pc.index(pc.fill_null(fits, True), False).as_py()) >= 0:
        raise NoInstant(row, str(numbers[row].as_py()))
    return pc.round(micro).cast(pa.int64()).cast(pa.timestamp("us"))


def _noon(days: pyarrow.Array, zone: str) -> pyarrow.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    wall = pc.add(days.cast(pa.timestamp("us")), pa.scalar(12 * 3_600_000_000, pa.duration("us")))
    return _from_wall(wall, zone)


def _from_wall(wall: pyarrow.Array, zone: str) -> pyarrow.Array:
    """What the clocks of the zone show, as instants; an hour that they show twice is taken for the first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if zone in ("", "UTC"):
        return wall
    zoned = pc.assume_timezone(wall, zone, ambiguous="earliest", nonexistent="earliest")
    return zoned.cast(pa.timestamp("us"))


