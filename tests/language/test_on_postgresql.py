"""The language on a real PostgreSQL: the written cases, and expressions and histories made up with a fixed seed."""

from dataclasses import replace

import pytest
from engines.corpus import alone, cases, disagreements, read, topics
from engines.postgresql import NoServer, PostgreSql
from judge.batch import SEEDS, batch
from judge.verdict import disagreements as judged
from judge.verdict import told


@pytest.fixture(scope="module")
def postgresql():
    try:
        engine = PostgreSql()
    except NoServer as reason:
        pytest.skip(f"the language did not run on PostgreSQL: {reason}")
    yield engine
    engine.close()


def test_it_is_a_postgresql(postgresql):
    assert postgresql.version >= 160000


@pytest.mark.parametrize("topic", topics())
def test_postgresql_answers_as_written(postgresql, topic):
    wrong = disagreements(postgresql, cases(topic))
    assert not wrong, "\n".join(wrong)


def test_a_product_too_close_to_zero_stops_postgresql(postgresql):
    """The one known difference (docs/engines.md): elsewhere this is 0."""
    import psycopg  # where it is not installed, none of these tests runs

    case = cases("arithmetic")[0]
    days = ({**case.days[0], "logins": 1e-200, "errors": 1e-200},)
    tiny = replace(case, expression=read("logins * errors"), days=days, answer=0.0)
    assert alone(tiny) == 0.0
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        disagreements(postgresql, [tiny])


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if seed % 4 < 2])      # with a scorecard, and without
def test_postgresql_agrees_on_made_up_expressions(postgresql, seed):
    wrong = judged(postgresql, batch(seed))
    assert not wrong, told(wrong)
