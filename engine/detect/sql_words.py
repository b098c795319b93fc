"""What engines spell differently, and values that people say by hand, in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from forestall.engine.model.catalogue import ByHand


def text(value: str) -> str:
    """A quoted text."""
    return "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Words:
    """What engines spell differently in that view: the quotation mark of names, and a date as days since 1970."""

    mark: str
    days: str

    def name(self, identifier: str) -> str:
        """A quoted identifier."""
        return self.mark + identifier.replace(self.mark, self.mark * 2) + self.mark

    def text(self, value: str) -> str:
        """A quoted text. Spark reads a backslash as the beginning of something."""
        if self.mark == '"':
            return text(value)
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


DUCKDB = Words('"', "CAST({} - DATE '1970-01-01' AS BIGINT)")
SPARK = Words("`", "CAST(unix_date({}) AS BIGINT)")


def by_hand(column: str, said: Iterable[ByHand], words: Words) -> str:
    """The column, and in its place what people say of an account for as long as it holds."""
    cases = " ".join(f"WHEN account = {words.text(one.account)} AND day BETWEEN {_number(one.since)} AND "
                     f"{_number(one.until)} THEN {_literal(one.value, words)}" for one in said)
    return f"CASE {cases} ELSE {column} END" if cases else column


def _literal(value: float | str | bool | date, words: Words) -> str:
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case date():
            return f"CAST({_number(value)} AS BIGINT)"
        case str():
            return words.text(value)
    return f"CAST('{value!r}' AS DOUBLE)"


def _number(value: date) -> int:
    return value.toordinal() - date(1970, 1, 1).toordinal()
