"""The snapshot history in Parquet: what arrived and when, and one row per account and day from it.

`arrivals/` keeps every row as a source said it, with the day on which it was received (an import counts as received on
its own day). `days/` holds, per account, one row for every day since its first arrival: the last values that were known
by the end of that day, each carried for at most its `stale_after`. A row of a past day is never rewritten by what came
later: a late row speaks from the day it was received. So whatever reads the days of the past sees what could have been
known, and a simulation cannot look ahead.

Both are one file per month, sorted by account and day. `manifest.json` names the files in force.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow

from forestall.engine.detect import history_sql as sql
from forestall.engine.detect import pieces
from forestall.engine.detect.incoming import NOTHING, WIDE_OPEN, Door, LeftOut, let_in, take
from forestall.engine.detect.manifest import (
    Heard,
    Manifest,
    bounds,
    months_between,
    next_generation,
    read_manifest,
    write_manifest,
)
from forestall.engine.detect.said import Said, said_of
from forestall.engine.errors import HistoryError, Location
from forestall.engine.model.catalogue import Catalogue, Metric

Progress = Callable[[str, int, int], None]
MONTHS_AT_ONCE = 6      # filled together: what reaches back is read once, and memory stays bounded

LOOK_AGAIN = 35      # days before a pass that sources are asked for again, for what came late or was corrected


def quiet(_what: str, _done: int, _all: int) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What an import or a collection brought: rows let in, rows that said something new, accounts, first and last day,
    and what was not let in."""

    rows: int
    new: int
    accounts: int
    first: date | None
    last: date | None
    left_out: LeftOut = NOTHING


class History:
    """The history in one folder.

    Changes are staged: `add` and `build_days` write new files, and `publish` puts them in force in one step. What is
    not published was never there. `scratch` gives a copy whose changes live in another folder and are thrown away.
    """

    def __init__(self, root: Path, manifest: Manifest | None = None, scratch: Path | None = None) -> None:
        self.root = root
        self._scratch = scratch
        self._manifest = manifest or read_manifest(root)

    def scratch(self, folder: Path) -> History:
        """This history, with everything written from now on going to `folder`: what a dry run works on."""
        return History(self.root, self._manifest, folder)

    def publish(self) -> None:
        """Put everything that was staged in force."""
        if self._scratch is None and (self._manifest.heard or not self.empty):
            write_manifest(self.root, self._manifest)

    def knows(self, source: str) -> bool:
        """Whether this source has ever said anything."""
        return source in self._manifest.sources

    @property
    def manifest(self) -> Manifest:
        """The files in force, or those that are staged."""
        return self._manifest

    @property
    def first(self) -> date | None:
        """The first day that has rows; None when nothing has arrived yet, or an older version has not noted it."""
        return self._manifest.first

    @property
    def through(self) -> date | None:
        """The last day that has rows; None when nothing has arrived yet."""
        return self._manifest.through

    @property
    def empty(self) -> bool:
        """Whether nothing has arrived yet."""
        return not self._manifest.arrivals

    # -- what arrived ------------------------------------------------------------------------------------------------

    def add(self, source: str, tables: Iterable[pyarrow.Table], catalogue: Catalogue,
            received_on: date | None, gone_after: int, door: Door = WIDE_OPEN) -> Arrived:
        """Keep what a source said, whole or not at all. The same rows twice change nothing.

        `received_on` None: each row counts as received on its own day, as an import does. `door` says what is let in.
        Errors of the source pass through and leave the history as it was.
        """
        with session() as connection:
            said = take(connection, tables, catalogue)
            left_out = let_in(connection, door, catalogue)
            arrived = replace(_arrived(connection), left_out=left_out)
            supplied = [metric for metric in catalogue.supplied() if metric.name in said]
            with self.files_sound():
                if arrived.rows and (new := self._new(connection, source, catalogue, supplied, received_on)):
                    self._keep(connection, source, gone_after)
                    return replace(arrived, new=new)
            return arrived

    def _new(self, connection: duckdb.DuckDBPyConnection, source: str, catalogue: Catalogue, supplied: list[Metric],
             received_on: date | None) -> int:
        """How many of the incoming rows say something new; they are in the table `fresh`."""
        months = [row[0] for row in connection.execute(sql.MONTHS_OF_INCOMING).fetchall()]
        files = self._files(self._manifest.arrivals, months)
        connection.execute(sql.known_view(catalogue, files))
        connection.execute(sql.fresh_table(supplied, sql.stored(supplied, files)),
                           [source, received_on, received_on, source])
        return int(_one(connection, "SELECT count(*) FROM fresh"))

    def _keep(self, connection: duckdb.DuckDBPyConnection, source: str, gone_after: int) -> None:
        manifest = next_generation(self._manifest)
        fresh_months = [row[0] for row in connection.execute(sql.MONTHS_OF_FRESH).fetchall()]
        for month in fresh_months:
            path = self.new_file("arrivals", month, manifest)
            connection.execute(sql.write_arrivals(manifest.arrivals.get(month), *bounds(month),
                                                  manifest.generation, path))
            manifest.arrivals[month] = path
        connection.execute(sql.accounts_table(manifest.accounts))
        stale = _one(connection, sql.STALE_FROM, [gone_after])
        accounts = self.new_file("accounts", "accounts", manifest)
        connection.execute(sql.write_accounts(accounts))
        stale_from = min(stale, manifest.stale_from) if manifest.stale_from else stale
        sources = tuple(sorted({*manifest.sources, source}))
        news = _one(connection, sql.FIRST_NEWS)
        first = max(min(news, manifest.first or news), manifest.kept_from or date.min)
        self._manifest = replace(manifest, accounts=accounts, first=first, stale_from=stale_from, sources=sources)

    def stage(self, manifest: Manifest) -> None:
        """Other files of the history, written elsewhere."""
        self._manifest = manifest

    def note(self, source: str, heard: Heard) -> None:
        """Remember what the last reading of a source brought."""
        self._manifest = replace(self._manifest, heard={**self._manifest.heard, source: heard})

    # -- one row per account and day -----------------------------------------------------------------------------------

    def build_days(self, catalogue: Catalogue, gone_after: int, through: date, progress: Progress = quiet) -> None:
        """Bring the rows per account and day up to `through` and up to date with the arrivals."""
        if self.empty:
            return
        digest = days_digest(catalogue, gone_after)
        stale_from = self._manifest.stale_from
        if digest != self._manifest.digest:
            stale_from = date.min
        covered = self._manifest.through
        last = max(through, covered) if covered else through
        if covered is not None and last > covered:
            after = covered + timedelta(days=1)
            stale_from = min(stale_from, after) if stale_from else after
        elif stale_from is None and covered is not None:
            return
        first_arrival = max(bounds(min(self._manifest.arrivals))[0], self._manifest.kept_from or date.min)
        start = max(stale_from, first_arrival) if stale_from else first_arrival
        manifest = next_generation(self._manifest)
        months = months_between(start, last) if start <= last else []
        with session() as connection, self.files_sound():
            for start_at in range(0, len(months), MONTHS_AT_ONCE):
                block = months[start_at:start_at + MONTHS_AT_ONCE]
                self._fill(connection, catalogue, gone_after, block)
                for done, month in enumerate(block, start_at):
                    progress("days", done, len(months))
                    path = self.new_file("days", month, manifest)
                    begin, end = bounds(month)
                    connection.execute(sql.write_days(catalogue, begin, min(end, last), gone_after, path))
                    manifest.days[month] = path
            progress("days", len(months), len(months))
        self._manifest = replace(manifest, digest=digest, through=last, stale_from=None)

    def _fill(self, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, gone_after: int,
              block: list[str]) -> None:
        """Fill the arrivals of some consecutive months; further back only as far as a value can be carried."""
        first, last = bounds(block[0])[0], bounds(block[-1])[1]
        since = reaches_back(first, catalogue, gone_after)
        files = self._files(self._manifest.arrivals, months_between(since, last))
        connection.execute(sql.said_table(catalogue, files, since, last))
        assert self._manifest.accounts is not None      # there are arrivals, so there are accounts
        connection.execute(sql.filled_table(catalogue, self._manifest.accounts, since=since, first=first, last=last,
                                            gone_after=gone_after, late=_one(connection, sql.ANY_LATE)))

    # -- reading -----------------------------------------------------------------------------------------------------

    def open_days(self, catalogue: Catalogue, first: date, last: date,
                  accounts: Iterable[str] | None = None) -> duckdb.DuckDBPyConnection:
        """A connection with the view `history` over the days from `first` through `last`, dates as days since 1970."""
        connection = connect()
        files = self._files(self._manifest.days, months_between(first, last))
        if accounts is not None:
            connection.register("chosen", pyarrow.table({"account": pyarrow.array(list(accounts), pyarrow.string())}))
        with self.files_sound():
            connection.execute(sql.history_view(catalogue, files, first, last, chosen=accounts is not None))
        return connection

    @contextmanager
    def reading(self, catalogue: Catalogue, first: date, last: date,
                accounts: Iterable[str] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """The same for as long as it is used; a file that turns out to be damaged is said in a sentence."""
        connection = self.open_days(catalogue, first, last, accounts)
        try:
            with self.files_sound():
                yield connection
        finally:
            connection.close()

    def day_files(self, catalogue: Catalogue, first: date, last: date) -> list[tuple[pyarrow.Schema, list[Path]]]:
        """The files that hold these days, by the columns that can be used: for an engine that reads them itself."""
        with self.files_sound():
            return sql.alike(catalogue, self._files(self._manifest.days, months_between(first, last)))

    def answers(self, catalogue: Catalogue, first: date, last: date, statement: str,
                progress: Progress = quiet) -> Iterator[pyarrow.Table]:
        """The answers to a query, some accounts at a time; its view `history` is sorted by account and day."""
        files = self._files(self._manifest.days, months_between(first, last))
        with session() as connection, self.files_sound():
            accounts = self._manifest.accounts
            found = connection.execute(sql.accounts_by(accounts, last)).fetchall() if accounts else []
            stretches = pieces.between([row[0] for row in found], (last - first).days + 1)
            yield from pieces.answers(
                connection, stretches, lambda between: sql.sorted_view(catalogue, files, first, last, between),
                statement, lambda done: progress("evaluate", done, len(stretches)))

    def said(self, catalogue: Catalogue, account: str, by: date) -> dict[str, Said]:
        """Metric → when a source last said it of this account, as was known by the end of the day `by`."""
        months = [month for month in self._manifest.arrivals if bounds(month)[0] <= by]
        with session() as connection, self.files_sound():
            return said_of(connection, catalogue, self._files(self._manifest.arrivals, months), account, by)

    def known(self, catalogue: Catalogue, metrics: list[str], days: list[date]) -> dict[date, dict[str, int]]:
        """Day → metric → for how many accounts it is known; days without rows are left out."""
        if self.empty or not metrics:
            return {}
        with self.reading(catalogue, min(days), max(days)) as connection:
            counts = ", ".join(f'count("{name}")' for name in metrics)
            chosen = ", ".join(str((one - date(1970, 1, 1)).days) for one in days)
            found = connection.execute(
                f"SELECT day, {counts} FROM history WHERE day IN ({chosen}) GROUP BY day").fetchall()
        return {date(1970, 1, 1) + timedelta(days=row[0]): dict(zip(metrics, row[1:], strict=True)) for row in found}

    def spoken(self, first: date, last: date) -> dict[str, list[date]]:
        """Source → the days from `first` through `last` of which it has said anything."""
        files = self._files(self._manifest.arrivals, months_between(first, last))
        if not files:
            return {}
        with session() as connection, self.files_sound():
            rows = connection.execute(f"SELECT DISTINCT source, as_of FROM {sql.parquet(files)} "
                                      "WHERE as_of BETWEEN ? AND ? ORDER BY source, as_of", [first, last]).fetchall()
        found: dict[str, list[date]] = {}
        for source, day in rows:
            found.setdefault(source, []).append(day)
        return found

    def ask(self, statement: str, values: Iterable[object] = ()) -> pyarrow.Table:
        """The answer of DuckDB to a statement that names files of the history."""
        with session() as connection, self.files_sound():
            return connection.sql(statement, params=list(values)).to_arrow_table()

    def last_named(self, account: str) -> date | None:
        """The last day on which a source named this account; None when none ever did."""
        if self._manifest.accounts is None:
            return None
        with session() as connection, self.files_sound():
            found = _one(connection, sql.last_arrival(self._manifest.accounts) + " WHERE account = ?", [account])
        return found if isinstance(found, date) else None

    def last_arrival(self) -> date | None:
        """The last day that any source spoke of; None when nothing has arrived."""
        if self._manifest.accounts is None:
            return None
        with session() as connection, self.files_sound():
            found = _one(connection, sql.last_arrival(self._manifest.accounts))
        return found if isinstance(found, date) else None

    # -- files -------------------------------------------------------------------------------------------------------

    @contextmanager
    def files_sound(self) -> Iterator[None]:
        """Turns what a damaged or unreachable file, or a full disk, causes into a sentence."""
        try:
            yield
        except (duckdb.Error, pyarrow.ArrowInvalid, OSError) as error:
            if isinstance(error, (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)):
                raise      # a statement of ours is wrong, not a file
            raise self.damaged(error) from None

    def damaged(self, error: Exception) -> HistoryError:
        """What to say when an engine could not read or write a file."""
        said = str(error).splitlines()[0]
        return HistoryError.one(Location(str(self.root)), "history-damaged",
                                f"a file of the history cannot be read or written ({said}).",
                                "Is the disk full? If a file is damaged, delete the folder and import again.")

    def _files(self, by_month: dict[str, Path], months: Iterable[str]) -> list[Path]:
        wanted = set(months)
        return [path for month, path in sorted(by_month.items()) if month in wanted]

    def new_file(self, folder: str, name: str, manifest: Manifest) -> Path:
        """Where a file of the next generation is staged."""
        place = (self._scratch or self.root) / folder
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HistoryError.one(Location(str(place)), "history-unwritable",
                                   f"the history cannot be written ({error.strerror}).",
                                   "Check the folder's permissions, or name another with `state:` in forestall.yaml."
                                   ) from None
        return place / f"{name}.{manifest.generation}.parquet"


def reaches_back(day: date, catalogue: Catalogue, gone_after: int) -> date:
    """The first day of which a row can still matter on `day`. It may be received so long after its day and still name
    its account until that is gone."""
    return day - timedelta(days=max(catalogue.longest_carry(), LOOK_AGAIN + gone_after) + 1)


class session:
    """A DuckDB connection of its own that spills to the system's temporary folder and is closed at the end."""

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        self._connection = connect()
        return self._connection

    def __exit__(self, *_error: object) -> None:
        self._connection.close()


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB. Left alone it would spill into the working directory."""
    connection = duckdb.connect(config={"temp_directory": tempfile.gettempdir()})
    connection.execute("SET enable_progress_bar = false")
    return connection


def _one(connection: duckdb.DuckDBPyConnection, query: str, values: list[Any] | None = None) -> Any:
    row = connection.execute(query, values or []).fetchone()
    return row[0] if row else None


def _arrived(connection: duckdb.DuckDBPyConnection) -> Arrived:
    row = connection.execute(sql.SUMMARY_OF_INCOMING).fetchone()
    rows, accounts, first, last = row if row else (0, 0, None, None)
    return Arrived(rows, 0, accounts, first, last)


def days_digest(catalogue: Catalogue, gone_after: int) -> str:
    """A hash of what the days depend on besides the arrivals."""
    told = [(metric.name, metric.kind.value, metric.stale_after, metric.per_day) for metric in catalogue.supplied()]
    return hashlib.sha256(repr((gone_after, told)).encode()).hexdigest()[:16]
