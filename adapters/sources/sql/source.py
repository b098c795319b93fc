"""A database as a source of facts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

from forestall.adapters.sources.daily.checked import zone
from forestall.adapters.sources.daily.declared import Daily
from forestall.adapters.sources.daily.log import Wanted
from forestall.adapters.sources.daily.metrics import DailyMetrics
from forestall.adapters.sources.sql.kept import Kept, Mark, rewound
from forestall.adapters.sources.sql.log import Happenings
from forestall.adapters.sources.sql.statement import BadQuery, Statement, is_column, statement
from forestall.adapters.sources.sql.ways import Adbc, Alchemy, Duck, NoDatabase, Reached, Way
from forestall.adapters.sources.tables import EARLIEST, Batch, Headings, Layout, Place, TableSource, ended
from forestall.adapters.sources.values import Values
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Location, Problem, Secret, SourceError

if TYPE_CHECKING:
    import pyarrow

EXTRAS = {"psycopg": "forestall[postgres]"}
PLACE = Place(Path(), "forestall.yaml")
LATEST = date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class SqlSettings:
    """Where a database is, and the query that gives a row for each account and day.

    `url` is as SQLAlchemy has it, without a password; `secret_url` is the whole of it where it is a secret. `driver` is
    the Python package of an ADBC driver; without one, SQLAlchemy is used. `now`: the rows have no day, they say what is
    so when they are read. `incremental` is a column that grows whenever a row is written.
    `daily`: the rows are happenings, each at the time `at`, and these are the metrics that are made of them; `clock` is
    the time zone of times that do not say theirs.
    """

    query: str
    url: str = ""
    secret_url: Secret | None = None
    password: Secret | None = None
    driver: str = ""
    account: str = "account"
    as_of: str = "as_of"
    metrics: dict[str, str] = field(default_factory=dict)
    now: bool = False
    incremental: str = ""
    daily: Daily | None = None
    at: str = "at"
    clock: str = "UTC"
    options: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.url) == (self.secret_url is not None) and not self.driver:
            raise ValueError("it needs `url` or `secret_url`, and not both.", "Keep one of them.")
        if bool(self.now) + bool(self.incremental) + (self.daily is not None) > 1:
            raise ValueError("`now`, `incremental` and `daily` do not go together.",
                             "Keep one: rows of now, rows that change, or happenings.")


class SqlSource(TableSource):
    """The rows of one query."""

    Settings = SqlSettings
    keeps = True      # rows that were read, where only those that changed since are asked for

    def __init__(self, name: str, settings: SqlSettings, metrics: Mapping[str, Metric], folder: Path,
                 keep: Path | None = None) -> None:
        super().__init__(name, Headings(settings.account, settings.as_of, settings.metrics), metrics)
        self._settings, self._folder, self._keep = settings, folder, keep
        self.rows_are_now = settings.now
        self._columns: tuple[str, ...] = ()
        self._read = Batch(0, ())
        self._daily = DailyMetrics(name, settings.daily, metrics) if settings.daily else None
        self._mark: Mark | None = None          # the rows from here on are asked for
        self._highest: Mark | None = None       # and this far they went
        try:
            self._statement = statement(settings.query)
        except BadQuery as error:
            raise self.settings_error("bad-query", f"`query` of the source {name} {error.args[0]}",
                                      error.args[1]) from None
        if settings.incremental and not is_column(settings.incremental):
            raise self.settings_error("bad-query", f"`incremental` of the source {name} is no name of a column.",
                                      "Name a column of the query, which may be `x AS changed_at`.")
        if zone(settings.clock) is None:
            raise self.settings_error("unknown-time-zone", f"`clock` of the source {name} is no time zone: "
                                      f"{settings.clock}.", "Write a region and a city, such as Europe/Berlin, or UTC.")
        if urlsplit(settings.url).password:
            raise self.settings_error("secret-in-file", f"`url` of the source {name} holds a password, and a secret "
                                      "never stands in a file.", 'Write `password: "${secret:NAME}"` beside it.')

    def supplies(self) -> tuple[str, ...]:
        """The metrics for which the query has a column, or which are declared."""
        return super().supplies() if self._daily is None else self._daily.supplies()

    def snapshots(self, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        """Rows of days from `since` through `until`; those that have not changed come from the keep."""
        if self._daily is not None:
            yield from self._daily.snapshots(self._log, since, until)
            self.noticed = self._daily.noticed
            return
        if not self._settings.incremental or self._keep is None:
            yield from super().snapshots(since, until)
            return
        kept = Kept(self._keep, self._digest())
        state = kept.state()
        if state is not None and not state.reaches(since):
            state = None
        self._highest = state.mark if state is not None else None
        self._mark = None if self._highest is None else rewound(self._highest)
        # what is of a day to come stays kept for then: nobody will ask for it again
        changed = super().snapshots(since if state is None else state.since, None)
        yield from kept.tables(kept.add(state, changed, since, lambda: self._highest), since, until)

    def layouts(self) -> list[Layout]:
        """The columns of the query, which is asked without its rows."""
        if not self._columns:
            values = self._values(None, None)
            with self._telling() as way:
                try:
                    found = way.columns(self._statement.only_columns(), values)
                except Exception:      # told of the query as people know it; or it cannot stand inside of another
                    found = way.columns(self._statement, values)
            self._columns = self._as_wanted(found)
        return [self.layout(PLACE, self._columns)]

    def batches(self, layout: Layout, since: date | None, until: date | None) -> Iterator[Batch]:
        """Every row of the query."""
        wanted, values = self._statement, self._values(since, until)
        if self._mark is not None:
            wanted, values = wanted.changed_since(self._settings.incremental), {**values, "mark": self._mark}
        yield from self._asked(layout, wanted, values)

    def _asked(self, layout: Layout, wanted: Statement, values: Mapping[str, object]) -> Iterator[Batch]:
        first = 0
        with self._telling() as way, ended(way.pieces(wanted, values)) as pieces:
            for found, cells in pieces:
                names = self._as_wanted(found)
                layout = self.layout(PLACE, names) if not first else layout      # a name may be there twice
                named = dict(zip(names, cells, strict=True))
                columns = tuple(named[column.heading] for column in layout.columns)
                self._read = Batch(first, columns)
                self._note(named)
                yield self._read
                accounts = columns[0]
                first += len(accounts.listed) if isinstance(accounts, Values) else len(accounts)

    def _log(self, wanted: Wanted) -> Iterator[pyarrow.Table]:
        settings = self._settings
        called = Happenings(self.name, settings.account, settings.at, settings.clock,
                            (settings.daily.time_zone if settings.daily else "") or "UTC")
        values = self._values(wanted.since.date() if wanted.since else None,
                              wanted.until.date() + timedelta(days=1) if wanted.until else None)
        with self._telling() as way, ended(way.pieces(self._statement, values)) as pieces:
            yield from called.tables(pieces, wanted.columns)

    def cell_problem(self, layout: Layout, row: int, heading: str, code: str, message: str, hint: str) -> Problem:
        """The problem with the number of the row and its account: the order of rows may differ the next time."""
        del heading
        accounts, index = self._read.columns[0], row - self._read.first_row
        account = accounts.listed[index] if isinstance(accounts, Values) else accounts[index].as_py()
        who = f" ({account})" if account is not None else ""
        return Problem(Location(layout.place.shown), code, f"source {self.name}, row {row + 1}{who}: {message}", hint)

    def table_problem(self, place: Place, code: str, message: str, hint: str = "") -> Problem:
        """A problem of the query as a whole."""
        return Problem(Location(place.shown), code, f"source {self.name}: {message}", hint)

    def _note(self, named: Mapping[str, pyarrow.Array | Values]) -> None:
        """How far the column went that says what changed."""
        if not self._settings.incremental:
            return
        column = {name.lower(): cells for name, cells in named.items()}.get(self._settings.incremental.lower())
        if column is None:
            raise self.settings_error("bad-query", f"`incremental` of the source {self.name} names no column of the "
                                      f"query: {self._settings.incremental}.", "Select it as well.")
        said = [self._highest, *(column.listed if isinstance(column, Values) else column.to_pylist())]
        self._highest = max((mark for mark in said if mark is not None), default=None)

    def _digest(self) -> str:
        """What the kept rows depend on besides the database."""
        settings = self._settings
        kinds = [(name, metric.kind.value) for name, metric in self._metrics.items()]
        told = (settings.query, settings.url, settings.secret_url, settings.incremental, settings.account,
                settings.as_of, sorted(settings.metrics.items()), kinds)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def _values(self, since: date | None, until: date | None) -> dict[str, object]:
        return {"since": since or EARLIEST, "until": until or LATEST}

    def _as_wanted(self, found: Sequence[str]) -> tuple[str, ...]:
        """Some databases write every name in capitals."""
        wanted = {heading.lower(): heading for heading in (
            self._settings.account, self._settings.as_of,
            *(self._settings.metrics.get(metric, metric) for metric in self._metrics))}
        return tuple(name if name in wanted.values() else wanted.get(name.lower(), name) for name in found)

    # -- the way there -----------------------------------------------------------------------------------------------

    def _way(self, url: str, secrets: Mapping[str, str]) -> Way:
        reached = Reached(url, self._folder, self._settings.options, secrets)
        if self._settings.driver:
            return Adbc(reached, self._settings.driver)
        return Duck(reached) if url.startswith("duckdb:") else Alchemy(reached)

    @contextmanager
    def _telling(self) -> Iterator[Way]:
        """The way into the database. Whatever goes wrong on it is one sentence, without any secret."""
        settings = self._settings
        url = settings.secret_url.reveal() if settings.secret_url else settings.url
        secrets = {key: secret.reveal() for key, secret in settings.secrets.items()}
        hidden = [*secrets.values(), *([url] if settings.secret_url else []), *_passwords(url)]
        if settings.password is not None:
            password = settings.password.reveal()
            hidden.append(password)
            url = _with_password(url, password)
        try:
            yield self._way(url, secrets)
        except SourceError:
            raise
        except NoDatabase as error:
            raise self.settings_error("no-file", f"`url` of the source {self.name} names a file that is not there: "
                                      f"{error}.", "Correct it; the path starts at the project's folder.") from None
        except ImportError as error:
            raise self._missing(error) from None
        except Exception as error:      # each driver has errors of its own
            raise self.settings_error("query-failed", f"the query of the source {self.name} failed: "
                                      f"{_said(error, hidden)}.", _cure(error)) from None

    def _missing(self, error: ImportError) -> SourceError:
        package = (error.name or str(error)).partition(".")[0]
        extra = EXTRAS.get(package, package)
        return self.settings_error("missing-driver", f"the source {self.name} needs a package that is not installed: "
                                   f"{package}.", f"Install {extra}.")


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}{at or '@'}{host}"))


def _passwords(url: str) -> list[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return []
    return [password] if password else []


def _said(error: Exception, hidden: Sequence[str]) -> str:
    """The first line of what a driver says, without secrets and without the query."""
    found: Any = getattr(error, "orig", None) or error
    said = (str(found).strip().splitlines() or [type(found).__name__])[0]
    for secret in sorted(hidden, key=len, reverse=True):
        for written in (secret, quote(secret, safe=""), quote_plus(secret)):
            said = said.replace(written, "…")
    return said[:300].rstrip(". ")


def _cure(error: Exception) -> str:
    if type(error).__name__ in ("ArgumentError", "NoSuchModuleError"):
        return "Correct `url`, or install the package that knows this kind of database."
    return "Try the query in the database's own client, with a day in place of {{ since }}."
