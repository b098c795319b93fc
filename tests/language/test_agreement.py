"""The judge: one account at a time, all accounts on every day, and all accounts on one day give the same answer.

The cases are made up with fixed seeds (`tests/judge`). Here are those without a scorecard, in
`test_agreement_of_scores.py` those with one: two files, so that two processes share the work.
"""

import pytest
from engines.duckdb_engine import DuckDb
from judge.batch import SEEDS, batch, is_scored
from judge.verdict import disagreements, told


@pytest.fixture(scope="module")
def duckdb_engine():
    engine = DuckDb()
    yield engine
    engine.close()


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if not is_scored(seed)])
def test_all_evaluators_agree(duckdb_engine, seed):
    wrong = disagreements(duckdb_engine, batch(seed))
    assert not wrong, told(wrong)


def test_there_are_two_thousand_cases_at_least():
    cases = sum(len({one.text for one in batch(seed).expressions} - {"score", "tier"}) for seed in SEEDS)
    assert cases >= 2000


def test_a_disagreement_says_where_it_is(duckdb_engine, monkeypatch):
    one = batch(0, 0, 4)
    monkeypatch.setattr("forestall.engine.score.account.Account.value", lambda self, expression, day: "nonsense")
    wrong = disagreements(duckdb_engine, one)
    text, row = one.expressions[0].text, min(one.rows())
    first = next(str(found) for found in wrong if (found.text, found.account, found.day) == (text, *row))
    assert first.startswith(f"seed 0, {row[0]}, day {row[1]}: {text} is 'nonsense' alone and ")
    assert first.endswith(" by every day")
    assert told(wrong).startswith(f"{len(wrong)} answers differ")
