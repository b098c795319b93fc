"""docs/problems.md has a section for every code of the source, and every code of rules and settings has a file in
tests/bad that causes it, or is caused elsewhere: here stands where."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from forestall.engine.rulebook.source import read

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "problems.md"
CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# What makes a problem, and where its code stands among the arguments. The journal of the service says other things.
MAKERS = {"Problem": 1, "say": 1, "warn": 1, "_say": 1, "one": 1, "problem": 1, "Refusal": 1, "file_error": 1,
          "failure": 1, "problem_of": 1, "table_problem": 1, "cell_problem": 3, "settings_error": 0, "_line_error": 2,
          "fault": 0, "setting_error": 0, "Later": 0, "_fault": 0, "_noticed": 0, "_wrong": 0, "warning": 0,
          "_refused": 2}
IN_SERVE = {"Problem", "one"}
MADE_FROM_NOUNS = {"unknown-alert", "unknown-play", "unknown-delivery"}      # engine/stories/stories.py
# Parts that rules and settings go through on their way in.
OF_RULES = ("engine/rulebook", "engine/language", "engine/settings.py", "engine/adapter_settings.py",
            "engine/settings_filling.py", "engine/supplied.py", "engine/intervene")

GIT = "engine/rulebook/revision.py"      # says what is wrong with git, not with a file (tests/cli/test_diff.py)

# Codes of rules and settings that no single edit of the minimal project causes: the test that does.
ELSEWHERE = {
    "by-hand-cell": "tests/cli/test_by_hand.py",
    "by-hand-twice": "tests/cli/test_by_hand.py",
    "broken-adapter": "tests/rulebook/test_settings.py",
    "missing-file": "tests/rulebook/test_source.py",
    "no-rules": "tests/cli/test_check.py",
    "settings-disagree": "tests/rulebook/test_settings_filling.py",
    "not-utf-8": "tests/rulebook/test_source.py",
    "too-large": "tests/rulebook/test_source.py",
    "unreadable-file": "tests/rulebook/test_source.py",
    "unsupplied-metric": "tests/cli/test_check.py",
}


def codes() -> Iterator[tuple[str, str]]:
    """Every code with the file that uses it."""
    for path in sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("engine/lint/"):
            continue        # docs/lint.md, and a test of its own
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {target.id: node.value.value for node in tree.body
                     if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
                     for target in node.targets if isinstance(target, ast.Name)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            maker = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = 2 if maker == "problem" and name.endswith("template_check.py") else MAKERS.get(maker, -1)
            if at < 0 or len(node.args) <= at + 1 or (name.startswith("engine/serve/") and maker not in IN_SERVE):
                continue
            written = node.args[at]
            value = written.value if isinstance(written, ast.Constant) else constants.get(getattr(written, "id", ""))
            if isinstance(value, str) and CODE.fullmatch(value):
                yield value, name


def test_every_code_has_a_section_and_every_section_a_code() -> None:
    used = {code for code, _ in codes()} | MADE_FROM_NOUNS
    sections = re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(sections) == len(set(sections))
    assert sorted(used - set(sections)) == [], "these have no section in docs/problems.md"
    assert sorted(set(sections) - used) == [], "nothing says these any more"
    assert len(used) > 120


def test_every_section_names_a_cure() -> None:
    for section in PAGE.read_text(encoding="utf-8").split("\n### ")[1:]:
        assert " Cure: " in section.replace("\n", " "), section.splitlines()[0]


def test_every_code_of_rules_and_settings_is_caused_by_a_test() -> None:
    of_rules = {code for code, name in codes() if name.startswith(OF_RULES) and name != GIT}
    caused = {root.text("code") for path in (ROOT / "tests" / "bad").glob("*.yaml")
              if (root := read(path).root) is not None}
    assert sorted(of_rules - caused - set(ELSEWHERE)) == [], "no file in tests/bad causes these"
    for code, file in ELSEWHERE.items():
        assert code in (ROOT / file).read_text(encoding="utf-8"), f"{file} does not cause {code}"
        assert code not in caused, f"tests/bad causes {code}: take it from the list"
