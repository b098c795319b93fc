"""Where a form of evaluation answers otherwise than the account by itself.

Truths, texts, dates and the score must be equal, other numbers to 1e-9.
"""

from dataclasses import dataclass

from engines.corpus import same
from engines.statements import forms

TELL = 5      # disagreements, at most


@dataclass(frozen=True)
class Disagreement:
    """Two answers to one question."""

    seed: int
    form: str
    text: str
    account: str
    day: int
    alone: object
    together: object

    def __str__(self):
        return (f"seed {self.seed}, {self.account}, day {self.day}: {self.text} is {self.alone!r} alone and "
                f"{self.together!r} by {self.form}")


def compared(batch, form, alone, expressions, rows, answered):
    """The disagreements between accounts by themselves and the rows of one form."""
    for number in answered:
        one = expressions[number]
        exact = one.text == "score"
        for (account, day), row in rows.items():
            right, found = alone[account].value(one, day), row[f"e{number}"]
            if not (right == found if exact else same(right, found)):
                yield Disagreement(batch.seed, form.name, one.text, account, day, right, found)


def disagreements(engine, batch):
    """Every disagreement about a batch, in every form that the engine has."""
    engine.load(batch.stored())
    alone, found = batch.alone(), []
    for form in forms(engine):
        found += compared(batch, form, alone, batch.expressions, *batch.ask(form, engine, batch.expressions))
    return found


def told(found):
    """In words: how many, and the shortest."""
    shortest = sorted(map(str, found), key=len)[:TELL]
    return "\n".join([f"{len(found)} answers differ; the shortest:", *shortest])
