"""The made-up expressions and histories of the judge on DuckDB (`test_agreement.py`), for the other engines."""

from dataclasses import dataclass

import pyarrow as pa
from language.test_agreement import (
    ARROW,
    SUPPLIED,
    Author,
    alone,
    at_the_door,
    derived,
    expression,
    history,
    rulebook,
    scorecard,
    vocabulary,
    written,
)

from engines.corpus import same
from engines.statements import every_day, one_day
from forestall.engine.model.expression import Expression
from forestall.engine.score.columns import add_scorecard

TELL = 5      # differences, at most


@dataclass(frozen=True)
class Batch:
    """Expressions, the accounts that they are asked about, and what each account answers by itself."""

    expressions: tuple[Expression, ...]
    accounts: dict
    book: object
    judge: dict

    @classmethod
    def of(cls, seed, count):
        """The batch of a seed. Every second one has a scorecard and asks for the score and the tier too."""
        scored = seed % 2 == 1
        author, words, accounts = Author(seed, scored), vocabulary(scored), history(seed)
        found = written(author, words, count)
        found += [expression(name, words) for name in ("score", "tier")] if scored else []
        book = rulebook(scorecard(seed), author.pick("", "on", "when"))
        return cls(tuple(found), accounts, book, alone(book, accounts))

    def table(self):
        """The histories as an engine stores them: days are consecutive, and no number is NaN, infinite or too large."""
        rows = [{"account": account, "day": day, "first_day": first, "named_day": day}
                | {name: at_the_door(value) for name, value in values.items()}
                for account, (first, days) in self.accounts.items() for day, values in days.items()]
        fixed = [(name, pa.string() if name == "account" else pa.int64())
                 for name in ("account", "day", "first_day", "named_day")]
        supplied = [(name, ARROW[kind]) for name, kind in SUPPLIED.items()]
        return pa.Table.from_pylist(rows, pa.schema([*fixed, *supplied]))

    def disagreements(self, engine, days):
        """Where an engine answers otherwise than the account itself, on every day and on some days alone, in words."""
        def prepare(values):
            add_scorecard(values, self.book.scorecard, self.book.catalogue.roles.since)

        engine.load(self.table())
        rows = engine.rows(every_day(self.expressions, SUPPLIED, derived(), engine.dialect, prepare))
        assert len(rows) == sum(len(one) for _, one in self.accounts.values())
        wrong = self._wrong("every day", rows, range(len(self.expressions)))
        statement, answered = one_day(self.expressions, SUPPLIED, derived(), engine.dialect, prepare)
        for day in days:
            rows = engine.rows(statement, day)
            assert {row["account"] for row in rows} == {name for name, (_, one) in self.accounts.items() if day in one}
            wrong += self._wrong("one day", rows, answered)
        return [f"{len(wrong)} answers differ", *sorted(wrong, key=len)[:TELL]] if wrong else []

    def _wrong(self, form, rows, numbers):
        wrong = []
        for row in rows:
            for number in numbers:
                one, found = self.expressions[number], row[f"e{number}"]
                right = self.judge[row["account"]].value(one, row["day"])
                if not (right == found if one.text == "score" else same(right, found)):
                    wrong.append(f"{form}, {row['account']}, {row['day']}: {one.text} is {found!r}, not {right!r}")
        return wrong
