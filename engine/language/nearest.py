"""The name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate closest to `word`, or None when none is close.

    A candidate that begins with the word, or the word with it, counts as close: people leave endings off.
    """
    known = sorted(set(candidates))
    folded = {candidate.casefold(): candidate for candidate in known}
    found = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if found:
        return folded[found[0]]
    for candidate in known:
        shorter, longer = sorted((candidate.casefold(), word.casefold()), key=len)
        if len(shorter) >= 4 and longer.startswith(shorter):
            return candidate
    return None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`Did you mean X?`, or an empty text."""
    found = nearest(word, candidates)
    return f"Did you mean {found}?" if found else ""
