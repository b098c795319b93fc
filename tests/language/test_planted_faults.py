"""The judge notices: each of these faults, planted in one evaluator, is found among the ordinary cases."""

import pytest
from engines.duckdb_engine import DuckDb
from engines.statements import EVERY_DAY, ONE_DAY, STREAMED
from judge.batch import SEEDS, batch, is_scored
from judge.faults import ALONE, ONE_DAY_ONLY, STREAMING_ONLY, TOGETHER
from judge.verdict import compared


@pytest.fixture(scope="module")
def engine():
    engine = DuckDb()
    yield engine
    engine.close()


def named(fault):
    return fault.name


def suspects(fault):
    """The cases that can show a fault, batch by batch."""
    for seed in SEEDS:
        if fault.scored in (None, is_scored(seed)):
            one = batch(seed)
            if some := tuple(case for case in one.expressions if fault.word in case.text):
                yield one, some


def found(disagreements):
    return next(iter(disagreements), None) is not None


@pytest.mark.parametrize("fault", ALONE, ids=named)
def test_a_fault_in_the_evaluator_of_one_account_is_found(engine, fault, monkeypatch):
    for one, some in suspects(fault):
        engine.load(one.stored())
        rows, answered = one.ask(EVERY_DAY, engine, some)
        with monkeypatch.context() as planted:
            fault.plant(planted)
            if found(compared(one, EVERY_DAY, one.alone(), some, rows, answered)):
                return
    pytest.fail("nobody noticed")


@pytest.mark.parametrize(("form", "fault"), [
    *(pytest.param(EVERY_DAY, fault, id=fault.name) for fault in TOGETHER),
    *(pytest.param(STREAMED, fault, id=f"streaming: {fault.name}") for fault in STREAMING_ONLY),
    *(pytest.param(ONE_DAY, fault, id=f"one day: {fault.name}") for fault in ONE_DAY_ONLY)])
def test_a_fault_in_the_evaluator_of_all_accounts_is_found(engine, form, fault, monkeypatch):
    fault.plant(monkeypatch)
    for one, some in suspects(fault):
        engine.load(one.stored())
        if found(compared(one, form, one.alone(), some, *one.ask(form, engine, some))):
            return
    pytest.fail("nobody noticed")
