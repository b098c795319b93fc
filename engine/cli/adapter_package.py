"""What `forestall source new` writes: a package with an adapter that works, its test and its entry point."""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path

from forestall import __version__
from forestall.engine.errors import Location, UsageError

_FILES = {"pyproject.toml.txt": "pyproject.toml", "README.md.txt": "README.md",
          "init.py.txt": "src/forestall_MODULE/__init__.py", "source.py.txt": "src/forestall_MODULE/source.py",
          "test.py.txt": "tests/test_MODULE.py"}


def write_package(name: str, folder: Path) -> list[str]:
    """Write the package of an adapter of this name into a folder that is new or empty: all of it, or nothing.

    Hands back the files, as they are called in that folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError.one(Location(str(folder)), "folder-not-empty", "this exists and is not an empty folder.",
                             "Name a new one with --into.")
    written = []
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".forestall-new-") as place:
            made = Path(place) / "made"
            for template, target in _FILES.items():
                path = made / _named(target, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                text = (files("forestall") / "engine" / "starter" / "source" / template).read_text(encoding="utf-8")
                path.write_text(_named(text, name), encoding="utf-8")
                written.append(str(path.relative_to(made)))
            if folder.exists():
                folder.rmdir()
            made.rename(folder)
    except OSError as error:
        raise UsageError.one(Location(str(folder)), "folder-unwritable", f"this cannot be written ({error.strerror}).",
                             "Check the permissions, or name another folder with --into.") from None
    return written


def _named(text: str, name: str) -> str:
    """The text with the name of the adapter, of its module and of its classes."""
    words = name.replace("_", "-").split("-")
    return (text.replace("EXAMPLE", name).replace("MODULE", "_".join(words)).replace("VERSION", __version__)
            .replace("Title", "".join(word.capitalize() for word in words)))
