"""Every file of tests/bad/ is one mistake: an edit of the project in tests/rulebook/minimal, with » where it must be
found, and the phrase that it must cause. Each runs through the real command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from forestall.engine.cli.main import cli
from forestall.engine.rulebook.source import read

HERE = Path(__file__).parent
MINIMAL = HERE / "minimal"
BAD = HERE.parent / "bad"
MARK = "»"


@dataclass(frozen=True)
class Mistake:
    file: str
    expect: str
    code: str
    text: str
    line: int
    column: int
    severity: str


def mistake(path: Path) -> Mistake:
    root = read(path).root
    assert root is not None
    file = root.text("file")
    if "text" in root:
        marked = root.text("text")
    else:
        whole = (MINIMAL / file).read_text(encoding="utf-8")
        found = root.text("find")
        assert whole.count(found) >= 1, f"{path.name}: the minimal rules no longer hold {found!r}"
        marked = whole.replace(found, root.text("replace"), 1)
    at = marked.find(MARK)
    line = marked.count("\n", 0, at) + 1 if at >= 0 else 0
    column = at - marked.rfind("\n", 0, at) if at >= 0 else 0
    return Mistake(file, root.text("expect"), root.text("code"), marked.replace(MARK, ""), line, column,
                   root.text("severity") or "error")


def broken(path: Path, folder: Path) -> tuple[Mistake, Path]:
    project = folder / "project"
    shutil.copytree(MINIMAL, project)
    made = mistake(path)
    (project / made.file).write_text(made.text, encoding="utf-8")
    return made, project


def test_there_are_enough() -> None:
    assert len(list(BAD.glob("*.yaml"))) >= 40


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_mistake_is_named_with_its_place_and_cure(path: Path, tmp_path: Path) -> None:
    made, project = broken(path, tmp_path)
    text = CliRunner().invoke(cli, ["check", "--project", str(project)])
    answer = CliRunner().invoke(cli, ["check", "--project", str(project), "--format", "json"])
    code = int(made.severity == "error")
    assert (text.exit_code, answer.exit_code) == (code, code), text.output
    assert text.exception is None or isinstance(text.exception, SystemExit)
    problems = json.loads(answer.output)["problems"]
    found = [problem for problem in problems if problem["severity"] in (made.severity, "error")]
    assert len(found) == 1, f"one mistake, one problem: {found}"
    said = found[0]
    assert made.expect in f"{said['message']} {said['hint']}"
    assert said["code"] == made.code
    assert Path(said["file"]) == project / made.file
    if made.line:
        assert (said["line"], said["column"]) == (made.line, made.column)
        assert f"{project / made.file}:{made.line}:{made.column}: {made.severity}: " in text.output
        assert f" [{made.code}]\n" in text.output
    assert said["hint"] or said["code"] in NO_CURE_NEEDED


# The sentence itself says what would be right.
NO_CURE_NEEDED = {"out-of-bounds", "wrong-kind", "name-not-usable", "not-one-of", "no-history-here", "number-too-large",
                  "not-in-the-language", "wrong-arguments"}


def test_a_secret_in_the_file_is_not_printed(tmp_path: Path) -> None:
    _, project = broken(BAD / "secret-in-file.yaml", tmp_path)
    assert "hunter2" not in CliRunner().invoke(cli, ["check", "--project", str(project)]).output


def test_the_process_ends_with_1_and_without_a_traceback(tmp_path: Path) -> None:
    _, project = broken(BAD / "open-bracket.yaml", tmp_path)
    done = subprocess.run([sys.executable, "-m", "forestall.engine.cli", "check", "--project", str(project)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr == ""
