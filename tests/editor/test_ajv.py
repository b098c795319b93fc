"""Another validator than ours, and another reader of YAML, say the same of our schemas and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from editor.command import ROOT, forestall
from editor.node import Node

DRAFT = "http://json-schema.org/draft-07/schema#"
RULES = ("metrics", "weights", "triggers", "playbook")


def files_of(folder: Path, kind: str) -> list[Path]:
    if kind == "story":
        return sorted((folder / "tests").glob("*.yaml"))
    return [folder / f"{kind}.yaml"] if kind in RULES else []


def asked(schemas: Path, *folders: Path, settings: tuple[Path, ...] = ()) -> list[dict[str, object]]:
    return [{"schema": str(path), "files": [str(file) for folder in folders for file in files_of(folder, path.stem)]
             + ([str(file) for file in settings] if path.stem == "settings" else [])}
            for path in sorted(schemas.glob("*.json"))]


def judged(node: Node, questions: list[dict[str, object]]) -> int:
    files = 0
    for answer in node.run("validate.mjs", questions):
        assert answer["meta"] == DRAFT
        assert (answer["wrong"], answer["examples"]) == ([], []), answer["schema"]
        for file, wrong in answer["files"]:
            assert wrong == [], f"{file} against {answer['schema']}"
            files += 1
    return files


def test_our_schemas_and_every_shipped_file(node: Node) -> None:
    courses = ROOT / "examples" / "courses"
    settings = (courses / "forestall.yaml", ROOT / "engine" / "starter" / "forestall.yaml")
    folders = (ROOT / "rules", courses / "rules", ROOT / "benchmarks" / "eight_triggers")
    assert judged(node, asked(ROOT / "schemas", *folders, settings=settings)) >= 20


def test_schemas_of_the_output(node: Node) -> None:
    judged(node, asked(ROOT / "schemas" / "output"))


def test_schemas_that_know_a_project_and_its_files(node: Node, project: Path) -> None:
    assert judged(node, asked(project / "schemas", project / "rules", settings=(project / "forestall.yaml",))) >= 10


def test_schemas_that_know_the_courses_and_their_files(node: Node, tmp_path: Path) -> None:
    courses = ROOT / "examples" / "courses"
    forestall("schema", "--project", courses, "--out", tmp_path)
    assert judged(node, asked(tmp_path, courses / "rules", settings=(courses / "forestall.yaml",))) == 7


@pytest.mark.parametrize(("kind", "text"), [
    ("triggers", "triggers: {quiet: {whn: score < 5}}"), ("playbook",
     "plays: {a: {trigger: nobody, steps: [{wait: 1 day}]}}"),
    ("weights", "signals: {a: {weight: 1, metric: nobody, points: {0: 0, 1: 1}}}\ntiers: {good: 0-100}")])
def test_a_wrong_file_is_refused(node: Node, project: Path, tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / "wrong.yaml").write_text(text)
    (answer,) = node.run("validate.mjs", [{"schema": str(project / "schemas" / f"{kind}.json"),
                                           "files": [str(tmp_path / "wrong.yaml")]}])
    assert answer["files"][0][1] != []
