"""Whatever form stands where another one belongs: problems, never an exception."""

import shutil
from pathlib import Path

import pytest
import yaml

from forestall.engine.errors import Severity
from forestall.engine.rulebook.loader import inspect
from forestall.engine.settings import adapter_problems, inspect_settings

MINIMAL = Path(__file__).parent / "minimal"
FORMS = ("3", "-1.5", "x", '""', "[1, a]", "[]", "{a: 1}", "{}", "", "true", "'{{ x }}'", "(", "tier", "0-100", "1 day")
FILES = ("forestall.yaml", "rules/metrics.yaml", "rules/weights.yaml", "rules/triggers.yaml", "rules/playbook.yaml")


def spans(node: yaml.Node) -> list[tuple[int, int]]:
    """From where to where each value stands, whole maps and lists included."""
    found = [(node.start_mark.index, node.end_mark.index)]
    for child in node.value if not isinstance(node, yaml.ScalarNode) else ():
        for one in child[1:] if isinstance(child, tuple) else (child,):
            found.extend(spans(one))
    return found


@pytest.mark.parametrize("file", FILES)
def test_no_form_in_no_place_raises(file: str, tmp_path: Path) -> None:
    project = Path(shutil.copytree(MINIMAL, tmp_path / "project"))
    text = (project / file).read_text(encoding="utf-8")
    node = yaml.compose(text, yaml.CSafeLoader)
    silent = 0
    for number, (start, end) in enumerate(spans(node)[1:]):
        for form in FORMS[number % 5::5]:
            block = text[start:end].endswith("\n")
            (project / file).write_text(text[:start] + form + ("\n" if block else "") + text[end:], encoding="utf-8")
            settings, problems = inspect_settings(project)
            if settings is not None:
                problems += adapter_problems(settings)
            found = inspect(project / "rules", settings)
            assert (found.rulebook is None) == any(one.severity is Severity.ERROR for one in found.problems)
            silent += not problems and not found.problems
            for problem in (*problems, *found.problems):
                assert problem.message.endswith("."), problem
                assert not problem.hint or problem.hint[-1] in ".?", problem
    assert silent < 60
