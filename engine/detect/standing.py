"""How the history stands on a day: who has spoken, when last, and which metrics are known of how many accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
from pyarrow.parquet import read_schema

from forestall.engine.detect import history_sql as sql
from forestall.engine.detect.by_hand import NAME as BY_HAND
from forestall.engine.detect.drift import drifts
from forestall.engine.detect.history import History, session
from forestall.engine.detect.manifest import Heard, bounds, months_between
from forestall.engine.detect.sql_words import text
from forestall.engine.errors import Location, Problem, Severity
from forestall.engine.model.catalogue import Catalogue, Metric
from forestall.engine.model.expression import Kind

A_FEW = 5      # accounts: fewer may well be known to one source only


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """What a source has said until the day: rows, accounts, how many of these no other source names, and the days.
    `heard` is what its last reading brought, None where an older version has not noted it."""

    source: str
    rows: int
    accounts: int
    only_here: int
    first: date
    last: date
    heard: Heard | None


@dataclass(frozen=True, slots=True)
class Supplied:
    """What one source says of a metric that still holds: of how many accounts, of how many it is the value that
    counts, and how many days old half of the values are at most, and the oldest."""

    source: str
    accounts: int
    counts: int
    age: float
    oldest: int


@dataclass(frozen=True, slots=True)
class MetricStanding:
    """A metric on the day: of how many accounts it is known, said by whom, and of how many by hand."""

    metric: Metric
    known: int
    by_hand: int
    supplied: tuple[Supplied, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The history on a day. `accounts` are those that are not gone, `noticed` is what deserves a look."""

    day: date
    first: date | None
    through: date
    accounts: int
    sources: tuple[SourceStanding, ...]
    metrics: tuple[MetricStanding, ...]
    noticed: tuple[Problem, ...]


def standing(history: History, catalogue: Catalogue, gone_after: int, day: date) -> Standing:
    """How the history stands on a day that it holds."""
    manifest = history.manifest
    assert manifest.through is not None      # the history is not empty
    files = [file for month, file in sorted(manifest.arrivals.items()) if bounds(month)[0] <= day]
    with session() as connection, history.files_sound():
        sources = tuple(_sources(connection, files, manifest.heard, day))
        supplied = _supplied(connection, history, catalogue, gone_after, day)
    counted = _known(history, catalogue, gone_after, day)
    by_hand = {(one.account, one.metric) for one in catalogue.by_hand if one.holds_on(day)}
    metrics = tuple(MetricStanding(metric, counted[metric.name], sum(name == metric.name for _, name in by_hand),
                                   tuple(supplied.get(metric.name, ()))) for metric in catalogue.supplied())
    noticed = [problem for one in drifts(history, catalogue, day).values() for problem in one]
    return Standing(day, manifest.first, manifest.through, counted[""], sources, metrics,
                    (*noticed, *_strangers(sources), *_other_kinds(catalogue, files)))


def _sources(connection: duckdb.DuckDBPyConnection, files: list[Path], heard: dict[str, Heard],
             day: date) -> Iterator[SourceStanding]:
    rows = connection.execute(f"""
WITH named AS (SELECT source, account, count(*) AS rows, min(as_of) AS first, max(as_of) AS last
               FROM {sql.parquet(files)} WHERE as_of <= {sql.day(day)} GROUP BY source, account)
SELECT source, sum(rows)::BIGINT, count(*), count(*) FILTER (others = 1), min(first), max(last)
FROM (SELECT *, count(*) OVER (PARTITION BY account) AS others FROM named)
GROUP BY source ORDER BY source""").fetchall()
    for source, count, accounts, only_here, first, last in rows:
        yield SourceStanding(source, count, accounts, only_here, first, last, heard.get(source))


def _known(history: History, catalogue: Catalogue, gone_after: int, day: date) -> dict[str, int]:
    """Metric → of how many accounts it is known on the day; "" → how many accounts there are."""
    metrics = catalogue.supplied()
    counts = "".join(f", count({sql.name(metric.name)})" for metric in metrics)
    there = (day - date(1970, 1, 1)).days
    with history.reading(catalogue, day, day) as connection:
        row = connection.execute(f"SELECT count(*){counts} FROM history WHERE day = {there} "
                                 f"AND named_day >= {there - gone_after}").fetchone() or (0,) * (len(metrics) + 1)
    return dict(zip(("", *(metric.name for metric in metrics)), row, strict=True))


def _supplied(connection: duckdb.DuckDBPyConnection, history: History, catalogue: Catalogue, gone_after: int,
              day: date) -> dict[str, list[Supplied]]:
    """Metric → what each source says of it that still holds."""
    manifest = history.manifest
    since = day - timedelta(days=catalogue.longest_carry())
    wanted = set(months_between(since - timedelta(days=gone_after), day))
    files = [file for month, file in sorted(manifest.arrivals.items()) if month in wanted]
    metrics = sql.stored(catalogue.supplied(), files) if files else []
    if not metrics or manifest.accounts is None:
        return {}
    parts = ", ".join(f"{{'metric': {text(metric.name)}, 'said': {_last(metric, day)}}}" for metric in metrics)
    rows = connection.execute(f"""
WITH alive AS (SELECT account FROM {sql.parquet([manifest.accounts])}
               WHERE first_day <= {sql.day(day)} AND last_day + {gone_after} >= {sql.day(day)}),
said AS (SELECT source, account, unnest([{parts}], recursive := true)
         FROM {sql.parquet(files)} SEMI JOIN alive USING (account)
         WHERE greatest(as_of, received_on) <= {sql.day(day)} GROUP BY source, account),
held AS (SELECT *, row_number() OVER (PARTITION BY metric, account ORDER BY on_day DESC, seq DESC) = 1 AS counts
         FROM said WHERE on_day IS NOT NULL)
SELECT metric, source, count(*), count(*) FILTER (counts), median({sql.day(day)} - on_day), max({sql.day(day)} - on_day)
FROM held GROUP BY metric, source ORDER BY metric, count(*) FILTER (counts) DESC, source""").fetchall()
    found: dict[str, list[Supplied]] = {}
    for metric, *told in rows:
        found.setdefault(metric, []).append(Supplied(*told))
    return found


def _last(metric: Metric, day: date) -> str:
    """The newest value that still holds, as its day and its place in the order of arrival."""
    on = "greatest(as_of, received_on)" if metric.per_day else "as_of"      # counts come in on the day they arrive
    holds = f"{sql.cell(metric)} IS NOT NULL AND {on} >= {sql.day(day)} - {0 if metric.per_day else metric.stale_after}"
    return f"max({{'on_day': {on}, 'seq': seq}}) FILTER ({holds})"


def _strangers(sources: tuple[SourceStanding, ...]) -> Iterator[Problem]:
    """Sources whose accounts nobody else names, though there are others: most likely they have other keys."""
    for one in sources:
        if one.source != BY_HAND and len(sources) > 1 and one.only_here == one.accounts >= A_FEW:
            yield Problem(Location(f"source {one.source}"), "keys-differ",
                          f"no other source names any of its {one.accounts:,} accounts.",
                          "If it knows them by another key, `keys:` in forestall.yaml says which account each means.",
                          Severity.WARNING)


def _other_kinds(catalogue: Catalogue, files: list[Path]) -> Iterator[Problem]:
    """Metrics that were stored as another kind before: what was said then does not count any more."""
    there = {column for file in files for column in read_schema(file).names}
    for metric in catalogue.supplied():
        for kind in Kind:
            if kind is not metric.kind and f"{metric.name} {kind}" in there:
                yield Problem(Location(str(metric.location)), "metric-kind",
                              f"{metric.name} is a {metric.kind} now, and the history also holds it as a {kind}: "
                              "these values do not count.", "Import again, if the source still has them.",
                              Severity.WARNING, metric.name)
