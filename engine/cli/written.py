"""An answer that goes to a file: whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from forestall.engine.errors import Location, UsageError


def write_whole(path: Path, text: str) -> None:
    """Put the text into the file in one step. UsageError when it cannot be written; what was there then stays."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError.one(Location(str(path)), "output-unwritable",
                             f"the answer cannot be written here: {error.strerror or error}.",
                             "Name another file with --output.") from None
