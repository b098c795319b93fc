"""Data of which the answer is known: in one nothing foretells churn, in the other falling behind does."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from forestall.engine.cli.main import cli

RAVENSTACK = Path(__file__).parent / "ravenstack"
COURSES = Path(__file__).parents[2] / "examples" / "courses"
MODULE = "EEE-2014J-%"      # one of seven, with 1,188 students


def run(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def against_churn(folder: Path, first: date, last: date, *more: object) -> dict[str, Any]:
    run("history", "import", "--project", folder)
    found: dict[str, Any] = json.loads(run("simulate", "--project", folder, "--from", first, "--to", last, "--format",
                                           "json", *more))["churn"]
    return found


def test_where_churn_is_random_nothing_is_better_than_chance(tmp_path) -> None:
    folder = shutil.copytree(RAVENSTACK, tmp_path / "ravenstack")
    churn = against_churn(folder, date(2023, 12, 1), date(2024, 12, 31))
    assert (churn["churned"], churn["through"]) == (298, "2024-11-01")
    found = {one["alert"]: one for one in churn["candidate"]}
    assert len(found) == 9
    assert {one["better_than_chance"] for one in found.values()} == {False}      # judged, every one of them
    part = against_churn(folder, date(2024, 3, 1), date(2024, 10, 31))      # by the day alone, `downgrade` would be
    assert {one["better_than_chance"] for one in part["candidate"]} == {False}
    for one in found.values():
        assert 0.1 < one["chance"] < 0.3
        assert one["precision"]["of"] >= 30
    # Who alerts everybody catches many. That is no merit, and recall alone would not show it.
    assert found["score"]["recall"]["share"] > 0.6


@pytest.fixture(scope="module")
def one_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The students of one module with the rules of the example, without its plays: only alerts are judged."""
    folder = tmp_path_factory.mktemp("courses")
    shutil.copytree(COURSES / "rules", folder / "rules", ignore=shutil.ignore_patterns("tests"))
    shutil.copy(COURSES / "forestall.yaml", folder)
    (folder / "rules" / "playbook.yaml").write_text("plays: {}\n")
    (folder / "data").mkdir()
    for name, form in (("snapshots.parquet", "parquet"), ("calendar.csv.gz", "csv"), ("people.csv.gz", "csv"),
                       ("departures.csv.gz", "csv")):
        account = "account_id" if form == "parquet" else "account"
        duckdb.execute(f"COPY (SELECT * FROM '{COURSES / 'data' / name}' WHERE {account} LIKE '{MODULE}') "
                       f"TO '{folder / 'data' / name}' (FORMAT {form})")
    return folder


def test_where_falling_behind_foretells_leaving_the_triggers_are_better_than_chance(one_module) -> None:
    """Real students. The figures of all seven modules are in examples/courses/README.md."""
    churn = against_churn(one_module, date(2014, 10, 15), date(2015, 3, 31), "--horizon", 30)
    found = {one["alert"]: one for one in churn["candidate"]}
    better = {alert for alert, one in found.items() if one["better_than_chance"]}
    assert better == {"never_started", "two_missed_in_a_row", "silent_past_due", "deadline_near", "health_score_drop",
                      "stays_low", "score"}
    assert found["health_score_drop"]["precision"]["low"] > 2 * found["health_score_drop"]["chance"]
    assert found["marks_drop"]["better_than_chance"] is False      # it foretells failing, not leaving
