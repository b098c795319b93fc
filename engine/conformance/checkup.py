"""A source of forestall.yaml asked for what it promises, on the facts that it has. Nothing is changed or kept."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import duckdb
import pyarrow
from pyarrow.parquet import ParquetWriter

from forestall.engine.adapter_settings import SOURCES, AdapterSettings, prepared
from forestall.engine.conformance import secrecy
from forestall.engine.conformance.promises import MEGABYTE, OF_ZONES, PROMISES, sentences
from forestall.engine.conformance.stand import Stand
from forestall.engine.conformance.surroundings import EAST, WEST, growth, time_zone
from forestall.engine.conformance.trial import GONE_AFTER, Asked, Broken, NotAsked
from forestall.engine.detect.history import Arrived, History
from forestall.engine.errors import ForestallError
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Problem, Secret
from forestall.engine.settings import Settings, open_source

LONG_AGO = (date(1900, 1, 1), date(1900, 1, 2))
ONLY_IN_A_TEST = "that takes facts which can be changed: ask it in a test (docs/source-kit.md)"
ASKED = ("kinds", "many", "restart", "zones", "twice", "days", "empty", "secrets", "cache")

Digest = dict[date, tuple[int, int]]
Read = TypeVar("Read")


class State(StrEnum):
    """What came of a promise."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one promise, what was seen, and for a broken one how to mend it."""

    promise: str
    about: str
    state: State
    said: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What a source supplies in the days that were looked at, what it noticed, and what came of each promise."""

    source: str
    adapter: str
    since: date | None
    until: date
    supplies: tuple[Metric, ...]
    rows: int
    accounts: int
    first: date | None
    last: date | None
    noticed: tuple[Problem, ...]
    answers: tuple[Answer, ...]

    def count(self, state: State) -> int:
        """How many promises have this state."""
        return sum(one.state is state for one in self.answers)


def check_up(settings: Settings, described: AdapterSettings, metrics: Mapping[str, Metric], since: date | None,
             until: date, progress: Callable[[str, int, int], None]) -> Checkup:
    """Ask the source for the days from `since` through `until`, several times. Its own errors pass through."""
    kind, filled = prepared(described, SOURCES)
    with tempfile.TemporaryDirectory(prefix="forestall-check-") as folder, duckdb.connect() as counting:
        elsewhere = replace(settings, state=Path(folder))      # what the source keeps for real is left alone
        asked = Asked(described.name, lambda: open_source(elsewhere, described, metrics), metrics, Path(folder))
        visit = _Visit(asked, since, until, tuple(dict.fromkeys(_secrets(filled))),
                       keeps=bool(getattr(kind, "keeps", False)), counting=counting)
        answers = []
        for done, name in enumerate(ASKED):
            progress("promises", done, len(ASKED))
            answers.append(visit.answer(name))
        progress("promises", len(ASKED), len(ASKED))
    answers += [_answer(one.name, State.NOT_ASKED, ONLY_IN_A_TEST) for one in PROMISES if one.name not in ASKED]
    days = sorted(visit.seen)
    return Checkup(described.name, described.adapter, since, until, tuple(metrics[name] for name in visit.supplies),
                   sum(count for count, _ in visit.seen.values()), visit.accounts, days[0] if days else None,
                   days[-1] if days else None, visit.noticed, tuple(answers))


class _Visit:
    """One look at one source. `seen` is what the first reading brought: per day the rows, and a sum over them."""

    def __init__(self, asked: Asked, since: date | None, until: date, secrets: tuple[str, ...], *, keeps: bool,
                 counting: duckdb.DuckDBPyConnection) -> None:
        self._counting = counting
        self._asked, self._since, self._until = asked, since, until
        self._secrets, self._keeps = secrets, keeps
        self._history = asked.history()
        self._fails = ""
        self._again: Arrived | None = None      # what a second reading of the same days brought
        self._largest = self._grown = 0
        self._ask = {"many": self._many, "restart": self._restart, "zones": self._zones,
                     "twice": self._twice, "days": self._days, "empty": self._empty,
                     "secrets": self._secrets_nowhere, "cache": self._cache}
        self.supplies: tuple[str, ...] = ()
        self.seen: Digest = {}
        self.accounts = 0
        self.noticed: tuple[Problem, ...] = ()

    def answer(self, name: str) -> Answer:
        """What comes of one promise. The first must be kept for the others to be asked."""
        if self._fails:
            return _answer(name, State.NOT_ASKED, self._fails)
        try:
            return _answer(name, State.KEPT, self._first() if name == "kinds" else self._ask[name]())
        except NotAsked as reason:
            return _answer(name, State.NOT_ASKED, str(reason))
        except Broken as broken:
            found = _answer(name, State.BROKEN, broken.what, broken.cure)
        except ForestallError as error:
            if name == "kinds":
                raise
            found = _answer(name, State.BROKEN, f"it fails when it is asked again: {error}")
        except Exception as error:
            found = _answer(name, State.BROKEN, f"it ends in {_told(error)}.",
                            "What cannot be read must be a SourceError: what, where, and how to mend it.")
        if name == "kinds":
            self._fails = "what it hands over cannot be used"
        return found

    def _first(self) -> str:
        """A source that cannot be read at all says so as in a pass; what is no sentence there is a broken promise."""
        try:
            return self._kinds()
        except ForestallError as error:
            sentences(error)
            raise

    def _kinds(self) -> str:
        self.supplies = self._asked.supplies(self._asked.opened())
        named: set[str] = set()
        with growth() as grown:
            reading = _Reading(self._asked.scratch, self._counting)
            for table in self._asked.tables(self._since, self._until):
                reading.add(table)
                named.update(table.column("account").unique().to_pylist())
                self._largest = max(self._largest, table.num_rows)
            self._grown = grown()
        self.seen, self.noticed = reading.digest(), self._asked.noticed
        self.accounts = len(named)
        if not self.seen:
            self._fails = "it says nothing of these days"
            raise NotAsked("it says nothing of these days; --days looks at others")
        return "every metric in the type of its kind, and no row without account or day"

    def _many(self) -> str:
        said = (f"{sum(count for count, _ in self.seen.values()):,} rows in tables of up to {self._largest:,}, "
                f"{self._grown // MEGABYTE} MB more memory")
        if self._grown > Stand.memory:
            raise Broken(f"{said}; {Stand.memory // MEGABYTE} MB are allowed.",
                         "Give tables as they are read, and keep none.")
        return said

    def _restart(self) -> str:
        with closing(self._asked.tables(self._since, self._until)) as begun:
            next(begun, None)
        found, _ = self._added(self._history, None)
        self._same(found, "after a reading that broke off", "Keep nothing of a reading until it is through.")
        return "everything again after a reading that broke off"

    def _zones(self) -> str:
        last = max(self.seen)
        found, again = self._somewhere(EAST, lambda: self._added(self._history, self._until))
        self._same(found, f"on a machine in {EAST}", OF_ZONES)
        self._again = again
        found = self._somewhere(WEST, lambda: self._read(last))
        self._same(found, f"on a machine in {WEST}", OF_ZONES, {last: self.seen[last]})
        return f"the same days in {EAST} and {WEST}"

    def _twice(self) -> str:
        again = self._again
        if again is None:
            history = self._asked.history("again")
            self._added(history, None)
            _, again = self._added(history, self._until)
        if again.new:
            raise Broken(f"the same days read again brought {again.new:,} rows with something new.",
                         "Take values from what is there alone, not from the clock. If the facts changed meanwhile, "
                         "look again.")
        return f"{again.rows:,} rows, and nothing new when read again"

    def _days(self) -> str:
        days = sorted(self.seen)
        for since, until in ((days[-1], days[-1]), (days[len(days) // 3], days[len(days) // 2])):
            inside = {day: found for day, found in self.seen.items() if since <= day <= until}
            self._same(self._read(since, until), f"asked for the days from {since} through {until}",
                       "`since` and `until` are days that belong to the answer.", inside)
        return f"{len(days)} days, whole and in parts"

    def _empty(self) -> str:
        if self._read(*LONG_AGO):
            raise NotAsked(f"it says something even of {LONG_AGO[0]}")
        return "no rows for days of which it knows nothing, and no error"

    def _cache(self) -> str:
        if not self._keeps:
            raise NotAsked("it keeps nothing")
        if self._again is None:
            self._same(self._read(), "with what it kept of an earlier reading", "What is kept is a cache.")
        return "the same with what it kept"

    def _secrets_nowhere(self) -> str:
        if not self._secrets:
            raise NotAsked("its settings hold no secret")

        def read() -> object:
            return self._read(self._until, self._until)

        secrecy.in_use(self._asked, self._secrets, read)
        secrecy.made_up(self._asked, self._secrets, read)
        secrecy.missing(self._secrets, read)
        return f"{', '.join(self._secrets)} nowhere to be read"

    def _added(self, history: History, received_on: date | None) -> tuple[Digest, Arrived]:
        """All days, added to a history as a pass or an import does it."""
        reading = _Reading(self._asked.scratch, self._counting)

        def passing() -> Iterator[pyarrow.Table]:
            for table in self._asked.tables(self._since, self._until):
                reading.add(table)
                yield table

        arrived = history.add(self._asked.name, passing(), self._asked.catalogue, received_on, GONE_AFTER)
        return reading.digest(), arrived

    def _somewhere(self, zone: str, read: Callable[[], Read]) -> Read:
        """What is read on a machine in this time zone."""
        try:
            with time_zone(zone):
                return read()
        except Broken as broken:
            raise Broken(f"on a machine in {zone} {broken.what}", OF_ZONES) from None

    def _read(self, since: date | None = None, until: date | None = None) -> Digest:
        reading = _Reading(self._asked.scratch, self._counting)
        for table in self._asked.tables(since or self._since, until or self._until):
            reading.add(table)
        return reading.digest()

    def _same(self, got: Digest, when: str, cure: str, wanted: Digest | None = None) -> None:
        expected = self.seen if wanted is None else wanted
        other = sorted(day for day in expected.keys() | got.keys() if expected.get(day) != got.get(day))
        if not other:
            return
        day, rest = other[0], f" and {len(other) - 1} more days" if len(other) > 1 else ""
        raise Broken(f"{when}, {day}{rest} are told differently: {got.get(day, (0, 0))[0]} rows instead of "
                     f"{expected.get(day, (0, 0))[0]}, or other values.",
                     f"{cure} If the facts changed meanwhile, look again.")


class _Reading:
    """The rows of one reading, on disk: they may be very many, and to hold them would be what a source must not do."""

    def __init__(self, folder: Path, counting: duckdb.DuckDBPyConnection) -> None:
        self._counting = counting
        self._file = folder / f"reading-{uuid4().hex}.parquet"
        self._writer: ParquetWriter | None = None

    def add(self, table: pyarrow.Table) -> None:
        """Some more rows."""
        if self._writer is None:
            self._writer = ParquetWriter(self._file, table.schema)
        self._writer.write_table(table.select(self._writer.schema.names))

    def digest(self) -> Digest:
        """Each day's accounts and a sum over their rows that does not depend on their order; then the rows are gone.

        Of several rows for one account and day the last one counts, as in the history.
        """
        if self._writer is None:
            return {}
        self._writer.close()
        columns = ", ".join('"' + name.replace('"', '""') + '"' for name in sorted(self._writer.schema.names))
        found = self._counting.execute(
            f"SELECT as_of, count(*), sum(hash({columns})) FROM (SELECT * FROM read_parquet(?, file_row_number=true) "
            "QUALIFY row_number() OVER (PARTITION BY account, as_of ORDER BY file_row_number DESC) = 1) "
            "GROUP BY as_of", [str(self._file)]).fetchall()
        self._file.unlink()
        return {day: (count, int(total)) for day, count, total in found}


def _answer(name: str, state: State, said: str, hint: str = "") -> Answer:
    about = next(one.about for one in PROMISES if one.name == name)
    return Answer(name, about, state, said, hint)


def _told(error: Exception) -> str:
    """The name of an error and where it was raised; its text may hold anything, also a secret."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} ({Path(last.filename).name}, line {last.lineno})"


def _secrets(filled: object) -> Iterator[str]:
    """The environment variables of every secret in an adapter's settings."""
    if isinstance(filled, Secret):
        yield filled.name
    elif is_dataclass(filled):
        for one in fields(filled):
            yield from _secrets(getattr(filled, one.name))
    elif isinstance(filled, Mapping):
        for value in filled.values():
            yield from _secrets(value)
    elif isinstance(filled, tuple | list):
        for value in filled:
            yield from _secrets(value)
