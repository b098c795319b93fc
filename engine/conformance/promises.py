"""What every source promises. Each promise is asked of a stand of its own, and answers with what was seen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast

import pyarrow

from forestall.engine.conformance import facts, secrecy
from forestall.engine.conformance.stand import Stand
from forestall.engine.conformance.surroundings import EAST, WEST, growth, offline, time_zone
from forestall.engine.conformance.trial import GONE_AFTER, Broken, NotAsked, Trial
from forestall.engine.errors import ForestallError

LATE = 6        # so many days are needed for a row that comes late and one that is corrected
MEGABYTE = 1 << 20
MANY = "FORESTALL_MANY"      # an environment variable: so many rows, whatever a stand says
OF_ZONES = "Turn times into days in a zone that the settings name, not in that of the machine."


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise: a word for it, a sentence about it, and how it is asked.

    `cannot` says of a kind of stand why the promise cannot be asked there; empty where it can.
    """

    name: str
    about: str
    ask: Callable[[Trial], str]
    cannot: Callable[[type[Stand]], str] = lambda stand: ""

    def kept_by(self, stand: Stand) -> str:
        """What was seen. Broken when the source does not keep the promise, NotAsked when it cannot be asked here."""
        if reason := self.cannot(type(stand)):
            stand.close()
            raise NotAsked(reason)
        with Trial(stand) as trial:
            try:
                return self.ask(trial)
            except ForestallError as error:
                raise Broken(f"the source fails: {error}") from error


def kinds(trial: Trial) -> str:
    """Every metric in the type of its kind, in every table, and in the unit of the catalogue."""
    trial.put(trial.few())
    supplied = _first_asked(trial)
    for name in trial.metrics:
        if name not in supplied:
            raise Broken(f"supplies() does not name {name}, which the stand put there.")
    known: set[str] = set()
    count = 0
    for table in trial.tables(None, trial.last):
        count += table.num_rows
        known |= {name for name in supplied if table.column(name).null_count < table.num_rows}
    if nothing := [name for name in supplied if name not in known]:
        raise Broken(f"nothing was ever said of {nothing[0]}.")
    return f"{len(supplied)} metrics in {count} rows"


def _first_asked(trial: Trial) -> tuple[str, ...]:
    """What it supplies, as `forestall check` asks it: making a source takes no network, and where it says so, neither
    does `supplies()`."""
    with offline() as tried:
        source = None
        with suppress(ForestallError, OSError):
            source = trial.opened()
        if tried():
            raise Broken("it takes the network when it is made.", "Ask the far side in snapshots().")
        if source is not None and getattr(source, "supplies_at_once", False):
            with suppress(ForestallError, OSError):
                trial.supplies(source)
            if tried():
                raise Broken("it says `supplies_at_once = True`, and supplies() takes the network.",
                             "Take `supplies_at_once` away, or answer from the settings.")
    return trial.supplies(trial.opened())


def values(trial: Trial) -> str:
    """What is there is what the source says: no value lost, shifted or made up."""
    wanted = trial.put(trial.few())
    if wrong := trial.difference(wanted, trial.rows(None, trial.last)):
        raise Broken(f"{wrong}.")
    return f"{len(wanted)} rows as they were put there"


def days(trial: Trial) -> str:
    """Only the days that were asked for, the first and the last of them included."""
    trial.put(trial.few())
    last = trial.last
    whole = trial.rows(None, last)
    asked = 0
    for since, until in ((last - timedelta(days=5), last - timedelta(days=2)), (last, last),
                         (last - timedelta(days=1), last), (None, last - timedelta(days=3))):
        inside = [row for row in whole if (since or date.min) <= cast(date, row[1]) <= until]
        if wrong := facts.difference(inside, trial.rows(since, until), trial.metrics):
            raise Broken(f"asked for the days from {since or 'the first'} through {until}: {wrong}.",
                         "`since` and `until` are days that belong to the answer.")
        asked += 1
    return f"{asked} stretches of days"


def restart(trial: Trial) -> str:
    """Whoever stops half-way gets everything the next time; an import that fails half-way keeps nothing."""
    wanted = trial.put(trial.few())
    with closing(trial.tables(None, trial.last)) as begun:
        next(begun, None)
        if wrong := trial.difference(wanted, trial.rows(None, trial.last)):
            raise Broken(f"read again while an earlier reading stood half-way: {wrong}.",
                         "Keep nothing of a reading in the source or outside of it until it is through.")
    history = trial.history()

    def broken_off() -> Iterator[pyarrow.Table]:
        yield from trial.tables(None, trial.last)
        raise InterruptedError

    with suppress(InterruptedError):
        history.add(trial.name, broken_off(), trial.catalogue, None, GONE_AFTER)
    if not history.empty:
        raise Broken("an import that failed half-way has left something in the history.")
    arrived = trial.add(history, None, trial.last)
    if arrived.new < len(wanted):
        raise Broken(f"after a failure half-way only {arrived.new} of {len(wanted)} rows came.")
    return f"{arrived.new} rows after a reading that broke off"


def failure(trial: Trial) -> str:
    """What cannot be read is one sentence with its place and its cure, nothing is kept, and mending it is enough."""
    trial.put(trial.few())
    trial.stand.damage()
    history = trial.history()
    try:
        trial.add(history, None, trial.last)
    except ForestallError as error:
        said = error
    except Broken:
        raise
    except Exception as error:
        raise Broken(f"a damaged source ends in {type(error).__name__}: {str(error).rstrip('.')}.",
                     "Raise a SourceError that says what is wrong, where, and how to mend it.") from error
    else:
        raise Broken("a damaged source was read as if nothing were wrong.", "Raise a SourceError: whole or not at all.")
    sentences(said)
    if not history.empty:
        raise Broken("a source that failed has left something in the history.")
    wanted = trial.put(trial.few())
    if wrong := trial.difference(wanted, trial.rows(None, trial.last)):
        raise Broken(f"mended, the source still differs: {wrong}.")
    return str(said.problems[0])


def sentences(error: ForestallError) -> None:
    """Broken where an error does not say what is wrong, where, and how to mend it."""
    for problem in error.problems:
        if not problem.location.file:
            raise Broken(f'an error does not say where: "{problem.message}"', "Give it a Location.")
        if not problem.message.strip().endswith((".", "?", "!")):
            raise Broken(f'an error is no sentence: "{problem.message}"', "End it with a full stop.")
        if not problem.hint:
            raise Broken(f'an error names no cure: "{problem.message}"', "Give the problem a hint.")


def twice(trial: Trial) -> str:
    """The same rows once more change nothing."""
    trial.put(trial.few())
    history = trial.history()
    first = trial.add(history, None, trial.last)
    if not first.new:
        raise Broken("an import brought nothing.")
    generation = history.manifest.generation
    for since in (None, trial.last - timedelta(days=35)):
        again = trial.add(history, since, trial.last, trial.last)
        if again.new or history.manifest.generation != generation:
            raise Broken(f"the same facts read again brought {again.new} rows with something new.",
                         "Take values from what is there alone, not from the clock or from chance.")
    return f"{first.new} rows, and none of them twice"


def late(trial: Trial) -> str:
    """A row that comes late and one that was corrected are said when the source is asked again."""
    whole = trial.few()
    a_day = len(trial.stand.accounts)
    missing, corrected = whole.num_rows - 2 * a_day - 1, whole.num_rows - 4 * a_day - 1
    trial.put(facts.without(whole, missing))
    history = trial.history()
    trial.add(history, None, trial.last)
    wanted = trial.put(facts.changed(whole, corrected, trial.given))
    arrived = trial.add(history, trial.last - timedelta(days=34), trial.last, trial.last + timedelta(days=1))
    if arrived.new != 2 and not (trial.stand.says_more and arrived.new > 2):
        raise Broken(f"one row came late and one was corrected, and {arrived.new} rows said something new.",
                     "Read the days that are asked for anew each time; a pass asks for the last 35.")
    if wrong := trial.difference(wanted, trial.rows(None, trial.last)):
        raise Broken(f"{wrong}.")
    return "one late row and one corrected row"


def zones(trial: Trial) -> str:
    """The same days wherever on earth the machine stands, also across the change to summer time."""
    wanted = trial.put(trial.few())
    for zone in (EAST, WEST):
        with time_zone(zone):
            try:
                wrong = trial.difference(wanted, trial.rows(None, trial.last))
            except Broken as broken:
                wrong = broken.what.rstrip(".")
        if wrong:
            raise Broken(f"on a machine in {zone}: {wrong}.", OF_ZONES)
    return f"the same in {EAST} and {WEST}"


def empty(trial: Trial) -> str:
    """Nothing to say is no error."""
    trial.put(trial.few().slice(0, 0))
    said = "no rows, and no error"
    try:
        if rows := trial.rows(None, trial.last):
            raise Broken(f"nothing was there, and {len(rows)} rows came.")
        trial.add(trial.history(), None, trial.last)
    except ForestallError as error:
        if trial.stand.may_be_empty:
            raise
        sentences(error)
        said = f"no rows for days of which it knows nothing; where nothing is at all: {error}"
    trial.put(trial.few())
    long_ago = trial.last - timedelta(days=9_000)
    if rows := trial.rows(long_ago, long_ago):
        raise Broken(f"nothing was there of {long_ago}, and {len(rows)} rows came.")
    return said


def many(trial: Trial) -> str:
    """Very many rows go by in tables of a bounded size; they never stand in memory all at once."""
    wanted = os.environ.get(MANY, "")
    asked, memory = trial.stand.many, trial.stand.memory
    if wanted.isdigit():
        asked, memory = int(wanted), max(memory, Stand.memory)
    expected = trial.stand.put(facts.many(trial.given, trial.last, asked, 1 if trial.stand.days == 1 else asked))
    asked = asked if expected is None else expected.num_rows
    count = 0
    with growth() as grown:
        for table in trial.tables(None, trial.last):
            count += table.num_rows
        took = grown()
    if count != asked and not (trial.stand.says_more and count > asked):
        raise Broken(f"{asked:,} rows were there, and {count:,} came.")
    if took > memory:
        raise Broken(f"{count:,} rows took {took // MEGABYTE} MB, and {memory // MEGABYTE} MB are allowed.",
                     "Give tables as they are read, and keep none.")
    return f"{count:,} rows in {took // MEGABYTE} MB"


def secrets(trial: Trial) -> str:
    """No secret in an error, a log, a warning, or the text of an object; a missing one is said by its name."""
    trial.put(trial.few())
    names = tuple(trial.stand.secrets)

    def read() -> object:
        return trial.rows(None, trial.last)

    secrecy.in_use(trial, names, read)
    secrecy.made_up(trial, names, read)
    secrecy.missing(names, read)
    if not _can_be_damaged(type(trial.stand)):
        trial.stand.damage()
        secrecy.in_use(trial, names, read)
    return f"{', '.join(names)} nowhere to be read"


def cache(trial: Trial) -> str:
    """What it keeps saves time and nothing else: without it, with it and with a spoilt one it says the same."""
    folder = trial.stand.folder / ".forestall" / "sources" / trial.name

    def same(wanted: list[facts.Row], when: str) -> None:
        try:
            wrong = trial.difference(wanted, trial.rows(None, trial.last))
        except ForestallError as error:
            wrong = str(error).rstrip(".")
        if wrong:
            raise Broken(f"{when}: {wrong}.", "What is kept is a cache: ask again for days that can still change, and "
                                              "throw away what cannot be read.")

    same(trial.put(trial.few()), "when it had kept nothing")
    if not folder.exists():
        raise Broken("its stand says that it keeps something, and it keeps nothing.", "Take `keeps` away.")
    same(trial.put(trial.few()), "when it had kept what it fetched")
    wanted = trial.put(facts.changed(trial.few(), trial.few().num_rows - 1, trial.given))
    same(wanted, "after a correction")
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        file.write_bytes(b"spoilt")
    same(wanted, "when it had kept something spoilt")
    shutil.rmtree(folder)
    same(wanted, "when it had lost what it kept")
    return "the same with what was kept, without it, and with a spoilt one"


def _needs_days(stand: type[Stand]) -> str:
    return "" if stand.days >= LATE else "it only knows how things are now"


def _can_be_damaged(stand: type[Stand]) -> str:
    return "its stand cannot be damaged" if stand.damage is Stand.damage else ""


def _has_secrets(stand: type[Stand]) -> str:
    return "" if stand.secrets else "its stand names no secret"


def _keeps(stand: type[Stand]) -> str:
    return "" if stand.keeps else "it keeps nothing on its stand"


def _promise(ask: Callable[[Trial], str], cannot: Callable[[type[Stand]], str] = lambda stand: "") -> Promise:
    return Promise(ask.__name__, " ".join((ask.__doc__ or "").split()), ask, cannot)


PROMISES: tuple[Promise, ...] = (
    _promise(kinds), _promise(values), _promise(days), _promise(restart), _promise(failure, _can_be_damaged),
    _promise(twice), _promise(late, _needs_days), _promise(zones), _promise(empty), _promise(many),
    _promise(secrets, _has_secrets), _promise(cache, _keeps))
