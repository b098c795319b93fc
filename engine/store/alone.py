"""One process at a time, held by a lock that goes with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from forestall.engine.errors import Location, StoreError


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether no other process holds the file `path`. What is made for it goes again, when nothing else came to it."""
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    try:
        file = _held(path)
    except OSError as error:
        raise StoreError.one(Location(str(path)), "state-not-usable",
                             f"Forestall cannot keep its records: {error.strerror or error}.",
                             "Check that the folder may be written, or name another with `state:`.") from None
    try:
        yield file is not None
    finally:
        if file is not None:
            path.unlink(missing_ok=True)
            os.close(file)
        for folder in made:
            with suppress(OSError):      # what is not empty is somebody's
                folder.rmdir()


def _held(path: Path) -> int | None:
    """The open file, which this process holds now; None when another one does."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have taken the file away between the two calls; then this lock locks nothing.
            if os.stat(path).st_ino == os.fstat(file).st_ino:
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except FileNotFoundError:
            pass
        os.close(file)
