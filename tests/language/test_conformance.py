"""The written cases of the language: every evaluator answers what a person worked out by hand."""

from dataclasses import replace

import pytest
from engines.corpus import alone, cases, disagreements, same, topics
from engines.duckdb_engine import DuckDb
from engines.statements import forms

from forestall.engine.language.functions import FUNCTIONS, Reach
from forestall.engine.model.expression import Call, walk

PARTS = {"arithmetic", "choice", "comparison", "equality", "kleene", "membership", "nesting"}


def calls(case):
    return {term.function for term in walk(case.expression.term) if isinstance(term, Call)}


@pytest.fixture(scope="module")
def duckdb_engine():
    engine = DuckDb()
    yield engine
    engine.close()


@pytest.mark.parametrize("topic", topics())
def test_one_account_answers_as_written(topic):
    wrong = [f"{case.place}: {case.expression.text} is {alone(case)!r}, and {case.answer!r} is right"
             for case in cases(topic) if not same(case.answer, alone(case))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("topic", topics())
def test_all_accounts_answer_as_written(duckdb_engine, topic):
    wrong = disagreements(duckdb_engine, cases(topic))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("topic", topics())
def test_a_wrong_answer_is_noticed(duckdb_engine, topic):
    case = next(case for case in cases(topic) if case.answer is not None)
    wrong = disagreements(duckdb_engine, [replace(case, answer=None)])
    assert {one.split(",")[0] for one in wrong} == {case.place}
    assert len(wrong) >= len(forms(duckdb_engine)) - 1      # one day alone may have left it to the windows


def test_every_function_has_a_file_of_cases():
    assert set(topics()) == set(FUNCTIONS) | PARTS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_cases_of_a_function_reach_its_edges(name):
    some = [case for case in cases(name) if name in calls(case)]
    assert len(some) >= 4
    history = FUNCTIONS[name].reach is not Reach.TODAY
    assert any(len(case.days) == 1 for case in some), "a history of one row"
    if name == "known_for":
        assert {case.answer for case in some} == {True, False}
        return
    seen = [value for case in some for day in case.days for value in day.values()]
    assert None in seen
    if name not in ("known", "missing"):
        assert any(case.answer is None for case in some), "an answer that is missing"
    if history:
        assert any(len(case.days) > case.expression.term.window.count for case in some
                   if isinstance(case.expression.term, Call)), "a day just outside the window"
