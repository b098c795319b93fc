"""`check --format github` and `--format sarif`: what other programs read. sarif-2.1.0.json is the schema of OASIS as
Microsoft's SARIF SDK publishes it (MIT), without its descriptions."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema.validators import validator_for

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((Path(__file__).parent / "sarif-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = validator_for(SCHEMA)(SCHEMA)
COMMAND = re.compile(r"::(error|warning) file=([^,:]+)(?:,line=(\d+),col=(\d+))?,title=([^,:]+)::(.+)")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with a project in a folder below it, with a few mistakes."""
    (tmp_path / ".git").mkdir()
    project = Path(shutil.copytree(ROOT / "tests" / "rulebook" / "minimal", tmp_path / "a folder, so: good" / "acme"))
    triggers = project / "rules" / "triggers.yaml"
    triggers.write_text(triggers.read_text().replace("score < 70", "scor < 70").replace("60", "100 %"))
    (project / "rules" / "ferien.yaml").write_text("a: b\n")
    return project


def check(project: Path, form: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "forestall.engine.cli", "check", "--format", form], cwd=project,
                          capture_output=True, text=True, check=False)


def problems(project: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(check(project, "json").stdout)["problems"]
    assert {problem["severity"] for problem in found} == {"error", "warning"}
    return found


def unescaped(text: str) -> str:
    for code, letter in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, letter)
    return text


def test_github_gets_a_command_for_each_problem_with_paths_from_the_checkout(checkout: Path) -> None:
    done = check(checkout, "github")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    expected = problems(checkout)
    assert len(lines) == len(expected)
    for line, problem in zip(lines, expected, strict=True):
        found = COMMAND.fullmatch(line)
        assert found, line
        severity, file, at, column, title, message = found.groups()
        assert (severity, title) == (problem["severity"], problem["code"])
        assert unescaped(file) == f"a folder, so: good/acme/{problem['file']}"
        assert (int(at or 0), int(column or 0)) == (problem["line"], problem["column"])
        assert unescaped(message) == f"{problem['message']} {problem['hint']}".rstrip()
    assert "a folder%2C so%3A good" in lines[0]
    assert any("%25" in line for line in lines), "a percent sign begins an escape"


def test_sarif_is_what_its_schema_says(checkout: Path) -> None:
    done = check(checkout, "sarif")
    assert done.returncode == 1
    log = json.loads(done.stdout)
    assert [error.message for error in VALIDATOR.iter_errors(log)] == []
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    expected = problems(checkout)
    assert len(run["results"]) == len(expected)
    for result, problem in zip(run["results"], expected, strict=True):
        place = result["locations"][0]["physicalLocation"]
        assert (result["level"], result["ruleId"]) == (problem["severity"], problem["code"])
        assert rules[result["ruleIndex"]]["id"] == problem["code"]
        assert place["artifactLocation"]["uri"] == f"a%20folder%2C%20so%3A%20good/acme/{problem['file']}"
        region = {"startLine": problem["line"], "startColumn": problem["column"]} if problem["line"] else None
        assert place.get("region") == region


def test_good_rules_are_an_empty_log_and_no_annotation() -> None:
    project = ROOT / "tests" / "rulebook" / "minimal"
    done = check(project, "sarif")
    assert done.returncode == 0
    log = json.loads(done.stdout)
    assert [error.message for error in VALIDATOR.iter_errors(log)] == []
    assert log["runs"][0]["results"] == []
    assert check(project, "github").stdout == ""
