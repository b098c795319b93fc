"""What a source says has changed: a metric jumped, is gone or mostly empty, rows are missing, a kind is another.

Looked at are the newest days of each source against those before, of at most some thousand accounts: a few stretches of
the sorted files, so that it costs the same however many accounts there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import duckdb

from forestall.engine.detect import history_sql as sql
from forestall.engine.detect.history import History, session
from forestall.engine.detect.manifest import bounds
from forestall.engine.detect.sql_words import text
from forestall.engine.detect.stability import (
    DAYS_BEFORE,
    FEWEST,
    Histogram,
    index,
    jump,
    large,
    other_scale,
    together,
)
from forestall.engine.errors import Location, Problem, Severity
from forestall.engine.model.catalogue import Catalogue, Metric
from forestall.engine.model.expression import Kind

WINDOW = 180          # days that are looked at
ACCOUNTS = 2_000      # of so many accounts at most
STRETCHES = 4         # from so many places of the alphabet
LATELY = 7            # of the days on which a source spoke, so many can be told of
DECILES = [number / 10 for number in range(1, 10)]
TEXTS = 20            # the most frequent texts; the others count as one
TELLING = 0.8         # texts that are mostly different for every account are names, and have no distribution
PAUSE = 35            # days: after a longer one much is new
MOSTLY = 0.5          # of what it was at least
FAMILIAR = 14         # days after its first, an account is no new one any more: the new are unlike the others
SAID_EACH = 2         # metrics of which the same is said one by one
NAMED = 8             # of more, so many are named
SAID_BEFORE = 5       # times, before its silence means anything


@dataclass(frozen=True, slots=True)
class Day:
    """What a source said of one day: how many rows, how many of accounts that are not new, and in how many of
    these each metric has a value."""

    day: date
    rows: int
    familiar: int
    known: tuple[int, ...]

    @property
    def of_others(self) -> bool:
        """Whether mostly new accounts are named, of whom nobody knows what is usual."""
        return self.familiar < MOSTLY * self.rows


def drifts(history: History, catalogue: Catalogue, until: date, lately: int = LATELY,
           sources: Sequence[str] | None = None) -> dict[str, list[Problem]]:
    """Source → what has changed on the last `lately` days on which it spoke, as warnings. `sources` None: all."""
    manifest = history.manifest
    asked = manifest.sources if sources is None else sources
    since = until - timedelta(days=WINDOW)
    files = [file for month, file in sorted(manifest.arrivals.items())
             if bounds(month)[1] > since and bounds(month)[0] <= until]
    if not asked or not files or manifest.accounts is None or manifest.first is None or (
            until - manifest.first).days < DAYS_BEFORE:
        return {}
    found: dict[str, list[Problem]] = {}
    with session() as connection, history.files_sound():
        metrics = sql.stored(catalogue.supplied(), files)
        _look(connection, manifest.accounts, sql.parquet(files), metrics, since, until)
        for source in sorted(asked):
            found[source] = list(_of_source(connection, source, metrics, until, lately))
    return {source: list(_shortly(problems)) for source, problems in found.items() if problems}


def _shortly(problems: Sequence[Problem]) -> Iterator[Problem]:
    """What many metrics have in common is said of the first; the others are listed with it."""
    by_code: dict[str, list[Problem]] = {}
    for one in problems:
        by_code.setdefault(one.code, []).append(one)
    for alike in by_code.values():
        if len(alike) <= SAID_EACH:
            yield from alike
            continue
        others = [one.word for one in alike[1:]]
        more = ", …" if len(others) > NAMED else ""
        yield replace(alike[0], message=f"{alike[0].message} So it is with {len(others)} other metrics: "
                                        f"{', '.join(others[:NAMED])}{more}.")


def _look(connection: duckdb.DuckDBPyConnection, file: Path, arrivals: str, metrics: Sequence[Metric], since: date,
          until: date) -> None:
    """The table `looked_at`: of some of the accounts in `file`, what each source said last of each day."""
    (count,) = connection.execute(f"SELECT count(*) FROM {sql.parquet([file])}").fetchone() or (0,)
    stretches = [""]
    if count > ACCOUNTS:
        each = ACCOUNTS // STRETCHES
        starts = [number * (count - each) // (STRETCHES - 1) for number in range(STRETCHES)]
        wanted = ", ".join(str(place) for start in starts for place in (start, start + each - 1))
        names = [row[0] for row in connection.execute(
            f"SELECT account FROM read_parquet({text(str(file))}, file_row_number = true) "
            f"WHERE file_row_number IN ({wanted}) ORDER BY account").fetchall()]      # the file is sorted by account
        stretches = [f" AND account BETWEEN {text(first)} AND {text(last)}"
                     for first, last in zip(names[::2], names[1::2], strict=True)]
    cells = "".join(f", {sql.cell(metric)}" for metric in metrics)
    parts = " UNION ALL ".join(
        f"SELECT source, account, as_of, received_on, seq{cells} FROM {arrivals} "
        f"WHERE as_of > {sql.day(since)} AND as_of <= {sql.day(until)}{stretch}" for stretch in stretches)
    connection.execute(
        f"CREATE TEMP TABLE looked_at AS SELECT source, as_of{cells}, as_of >= {FAMILIAR} + min(as_of) OVER "
        f"(PARTITION BY source, account) AS familiar FROM ({parts}) QUALIFY row_number() OVER "
        "(PARTITION BY source, account, as_of ORDER BY received_on DESC, seq DESC) = 1")


def _of_source(connection: duckdb.DuckDBPyConnection, source: str, metrics: Sequence[Metric], until: date,
               lately: int) -> Iterator[Problem]:
    known = "".join(f", count({sql.cell(metric)}) FILTER (familiar)" for metric in metrics)
    tallies = [Day(row[0], row[1], row[2], row[3:]) for row in connection.execute(
        f"SELECT as_of, count(*), count(*) FILTER (familiar){known} FROM looked_at WHERE source = ? "
        "GROUP BY as_of ORDER BY as_of", [source]).fetchall()]
    spoken = [number for number, metric in enumerate(metrics) if any(day.known[number] for day in tallies)]
    told = _Told(source, tallies, lately)
    yield from told.fewer()
    for number in spoken:
        yield from told.missing(metrics[number], number)
    if spoken and len(tallies) > DAYS_BEFORE and max(day.rows for day in tallies) >= FEWEST:
        yield from _jumps(connection, told, [metrics[number] for number in spoken], until)


@dataclass(frozen=True, slots=True)
class _Told:
    """The days of one source, in order, and how many of the last of them can be told of."""

    source: str
    days: list[Day]
    lately: int

    def warning(self, code: str, message: str, hint: str, metric: str = "") -> Problem:
        """A warning about this source, and about a metric of it."""
        return Problem(Location(f"source {self.source}"), code, message, hint, Severity.WARNING, metric)

    def fewer(self) -> Iterator[Problem]:
        """Days with far fewer rows than any before."""
        for at in self._candidates(self.days):
            least, rows = min(day.rows for day in self.days[:at]), self.days[at].rows
            if least >= FEWEST and rows < MOSTLY * least:
                yield self.warning("rows-fewer", f"{self.days[at].day} has {rows / least:.0%} of the rows that any day "
                                   "before had at least.".replace("%", " percent"),
                                   "Is the file or the answer complete?")
                return

    def missing(self, metric: Metric, number: int) -> Iterator[Problem]:
        """A metric of which nothing is said any more, or in few of the rows that had it. A date ahead may well have
        come for many at once."""
        days = [day for day in self.days if not day.of_others]
        said = [bool(day.known[number]) for day in days]
        if not any(said):
            return
        last = len(said) - 1 - said[::-1].index(True)
        silent, gaps = len(said) - 1 - last, _gaps(said[:last + 1])
        shares = [day.known[number] / day.familiar for day in days]
        if silent:
            usual = median(share for share in shares if share)      # what fades away has not vanished
            if sum(said) >= SAID_BEFORE and silent <= self.lately and silent > 1.5 * gaps + bool(gaps) \
                    and shares[last] >= MOSTLY * usual and (days[last + 1].day - days[last].day).days <= PAUSE:
                yield self.warning("metric-vanished", f"{metric.name} has not been said since {days[last].day}, "
                                   f"though the source spoke of {_counted(silent, 'day')} since.",
                                   "Was its column renamed or taken away? `metrics:` of the source can name it.",
                                   metric.name)
            return
        for at in self._candidates(days) if metric.kind is not Kind.DATE else ():
            least = min(shares[:at])
            if days[at].familiar >= FEWEST and shares[at] < MOSTLY * least and least >= 0.2:
                yield self.warning("metric-emptied", f"only {shares[at]:.0%} of the rows of {days[at].day} have "
                                   f"{metric.name}; on no day before were there fewer than {least:.0%}.".replace(
                                       "%", " percent"), "Look at the column in the newest rows.", metric.name)
                return

    def _candidates(self, days: list[Day]) -> range:
        """The days that can be told of, as places in the list: those with enough days before them."""
        return range(max(DAYS_BEFORE, len(days) - self.lately), len(days))


def _gaps(said: list[bool]) -> int:
    """The longest run of days without a word, between two with one."""
    longest = run = 0
    for one in said[said.index(True):]:
        run = 0 if one else run + 1
        longest = max(longest, run)
    return longest


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _jumps(connection: duckdb.DuckDBPyConnection, told: _Told, metrics: Sequence[Metric],
           until: date) -> Iterator[Problem]:
    """The first of the newest days on which a metric is distributed quite unlike all the days before."""
    newest = told.days[max(DAYS_BEFORE, len(told.days) - told.lately)].day
    bins = _bins(connection, told.source, metrics, newest)
    recent = f"CASE WHEN as_of >= {sql.day(newest)} THEN as_of END"
    suspects = [one for one, groups in zip(bins, _histograms(connection, told.source, bins, recent), strict=True)
                if (old := groups.pop(None, None)) and any(large(day.familiar, old.all)
                                                              for day in groups.values() if day.familiar)]
    for (metric, _), groups in zip(suspects, _histograms(connection, told.source, suspects, "as_of"), strict=True):
        # a count of one day that is not over yet is no distribution
        days = sorted(day for day in groups if day is not None and not (metric.per_day and day == until))
        medians = _medians(connection, told.source, metric) if metric.kind is Kind.NUMBER else {}
        for at in range(max(DAYS_BEFORE, len(days) - told.lately), len(days)):
            day, before = groups[days[at]].familiar, [groups[each].all for each in days[:at]]
            if jump(day, before) is not None or (large(day, together(before)) and other_scale(
                    medians.get(days[at], 0.0), [medians[each] for each in days[:at] if each in medians])):
                yield told.warning("metric-jumped", f"{metric.name} jumped on {days[at]}: "
                                   f"{_typical(connection, told.source, metric, days[at])} (PSI "
                                   f"{index(day, together(before)):.1f}).",
                                   "Has its unit or its meaning changed? If all is well, nothing is to be done.",
                                   metric.name)
                break


def _medians(connection: duckdb.DuckDBPyConnection, source: str, metric: Metric) -> dict[date, float]:
    """Day → the median of its values, where there are enough."""
    cell = sql.cell(metric)
    return dict(connection.execute(
        f"SELECT as_of, median({cell}) FROM looked_at WHERE source = ? GROUP BY as_of HAVING count({cell}) >= {FEWEST}",
        [source]).fetchall())


@dataclass(frozen=True, slots=True)
class _Group:
    """The histogram of all values of some days, and that of the accounts which are not new."""

    all: Histogram
    familiar: Histogram


def _histograms(connection: duckdb.DuckDBPyConnection, source: str, bins: Sequence[tuple[Metric, str]],
                by: str) -> list[dict[date | None, _Group]]:
    """For each of the metrics, the histograms of each group."""
    if not bins:
        return []
    listed = ", ".join(f"{{'metric': {number}, 'bin': CAST({expression} AS VARCHAR)}}"
                       for number, (_, expression) in enumerate(bins))
    found: list[dict[date | None, _Group]] = [{} for _ in bins]
    for part, number, each, count, familiar in connection.execute(
            "SELECT part, metric, bin, count(*), count(*) FILTER (familiar) FROM (SELECT familiar, "
            f"{by} AS part, unnest([{listed}], recursive := true) FROM looked_at WHERE source = ?) "
            "WHERE bin IS NOT NULL GROUP BY part, metric, bin", [source]).fetchall():
        group = found[number].setdefault(part, _Group({}, {}))
        group.all[each] = count
        if familiar:
            group.familiar[each] = familiar
    return found


def _bins(connection: duckdb.DuckDBPyConnection, source: str, metrics: Sequence[Metric],
          newest: date) -> list[tuple[Metric, str]]:
    """Metrics that have a distribution, each with the expression that puts a value into its bin: between deciles of
    the days before `newest`, with a bin of its own for a value that is a tenth of all or more."""
    asked = ", ".join(f"approx_top_k({sql.cell(metric)}, {TEXTS})" if metric.kind is Kind.TEXT else
                      f"quantile_disc({_value(metric)}, {DECILES})" if metric.kind is not Kind.FLAG else "NULL"
                      for metric in metrics)
    row = connection.execute(f"SELECT {asked} FROM looked_at WHERE source = ? AND as_of < {sql.day(newest)}",
                             [source]).fetchone()
    found: list[tuple[Metric, str]] = []
    for metric, cuts in zip(metrics, row or (), strict=False):
        if metric.kind is Kind.FLAG:
            found.append((metric, sql.cell(metric)))
        elif metric.kind is Kind.TEXT:
            if cuts and (expression := _texts(connection, source, metric, cuts, newest)):
                found.append((metric, expression))
        elif cuts and cuts[0] is not None:
            found.append((metric, _between(_value(metric), cuts)))
    return found


def _between(value: str, deciles: list[float]) -> str:
    cuts = sorted(set(deciles))
    heavy = [cut for cut in cuts if deciles.count(cut) > 1]
    steps = " + ".join(f"2 * CAST({value} > {cut!r} AS INTEGER)" for cut in cuts)
    own = f" + CAST({value} IN ({', '.join(map(repr, heavy))}) AS INTEGER)" if heavy else ""
    return steps + own


def _texts(connection: duckdb.DuckDBPyConnection, source: str, metric: Metric, frequent: list[str],
           newest: date) -> str:
    """The frequent texts, and all others as one; empty where the frequent ones are few of all."""
    listed = ", ".join(text(one) for one in frequent)
    cell = sql.cell(metric)
    (share,) = connection.execute(f"SELECT avg(CAST({cell} IN ({listed}) AS INTEGER)) FROM looked_at WHERE source = ? "
                                  f"AND as_of < {sql.day(newest)} AND {cell} IS NOT NULL", [source]).fetchone() or (0,)
    return f"CASE WHEN {cell} IN ({listed}) THEN {cell} WHEN {cell} IS NOT NULL THEN '…' END" \
        if share and share >= TELLING else ""


def _value(metric: Metric) -> str:
    """A number to compare: a date is as many days from its row's own."""
    return f"({sql.cell(metric)} - as_of)" if metric.kind is Kind.DATE else sql.cell(metric)


def _typical(connection: duckdb.DuckDBPyConnection, source: str, metric: Metric, on: date) -> str:
    """What is usual before and on that day, in words."""
    cell = sql.cell(metric)
    most = f"mode({cell})" if metric.kind in (Kind.TEXT, Kind.FLAG) else f"median({_value(metric)})"
    row = connection.execute(
        f"SELECT {most} FILTER (as_of < {sql.day(on)}), {most} FILTER (as_of = {sql.day(on)}) FROM looked_at "
        f"WHERE source = ? AND as_of <= {sql.day(on)} AND {cell} IS NOT NULL", [source]).fetchone() or (None, None)
    before, now = (_said(one, metric.kind) for one in row)
    if metric.kind in (Kind.TEXT, Kind.FLAG):
        return f"most often it was {before} before, and {now} then" if before != now else \
            f"{before} is the most frequent as before, but how often the others are is quite different"
    if before == now:
        return f"half of the values are up to {before} as before, but how the others are spread is quite different"
    return f"half of the values were up to {before} before, and up to {now} then"


def _said(value: object, kind: Kind) -> str:
    if kind is Kind.FLAG:
        return "yes" if value else "no"
    if kind is Kind.DATE:
        return f"{float(str(value)):g} days ahead"
    return f"{value:,.10g}" if isinstance(value, float) else str(value)
