"""The rules that others are compared with: a revision in git, a folder, or those that the service accepted last."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from forestall.engine.errors import Location, Problem, RulesError, UsageError
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.rulebook import loader
from forestall.engine.rulebook.loader import Surroundings
from forestall.engine.rulebook.revision import files_at, inside, is_kept, revision

ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Base:
    """The rules to compare with, and what they are called: `main (1a2b3c4)` or a folder."""

    rulebook: Rulebook
    called: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Rules that do not load, and why."""

    called: str
    problems: tuple[Problem, ...]


def base_rules(base: str, rules: Path, settings: Surroundings | None = None) -> Base:
    """The rules that `base` names: a revision, unless it is written as a path or is none that git knows.

    UsageError when there are none; RulesError when they do not load, which names the place as git does:
    main:rules/weights.yaml. Without `settings` destinations are not checked.
    """
    found = base_or_problems(base, rules, settings)
    if isinstance(found, Broken):
        raise RulesError(found.problems)
    return found


def base_or_problems(base: str, rules: Path, settings: Surroundings | None = None) -> Base | Broken:
    """The same; what does not load is answered with its problems."""
    folder = Path(base)
    if folder.is_dir() and (base.startswith((".", "/")) or not _is_kept(rules)):
        return _folder(folder, settings)
    commit = revision(base, rules)
    if commit is not None:
        with tempfile.TemporaryDirectory(prefix="forestall-base-") as place:
            files_at(commit, base, rules, Path(place))
            called = commit[:7] if commit.startswith(base) else f"{base} ({commit[:7]})"
            return _loaded(Path(place), called, settings, f"{base}:{inside(rules)}")
    if folder.is_dir():
        return _folder(folder, settings)
    raise UsageError.one(Location(base), "unknown-base", "this is neither a revision in git nor a folder.",
                         "Name a branch, a tag or a commit, such as main or HEAD~1. In a copy that git has cut short, "
                         "fetch the whole history first.")


def _is_kept(rules: Path) -> bool:
    """Whether git knows the rules; where there is no git it knows nothing."""
    try:
        return is_kept(rules)
    except UsageError:
        return False


def _folder(folder: Path, settings: Surroundings | None) -> Base | Broken:
    return _loaded(folder if (folder / "weights.yaml").exists() else folder / "rules", str(folder), settings)


def accepted_rules(place: Path, settings: Surroundings | None) -> Base | Broken:
    """The rules that lie on the shelf of the running service."""
    return _loaded(place, "the rules last accepted", settings, "accepted:")


def _loaded(place: Path, called: str, settings: Surroundings | None, shown: str = "") -> Base | Broken:
    """The rules in a folder. `shown`: what their problems name in its place."""
    try:
        return Base(loader.load(place, settings), called)
    except RulesError as error:
        return Broken(called, tuple(_named(problem, place, shown) if shown else problem for problem in error.problems))


def _named(problem: Problem, place: Path, shown: str) -> Problem:
    file = problem.location.file.replace(f"{place}/", shown).replace(str(place), shown)
    return replace(problem, location=replace(problem.location, file=file))
