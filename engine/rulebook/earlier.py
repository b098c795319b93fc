"""The rules as they were: looked up in git by the digest that a pass wrote down. Nothing is changed there."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from forestall.engine.errors import RulesError, UsageError
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.rulebook.by_hand import FILE as BY_HAND
from forestall.engine.rulebook.loader import FILES, load, scoring_digest
from forestall.engine.rulebook.revision import git

MOST_COMMITS = 200
_SCORING = ("metrics.yaml", "weights.yaml")
_READ = frozenset({*(f"{name}.yaml" for name in FILES), BY_HAND})


@dataclass(frozen=True, slots=True)
class Earlier:
    """Rules that git has kept, and the commit they were found in."""

    rulebook: Rulebook
    commit: str


def earlier(rules: Path, digest: str) -> Earlier | None:
    """The rules whose score has this digest (`Rulebook.scoring_digest`), from the history of the folder `rules`.

    None where there is no git, where none of the last commits has them, or where they no longer load.
    """
    listed = _git(rules, "log", f"--max-count={MOST_COMMITS}", "--format=%H", "--", *_SCORING)
    with tempfile.TemporaryDirectory(prefix="forestall-") as folder:
        for commit in (listed or b"").decode().split():
            place = Path(folder) / commit
            place.mkdir()
            if _written(rules, commit, _SCORING, place) and scoring_digest(place) == digest:
                return _loaded(rules, commit, place)
    return None


def commit_of(rules: Path, files: Mapping[str, str]) -> str:
    """The last commit in which the folder `rules` held just these files of rules; "" where git knows of none."""
    wanted = {name: _blob(text) for name, text in files.items()}
    listed = _git(rules, "log", f"--max-count={MOST_COMMITS}", "--format=%H", "--", ".")
    for commit in (listed or b"").decode().split():
        found = dict(_blobs(_git(rules, "ls-tree", "-r", "-z", commit, ".") or b""))
        if {name: blob for name, blob in found.items() if name in wanted or _is_read(name)} == wanted:
            return commit
    return ""


def _blob(text: str) -> str:
    """The name that git gives to this content."""
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _blobs(listed: bytes) -> Iterator[tuple[str, str]]:
    for line in listed.decode(errors="replace").split("\0"):
        about, tab, name = line.partition("\t")
        if tab:
            yield name, about.split()[2]


def _is_read(name: str) -> bool:
    return name in _READ or (name.startswith("templates/") and name.endswith(".md") and name.count("/") == 1)


def _loaded(rules: Path, commit: str, place: Path) -> Earlier | None:
    listed = _git(rules, "ls-tree", "-r", "-z", "--name-only", commit, ".")
    names = [name for name in (listed or b"").decode(errors="replace").split("\0")
             if name in {f"{one}.yaml" for one in FILES} or (name.startswith("templates/") and name.endswith(".md"))]
    if not _written(rules, commit, names, place):
        return None
    try:
        return Earlier(load(place, None), commit)
    except RulesError:
        return None


def _written(rules: Path, commit: str, names: tuple[str, ...] | list[str], place: Path) -> bool:
    """Write files of a commit below `place`; False when git does not have one of them."""
    for name in names:
        content = _git(rules, "show", f"{commit}:./{name}")
        if content is None:
            return False
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(content)
    return True


def _git(rules: Path, *words: str) -> bytes | None:
    """What git answers about the folder; None where it has no answer."""
    try:
        done = git(rules, *words)
    except UsageError:      # no git here: then nothing was kept
        return None
    return done.stdout if done.returncode == 0 else None
