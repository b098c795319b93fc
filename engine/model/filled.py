"""A text that was filled in: its form, which many messages share, and the values that are its own."""

from __future__ import annotations

from collections.abc import Sequence


class Filled(str):
    """A text like any other, which also knows of what it was made: form[0], own[0], form[1], own[1], …, form[-1].

    The outbox keeps each form once, so that a hundred thousand messages take the room of their values.
    """

    __slots__ = ("form", "own")
    form: tuple[str, ...]
    own: Sequence[str]

    def __new__(cls, form: tuple[str, ...], own: Sequence[str]) -> Filled:
        """Fill `own` into the gaps of `form`, of which there are as many."""
        made = super().__new__(cls, joined(form, own))
        made.form, made.own = form, own
        return made

    def __reduce__(self) -> tuple[type[Filled], tuple[tuple[str, ...], Sequence[str]]]:
        return Filled, (self.form, self.own)


def joined(form: Sequence[str], own: Sequence[str]) -> str:
    """The text of a form with these values in its gaps."""
    whole = [""] * (len(form) + len(own))
    whole[::2], whole[1::2] = form, own
    return "".join(whole)
