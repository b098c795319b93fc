"""Which columns of a log hold what people wrote, and what is looked for in it, as forestall.yaml declares it.

    text:
      of: [subject, body]
      subject: subject
      topics: {competitor: [competitor, "switch to", "other vendor*"]}
      issues: {login: [password, "log in", "locked out"], export: [export*, download*]}
      moods: {churn: -2.5}

    metrics:
      mood_30d:           {measure: average, of: text.sentiment, where: {author: customer}, days: 30}
      words_per_message:  {measure: average, of: text.words, where: {author: customer}, days: 30}
      same_issue_30d:     {measure: repeats, of: text.issue, events: ticket_opened, days: 30}
      competitor_asks_90d: {measure: count, where: {text.topics.competitor: said}, days: 90}
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

SENTIMENT, WORDS, ISSUE, TOPICS = "text.sentiment", "text.words", "text.issue", "text.topics."
BEFORE = "text."
SAID = "said"
STRONGEST = 4.0


@dataclass(frozen=True, slots=True)
class Texts:
    """What is read out of the words of a log.

    `of` are columns, or properties as in `properties.body`; their words are taken together. `topics` and `issues` have
    phrases below names: a topic is in a text or not, and a text has the first issue that has a phrase in it. What has
    none gets one from the column `subject`, where that is named. `moods` are words with a mood of their own, from -4
    to 4, that count instead of what the word list says. `html`: whether tags are taken out.
    """

    of: tuple[str, ...]
    subject: str = ""
    topics: dict[str, tuple[str, ...]] = field(default_factory=dict)
    issues: dict[str, tuple[str, ...]] = field(default_factory=dict)
    moods: dict[str, float] = field(default_factory=dict)
    html: bool = True

    def __post_init__(self) -> None:
        """ValueError with what is wrong and its cure."""
        if not self.of:
            raise ValueError("`text` needs `of`.", "Name the columns with words, for example `of: [subject, body]`.")
        for kind, named in (("topics", self.topics), ("issues", self.issues)):
            for name, phrases in named.items():
                if not phrases or not all(any(map(str.isalnum, phrase)) for phrase in phrases):
                    raise ValueError(f"`text` has `{kind}` with {name}, and a phrase of it is empty.",
                                     "Write what people write, in quotes where it has blanks.")
        for word, mood in self.moods.items():
            if not -STRONGEST <= mood <= STRONGEST or " " in word.strip():
                raise ValueError(f"`text` has `moods` with `{word}: {mood:g}`.",
                                 "Write one word and a number from -4, very bad, to 4, very good.")

    def columns(self) -> tuple[str, ...]:
        """Every column that metrics can ask for."""
        return (SENTIMENT, WORDS, ISSUE, *(TOPICS + name for name in self.topics))

    def needed(self) -> tuple[str, ...]:
        """What the log itself must have."""
        return tuple(dict.fromkeys([*self.of, *([self.subject] if self.subject else [])]))


def is_of_text(column: str) -> bool:
    """Whether a column is one that is worked out of words."""
    return column.startswith(BEFORE)


def mistakes(texts: Texts, columns: Iterable[str], numbers: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What metrics ask for in vain: a column that there is not, and texts to reckon with. (what, cure)"""
    there = texts.columns()
    for column in dict.fromkeys([*columns, *numbers]):
        if is_of_text(column) and column not in there:
            near = difflib.get_close_matches(column, there, n=1)
            yield (f"names {column}, and `text` gives no such column.",
                   f"Did you mean {near[0]}?" if near else f"There are: {', '.join(there)}.")
        if column == ISSUE and not texts.issues and not texts.subject:
            yield (f"names {ISSUE}, and `text` names neither `issues` nor `subject`.",
                   "Add one: without it no text has an issue.")
    for column in numbers:
        if column == ISSUE or column.startswith(TOPICS):
            yield (f"reckons with {column}, which is a text.",
                   f"Use `measure: count` with `where: {{{column}: {SAID}}}`, or `measure: repeats` for issues.")
