"""The pages say what is so: links lead somewhere, commands run, examples load, tables are complete.

A fenced block says in its first line what is done with it:

- `console run` is run, in one folder per page; `project` behind it runs it in a project with made-up accounts, `exit=1`
  expects that exit code. The lines below a command must appear in its output in this order; `…` stands for anything.
- `yaml rules/NAME.yaml` and `yaml forestall.yaml` are files of one rulebook per page, over the default one (instead
  of it where the page has metrics of its own, and then without a warning); it must load.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from called import called

from forestall.engine.cli.main import VERBS, cli
from forestall.engine.language.manual import with_functions
from forestall.engine.rulebook import loader
from forestall.engine.settings import inspect_settings

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "benchmarks").glob("*.md"),
                *(ROOT / "examples").glob("*/README.md")])
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@dataclass(frozen=True)
class Block:
    page: Path
    words: tuple[str, ...]
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(page, tuple(info.split()), text) for info, text in FENCE.findall(page.read_text(encoding="utf-8"))]


# -- links -------------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(found), f"{target}: no such heading"


def test_every_page_can_be_found_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        for target in re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8")):
            found = (page.parent / target).resolve()
            if found.suffix == ".md" and found.exists() and found not in seen:
                waiting.append(found)
    assert set(DOCS.glob("*.md")) <= seen


# -- commands ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with made-up accounts and their history, to be copied."""
    folder = tmp_path_factory.mktemp("sample") / "project"
    assert called("init", str(folder), "--sample", cwd=ROOT).returncode == 0
    assert called("history", "import", cwd=folder).returncode == 0
    return folder


def forestall(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own."""
    return subprocess.run([sys.executable, "-m", "forestall.engine.cli", *arguments], cwd=cwd, capture_output=True,
                          text=True, check=False, stdin=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"})


def commands(block: Block) -> Iterator[tuple[list[str], list[str]]]:
    """Each command of a block with the lines that are shown below it."""
    shown: list[str] = []
    command: list[str] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = shlex.split(line[2:]), []
        elif line.strip():
            shown.append(line)
    yield command, shown


def follows(shown: list[str], output: str) -> bool:
    """Whether the pieces between `…` are there in this order: if they are at all, they are where each comes first."""
    at = 0
    for piece in (piece for line in shown for piece in line.split("…")):
        at = output.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


@pytest.mark.parametrize("page", [page for page in PAGES if any(block.words[:2] == ("console", "run")
                                                                for block in blocks(page))], ids=short)
def test_the_commands_of_a_page_do_what_it_says(page: Path, sample: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(sample, tmp_path / "project"))
    here = tmp_path / "empty"
    here.mkdir()
    for block in blocks(page):
        if block.words[:2] != ("console", "run"):
            continue
        place = project if "project" in block.words else here
        expected = next((int(word[5:]) for word in block.words if word.startswith("exit=")), 0)
        for command, shown in commands(block):
            if command[0] == "cd":
                here = place = place / command[1]
                continue
            assert command[0] == "forestall"
            # what the newcomer reads first is run as a newcomer runs it
            done = (forestall if page.name == "README.md" else called)(*command[1:], cwd=place)
            said = done.stdout + done.stderr
            assert done.returncode == expected, f"{command}: exit code {done.returncode}\n{said}"
            assert follows(shown, said), f"{command}: the page shows\n{shown}\nit says\n{said}"


def test_every_command_in_a_console_is_one_that_exists() -> None:
    for page in PAGES:
        for block in blocks(page):
            if block.words[:1] == ("console",):
                assert all(command[0] != "forestall" or command[1] in VERBS for command, _ in commands(block))


def verbs(group: click.Command, name: str = "forestall") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, under its full name."""
    if not isinstance(group, click.Group):
        yield name, group
        return
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        yield from verbs(command, f"{name} {word}")


def test_commands_md_has_every_verb_and_option_and_no_other() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (forestall [^\n]+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    real = {name: {option for parameter in command.params if isinstance(parameter, click.Option)
                   for option in parameter.opts} for name, command in verbs(cli)}
    written = {name: {option for cell in re.findall(r"^\| (`--[^|]*) \|", section, re.MULTILINE)
                      for option in re.findall(r"`(--[a-z-]+)`", cell)} for name, section in sections.items()}
    assert written == real


def test_every_exit_code_is_documented_and_used() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    table = text[text.index("## Exit codes"):text.index("## forestall check")]
    documented = set(map(int, re.findall(r"^\| `(\d+)` \|", table, re.MULTILINE)))
    interrupted = ("import sys\nimport forestall.engine.cli.main as main\n"
                   "def pressed(**_words):\n    raise KeyboardInterrupt\n"
                   "main.cli.main = pressed\nmain.main()\n")
    used = {forestall("--version", cwd=ROOT).returncode, forestall("check", "--rules", "nowhere", cwd=ROOT).returncode,
            forestall("nothing", cwd=ROOT).returncode,
            subprocess.run([sys.executable, "-c", interrupted], check=False).returncode}
    assert documented == used == {0, 1, 2, 130}


def test_every_output_document_is_named() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for schema in (ROOT / "schemas" / "output").glob("*.json"):
        assert schema.name in text, f"no page names schemas/output/{schema.name}"


# -- rules -------------------------------------------------------------------------------------------------------------


RULES = [page for page in PAGES if any(block.words[:1] == ("yaml",) and len(block.words) == 2
                                       for block in blocks(page))]


@pytest.mark.parametrize("page", RULES, ids=short)
def test_the_rules_of_a_page_load(page: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    assert called("init", str(project), cwd=tmp_path).returncode == 0
    whole = any(block.words == ("yaml", "rules/metrics.yaml") for block in blocks(page))
    if whole:
        for default in [*(project / "rules" / "templates").iterdir(), *(project / "rules" / "tests").iterdir()]:
            default.unlink()
    for block in blocks(page):
        if block.words[:1] == ("yaml",) and len(block.words) == 2:
            file = project / block.words[1]
            assert file.parent in (project, project / "rules", project / "rules" / "tests")
            file.write_text(block.text, encoding="utf-8")
            for template in re.findall(r"template: (\w+)", block.text):
                message = project / "rules" / "templates" / f"{template}.md"
                if not message.exists():
                    message.write_text("Subject: Hello\n\nHello.\n", encoding="utf-8")
    settings, wrong = inspect_settings(project)
    assert [str(problem) for problem in wrong] == []
    found = loader.inspect(project / "rules", settings)
    assert [str(problem) for problem in (found.problems if whole else found.errors)] == []
    if any(block.words[1:2] and block.words[1].startswith("rules/tests/") for block in blocks(page)):
        told = called("test", cwd=project)
        assert told.returncode == 0, told.stdout


def keys(node: object, built: bool) -> Iterator[str]:
    """The keys that a schema allows, those that are built or those that are not."""
    if isinstance(node, dict):
        for name, value in node.get("properties", {}).items():
            if bool(value.get("x-not-built")) is not built:
                yield name
        for value in node.values():
            yield from keys(value, built)
    elif isinstance(node, list):
        for value in node:
            yield from keys(value, built)


@pytest.mark.parametrize(("schema", "page"), [("metrics", "rules"), ("weights", "rules"), ("triggers", "rules"),
                                              ("playbook", "rules"), ("settings", "rules"), ("story", "stories")])
def test_every_key_is_explained(schema: str, page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    allowed = set(keys(json.loads((ROOT / "schemas" / f"{schema}.json").read_text(encoding="utf-8")), built=True))
    told = {word for code in re.findall(r"`([^`\n]+)`", FENCE.sub("", text)) for word in re.findall(r"\w+", code)}
    if page == "stories":
        told |= set(re.findall(r"(\w+):", "".join(block.text for block in blocks(DOCS / f"{page}.md"))))
    assert allowed - told == set()


def test_not_yet_lists_every_key_that_is_refused() -> None:
    text = (DOCS / "not-yet.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| (\w+)\.yaml \| `(\w+)` \|", text, re.MULTILINE))
    refused = {("forestall" if schema == "settings" else schema, key)
               for schema in ("metrics", "weights", "triggers", "playbook", "settings")
               for key in keys(json.loads((ROOT / "schemas" / f"{schema}.json").read_text(encoding="utf-8")),
                               built=False)}
    assert listed == refused


# -- language ----------------------------------------------------------------------------------------------------------


def test_language_md_is_what_the_table_of_functions_says() -> None:
    page = (DOCS / "language.md").read_text(encoding="utf-8")
    assert page == with_functions(page), "`make docs` writes it anew"
