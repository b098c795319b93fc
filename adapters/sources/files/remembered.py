"""Which columns files have, where finding out takes reading them whole: asked once for each version of a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from forestall.adapters.sources.tables import Place

NAME = "headings.json"


def remembered(keep: Path, asked: str) -> dict[str, tuple[str, ...]]:
    """What was written down, by `version`; nothing where something else was asked then, or it cannot be read."""
    try:
        stored = json.loads((keep / NAME).read_text("utf-8"))
        return {file: tuple(map(str, headings)) for file, headings in stored["files"].items()
                } if stored["asked"] == asked else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remember(keep: Path, asked: str, files: Mapping[str, tuple[str, ...]]) -> None:
    """Write it down. A cache: where it cannot be written, files are read again the next time."""
    fresh = keep / (NAME + ".new")
    try:
        keep.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps({"asked": asked, "files": files}), "utf-8")
        fresh.replace(keep / NAME)
    except OSError:
        fresh.unlink(missing_ok=True)


def version(place: Place) -> str:
    """A file as it is now."""
    return f"{place.stamp[0]} {place.stamp[1]} {place.shown}"
