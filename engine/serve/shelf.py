"""Sets of rules kept on disk, by their hash: the one in force survives a restart, the one that was refused is shown.

`in-force` names the set in force, `rejected.json` says what is wrong with the folder as it is now, `accepted` names a
set that may lose much. Each is replaced in one step.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from forestall.engine.errors import Location, Problem, StoreError
from forestall.engine.serve.journal import as_document
from forestall.engine.serve.snapshot import Snapshot, snapshot, to_disk, write

VERSION = 1


@dataclass(frozen=True, slots=True)
class Rejected:
    """A set that was refused, since when the folder has been without one that can be used, and whether owners know."""

    digest: str
    since: datetime
    reported: bool = False


def document(rejected: Rejected, in_force: str, problems: tuple[Problem, ...]) -> dict[str, object]:
    """What is wrong with a set, as in schemas/output/rejected.json."""
    return {"version": VERSION, "digest": rejected.digest, "since": rejected.since.isoformat(),
            "reported": rejected.reported, "in_force": in_force or None,
            "problems": [as_document(problem) for problem in problems]}


class Shelf:
    """The folder `rules` of the project's state."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._one_at_a_time = threading.Lock()      # a report is noted down by the thread that sends it

    def place(self, digest: str) -> Path:
        """Where a set is kept."""
        return self.root / digest

    def keep(self, found: Snapshot) -> Path:
        """Put a set on the shelf and answer its place. StoreError when it cannot be written."""
        place = self.place(found.digest)
        try:
            if snapshot(place).digest != found.digest:
                self.root.mkdir(parents=True, exist_ok=True)
                for left in (place, *self.root.glob(f".{found.digest}.*.part")):
                    shutil.rmtree(left, ignore_errors=True)
                write(found.files, place)
        except OSError as error:
            raise self._unwritable(error) from None
        return place

    def drop(self, digest: str) -> None:
        """Take a set off the shelf."""
        shutil.rmtree(self.place(digest), ignore_errors=True)

    # -- in force ----------------------------------------------------------------------------------------------------

    def put_in_force(self, digest: str, since: datetime) -> None:
        """This set is in force from now on, also after a restart; older ones go. StoreError."""
        before = self.in_force()
        try:
            to_disk(self.place(digest))
        except OSError as error:
            raise self._unwritable(error) from None
        self._write("in-force", {"version": VERSION, "digest": digest, "since": since.isoformat()})
        sets = [path for path in self.root.glob("*") if path.is_dir()]
        for path in sets:
            if path.name not in {digest, before}:
                shutil.rmtree(path, ignore_errors=True)

    def in_force(self) -> str:
        """The hash of the set in force; empty when there is none, or when it is damaged."""
        digest = self._read("in-force").get("digest")
        if not isinstance(digest, str) or not digest.isalnum():
            return ""
        return digest if snapshot(self.place(digest)).digest == digest else ""

    # -- rejected ----------------------------------------------------------------------------------------------------

    def reject(self, rejected: Rejected, problems: tuple[Problem, ...]) -> None:
        """Show what is wrong with a set. StoreError."""
        with self._one_at_a_time:
            self._write("rejected.json", document(rejected, self.in_force(), problems))

    def reported(self) -> None:
        """The owners know that the folder cannot be used. StoreError."""
        with self._one_at_a_time:
            found = self._read("rejected.json")
            if found:
                self._write("rejected.json", {**found, "reported": True})

    def rejected(self) -> Rejected | None:
        """The set that was refused last, if it was not mended since."""
        found = self._read("rejected.json")
        digest, since = found.get("digest"), found.get("since")
        if not isinstance(digest, str) or not isinstance(since, str):
            return None
        with suppress(ValueError):
            return Rejected(digest, datetime.fromisoformat(since), found.get("reported") is True)
        return None

    def nothing_rejected(self) -> None:
        """The folder is sound again."""
        with self._one_at_a_time:
            (self.root / "rejected.json").unlink(missing_ok=True)

    # -- removals ----------------------------------------------------------------------------------------------------

    def accept(self, digest: str) -> None:
        """Somebody has confirmed this set, however much it has lost. StoreError."""
        self._write("accepted", {"version": VERSION, "digest": digest})

    def accepted(self) -> str:
        """The hash of the set that was confirmed."""
        return str(self._read("accepted").get("digest", ""))

    # -- files -------------------------------------------------------------------------------------------------------

    def _read(self, name: str) -> dict[str, object]:
        try:
            found = json.loads((self.root / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, name: str, document: dict[str, object]) -> None:
        path = self.root / name
        draft = path.with_name(f".{name}.{os.getpid()}.part")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                json.dump(document, file, ensure_ascii=False, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError.one(Location(str(self.root)), "rules-not-kept",
                              f"new rules cannot be kept here: {error.strerror or error}.",
                              "Make room, or check who may write; they are tried again.")
