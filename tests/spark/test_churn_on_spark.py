"""What hindsight knows of every account, read on Spark."""

import shutil
from pathlib import Path

import pytest

from forestall.engine.foretell.records import records
from forestall.engine.runtime import import_history, open_project
from forestall.engine.score.evaluate import Evaluator

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore:subprocess:ResourceWarning")
RAVENSTACK = Path(__file__).parents[1] / "simulate" / "ravenstack"


def test_the_records_of_all_accounts_are_the_same_on_spark(spark_engine, tmp_path):
    project = open_project(Path(shutil.copytree(RAVENSTACK, tmp_path / "project")))
    import_history(project)
    found = records(project.evaluator, project.history)
    assert len([one for one in found.values() if one.churned_on]) > 300
    assert records(Evaluator(project.rulebook, spark_engine), project.history) == found
