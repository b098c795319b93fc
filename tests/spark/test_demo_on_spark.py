"""The demo decided on DuckDB and on Spark: every alert, play, message and count must be the same."""

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from forestall.engine.runtime import import_history, open_project, passes
from forestall.engine.settings import EngineName

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore:subprocess:ResourceWarning")
COURSES = Path(__file__).parents[2] / "examples" / "courses"
FIRST, DAYS = date(2014, 12, 3), 15


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The demo with its history in Parquet, to be copied."""
    folder = tmp_path_factory.mktemp("imported") / "courses"
    shutil.copytree(COURSES, folder, ignore=shutil.ignore_patterns(".forestall", "deliveries"))
    import_history(open_project(folder))
    return folder


def decided(imported, folder, engine):
    """What every day brought, the state after the last one, and the files that were delivered."""
    shutil.copytree(imported, folder)
    project = open_project(folder, engine=engine)
    reports = []
    with passes(project, send=True) as running:
        for step in range(DAYS):
            reports.append(running.one(FIRST + timedelta(days=step)))
        state = running._store.state()
    sent = {path.name for path in (folder / "deliveries").iterdir() if path.is_file()}
    return project, reports, state, sent


def without_attempts(row):
    """A row of the outbox without the moment at which it was written."""
    return replace(row, message=None), row.message.subject, row.message.text


@pytest.mark.usefixtures("spark_engine")
def test_fifteen_days_of_the_demo_are_the_same_on_spark(imported, tmp_path):
    duck, on_duckdb, state, files = decided(imported, tmp_path / "duckdb", EngineName.DUCKDB)
    spark, on_spark, state_on_spark, files_on_spark = decided(imported, tmp_path / "spark", EngineName.SPARK)
    assert (duck.evaluator.engine.dialect, spark.evaluator.engine.dialect) == ("duckdb", "pyspark")
    kinds = set()
    for one, other in zip(on_duckdb, on_spark, strict=True):
        assert one.decided.decisions == other.decided.decisions, one.day
        assert one.decided == other.decided, one.day
        assert list(map(without_attempts, one.rows)) == list(map(without_attempts, other.rows)), one.day
        assert (one.accounts, one.before, one.commit, one.delivery) == (
            other.accounts, other.before, other.commit, other.delivery), one.day
        kinds |= {transition.kind.value for transition in one.decided.decisions.transitions}
    assert state == state_on_spark
    assert files == files_on_spark
    assert len(files) == sum(len(one.rows) for one in on_duckdb) > 100
    assert kinds >= {"opened"}
