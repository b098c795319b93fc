"""Columns of a table in the four kinds of the rules: number, text, flag and date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forestall.engine.model.expression import Kind

if TYPE_CHECKING:
    import pyarrow

TRUE_WORDS = ("true", "yes", "1")
FALSE_WORDS = ("false", "no", "0")
DATE_PATTERN = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?$"
CURES = {
    Kind.NUMBER: ("a number", "Write it like 1234.5, or leave the cell empty."),
    Kind.FLAG: ("a flag", "Write true or false, or leave the cell empty."),
    Kind.DATE: ("a date", "Write it like 2026-01-31, or leave the cell empty."),
    Kind.TEXT: ("a text", "Store the column as text."),
}


class CellError(Exception):
    """A cell, or with `row` None a whole column, that cannot be what its metric says. `row` counts from 0."""

    def __init__(self, row: int | None, said: str, kind: Kind) -> None:
        self.row = row
        self.said = said
        self.expected, self.cure = CURES[kind]
        super().__init__(said)


def arrow_type(kind: Kind) -> pyarrow.DataType:
    """The type in which a source hands over a metric of this kind."""
    import pyarrow as pa

    return {Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.FLAG: pa.bool_(), Kind.DATE: pa.date32()}[kind]


def convert(column: pyarrow.Array, kind: Kind) -> pyarrow.Array:
    """A `plain` column in the type of `kind`; an empty cell becomes null. CellError for what does not fit."""
    import pyarrow as pa

    if column.null_count == len(column):      # whatever it would hold, it says nothing
        return pa.nulls(len(column), arrow_type(kind))
    converters = {Kind.NUMBER: _number, Kind.TEXT: _text, Kind.FLAG: _flag, Kind.DATE: _date}
    return converters[kind](column)


def plain(column: pyarrow.Array) -> pyarrow.Array:
    """`column` in a form that rows can be taken from: no dictionary, no view, nothing of somebody's own."""
    import pyarrow as pa
    import pyarrow.types as types

    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_string_view(column.type):
        return column.cast(pa.string())
    return column.cast(pa.binary()) if types.is_binary_view(column.type) else column


def shortened(text: str, limit: int = 40) -> str:
    """`text` in quotes on one line, cut to a length that fits into a sentence."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return '"' + "".join(char if char.isprintable() else " " for char in text) + '"'


def _is_text(kind: pyarrow.DataType) -> bool:
    import pyarrow.types as types

    # some writers store texts without saying that they are texts
    texts = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    return any(fits(kind) for fits in texts)


def _trimmed(column: pyarrow.Array, kind: Kind) -> pyarrow.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    except pa.ArrowInvalid:
        raise CellError(None, "bytes that are no UTF-8", kind) from None
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _first_unfit(texts: pyarrow.Array, fits: pyarrow.Array, kind: Kind) -> None:
    """CellError for the first text that does not fit; nulls are left alone."""
    import pyarrow.compute as pc

    row = pc.index(pc.fill_null(fits, True), False).as_py()
    if row >= 0:
        raise CellError(row, shortened(texts[row].as_py()), kind)


def _parsed(texts: pyarrow.Array, kind: Kind) -> pyarrow.Array:
    """Texts as numbers or dates; only after a failure is the first bad one looked for."""
    import pyarrow as pa

    wanted = arrow_type(kind)
    try:
        return texts.cast(wanted)
    except pa.ArrowInvalid:
        for row, text in enumerate(texts):
            try:
                text.cast(wanted)
            except pa.ArrowInvalid:
                raise CellError(row, shortened(text.as_py()), kind) from None
        raise


def _number(column: pyarrow.Array) -> pyarrow.Array:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as types

    if _is_text(column.type):
        numbers = _parsed(_trimmed(column, Kind.NUMBER), Kind.NUMBER)
    elif types.is_float64(column.type):
        numbers = column
    elif types.is_integer(column.type):
        numbers = column.cast(pa.float64(), safe=False)
    elif types.is_floating(column.type) or types.is_decimal(column.type):
        # by way of the decimal that a person reads: a direct cast makes 78.1 a 78.0999985 or a 78.10000000000001
        numbers = column.cast(pa.string()).cast(pa.float64())
    else:
        raise CellError(None, f"{column.type} values", Kind.NUMBER)
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def _text(column: pyarrow.Array) -> pyarrow.Array:
    import pyarrow as pa
    import pyarrow.types as types

    if _is_text(column.type):
        return _trimmed(column, Kind.TEXT)
    if types.is_floating(column.type):
        # writers turn whole numbers with gaps into floats; "17.0" would be another account than "17"
        try:
            return column.cast(pa.int64()).cast(pa.string())
        except pa.ArrowInvalid:
            raise CellError(None, "numbers with fractions", Kind.TEXT) from None
    fits = (types.is_integer, types.is_boolean, types.is_temporal, types.is_decimal)
    if any(fit(column.type) for fit in fits):
        return column.cast(pa.string())
    raise CellError(None, f"{column.type} values", Kind.TEXT)


def _flag(column: pyarrow.Array) -> pyarrow.Array:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as types

    if types.is_boolean(column.type):
        return column
    if types.is_integer(column.type):
        texts = column.cast(pa.string())
    elif _is_text(column.type):
        texts = _trimmed(column, Kind.FLAG)
    else:
        raise CellError(None, f"{column.type} values", Kind.FLAG)
    words = pc.utf8_lower(texts)
    known = pc.is_in(words, value_set=pa.array(TRUE_WORDS + FALSE_WORDS))
    _first_unfit(texts, pc.or_(known, pc.is_null(words)), Kind.FLAG)
    true = pc.is_in(words, value_set=pa.array(TRUE_WORDS))
    return pc.if_else(pc.is_null(words), pa.scalar(None, pa.bool_()), true)


def _date(column: pyarrow.Array) -> pyarrow.Array:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as types

    if _is_text(column.type):
        texts = _trimmed(column, Kind.DATE)
        _first_unfit(texts, pc.match_substring_regex(texts, DATE_PATTERN), Kind.DATE)
        return _parsed(pc.utf8_slice_codeunits(texts, 0, 10), Kind.DATE)
    if types.is_timestamp(column.type):
        zone = column.type.tz
        if zone and zone.upper() not in ("UTC", "Z", "+00:00"):
            column = pc.local_timestamp(column)
        return column.cast(pa.timestamp(column.type.unit)).cast(pa.date32())
    if types.is_date(column.type):
        return column.cast(pa.date32())
    raise CellError(None, f"{column.type} values", Kind.DATE)
