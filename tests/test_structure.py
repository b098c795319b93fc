"""The house stands as docs/architecture.md draws it: who may know whom, how large a part may be, what it is called."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for folder in ("engine", "adapters") for path in (ROOT / folder).rglob("*.py"))

# Each part, whom it may know besides itself, and why it is there. An arrow that is not in here fails the test.
PARTS: dict[str, tuple[set[str], str]] = {
    "errors": (set(), "what can go wrong, for everybody"),
    "processes": (set(), "how work runs: in a process of its own, and undisturbed"),
    "model": ({"errors"}, "the nouns, which know nothing but how to fail"),
    "language": ({"errors", "model"}, "expressions of the rules: text to checked terms, and both evaluators"),
    "message": ({"errors", "model", "language"},
                "what people read: checked when the rules load, filled when a play speaks"),
    "rulebook": ({"errors", "model", "language", "message"}, "YAML files to a Rulebook, or to every problem at once"),
    "settings_filling": ({"errors", "model", "language", "rulebook"}, "a part of forestall.yaml to a frozen dataclass"),
    "adapter_settings": ({"errors", "model", "language", "rulebook", "settings_filling"},
                         "the adapter that forestall.yaml names, and its own settings"),
    "settings": ({"errors", "model", "language", "rulebook", "settings_filling", "adapter_settings"},
                 "forestall.yaml, read by the same means"),
    "supplied": ({"errors", "model", "adapter_settings", "settings"},
                 "which metrics no source supplies, before anything is read"),
    "sample": ({"errors", "model"}, "made-up histories, which must not know how they will be judged"),
    "detect": ({"errors", "model"}, "sources to history"),
    "conformance": ({"errors", "model", "adapter_settings", "settings", "detect"},
                    "what every source promises, and how it is asked"),
    "warehouse": ({"errors", "model", "language", "detect"}, "the history where it is a table already"),
    "score": ({"errors", "model", "language", "rulebook", "detect", "warehouse"},
              "history to scores, tiers and truths"),
    "lint": ({"errors", "model", "language", "rulebook", "detect", "score"}, "rules and history to advice"),
    "store": ({"errors", "model"}, "the state database: nouns in, nouns out"),
    "alert": ({"errors", "model", "language", "rulebook", "detect", "score"}, "truths to alerts"),
    "intervene": ({"errors", "processes", "model", "language", "message", "rulebook", "detect", "score", "alert",
                   "store"},
                  "alerts to plays, deliveries and receipts"),
    "measure": ({"errors", "model", "store", "score", "alert", "intervene"}, "deliveries to outcomes"),
    "learn": ({"errors", "model", "rulebook", "score", "store", "measure"}, "outcomes to proposals"),
    "simulate": ({"errors", "processes", "model", "language", "rulebook", "detect", "score", "alert", "intervene",
                  "measure"},
                 "the same functions over the past"),
    "stories": ({"errors", "model", "language", "rulebook", "detect", "score", "alert", "intervene", "simulate"},
                "what must happen to made-up accounts, and what must not"),
    "foretell": ({"errors", "model", "language", "rulebook", "detect", "score", "simulate"},
                 "what alerts foretold: each held against the customers who left"),
    "verdict": ({"errors", "model", "simulate"}, "what people see of a comparison: text, Markdown, a page"),
    "runtime": ({"errors", "processes", "model", "language", "message", "rulebook", "adapter_settings", "settings",
                 "detect", "warehouse", "score", "store", "alert", "intervene", "measure", "learn", "simulate"},
                "wires the parts into a pass"),
    "serve": ({"errors", "processes", "model", "message", "rulebook", "settings", "score", "store", "intervene",
               "runtime"},
              "passes by the clock, and rules taken over meanwhile"),
    "cli": ({"errors", "model", "language", "message", "rulebook", "settings_filling", "adapter_settings", "settings",
             "supplied", "sample", "detect", "conformance", "score", "lint", "store", "alert", "intervene", "measure",
             "learn", "simulate", "stories", "foretell", "verdict", "runtime", "serve"},
            "one module per verb"),
    "adapters": ({"model"}, "the outside world, seen through the protocols of engine/model/ports.py"),
}


def part_of(module: str) -> str:
    """The part to which a dotted module below `forestall` belongs; empty for the package itself."""
    names = module.split(".")[1:]
    if names[:1] == ["adapters"]:
        return "adapters"
    return names[1] if names[:1] == ["engine"] and len(names) > 1 else ""


def module_of(path: Path) -> str:
    names = ["forestall", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Every import of a file with its line: at the top, inside functions, and only for types."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written in full"
            for alias in node.names:
                named = f"{node.module}.{alias.name}"
                is_module = (ROOT.joinpath(*named.split(".")[1:]).with_suffix(".py").exists()
                             or ROOT.joinpath(*named.split(".")[1:]).is_dir())
                yield node.lineno, named if named.startswith("forestall.") and is_module else node.module or ""


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_run_in_one_direction() -> None:
    wrong = []
    for path in SOURCES:
        own = part_of(module_of(path))
        for line, name in imported(path):
            if name.split(".")[0] != "forestall" or not (other := part_of(name)):
                continue
            if own and other != own and other not in PARTS[own][0]:
                wrong.append(f"{short(path)}:{line}: {own} must not know {other} ({name})")
    assert wrong == []


def test_every_part_has_its_place_in_the_table() -> None:
    assert {part_of(module_of(path)) for path in SOURCES} - {""} <= set(PARTS)


def test_the_table_has_no_circle() -> None:
    placed: set[str] = set()
    waiting = dict(PARTS)
    while waiting:
        ready = [name for name, (known, _) in waiting.items() if known <= placed]
        assert ready, f"these know each other: {sorted(waiting)}"
        placed.update(ready)
        for name in ready:
            del waiting[name]


def test_adapters_know_only_the_model_and_themselves() -> None:
    own = {"sources": "forestall.adapters.sources", "channels": "forestall.adapters.channels"}
    wrong = []
    for path in (ROOT / "adapters").rglob("*.py"):
        for line, name in imported(path):
            if name.startswith("forestall") and not name.startswith(("forestall.engine.model", own.get(
                    path.parent.name, "forestall.adapters"))):
                wrong.append(f"{short(path)}:{line}: {name}")
    assert wrong == []


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_a_module_is_small_enough_to_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400, "a module over 400 lines is asking to be two"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"line {node.lineno}: {node.name} has {length} lines and is asking to be two"


def tracked() -> list[Path]:
    """Every file that is, or could be, committed."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "manager", "managers", "data", "context", "common", "misc"}
    assert [short(path) for path in tracked() if path.suffix == ".py" and path.stem in empty] == []


# Written in pieces, so that this file passes its own test.
NEVER_NAMED = [rf"(?<![\w.]){re.escape(folder)}/" for folder in ("/wo" + "rk", "/ro" + "ot")] + [
    re.escape(host) for host in ("files.python" + "hosted.org", "pypi." + "org/simple", "artifact" + "ory",
                                 "index-" + "url")]


def test_nothing_names_the_machine_it_was_made_on() -> None:
    never = re.compile("|".join(NEVER_NAMED))
    wrong = []
    for path in tracked():
        if path.suffix in (".parquet", ".gz"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if never.search(line):
                wrong.append(f"{short(path)}:{number}: {line.strip()[:80]}")
    assert wrong == []


def test_what_must_answer_at_once_imports_nothing_heavy() -> None:
    heavy = {"ibis", "duckdb", "pyarrow", "pandas", "sqlalchemy", "httpx", "slack_sdk", "rich", "pyspark", "py4j"}
    for arguments in (["--help"], ["check"]):
        code = ("import sys\nsys.argv = ['forestall', *sys.argv[1:]]\n"
                "from forestall.engine.cli.main import main\n"
                "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
                f"print(*({heavy!r} & set(sys.modules)), file=sys.stderr)\n")
        done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True,
                              check=True)
        assert done.stderr.strip() == ""


def test_the_drawing_names_every_arrow() -> None:
    """docs/architecture.md holds the same table."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name, (known, why) in PARTS.items():
        order = [part for part in PARTS if part in known]
        row = f"| `{name}` | {', '.join(order) or 'nobody'} | {why} |"
        assert row in page, f"docs/architecture.md should have the line\n{row}"
