"""Rules and a few accounts to a score, through every evaluator that there is."""

from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pytest

from forestall.engine.detect.history import History
from forestall.engine.model.expression import Kind, Truth
from forestall.engine.rulebook.loader import load
from forestall.engine.score.account import Account
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.look_back import look_back

ARROW = {Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.FLAG: pa.bool_(), Kind.DATE: pa.date32()}
LAST = date(2026, 3, 31)
TIERS = "tiers: {healthy: 80-100, monitor: 60-79, at_risk: 40-59, critical: 20-39, churning: 0-19}\n"


def table(catalogue, rows):
    """(account, day) → values, as a source hands them over."""
    columns = {"account": pa.array([account for account, _ in rows], pa.string()),
               "as_of": pa.array([day for _, day in rows], pa.date32())}
    for metric in catalogue.supplied():
        columns[metric.name] = pa.array([values.get(metric.name) for values in rows.values()], ARROW[metric.kind])
    return pa.table(columns)


def accounts_of(rulebook, history, first, last):
    """Every account with its rows, for the evaluator of one account."""
    terms = [one.term for one in Conditions.of(rulebook).expressions]
    back = look_back(rulebook, terms)
    connection = history.open_days(rulebook.catalogue, first - timedelta(days=back), last)
    rows = connection.sql("SELECT * FROM history").to_arrow_table().to_pylist()
    connection.close()
    found, firsts = {}, {}
    for row in rows:
        found.setdefault(row["account"], {})[row["day"]] = row
        firsts[row["account"]] = row["first_day"]
    return {name: (Account(rulebook, days, firsts[name]), days) for name, days in found.items()}


def judge(rulebook, history, first, last):
    """(account, day) → AccountDay, after every evaluator has said the same about each."""
    evaluator = Evaluator(rulebook)
    together = evaluator.evaluate(history, first, last)
    changes = evaluator.changes(history, first, last)
    found, scores = {}, {}
    for step in range((last - first).days + 1):
        day = first + timedelta(days=step)
        rows, single, moved = together.on(day), evaluator.evaluate(history, day, day).on(day), changes.on(day)
        found |= {(row.account, day): row for row in every(rows)}
        scores |= {(account, day): score for account, score in zip(rows.accounts, rows.scores, strict=True)}
        assert every(single) == every(rows), day
        assert (single.scores, single.gone, single.counts()) == (rows.scores, rows.gone, rows.counts()), day
        assert every(moved) == every(rows), day
        assert (moved.gone, moved.alarmed, moved.counts()) == (rows.gone, rows.alarmed, rows.counts()), day
    seen = set()
    for name, (account, days) in accounts_of(rulebook, history, first, last).items():
        for number in days:
            day = date(1970, 1, 1) + timedelta(days=number)
            if not first <= day <= last:
                continue
            row = found[name, day]
            scored = account.scored(number)
            assert (scores[name, day], row.tier) == (scored.score, scored.tier), (name, day)
            for index, one in enumerate(evaluator.conditions.expressions):
                truth = {True: Truth.TRUE, False: Truth.FALSE, None: Truth.UNKNOWN}[account.value(one, number)]
                assert row.truth(index) is truth, (name, day, one.text)
            seen.add((name, day))
    assert seen == set(found)
    return {key: Judged(row, scores[key]) for key, row in found.items()}


def every(rows):
    """All rows of a day as nouns."""
    return list(rows.take(list(range(len(rows)))))


@dataclass(frozen=True)
class Judged:
    """What all evaluators say of one account on one day."""

    row: object
    score: float | None

    @property
    def tier(self):
        return self.row.tier

    def truth(self, index):
        return self.row.truth(index)


@dataclass
class Bench:
    """Writes rules and a history, and answers what they come to on the last day."""

    folder: object

    def rules(self, weights, metrics, triggers="triggers: {}\n"):
        self.folder.mkdir(exist_ok=True)
        texts = {"weights": weights + ("" if "tiers:" in weights else TIERS), "metrics": metrics, "triggers": triggers,
                 "playbook": "plays: {}\n"}
        for name, text in texts.items():
            (self.folder / f"{name}.yaml").write_text(text)
        return load(self.folder, None)

    def history(self, rulebook, accounts):
        """`accounts`: name → the values of its days, the last one on LAST; a dict alone is one day."""
        rows = {}
        for name, days in accounts.items():
            listed = days if isinstance(days, list) else [days]
            for back, values in enumerate(reversed(listed)):
                rows[name, LAST - timedelta(days=back)] = values
        history = History(self.folder / "history")
        history.add("test", [table(rulebook.catalogue, rows)], rulebook.catalogue, None, rulebook.gone_after)
        history.build_days(rulebook.catalogue, rulebook.gone_after, LAST)
        return history

    def evaluated(self, weights, metrics, accounts, triggers="triggers: {}\n", days=1):
        """Account → AccountDay of the last day, judged over the last `days` days, and the rulebook's conditions."""
        rulebook = self.rules(weights, metrics, triggers)
        history = self.history(rulebook, accounts)
        found = judge(rulebook, history, LAST - timedelta(days=days - 1), LAST)
        return {name: row for (name, day), row in found.items() if day == LAST}, Conditions.of(rulebook)

    def scores(self, weights, metrics, accounts, **more):
        """Account → (score, tier) on the last day."""
        found, _ = self.evaluated(weights, metrics, accounts, **more)
        return {name: (row.score, row.tier) for name, row in found.items()}

    def truths(self, weights, metrics, accounts, triggers, days=1):
        """Account → trigger → True, False or None on the last day."""
        found, conditions = self.evaluated(weights, metrics, accounts, triggers, days)
        said = {Truth.TRUE: True, Truth.FALSE: False, Truth.UNKNOWN: None}
        names = [name for kind, name, part in conditions.index if (kind, part) == ("trigger", "when")]
        return {account: {name: said[row.truth(conditions.when(name))] for name in names}
                for account, row in found.items()}


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "rules")




@pytest.fixture
def judged():
    """Evaluations on which all evaluators agreed."""
    return judge
