"""Five hundred slips of the hand in the files that we ship: none ends in a traceback, none is accepted unless it means
what it says, and nine of ten name the line.

An accepted slip "means what it says" when every value that differs from the original stands on the edited line, or
below a key that does: nothing has moved into another block, and nothing has vanished that is still written.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rulebook.slips import KINDS, Slip, slips

from forestall.engine.errors import Problem, Severity
from forestall.engine.rulebook import loader
from forestall.engine.rulebook.nodes import ListNode, MapNode, Node, Plain, ScalarNode
from forestall.engine.rulebook.source import parse
from forestall.engine.settings import Settings, adapter_problems, inspect_settings

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {"default": (ROOT / "engine" / "starter" / "forestall.yaml", ROOT / "rules"),
           "courses": (ROOT / "examples" / "courses" / "forestall.yaml", ROOT / "examples" / "courses" / "rules")}
SEED, COUNT = 4, 500
_PLACE = re.compile(r"(\w+\.yaml):(\d+)|\bline (\d+)")


@dataclass(frozen=True)
class Answer:
    """What the loader said to one slip."""

    file: str
    slip: Slip
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def named(self) -> set[int]:
        """The lines of the edited file that the errors name, as their place or in their words."""
        name = Path(self.file).name
        lines = {error.location.line for error in self.errors if Path(error.location.file).name == name}
        for error in self.errors:
            for file, line, same in _PLACE.findall(f"{error.message} {error.hint}"):
                if file == name or (same and Path(error.location.file).name == name):
                    lines.add(int(line or same))
        return lines

    def __str__(self) -> str:
        said = "\n".join(f"      {error} [{error.code}]" for error in self.errors[:5])
        slip = self.slip
        return f"{slip.kind}, {self.file}:{slip.line}\n  was {slip.before}\n  now {slip.after}\n{said}"


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {f"{project}/{file.name}" if file == settings else f"{project}/rules/{file.name}":
            file.read_text(encoding="utf-8")
            for project, (settings, rules) in SHIPPED.items() for file in [settings, *sorted(rules.glob("*.yaml"))]}


@pytest.fixture(scope="module")
def answers(texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """Every slip through the loader that all commands use. What raises fails here."""
    folder = tmp_path_factory.mktemp("slips")
    for project, (settings, rules) in SHIPPED.items():
        shutil.copytree(rules, folder / project / "rules")
        shutil.copy(settings, folder / project)
    whole = {project: inspect_settings(folder / project)[0] for project in SHIPPED}
    found: list[Answer] = []
    for file, slip in slips(texts, COUNT, SEED):
        (folder / file).write_text(slip.text, encoding="utf-8")
        project = file.split("/")[0]
        known = None if file.endswith("forestall.yaml") else whole[project]
        found.append(Answer(file, slip, look(folder / project, known)))
        (folder / file).write_text(texts[file], encoding="utf-8")
    return found


def look(project: Path, known: Settings | None = None) -> tuple[Problem, ...]:
    """Every problem of a project; `known` are its settings where they were read before."""
    if known is not None:
        return loader.inspect(project / "rules", known).problems
    settings, wrong = inspect_settings(project)
    more = adapter_problems(settings) if settings is not None else ()
    return (*wrong, *more, *loader.inspect(project / "rules", settings if not wrong else None).problems)


def test_the_shipped_files_themselves_have_no_problem(texts: dict[str, str], tmp_path: Path) -> None:
    for project, (settings, rules) in SHIPPED.items():
        shutil.copytree(rules, tmp_path / project / "rules")
        shutil.copy(settings, tmp_path / project)
        assert look(tmp_path / project) == ()


def test_there_are_slips_of_every_kind_in_every_file(answers: list[Answer], texts: dict[str, str]) -> None:
    assert len(answers) == COUNT
    assert {answer.slip.kind for answer in answers} == set(KINDS)
    assert {answer.file for answer in answers} == set(texts)


def test_nine_of_ten_errors_name_the_edited_line(answers: list[Answer]) -> None:
    refused = [answer for answer in answers if answer.errors]
    astray = [answer for answer in refused if not answer.named & answer.slip.lines]
    assert len(refused) > 0.7 * COUNT
    assert len(astray) <= 0.1 * len(refused), "\n".join(map(str, astray))


def test_one_slip_is_one_problem(answers: list[Answer]) -> None:
    counted = Counter(len(answer.errors) for answer in answers if answer.errors)
    assert counted[1] >= 0.85 * counted.total(), counted       # two keys that have changed places are often two
    many = [answer for answer in answers if len(answer.errors) > 6]
    assert not many, "\n".join(map(str, many))


def test_what_is_accepted_means_what_it_says(answers: list[Answer], texts: dict[str, str]) -> None:
    wrong: list[str] = []
    for answer in answers:
        moved = [path for path, lines in differing(texts[answer.file], answer.slip.text)
                 if not lines & answer.slip.lines] if not answer.errors else []
        if moved:
            wrong.append(f"{answer}\n  these changed, and stand elsewhere: {moved}")
    assert not wrong, "\n".join(wrong)


def differing(before: str, after: str) -> Iterator[tuple[str, set[int]]]:
    """Every value that is not in both texts, with its lines and those of the keys that lead to it."""
    old, new = leaves(before), leaves(after)
    for one, other in ((old, new), (new, old)):
        for leaf, lines in one.items():
            if len(lines) > len(other.get(leaf, [])):
                yield f"{'.'.join(leaf[0])} = {leaf[1]}", set().union(*lines)


Leaf = tuple[tuple[str, ...], Plain]


def leaves(text: str) -> dict[Leaf, list[set[int]]]:
    """Every value by its path, entries of lists without their number, with the lines that it depends on."""
    root = parse(text, "file").root
    assert root is not None
    found: dict[Leaf, list[set[int]]] = {}
    for path, node, lines in _below(root, (), frozenset()):
        value = " ".join(node.value.split()) if isinstance(node.value, str) else node.value
        through = range(node.location.line, node.location.line + node.raw.count("\n") + 1)
        found.setdefault((path, value), []).append({*lines, *through})
    return found


def _below(node: Node, path: tuple[str, ...],
           lines: frozenset[int]) -> Iterator[tuple[tuple[str, ...], ScalarNode, frozenset[int]]]:
    match node:
        case ScalarNode():
            yield path, node, lines
        case MapNode():
            for entry in node:
                yield from _below(entry.value, (*path, entry.key.text), lines | {entry.key.location.line})
        case ListNode(items=items):
            for item in items:
                yield from _below(item, (*path, "-"), lines | {item.location.line})
