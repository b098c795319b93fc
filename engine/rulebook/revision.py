"""Files as they were at a revision, read from git without touching the working tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from forestall.engine.errors import Location, UsageError

PATIENCE = 60.0      # seconds for one question to git
# Inside of a git hook these say where git is, and mean the repository of the hook.
_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")


def is_kept(folder: Path) -> bool:
    """Whether `folder` is in a repository that git can read."""
    return git(folder, "rev-parse", "--git-dir").returncode == 0


def revision(name: str, folder: Path) -> str | None:
    """The commit that `name` means in the repository of `folder`; None when it means none. UsageError without git."""
    found = git(folder, "rev-parse", "--git-dir")
    if found.returncode:
        said = found.stderr.decode("utf-8", "replace").strip().splitlines()[:1] or [""]
        raise UsageError.one(Location(str(folder)), "no-repository",
                             f"git cannot look back here: {said[0].removeprefix('fatal: ')}.",
                             "Name a folder with the other rules instead, or keep the rules in git.")
    done = git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return done.stdout.decode().strip() if done.returncode == 0 else None


def inside(folder: Path) -> str:
    """Where `folder` is in its repository, as git writes it: `rules/`."""
    return git(folder, "rev-parse", "--show-prefix").stdout.decode("utf-8", "surrogateescape").rstrip("\n")


def files_at(commit: str, name: str, folder: Path, to: Path) -> None:
    """Write the rules and messages that `folder` held at `commit` into `to`. UsageError when it held nothing."""
    listed = git(folder, "ls-tree", "-r", "-z", commit, ".")
    found = [line.split("\t", 1) for line in listed.stdout.decode("utf-8", "surrogateescape").split("\0") if line]
    if listed.returncode or not found:
        raise UsageError.one(Location(str(folder)), "not-in-git", f"at {name} this folder was not there.",
                             "Were the rules elsewhere then? Check them out into a folder, and name that folder.")
    for about, path in found:
        mode, kind, blob = about.split()
        if kind != "blob" or mode == "120000" or str(Path(path).parent) not in (".", "templates"):
            continue        # neither a submodule, nor a link, nor a story is part of a rulebook
        target = to / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(git(folder, "cat-file", "blob", blob).stdout)


def git(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """What git answers about a folder. UsageError where there is no git, or it does not come to an end."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    try:
        return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False,
                              env=environment | {"GIT_OPTIONAL_LOCKS": "0"}, stdin=subprocess.DEVNULL,
                              timeout=PATIENCE)
    except FileNotFoundError:
        raise UsageError.one(Location("git"), "no-git", "there is no git here.",
                             "Install git, or name a folder with the other rules.") from None
    except subprocess.TimeoutExpired:
        raise UsageError.one(Location("git"), "git-too-slow", f"git has not answered for {PATIENCE:.0f} seconds.",
                             "Try again, or name a folder with the other rules.") from None
