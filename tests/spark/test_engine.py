"""Spark as the engine of evaluations: it says what DuckDB says, reads the files as they are, and fails in sentences."""

import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from forestall.engine.detect.collect import import_all
from forestall.engine.detect.history import History
from forestall.engine.detect.manifest import Manifest, read_manifest
from forestall.engine.errors import HistoryError, Location
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.expression import Kind
from forestall.engine.rulebook.loader import load
from forestall.engine.sample.files import write_sample
from forestall.engine.score.engine import DuckDb
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.settings import open_source, read_settings

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore:subprocess:ResourceWarning")
ROOT = Path(__file__).parents[2]
FIRST, LENGTH, ACCOUNTS = date(2026, 7, 1), 75, 40
LAST = FIRST + timedelta(days=LENGTH - 1)
JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 28)
HERE = Location("metrics.yaml", 1, 1)
ARROW = {Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.FLAG: pa.bool_(), Kind.DATE: pa.date32()}
NAMES = ("Bolt & Co", "O'Hara", 'say "so"', "back`tick", "back\\slash", "ärger", "🙂")
DUCKDB = DuckDb()


def forestall(*arguments, cwd, **environment):
    return subprocess.run([sys.executable, "-m", "forestall.engine.cli", *arguments], cwd=cwd, text=True, check=False,
                          capture_output=True, env={**os.environ, "NO_COLOR": "1", **environment})


# -- the shipped rules -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the shipped rules, made-up accounts and their history."""
    folder = tmp_path_factory.mktemp("sample") / "project"
    assert forestall("init", str(folder), "--sample", cwd=ROOT).returncode == 0
    for path in (folder / "data" / "usage").iterdir():
        path.unlink()
    write_sample(folder, 5, ACCOUNTS, FIRST, LENGTH)
    settings, rulebook = read_settings(folder), load(folder / "rules", None)
    metrics = {metric.name: metric for metric in rulebook.catalogue.supplied()}
    history = History(settings.state / "history")
    sources = [open_source(settings, described, metrics) for described in settings.sources]
    import_all(history, sources, rulebook.catalogue, LAST, rulebook.gone_after)
    history.publish()
    return folder


@pytest.fixture(scope="module")
def evaluators(project, spark_engine):
    """The history, and the evaluators on Spark and on DuckDB."""
    rulebook = load(project / "rules", None)
    return History(project / ".forestall" / "history"), Evaluator(rulebook, spark_engine), Evaluator(rulebook, DUCKDB)


def same(spark, duckdb):
    """Whether two tables agree in names, types and every value."""
    assert spark.schema == duckdb.schema
    for name in duckdb.column_names:
        assert spark[name].to_pylist() == duckdb[name].to_pylist(), name


@pytest.mark.parametrize("after", [0, 9, LENGTH - 1, LENGTH + 60])
def test_one_day_is_what_duckdb_says(evaluators, after):
    history, spark, duckdb = evaluators
    day = FIRST + timedelta(days=after)
    answers = [one._run(history, one._latest, day, day, None) for one in (spark, duckdb)]
    same(*answers)
    assert bool(answers[0].num_rows) is (day <= LAST)


def test_several_days_by_windows_are_what_duckdb_says(evaluators):
    history, spark, duckdb = evaluators
    answers = [one._decided(history, LAST - timedelta(days=40), LAST) for one in (spark, duckdb)]
    same(*answers)
    assert answers[0].num_rows > 30 * ACCOUNTS


def test_changes_are_what_duckdb_says(evaluators):
    history, spark, duckdb = evaluators
    one, other = (each.changes(history, FIRST, LAST) for each in (spark, duckdb))
    for step in range(LENGTH):
        day = FIRST + timedelta(days=step)
        there, here = one.on(day), other.on(day)
        assert (there.accounts, there.gone, there.counts()) == (here.accounts, here.gone, here.counts()), day
        everybody = list(range(len(there)))
        assert list(there.take(everybody)) == list(here.take(everybody)), day


def test_facts_are_what_duckdb_says(evaluators):
    history, spark, duckdb = evaluators
    accounts = duckdb.evaluate(history, LAST, LAST).on(LAST).accounts
    wanted = {LAST: accounts[::2], LAST - timedelta(days=7): accounts[::3], FIRST - timedelta(days=9): ["nobody"]}
    facts = spark.facts(history, wanted)
    assert facts == duckdb.facts(history, wanted)
    assert len(facts) > ACCOUNTS / 2


# -- files -------------------------------------------------------------------------------------------------------------


def metric(name, kind, **more):
    return Metric(name, kind, HERE, **{"stale_after": 90, **more})


def catalogue_of(*metrics):
    return Catalogue({one.name: one for one in metrics}, Roles())


def told(root, catalogue, *tables):
    """A history of what was said: tables of (account, day, values)."""
    history = History(root)
    for number, rows in enumerate(tables):
        names = [one for one in catalogue.supplied() if any(one.name in values for _, _, values in rows)]
        columns = {"account": pa.array([account for account, _, _ in rows], pa.string()),
                   "as_of": pa.array([day for _, day, _ in rows], pa.date32())}
        columns |= {one.name: pa.array([values.get(one.name) for _, _, values in rows], ARROW[one.kind])
                    for one in names}
        history.add(f"source{number}", [pa.table(columns)], catalogue, None, 90)
    history.build_days(catalogue, 90, FEBRUARY)
    history.publish()
    return history


def seen(engine, history, catalogue, first=JANUARY, last=FEBRUARY, accounts=None):
    with engine.reading(history, catalogue, first, last, accounts) as reading:
        return reading.rows("SELECT * FROM history ORDER BY account, day")


OLD = catalogue_of(metric("seats", Kind.NUMBER), metric("plan", Kind.TEXT), metric("vip", Kind.FLAG),
                   metric("renewal", Kind.DATE))
SAID = [(name, JANUARY + timedelta(days=2 * number), {
    "seats": None if number == 3 else 1.5 * number, "plan": f"it's {name}", "vip": number % 2 == 0,
    "renewal": date(1969 + 20 * number, 12, 31)}) for number, name in enumerate(NAMES)]


def test_every_kind_of_value_and_name_is_read_as_duckdb_reads_it(spark_engine, tmp_path):
    history = told(tmp_path / "history", OLD, SAID)
    whole = seen(spark_engine, history, OLD)
    same(whole, seen(DUCKDB, history, OLD))
    assert whole.num_rows > 300
    some = [NAMES[1], NAMES[3], NAMES[4], NAMES[6], "nobody"]
    between = date(2026, 1, 20), date(2026, 2, 5)
    chosen = seen(spark_engine, history, OLD, *between, accounts=some)
    same(chosen, seen(DUCKDB, history, OLD, *between, accounts=some))
    assert set(chosen["account"].to_pylist()) == set(some) - {"nobody"}
    assert set(chosen["back"].to_pylist()) == set(range(17))
    assert seen(spark_engine, history, OLD, accounts=[]).num_rows == 0


def test_days_without_files_are_empty(spark_engine, tmp_path):
    history = told(tmp_path / "history", OLD, SAID)
    for first in (date(2020, 1, 1), date(2030, 1, 1)):
        same(seen(spark_engine, history, OLD, first, first), seen(DUCKDB, history, OLD, first, first))


def test_a_metric_that_a_later_month_brings(spark_engine, tmp_path):
    later = catalogue_of(*OLD.supplied(), metric("tickets", Kind.NUMBER, per_day=True))
    history = told(tmp_path / "history", later, SAID, [(NAMES[0], date(2026, 2, 3), {"tickets": 4.0})])
    whole = seen(spark_engine, history, later)
    same(whole, seen(DUCKDB, history, later))
    assert [value for value in whole["tickets"].to_pylist() if value is not None] == [4.0]


def test_metrics_that_are_newer_or_of_another_kind_than_the_files_are_missing(spark_engine, tmp_path):
    """As when other rules are tried on the past: `forestall simulate --rules`."""
    history = told(tmp_path / "history", OLD, SAID)
    changed = catalogue_of(metric("seats", Kind.TEXT), metric("plan", Kind.DATE), metric("vip", Kind.NUMBER),
                           metric("renewal", Kind.DATE), metric("tickets", Kind.FLAG))
    whole = seen(spark_engine, history, changed)
    same(whole, seen(DUCKDB, history, changed))
    assert all(whole[name].null_count == whole.num_rows for name in ("seats", "plan", "vip", "tickets"))
    assert whole["renewal"].null_count == 0


def test_months_that_were_written_with_different_columns(spark_engine, tmp_path):
    """January without `tickets` and with `seats` as a text, February with both as numbers."""
    before = catalogue_of(metric("seats", Kind.TEXT), metric("plan", Kind.TEXT))
    after = catalogue_of(metric("seats", Kind.NUMBER), metric("plan", Kind.TEXT), metric("tickets", Kind.NUMBER))
    told(tmp_path / "before", before, [("a", JANUARY, {"seats": "many", "plan": "big"})])
    told(tmp_path / "after", after, [("a", JANUARY, {"seats": 5.0, "plan": "big", "tickets": 2.0})])
    one, other = (read_manifest(tmp_path / name) for name in ("before", "after"))
    history = History(tmp_path / "before", Manifest(
        days={"2026-01": one.days["2026-01"], "2026-02": other.days["2026-02"]}, through=FEBRUARY))
    rows = seen(spark_engine, history, after).to_pylist()
    assert [row["day"] for row in rows] == list(range(20454, 20454 + 59))
    assert {(row["seats"], row["plan"], row["tickets"]) for row in rows[:31]} == {(None, "big", None)}
    assert {(row["seats"], row["plan"], row["tickets"]) for row in rows[31:]} == {(5.0, "big", 2.0)}


def test_files_that_are_replaced_are_read_anew(spark_engine, tmp_path):
    """Generations have names of their own; this is the same name once more, as after a new import."""
    for value in (1.0, 2.0):
        history = told(tmp_path / "history", OLD, [("a", JANUARY, {"seats": value})])
        assert set(seen(spark_engine, history, OLD)["seats"].to_pylist()) == {value}
        shutil.rmtree(tmp_path / "history")


def test_a_folder_with_a_name_that_looks_like_a_pattern(spark_engine, tmp_path):
    root = tmp_path / "a [b] {c,d} e*f? 100% #1 'g' \"h\" `i` ü" / "history"
    history = told(tmp_path / "history", OLD, SAID)
    same_rows = seen(DUCKDB, history, OLD)
    root.parent.mkdir()
    (tmp_path / "history").rename(root)
    same(seen(spark_engine, History(root), OLD), same_rows)


@pytest.mark.parametrize("damage", ["cut", "middle", "gone"])
def test_a_damaged_file_is_a_sentence(spark_engine, tmp_path, damage):
    history = told(tmp_path / "history", OLD, SAID)
    path = read_manifest(tmp_path / "history").days["2026-01"]
    content = path.read_bytes()
    path.write_bytes(content[:-20] if damage == "cut" else content[:60] + b"\0" * 800 + content[860:])
    if damage == "gone":
        path.unlink()
    with pytest.raises(HistoryError) as caught:
        seen(spark_engine, history, OLD)
    problem = caught.value.problems[0]
    assert problem.code == "history-damaged"
    assert problem.message.startswith("a file of the history cannot be read or written (")
    assert "\n" not in problem.message
    assert "delete the folder and import again" in problem.hint


def test_a_statement_of_ours_that_is_wrong_stays_a_bug(spark_engine, tmp_path):
    from pyspark.errors import AnalysisException

    history = told(tmp_path / "history", OLD, SAID)
    with pytest.raises(AnalysisException), spark_engine.reading(history, OLD, JANUARY, FEBRUARY) as reading:
        reading.rows("SELECT nothing FROM history")


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("spark_engine")
@pytest.mark.parametrize("command", [("run", "--day", str(LAST)),
                                     ("simulate", "--from", str(LAST - timedelta(days=20)), "--to", str(LAST))])
def test_the_command_says_the_same_is_quiet_and_leaves_nothing(project, tmp_path, command):
    folder, scratch = Path(shutil.copytree(project, tmp_path / "project")), tmp_path / "scratch"
    scratch.mkdir()
    before = sorted(folder.rglob("*"))
    done = forestall(*command, "--engine", "spark", cwd=folder, TMPDIR=str(scratch))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == forestall(*command, cwd=folder).stdout
    assert sorted(folder.rglob("*")) == before
    assert list(scratch.iterdir()) == []


def fake_java(folder, text, code=0):
    folder.mkdir()
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho '{text}' >&2\nexit {code}\n")
    java.chmod(0o755)
    return str(folder)


@pytest.mark.usefixtures("spark_engine")
@pytest.mark.parametrize(("java", "said"), [
    (None, "needs Java 17 or newer, and none is on the path."),
    ('openjdk version "1.8.0_392"', "bin/java is Java 8."), ('openjdk version "11.0.2" 2019-01-15', "is Java 11."),
    ("Error: could not find libjava.so", "bin/java does not start."),
])
def test_without_a_java_that_is_new_enough_it_is_a_sentence(project, tmp_path, java, said):
    path = fake_java(tmp_path / "bin", java) if java else str(tmp_path)
    done = forestall("run", "--day", str(LAST), "--engine", "spark", cwd=project, PATH=path, JAVA_HOME="")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("--engine: the engine spark needs Java 17")
    assert said in done.stderr
    assert "Take `engine: duckdb`" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("spark_engine")
def test_a_java_that_ends_at_once_is_a_sentence_at_the_place_of_the_setting(project, tmp_path):
    folder = Path(shutil.copytree(project, tmp_path / "project"))
    settings = folder / "forestall.yaml"
    settings.write_text("engine: spark\n" + settings.read_text())
    (tmp_path / "home").mkdir()
    fake_java(tmp_path / "home" / "bin", 'openjdk version "17.0.1"\nError occurred during initialization of VM', 1)
    done = forestall("run", "--day", str(LAST), cwd=folder, JAVA_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    assert done.stderr.startswith("forestall.yaml:1:9: Spark does not start (Error occurred during initialization")
    assert done.stderr.count("\n") == 1
    assert forestall("explain", "made-up-0001", cwd=folder, PATH=str(tmp_path)).returncode == 0


DIES = """
import sys
from pathlib import Path
from forestall.engine.errors import ForestallError
from forestall.engine.runtime import open_project
from forestall.engine.settings import EngineName

project = open_project(Path(sys.argv[1]), None, EngineName.SPARK)
project.evaluator.engine.start()
from pyspark import SparkContext
SparkContext._gateway.proc.kill()
SparkContext._gateway.proc.wait()
day = project.history.through
try:
    project.evaluator.evaluate(project.history, day, day)
except ForestallError as error:
    print(error)
"""


@pytest.mark.usefixtures("spark_engine")
def test_a_java_that_ends_in_the_middle_is_a_sentence(project, tmp_path):
    """So does Java by itself, when it is out of memory."""
    done = subprocess.run([sys.executable, "-c", DIES, str(project)], text=True, check=False, capture_output=True,
                          env={**os.environ, "TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("--engine: Spark ran out of memory or of room on the disk. Give it more:")
    assert list(tmp_path.iterdir()) == []
