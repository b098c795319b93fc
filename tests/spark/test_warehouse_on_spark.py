"""The history as a table that Spark reads: Parquet files that somebody else writes, through the front door."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyarrow import parquet
from warehouse.facts import CATALOGUE, GONE, HERE, STRETCHES, parquet_history, rows_of, table

from forestall.engine.cli.main import cli
from forestall.engine.errors import ForestallError
from forestall.engine.model.warehouse import Holds, Warehouse, table_name
from forestall.engine.runtime import open_project
from forestall.engine.sample.files import write_sample
from forestall.engine.score.spark import Spark
from forestall.engine.score.spark_warehouse import SparkClient
from forestall.engine.warehouse.client import WarehouseError
from forestall.engine.warehouse.table_history import TableHistory

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore:subprocess:ResourceWarning")

LAST = date(2026, 3, 31)


def written(name: str) -> tuple[str, ...]:
    found = table_name(name)
    assert found is not None
    return found


@pytest.mark.usefixtures("spark_engine")
def test_arrivals_are_filled_as_ours_are(tmp_path: Path) -> None:
    ours = parquet_history(tmp_path / "ours")
    (tmp_path / "lake").mkdir()
    parquet.write_table(table(), tmp_path / "lake" / "facts.parquet")
    place = Warehouse(written(f"parquet.`{tmp_path}/lake`"), HERE, holds=Holds.ARRIVALS)
    theirs = TableHistory(tmp_path / "none", place, SparkClient(place, HERE), GONE)
    for accounts, (first, last) in ((["a1", "a3", "zz"], STRETCHES[0]), (None, STRETCHES[1])):
        with theirs.in_place(CATALOGUE, first, last, accounts) as reading:
            found = reading.rows("SELECT * FROM history ORDER BY account, day").to_pylist()
        assert found == rows_of(ours, first, last, accounts)


@pytest.mark.usefixtures("spark_engine")
def test_a_table_that_is_not_there_is_a_sentence() -> None:
    place = Warehouse(written("parquet.`/lake/nowhere`"), HERE)
    with pytest.raises(WarehouseError, match="Spark finds no table parquet"):
        assert TableHistory(Path("none"), place, SparkClient(place, HERE), GONE).first


def forestall(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(one) for one in arguments])
    assert done.exception is None or isinstance(done.exception, ForestallError), done.exception
    assert done.exit_code == 0, done.exception
    return "\n".join(line for line in done.output.splitlines() if "rows, " not in line and "the table" not in line)


def test_the_commands_say_the_same(spark_engine: Spark, tmp_path: Path) -> None:
    """Also where only accounts with something to say come back: the second day begins with a state."""
    here, there = tmp_path / "here", tmp_path / "there"
    forestall("init", here, "--sample")
    for path in (here / "data" / "usage").iterdir():
        path.unlink()
    write_sample(here, 5, 40, LAST - timedelta(days=59), 60)
    forestall("history", "import", "--project", here)
    project = open_project(here)
    days = project.history.open_days(project.rulebook.catalogue, date(2020, 1, 1), LAST)
    dates = ["day", "first_day", "named_day", *(one.name for one in project.rulebook.catalogue.supplied()
                                                if one.kind == "date")]
    shown = ", ".join(f"CAST(to_timestamp({one} * 86400) AS DATE) AS {one}" for one in dates)
    (tmp_path / "lake").mkdir()
    days.execute(f"COPY (SELECT * EXCLUDE (back) REPLACE ({shown}) FROM history) TO '{tmp_path}/lake/days.parquet'")
    days.close()
    shutil.copytree(here, there, ignore=shutil.ignore_patterns("data", ".forestall"))
    settings = (there / "forestall.yaml").read_text()
    start, end = settings.index("sources:"), settings.index("\n\n", settings.index("sources:"))
    block = f"engine: spark\nwarehouse: {{table: 'parquet.`{tmp_path}/lake`', as_of: day, first_day: first_day, " \
            "named_day: named_day}"
    (there / "forestall.yaml").write_text(settings[:start] + block + settings[end:])
    for command in (("run", "--day", LAST - timedelta(days=1), "--until", LAST, "--send"),
                    ("simulate", "--from", LAST - timedelta(days=10), "--to", LAST),
                    ("explain", "made-up-0003", "--day", LAST)):
        found, wanted = (forestall(*command, "--project", folder) for folder in (there, here))
        if command[0] == "explain":      # it says where each value was said, and when
            found, wanted = (text.partition("\n")[0] for text in (found, wanted))
        assert found.replace(str(there), "") == wanted.replace(str(here), "")
