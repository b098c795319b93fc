"""Which topics a text is on, and which issue: by phrases, and where there are none by the words of the subject."""

from __future__ import annotations

import re
from collections.abc import Mapping

from forestall.adapters.sources.text.wording import tokens

MOST_WORDS = 6      # of a subject, beyond which two subjects are never the same

_REPLIES = re.compile(r"^\s*(?:(?:re|fw|fwd|aw|wg|tr|sv)\s*:|\[[^\]]*\]|#\d+)\s*", re.IGNORECASE)
_ENDINGS = ("ings", "ing", "ied", "ies", "ed", "es", "s")
# Words that two subjects on one issue share or do not share for no reason.
_LISTED = """
a about after again all also am an and any anyone are as at be because been before but by can could did do does doing
done don't for from get getting got had has have having help hello hey hi how i if in into is issue issues it its just
keep keeps know me more my need new no not now of on once one or our out over please problem problems question
questions request second since so some still team than thank thanks that the their them then there these they thing
third this those ticket time to too trouble try trying under until up urgent us very want was we were what when where
which while who why will with without would yes yet you your
"""
_EMPTY = frozenset(_LISTED.split())


class Phrases:
    """Lists of phrases by name. Case, blanks and hyphens make no difference; `*` stands for any ending of a word."""

    def __init__(self, named: Mapping[str, tuple[str, ...]]) -> None:
        self._named = {name: re.compile("|".join(map(_pattern, phrases))) for name, phrases in named.items()}

    def holds(self, name: str, text: str) -> bool:
        """Whether one of these phrases is in a text."""
        return self._named[name].search(_plain(text)) is not None

    def first(self, text: str) -> str | None:
        """The first name that has a phrase in a text."""
        plain = _plain(text)
        return next((name for name, pattern in self._named.items() if pattern.search(plain)), None)


def issue_of(subject: str) -> str | None:
    """A subject without what tells it from another one on the same issue: the stems of its words, in order of the
    alphabet. None where no word is left."""
    before = None
    while before != subject:
        before, subject = subject, _REPLIES.sub("", subject)
    stems = {_stem(word) for word in tokens(subject) if word not in _EMPTY and not word.isdigit()}
    return " ".join(sorted(stems)[:MOST_WORDS]) or None


def _plain(text: str) -> str:
    return text.lower().replace("’", "'")


def _pattern(phrase: str) -> str:
    parts = re.findall(r"[^\W_]+(?:'[^\W_]+)*\*?", _plain(phrase))
    wanted = [re.escape(part.removesuffix("*")) + (r"\w*" if part.endswith("*") else "") for part in parts]
    return r"(?<!\w)" + r"[\W_]+".join(wanted) + r"(?!\w)"


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending).rstrip("e")
    return word.rstrip("e") if len(word) > 4 else word
