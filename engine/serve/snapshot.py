"""The rules folder read as one set: names, bytes and their hash, as they stood at one moment."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from forestall.engine.rulebook.by_hand import FILE as BY_HAND
from forestall.engine.rulebook.source import MAX_BYTES

QUIET = 0.15      # seconds for which nothing may change before a set is believed to be whole
_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every file of a set by its name in the folder (`triggers.yaml`, `templates/note.md`), and a hash of it all.

    `unreadable` says for some names why they could not be read.
    """

    files: Mapping[str, bytes]
    unreadable: Mapping[str, str]
    digest: str

    @property
    def empty(self) -> bool:
        """Whether there is nothing at all."""
        return not self.files and not self.unreadable


def snapshot(folder: Path) -> Snapshot:
    """What the folder holds now. A file that goes away while it is read is not part of it."""
    files: dict[str, bytes] = {}
    unreadable: dict[str, str] = {}
    for name, path in _listed(folder):
        try:
            if not stat.S_ISREG(path.stat().st_mode):      # a folder, or a pipe, which would never end
                unreadable[name] = "it is no file"
                continue
            with path.open("rb") as file:
                files[name] = file.read(MAX_BYTES + 1)     # the loader says what is too large
        except FileNotFoundError:
            continue
        except OSError as error:
            unreadable[name] = error.strerror or str(error)
    return Snapshot(files, unreadable, _digest(files, unreadable))


def settled(folder: Path, pause: Callable[[float], bool], quiet: float = QUIET) -> Snapshot | None:
    """The folder once two readings, some time apart, agree; None when `pause` says that it is time to stop.

    Each file then stood unchanged between its two readings, and so all of them together at the moment between: a set
    that is still being written, or swapped just now, is never taken half.
    """
    found = snapshot(folder)
    while not pause(quiet):
        again = snapshot(folder)
        if again.digest == found.digest:
            return again
        found = again
    return None


def signature(folder: Path) -> tuple[object, ...]:
    """What is cheap to look at and differs after almost every change: which files, how large, since when."""
    found: list[object] = []
    for name, path in _listed(folder):
        try:
            seen = path.stat()
        except OSError as error:
            found.append((name, error.errno))
            continue
        found.append((name, seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns))
    return tuple(found)


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """The set as a folder of its own. Whole or not at all; OSError."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    for name, content in files.items():
        path = draft / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    draft.mkdir(parents=True, exist_ok=True)      # where there is no file at all
    draft.rename(folder)


def to_disk(folder: Path) -> None:
    """Let a set survive a power cut. OSError."""
    for _, path in _listed(folder):
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _listed(folder: Path) -> list[tuple[str, Path]]:
    """What the loader would read, links followed; hidden files are drafts of editors, or how Kubernetes swaps."""
    return sorted([*_names(folder, "", (*_ENDINGS, BY_HAND)), *_names(folder / "templates", "templates/", (".md",))])


def _names(folder: Path, prefix: str, endings: tuple[str, ...]) -> list[tuple[str, Path]]:
    try:
        return [(prefix + name, folder / name) for name in os.listdir(folder)
                if name.endswith(endings) and not name.startswith(".")]
    except OSError:
        return []


def _digest(files: Mapping[str, bytes], unreadable: Mapping[str, str]) -> str:
    whole = hashlib.sha256()
    for name, content in sorted([*files.items(), *((name, why.encode()) for name, why in unreadable.items())]):
        kind = b"file" if name in files else b"unreadable"
        for part in (kind, os.fsencode(name), content):
            whole.update(len(part).to_bytes(8, "big"))
            whole.update(part)
    return whole.hexdigest()
