"""The judge, as in `test_agreement.py`, where a scorecard puts signals, the score and the tier into expressions."""

import pytest
from engines.duckdb_engine import DuckDb
from judge.batch import SEEDS, batch, is_scored
from judge.verdict import disagreements, told


@pytest.fixture(scope="module")
def duckdb_engine():
    engine = DuckDb()
    yield engine
    engine.close()


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if is_scored(seed)])
def test_all_evaluators_agree_about_scores(duckdb_engine, seed):
    wrong = disagreements(duckdb_engine, batch(seed))
    assert not wrong, told(wrong)
