"""The language on Spark in local mode: the written cases, and expressions and histories made up with a fixed seed.

`make test-spark` runs this in an environment of its own; `make test` has no Spark, and says that this did not run.
"""

import pytest
from engines.corpus import cases, disagreements, topics
from engines.spark import NoSpark, Spark, found
from judge.batch import SEEDS, batch
from judge.verdict import disagreements as judged
from judge.verdict import told

if missing := found():
    pytest.skip(f"the language did not run on Spark: {missing}", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")      # the sockets between Python and Java


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    try:
        engine = Spark(tmp_path_factory.mktemp("spark"))
    except NoSpark as reason:
        pytest.skip(f"the language did not run on Spark: {reason}")
    yield engine
    engine.close()


def test_it_is_a_spark_that_ibis_knows(spark):
    assert spark.version.startswith("4.0.")


@pytest.mark.parametrize("topic", topics())
def test_spark_answers_as_written(spark, topic):
    wrong = disagreements(spark, cases(topic))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("seed", SEEDS)
def test_spark_agrees_on_made_up_expressions(spark, seed):
    wrong = judged(spark, batch(seed))
    assert not wrong, told(wrong)
