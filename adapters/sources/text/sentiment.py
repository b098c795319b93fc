"""How a text sounds, from -1 to 1, by VADER's list of words and its rules: on this machine, and in English only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from forestall.adapters.sources.text.wording import tokens

WORDS_TO_TELL = 6          # of so many words on, a text in another language is told from one in English
COMMON_WORDS = 0.15        # of English at least: half of an ordinary text are such words

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_LISTED = """
a about after all also am an and any are as at back be because been but by can can't could did do does doesn't don't
for from get had has have he her his how i i'm if in into is it it's its just like me more my no not now of on one or
our out please so some than thank thanks that the their them then there they this to too up us use very was we were
what when where which while who why will with without would you your
"""
_COMMON = frozenset(_LISTED.split())
# What belongs to the form of a letter and not to its mood.
_FORMS = re.compile(
    r"\b(?:thanks|thank you) in advance\b|\b(?:best|kind|warm|kindest) (?:regards|wishes)\b|\bkind reminder\b"
    r"|\bi hope (?:this|you)[^.!?\n]{0,40}\bwell\b|\bdear\b|\bplease\b|\bgood (?:morning|afternoon|evening|day)\b"
    r"|\b(?:would|'d) like\b|\blook(?:ing)? like\b|\bgreat ?(?:er|est)? than\b", re.IGNORECASE)
# Words of work that the list knows in another sense.
PLAIN = ("support", "supported", "supporting", "supports", "help", "helps", "share", "shared", "shares", "sharing",
         "save", "saved", "saves", "value", "values", "security", "secure", "free", "sign", "alert", "alerts",
         "charge", "credit", "growth", "interest", "active", "play", "join", "matter", "matters", "number", "natural",
         "certain", "legal", "original", "straight", "agree", "agreement", "accept", "accepted", "create", "created")


class Sentiment:
    """VADER with words of our own. ImportError where the package is not installed."""

    def __init__(self, moods: Mapping[str, float] | None = None) -> None:
        self._analyzer: Any = _analyzer()
        for word in PLAIN:
            self._analyzer.lexicon.pop(word, None)
        self._analyzer.lexicon.update({word.strip().lower(): mood for word, mood in (moods or {}).items()})

    def of(self, text: str) -> float | None:
        """The mean over its sentences that have a mood at all, 0.0 where none has; None where there is nothing to
        tell it by: no words, or words of another language."""
        found = tokens(text)
        if not found or _is_foreign(found):
            return None
        moods = [self._analyzer.polarity_scores(sentence)["compound"]
                 for sentence in _SENTENCE.split(_FORMS.sub(" ", text)) if sentence.strip()]
        told = [mood for mood in moods if mood]
        return round(sum(told) / len(told), 4) if told else 0.0


def _is_foreign(found: list[str]) -> bool:
    if len(found) < WORDS_TO_TELL:
        return sum(word.isascii() for word in found) < len(found) / 2
    return sum(word in _COMMON for word in found) < COMMON_WORDS * len(found)


def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
