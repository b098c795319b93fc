"""Problems as other programs read them: annotations of GitHub, and SARIF for code scanning and editors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from forestall import __version__
from forestall.engine.cli.console import PAGE
from forestall.engine.errors import Problem, Severity

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def github(problems: Iterable[Problem]) -> Iterator[str]:
    """One workflow command for each problem: GitHub shows it beside the line of the file."""
    root = _root()
    for problem in problems:
        place = problem.location
        words = {"file": _relative(place.file, root)}
        if place.line:
            words |= {"line": str(place.line), "col": str(place.column)}
        words["title"] = problem.code
        properties = ",".join(f"{key}={_property(value)}" for key, value in words.items())
        command = "notice" if problem.severity is Severity.NOTE else problem.severity
        yield f"::{command} {properties}::{_escaped(_sentence(problem))}"


def sarif(problems: Iterable[Problem]) -> dict[str, object]:
    """A log of SARIF 2.1.0 with one run."""
    root, found = _root(), list(problems)
    codes = sorted({problem.code for problem in found})
    return {
        "$schema": SARIF,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "forestall", "semanticVersion": __version__,
                                "rules": [_rule(code) for code in codes]}},
            "columnKind": "unicodeCodePoints",
            "results": [_result(problem, codes.index(problem.code), root) for problem in found],
        }],
    }


def _rule(code: str) -> dict[str, object]:
    return {"id": code, "shortDescription": {"text": code.replace("-", " ")},
            "help": {"text": f"{PAGE} explains {code}: what it means, an example and the cure."}}


def _result(problem: Problem, rule: int, root: Path) -> dict[str, object]:
    place = problem.location
    file = _relative(place.file, root)
    physical: dict[str, object] = {"artifactLocation": {"uri": Path(file).as_uri()} if os.path.isabs(file)
                                   else {"uri": quote(file), "uriBaseId": "%SRCROOT%"}}
    if place.line:
        physical["region"] = {"startLine": place.line, "startColumn": place.column}
    return {"ruleId": problem.code, "ruleIndex": rule,
            "level": str(problem.severity),
            "message": {"text": _sentence(problem)}, "locations": [{"physicalLocation": physical}]}


def _sentence(problem: Problem) -> str:
    return f"{problem.message} {problem.hint}".rstrip()


def _root() -> Path:
    """The checkout that we stand in, as GitHub counts paths from there; else this folder."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)


def _relative(file: str, root: Path) -> str:
    path = Path(os.path.abspath(file))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
