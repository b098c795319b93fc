"""A log with the columns that its words give."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from forestall.adapters.sources.daily.log import Log, Wanted
from forestall.adapters.sources.text.declared import ISSUE, SAID, SENTIMENT, TOPICS, WORDS, Texts, is_of_text
from forestall.adapters.sources.text.phrases import Phrases, issue_of
from forestall.adapters.sources.text.sentiment import Sentiment
from forestall.adapters.sources.text.wording import words, written

if TYPE_CHECKING:
    import pyarrow


def can_tell_moods() -> bool:
    """Whether the package for `text.sentiment` is installed; it is not imported."""
    return find_spec("vaderSentiment") is not None


@dataclass
class TextLog:
    """Stands before a log: asks it for words where columns of `text` are wanted, and works these out, row by row."""

    log: Log
    texts: Texts
    _issues: Phrases = field(init=False)
    _topics: Phrases = field(init=False)
    _sentiment: Sentiment | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._issues, self._topics = Phrases(self.texts.issues), Phrases(self.texts.topics)

    def __call__(self, wanted: Wanted) -> Iterator[pyarrow.Table]:
        """The rows of the log, with the columns that are wanted."""
        made = [column for column in wanted.columns if is_of_text(column)]
        plain = [column for column in wanted.columns if not is_of_text(column)]
        if made:
            plain = list(dict.fromkeys([*plain, *self.texts.needed()]))
        for table in self.log(replace(wanted, columns=tuple(plain))):
            yield self._with(table, made) if made and table.num_rows else table

    def _with(self, table: pyarrow.Table, made: list[str]) -> pyarrow.Table:
        import pyarrow as pa

        said = list(zip(*(texts_of(table, column) for column in self.texts.of), strict=True))
        message = {parts: self._message(parts) for parts in set(said)}
        for column in made:
            kind = pa.float64() if column in (SENTIMENT, WORDS) else pa.string()
            if column == ISSUE:
                subjects = texts_of(table, self.texts.subject) if self.texts.subject else [None] * len(said)
                found = [self._issue(message[parts], subject) for parts, subject in zip(said, subjects, strict=True)]
            else:
                tell = self._tells(column)
                answers = {parts: tell(text) if text else None for parts, text in message.items()}
                found = [answers[parts] for parts in said]
            table = table.append_column(column, pa.array(found, kind))
        return table

    def _message(self, parts: tuple[str | None, ...]) -> str:
        found = (written(part, tags=self.texts.html) for part in parts if part)
        return "\n".join(part for part in found if part)

    def _tells(self, column: str) -> Callable[[str], Any]:
        if column == SENTIMENT:
            self._sentiment = self._sentiment or Sentiment(self.texts.moods)
            return self._sentiment.of
        if column == WORDS:
            return lambda text: float(words(text)) or None
        topic = column.removeprefix(TOPICS)
        return lambda text: SAID if self._topics.holds(topic, text) else None

    def _issue(self, text: str, subject: str | None) -> str | None:
        """What a text is about: the first issue that has a phrase in it, else what its subject comes down to."""
        return self._issues.first(f"{subject or ''}\n{text}") or (issue_of(subject) if subject else None)


def texts_of(table: pyarrow.Table, column: str) -> list[str | None]:
    """A column of a table as texts; with dots, what stands inside of one: a struct, or JSON as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column in table.column_names:
        return [None if one is None else str(one) for one in table.column(column).to_pylist()]
    first, *rest = column.split(".")
    if first not in table.column_names or not rest:
        return [None] * table.num_rows
    cells = table.column(first)
    if pa.types.is_struct(cells.type) and cells.type.get_field_index(rest[0]) >= 0:
        cells, rest = pc.struct_field(cells, rest[0]), rest[1:]
    return [_inside(cell, rest) for cell in cells.to_pylist()]


def _inside(cell: Any, path: list[str]) -> str | None:
    if path and isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except ValueError:
            return None
    for step in path:
        cell = cell.get(step) if isinstance(cell, dict) else None
    return None if cell is None else cell if isinstance(cell, str) else json.dumps(cell)
