"""Which files make up the history. Replacing this one small file is what makes a change of the history whole."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from forestall.engine.errors import HistoryError, Location

VERSION = 2
NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class Heard:
    """What the last reading of a source brought: for which day, how many rows were let in, how many rows of how many
    accounts or keys nobody knows, whether there were rows of days to come, and what was noticed."""

    on: date
    rows: int = 0
    unknown: int = 0
    strangers: int = 0
    late: bool = False
    noticed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of the history, by month (`2014-12`). `through` is the last day that `days` covers.

    `first` is the first day that anybody was named on (None: nobody yet, or not written down by an older version).
    `stale_from` is the first day whose rows no longer follow from the arrivals (None: all do). `digest` tells for which
    catalogue the days were built, `sources` who has spoken so far, `heard` what each was last heard to say. No day
    before `kept_from` is kept any more (None: all are).
    """

    arrivals: dict[str, Path] = field(default_factory=dict)
    days: dict[str, Path] = field(default_factory=dict)
    accounts: Path | None = None
    generation: int = 0
    digest: str = ""
    sources: tuple[str, ...] = ()
    first: date | None = None
    through: date | None = None
    stale_from: date | None = None
    heard: dict[str, Heard] = field(default_factory=dict)
    kept_from: date | None = None

    @property
    def held(self) -> int | None:
        """How many days the history holds; None when nobody was named yet, or an older version wrote it."""
        return None if self.first is None or self.through is None else (self.through - self.first).days + 1

    def files(self) -> set[Path]:
        """Every file that is part of the history."""
        return {*self.arrivals.values(), *self.days.values(), *([self.accounts] if self.accounts else [])}


def read_manifest(root: Path) -> Manifest:
    """The manifest of a history folder; an empty one where there is none. HistoryError when it is not ours."""
    path = root / NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise HistoryError.one(Location(str(path)), "history-unreadable",
                               f"the history cannot be read ({error.strerror}).",
                               "Check the folder's permissions.") from None
    manifest = _manifest(content, root, path)
    for file in sorted(manifest.files()):
        if not file.is_file():
            raise HistoryError.one(Location(str(file)), "history-damaged", "this file of the history is gone.",
                                   f"Put it back, or delete the folder {root} and import again.")
    return manifest


def _manifest(content: bytes, root: Path, path: Path) -> Manifest:
    try:
        stored = json.loads(content)
        if stored["version"] != VERSION:
            raise HistoryError.one(Location(str(path)), "history-version",
                                   f"another version of Forestall wrote the history (format {stored['version']}).",
                                   "Use that version, or delete the folder and import again.")
        return Manifest(
            arrivals={month: root / name for month, name in stored["arrivals"].items()},
            days={month: root / name for month, name in stored["days"].items()},
            accounts=root / stored["accounts"] if stored["accounts"] else None,
            generation=stored["generation"], digest=stored["digest"], sources=tuple(stored["sources"]),
            first=_date(stored.get("first")), through=_date(stored["through"]), stale_from=_date(stored["stale_from"]),
            heard={name: _heard(one) for name, one in stored.get("heard", {}).items()},
            kept_from=_date(stored.get("kept_from")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise HistoryError.one(Location(str(path)), "history-damaged", "this is no manifest of a history.",
                               "Delete the folder and import again.") from None


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Put a manifest in force in one step, then remove the files that no manifest names any more."""
    stored = {
        "version": VERSION, "generation": manifest.generation, "digest": manifest.digest,
        "sources": list(manifest.sources),
        "first": manifest.first.isoformat() if manifest.first else None,
        "through": manifest.through.isoformat() if manifest.through else None,
        "stale_from": manifest.stale_from.isoformat() if manifest.stale_from else None,
        "accounts": str(manifest.accounts.relative_to(root)) if manifest.accounts else None,
        "arrivals": {month: str(path.relative_to(root)) for month, path in sorted(manifest.arrivals.items())},
        "days": {month: str(path.relative_to(root)) for month, path in sorted(manifest.days.items())},
        "heard": {name: asdict(one) | {"on": one.on.isoformat()} for name, one in sorted(manifest.heard.items())},
        "kept_from": manifest.kept_from.isoformat() if manifest.kept_from else None,
    }
    fresh = root / (NAME + ".new")
    with fresh.open("w") as file:
        json.dump(stored, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(root / NAME)
    kept = manifest.files()
    for path in root.glob("*/*.parquet"):
        if path not in kept:
            path.unlink(missing_ok=True)


def next_generation(manifest: Manifest) -> Manifest:
    """The same files under a new generation, whose number makes new file names unique."""
    return replace(manifest, arrivals=dict(manifest.arrivals), days=dict(manifest.days), heard=dict(manifest.heard),
                   generation=manifest.generation + 1)


def month_of(day: date) -> str:
    """The month of a day as the files are named: `2014-12`."""
    return f"{day.year:04d}-{day.month:02d}"


def months_between(first: date, last: date) -> list[str]:
    """Every month from that of `first` through that of `last`."""
    count = (last.year - first.year) * 12 + last.month - first.month
    return [f"{first.year + (first.month - 1 + step) // 12:04d}-{(first.month - 1 + step) % 12 + 1:02d}"
            for step in range(count + 1)]


def bounds(month: str) -> tuple[date, date]:
    """The first and the last day of a month."""
    year, number = int(month[:4]), int(month[5:])
    following = date(year + number // 12, number % 12 + 1, 1)
    return date(year, number, 1), date.fromordinal(following.toordinal() - 1)


def _heard(stored: dict[str, Any]) -> Heard:
    return Heard(**stored | {"on": date.fromisoformat(stored["on"]), "noticed": tuple(stored["noticed"])})


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
