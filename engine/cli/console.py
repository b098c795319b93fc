"""How problems look on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from forestall.engine.errors import Location, Problem, Severity

PAGE = "docs/problems.md"
_WIDTH = 110


def print_problems(problems: Iterable[Problem], *, err: bool = False) -> None:
    """Each problem with its place, the line it is about, a caret, the sentence and the cure."""
    texts: dict[str, list[str]] = {}
    problems = list(problems)
    # a secret that stands in the file must not travel on into a build log
    hidden = {(one.location.file, one.location.line) for one in problems if one.code == "secret-in-file"}
    for problem in problems:
        color = "red" if problem.severity is Severity.ERROR else "yellow"
        click.echo(click.style(str(problem.location), bold=True) + ": "
                   + click.style(str(problem.severity), fg=color) + f": {problem.message} "
                   + click.style(f"[{problem.code}]", dim=True), err=err)
        shown = (problem.location.file, problem.location.line) not in hidden
        for line in _excerpt(problem.location, texts) if shown else ():
            click.echo(f"    {line}", err=err)
        if problem.hint:
            click.echo(f"    {problem.hint}", err=err)


def print_briefly(problems: Iterable[Problem]) -> None:
    """One line for each problem, on stderr."""
    for problem in problems:
        click.echo(f"{problem} [{problem.code}]", err=True)


def as_json(problem: Problem) -> dict[str, str | int]:
    """The problem as schemas/output/*.json describe it."""
    return {"file": problem.location.file, "line": problem.location.line, "column": problem.location.column,
            "code": problem.code, "severity": str(problem.severity), "message": problem.message,
            "hint": problem.hint}


def counted(number: int, one: str, many: str = "") -> str:
    """`1 error`, `3 errors`; `many` where an s is not enough."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _excerpt(location: Location, texts: dict[str, list[str]]) -> Iterator[str]:
    """The line and a caret below the place; nothing for a place that is a whole file."""
    if not location.line:
        return
    if location.file not in texts:
        try:
            texts[location.file] = Path(location.file).read_text(encoding="utf-8-sig", errors="replace").splitlines()
        except OSError:
            texts[location.file] = []
    lines = texts[location.file]
    if location.line > len(lines):
        return
    line = "".join(letter if letter.isprintable() else " " for letter in lines[location.line - 1])
    start = max(0, location.column - _WIDTH + 30)
    yield ("…" if start else "") + line[start : start + _WIDTH].rstrip()
    yield " " * (location.column - 1 - start + bool(start)) + "^"
