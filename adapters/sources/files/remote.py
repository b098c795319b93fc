"""Files elsewhere, at any URL that fsspec reaches: fetched whole, and kept until they change.

A copy here can be read several times (to find the line of a bad cell, say), and a store that answers slowly or falls
silent in the middle can never leave half a file.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from forestall.adapters.sources.files import places
from forestall.engine.model.ports import Location, Problem, Secret, SourceError

# What brings the ways there that fsspec does not bring itself.
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure",
          "adl": "azure", "http": "http-files", "https": "http-files"}
_HERE = ("file://", "local://")
# What tells one version of a file from another, as the stores call it.
_STAMPS = ("ETag", "etag", "version_id", "generation", "md5Hash", "content_md5", "LastModified", "last_modified",
           "Last-Modified", "updated", "mtime", "modified", "created")


def is_url(path: str) -> bool:
    """Whether a path names a place elsewhere."""
    return "://" in path and not path.startswith(_HERE)


def local_path(path: str) -> str:
    """A path on this machine, which may be written as a URL."""
    return path.split("://", 1)[1] if path.startswith(_HERE) else path


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file elsewhere: its copy here, its URL, and the day that its name says."""

    path: Path
    shown: str
    day: date | None


class Remote:
    """The files that a URL means: one, those of a folder, or those of a pattern."""

    def __init__(self, source: str, url: str, options: Mapping[str, str], secrets: Mapping[str, Secret],
                 endings: tuple[str, ...], keep: Path | None) -> None:
        self._source, self._url, self._options, self._secrets = source, url, options, secrets
        if urlsplit(url).password:
            raise SourceError([Problem(
                Location("forestall.yaml"), "secret-in-file", f"`path` of the source {source} holds a password, and a "
                "secret never stands in a file.", "Write it below `secrets`, by the name of an environment variable.")])
        self._endings = endings
        self._temporary: Path | None = None
        self._keep = keep

    def files(self) -> list[Fetched]:
        """All of them, each with its copy. SourceError when they cannot be reached; copies of others are deleted."""
        with self._reached() as system:
            found = self._found(system)
            if not found:
                raise self.settings_error("no-file", f"the source {self._source} finds no file at {self._url}.",
                                  "Correct `path`, or put the files there.")
            folder = self._folder()
            fetched = [Fetched(self._copy(system, name, folder), str(system.unstrip_protocol(name)), day)
                       for name, day in found]
        kept = {one.path for one in fetched}
        for path in folder.iterdir():
            if path not in kept:
                path.unlink(missing_ok=True)
        return fetched

    def _found(self, system: Any) -> list[tuple[str, date | None]]:
        system.invalidate_cache()
        path = str(system._strip_protocol(self._url))
        wanted = places.pattern(path)
        if wanted.names is None and not (places.is_wild(path) and self._lists(path)):
            try:
                is_folder = self._url.endswith("/") or system.info(path)["type"] == "directory"
            except FileNotFoundError as error:
                if error.__cause__ is not None:      # of a web server this may mean anything
                    raise error.__cause__ from None
                return []
            if not is_folder:
                return [(path, None)]
            listed = sorted(str(name) for name in system.ls(path, detail=False))
            return [(name, None) for name in listed if places.fits(name.rstrip("/").rpartition("/")[2], self._endings)]
        names = wanted.fitting(sorted(str(name) for name in system.glob(wanted.wild)))
        return [(name, wanted.day(name)) for name in names]

    def _lists(self, path: str) -> bool:
        """A question mark in the address of a web page begins its query."""
        return not self._url.startswith("http") or any(sign in path for sign in "*[")

    def _copy(self, system: Any, name: str, folder: Path) -> Path:
        info = system.info(name)
        stamps = [str(info[key]) for key in _STAMPS if info.get(key)]
        told = hashlib.sha256(repr((name, info.get("size"), stamps)).encode()).hexdigest()[:20]
        copy = folder / f"{told}-{name.rstrip('/').rpartition('/')[2].partition('?')[0]}"
        if stamps and copy.is_file():
            return copy
        begun = copy.with_name("." + copy.name)
        try:
            system.get_file(name, str(begun))
            if info.get("size") is not None and begun.stat().st_size != info["size"]:
                shown = str(system.unstrip_protocol(name))
                raise SourceError([Problem(Location(shown), "being-written", "the file changed while it was fetched.",
                                           "Write it under another name and rename it when it is complete.")])
            begun.replace(copy)
        finally:
            begun.unlink(missing_ok=True)
        return copy

    def _folder(self) -> Path:
        if self._keep is not None:
            self._keep.mkdir(parents=True, exist_ok=True)
            return self._keep
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="forestall-"))
            weakref.finalize(self, shutil.rmtree, self._temporary, ignore_errors=True)
        return self._temporary

    @contextmanager
    def _reached(self) -> Iterator[Any]:
        """What fsspec has for the URL. Whatever goes wrong on the way is one sentence, without any secret."""
        import fsspec

        revealed = {key: secret.reveal() for key, secret in self._secrets.items()}
        scheme = self._url.split("://", 1)[0]
        try:
            told: dict[str, object] = {**map_options(self._options), **revealed}
            if scheme in ("http", "https"):      # a web server is told by headers
                told = {"headers": {**self._options, **revealed}}
            system, _ = fsspec.core.url_to_fs(self._url, **told)
            yield system
        except SourceError:
            raise
        except (ImportError, ValueError) as error:
            if isinstance(error, places.BadPath | places.BadDay):
                raise
            extra = EXTRAS.get(scheme)
            cure = f"Install forestall[{extra}]." if extra and isinstance(error, ImportError) \
                else "Install the package that it needs." if isinstance(error, ImportError) else "Correct `path`."
            raise self.settings_error("unreachable", f"`path` of the source {self._source} cannot be used: "
                              f"{_said(error, revealed)}.", cure) from None
        except Exception as error:      # each store has errors of its own
            raise self.settings_error("unreachable", f"the source {self._source} cannot read {self._url}: "
                              f"{_said(error, revealed)}.", "Check `path`, the rights and the network, and try again."
                              ) from None

    def settings_error(self, code: str, message: str, hint: str) -> SourceError:
        """An error about what forestall.yaml says of this source."""
        return SourceError([Problem(Location("forestall.yaml"), code, message, hint)])


def map_options(options: Mapping[str, str]) -> dict[str, object]:
    """Options as a store wants them: flags and whole numbers are no texts."""
    words: dict[str, object] = {"true": True, "false": False}
    return {key: words.get(value.lower(), int(value) if value.isdigit() else value) for key, value in options.items()}


def _said(error: Exception, secrets: Mapping[str, str]) -> str:
    """The first line of what an error says, without secrets."""
    said = (str(error).strip().splitlines() or [""])[0]
    for secret in secrets.values():
        said = said.replace(secret, "…")
    return f"{type(error).__name__}: {said[:200]}".rstrip(".: ")
