"""`forestall schema`: what it writes, without an editor. What an editor makes of it: tests/editor."""

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from forestall.engine.rulebook.nodes import plain
from forestall.engine.rulebook.source import read

ROOT = Path(__file__).parents[2]
MINIMAL = Path(__file__).parents[1] / "rulebook" / "minimal"
NAMES = ("metrics", "playbook", "settings", "story", "triggers", "weights")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MINIMAL, tmp_path / "project"))


def written(project: Path, name: str) -> dict:
    return json.loads((project / "schemas" / f"{name}.json").read_text(encoding="utf-8"))


def test_it_writes_a_schema_for_each_file(project: Path, forestall) -> None:
    done = forestall("schema", "--project", project)
    assert done.code == 0
    assert done.out.startswith(f"{project / 'schemas'} knows ")
    assert done.out.endswith("6 files written.\n")
    assert sorted(path.name for path in (project / "schemas").iterdir()) == [f"{name}.json" for name in NAMES]
    for name in NAMES:
        schema = written(project, name)
        Draft7Validator.check_schema(schema)
        assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
        file = {"settings": project / "forestall.yaml", "story": project / "rules" / "tests" / "quiet.yaml"}.get(
            name, project / "rules" / f"{name}.yaml")
        root = read(file).root
        assert root is not None
        assert [error.message for error in Draft7Validator(schema).iter_errors(plain(root))] == []


def test_written_again_it_touches_nothing(project: Path, forestall) -> None:
    forestall("schema", "--project", project)
    before = {path: path.stat().st_mtime_ns for path in (project / "schemas").iterdir()}
    assert forestall("schema", "--project", project).out.endswith("Nothing has changed.\n")
    assert {path: path.stat().st_mtime_ns for path in (project / "schemas").iterdir()} == before


def test_a_new_name_is_written(project: Path, forestall) -> None:
    forestall("schema", "--project", project)
    metrics = project / "rules" / "metrics.yaml"
    metrics.write_text(metrics.read_text().replace("metrics:\n", "metrics:\n  tickets: {kind: number}\n", 1))
    assert "files written" in forestall("schema", "--project", project).out
    signal = written(project, "weights")["definitions"]["signal"]["properties"]
    assert "tickets" in signal["metric"]["enum"]


def test_it_works_while_the_rules_have_errors(project: Path, forestall) -> None:
    weights = project / "rules" / "weights.yaml"
    weights.write_text(weights.read_text().replace("weight:", "wieght:", 1))
    assert forestall("check", "--project", project).code == 1
    assert forestall("schema", "--project", project).code == 0


def test_a_file_that_is_no_yaml_stops_it(project: Path, forestall) -> None:
    forestall("schema", "--project", project)
    before = {path: path.read_bytes() for path in (project / "schemas").iterdir()}
    (project / "rules" / "metrics.yaml").write_text("metrics: {")
    done = forestall("schema", "--project", project)
    assert done.code == 1
    assert str(done.error).startswith(f"{project}/rules/metrics.yaml:")
    (project / "rules" / "metrics.yaml").write_text("metrics: {logins: {kind: number}}")
    (project / "forestall.yaml").write_text("people: [")
    done = forestall("schema", "--project", project)
    assert done.code == 1
    assert str(done.error).startswith(f"{project}/forestall.yaml:")
    assert {path: path.read_bytes() for path in (project / "schemas").iterdir()} == before


def test_it_never_writes_over_what_it_did_not_write(project: Path, forestall) -> None:
    (project / "schemas").mkdir()
    for text in ("{}", "mine", json.dumps([1])):
        (project / "schemas" / "weights.json").write_text(text)
        done = forestall("schema", "--project", project)
        assert done.code == 1
        assert "did not write this file" in str(done.error)
        assert (project / "schemas" / "weights.json").read_text() == text
    assert [path.name for path in (project / "schemas").iterdir()] == ["weights.json"]


def test_another_folder(project: Path, tmp_path: Path, forestall) -> None:
    assert forestall("schema", "--project", project, "--out", tmp_path / "a" / "b").code == 0
    assert len(list((tmp_path / "a" / "b").iterdir())) == 6
    assert not (project / "schemas").exists()
    (tmp_path / "file").write_text("")
    done = forestall("schema", "--project", project, "--out", tmp_path / "file" / "x")
    assert (done.code, done.error.problems[0].code) == (1, "folder-unwritable")


def test_rules_without_a_project_and_no_rules_at_all(project: Path, tmp_path: Path, forestall) -> None:
    (project / "forestall.yaml").unlink()
    assert forestall("schema", "--project", project).code == 0
    step = written(project, "playbook")["definitions"]["step"]["properties"]
    assert "enum" not in step["email"]["properties"]["to"], "without forestall.yaml nobody knows the destinations"
    done = forestall("schema", "--project", tmp_path)
    assert (done.code, done.error.problems[0].code) == (1, "no-rules")


def test_the_courses_know_their_own_names(tmp_path: Path, forestall) -> None:
    forestall("schema", "--project", ROOT / "examples" / "courses", "--out", tmp_path / "schemas")
    text = (tmp_path / "schemas" / "playbook.json").read_text(encoding="utf-8")
    assert "seats_gone_quiet" not in text, "a name of the default rulebook"
    assert "first_step" in text
