"""A batch of cases: by a seed, expressions and the histories that they are asked about, with or without a scorecard."""

from dataclasses import dataclass
from functools import cache

from forestall.engine.model.expression import Expression
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.account import Account
from forestall.engine.score.columns import add_scorecard
from judge.author import Author
from judge.histories import FIRST_DAY, LAST_DAY, SUPPLIED, at_the_door, histories, table
from judge.rules import derived, expression, rulebook, scorecard, vocabulary

SEEDS = range(30)
LONG, SMALL = 14, 60      # expressions of a batch
DAYS = range(FIRST_DAY, LAST_DAY + 1)


@dataclass(frozen=True)
class Batch:
    """Expressions, the accounts that they are asked about, and the rules."""

    seed: int
    expressions: tuple[Expression, ...]
    accounts: dict
    book: Rulebook

    @property
    def scored(self):
        return is_scored(self.seed)

    def alone(self):
        """Account → what answers for it alone, anew."""
        return {name: Account(self.book, {day: {key: at_the_door(value) for key, value in row.items()}
                                          for day, row in rows.items()}, first)
                for name, (first, rows) in self.accounts.items()}

    def rows(self):
        """Every account and day."""
        return {(name, day) for name, (_, days) in self.accounts.items() for day in days}

    def stored(self):
        """The histories as a table."""
        return table(self.accounts)

    def ask(self, form, engine, expressions):
        """What one form answers on every day; the engine has been given the histories."""
        def prepare(values):
            add_scorecard(values, self.book.scorecard, self.book.catalogue.roles.since)

        rows, answered = form.ask(engine, expressions, DAYS, SUPPLIED, derived(), prepare)
        assert set(rows) == self.rows(), f"seed {self.seed}, {form.name}: not the rows of the history"
        return rows, answered


def is_scored(seed):
    """Whether a batch has a scorecard: every second one."""
    return seed % 2 == 1


@cache
def batch(seed, long=LONG, small=SMALL):
    """The batch of a seed. One with a scorecard asks for the score and the tier too, beside the cases."""
    author, words = Author(seed, is_scored(seed)), vocabulary(is_scored(seed))
    found = author.expressions(long, small)
    found += tuple(expression(name, words) for name in ("score", "tier")) if is_scored(seed) else ()
    return Batch(seed, found, histories(seed), rulebook(scorecard(seed), author.pick("", "on", "when")))
