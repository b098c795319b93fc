"""Which account a key of a source means: by a file of keys, or by what another source says."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow
import pyarrow.compute as pc

from forestall.engine.detect import history_sql as sql
from forestall.engine.detect.manifest import months_between
from forestall.engine.errors import Location, SettingsError, SourceError
from forestall.engine.model.catalogue import Catalogue, Metric
from forestall.engine.model.joining import Joining

if TYPE_CHECKING:
    from forestall.engine.detect.history import History

COLUMNS = ("key", "account")


@dataclass(frozen=True, slots=True)
class Keys:
    """A table of `key` and `account`, each key once. `disputed` keys are claimed by several accounts, so by none."""

    table: pyarrow.Table
    disputed: tuple[str, ...] = ()


def keys_of(joining: Joining, source: str, history: History, catalogue: Catalogue, since: date | None,
            until: date) -> Keys | None:
    """The keys of a source; None where it names accounts itself. SourceError or SettingsError when they are of no use.

    Keys that another source says are those of the days from `since` (None: of all) through `until`.
    """
    if joining.file is not None:
        return read(joining.file, f"source {source}")
    return said(joining, source, history, catalogue, since, until) if joining.metric else None


def read(file: Path, what: str) -> Keys:
    """The keys of a CSV file; a key that stands there twice must mean one account."""
    found: dict[str, str] = {}
    for line, key, account in _lines(file, what):
        if found.setdefault(key, account) != account:
            raise _refused(file, line, "keys-twice", f"the key {key} means {found[key]} above and {account} here.",
                           "Take one of the lines away.")
    return Keys(pyarrow.table({"key": pyarrow.array(list(found), pyarrow.string()),
                               "account": pyarrow.array(list(found.values()), pyarrow.string())}))


def _lines(file: Path, what: str) -> Iterator[tuple[int, str, str]]:
    """Line, key and account. A spreadsheet may have saved it with semicolons or tabs."""
    try:
        whole = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise _refused(file, 0, "no-file", f"{what} takes its keys from this file, and it is not there.",
                       "Correct `keys`, or put the file there.") from None
    except (OSError, UnicodeDecodeError):
        raise _refused(file, 0, "unreadable", "this file of keys cannot be read as text.",
                       "Save it as CSV in UTF-8.") from None
    head = whole.partition("\n")[0]
    delimiter = next((one for one in (",", ";", "\t") if one in head), ",")
    rows = csv.reader(whole.splitlines(), delimiter=delimiter)
    heads = [cell.strip() for cell in next(rows, [])]
    if not set(COLUMNS) <= set(heads):
        raise _refused(file, 1, "keys-columns", "the first line must name the columns key and account.",
                       f"It names {', '.join(heads) or 'nothing'}.")
    at = [heads.index(column) for column in COLUMNS]
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        cells = [row[index].strip() if index < len(row) else "" for index in at]
        if not all(cells):
            raise _refused(file, rows.line_num, "keys-cell", f"`{COLUMNS[cells.index('')]}` is empty.",
                           "Every line needs a key and an account: fill it in, or take the line out.")
        yield rows.line_num, cells[0], cells[1]


def _refused(file: Path, line: int, code: str, message: str, hint: str) -> SourceError:
    return SourceError.one(Location(str(file), line, 1 if line else 0), code, message, hint)


def said(joining: Joining, source: str, history: History, catalogue: Catalogue, since: date | None,
         until: date) -> Keys:
    """The keys as a metric says them: of each account the newest; of two accounts that say one, the one that says it
    of a newer day."""
    wrong = joining.wrong(source, catalogue)
    if wrong is not None:
        raise SettingsError([wrong])
    metric = catalogue.metrics[joining.metric]
    manifest = history.manifest
    wanted = set(manifest.arrivals if since is None else months_between(since, until))
    files = [file for month, file in sorted(manifest.arrivals.items()) if month in wanted]
    nothing = Keys(pyarrow.table({column: pyarrow.array([], pyarrow.string()) for column in COLUMNS}))
    with history.files_sound():
        if not files or not sql.stored([metric], files):
            return nothing
        found = history.ask(_said_by(metric, files, until))
    disputed = found.filter(pc.greater(found["claims"], 1))["key"].to_pylist()
    sure = found.filter(pc.equal(found["claims"], 1))
    return Keys(sure.select(list(COLUMNS)), tuple(disputed))


def _said_by(metric: Metric, files: list[Path], until: date) -> str:
    cell = sql.cell(metric)
    return f"""
WITH newest AS (
  SELECT account, arg_max({cell}, (as_of, seq)) AS key, max(as_of) AS said_on FROM {sql.parquet(files)}
  WHERE {cell} IS NOT NULL AND as_of <= {sql.day(until)} GROUP BY account)
SELECT key, min(account) AS account, count(*) AS claims
FROM (SELECT * FROM newest QUALIFY said_on = max(said_on) OVER (PARTITION BY key)) GROUP BY key ORDER BY key"""
