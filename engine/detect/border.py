"""What crosses the border from a source: tables as the protocol says, and nothing of another form."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import pyarrow
import pyarrow.compute as pc

from forestall.engine.errors import Location, SourceError
from forestall.engine.model.catalogue import Catalogue, Metric
from forestall.engine.model.tables import UNIT, arrow_type

LARGEST = 300_000      # rows of one table: what is larger is not read bit by bit
_FIRST = ("account", "as_of")


def fault(table: Any, supplies: Collection[str], metrics: Mapping[str, Metric], since: date | None,
          until: date | None) -> str:
    """What is wrong with a table, in words that go on from "a table …"; empty where nothing is."""
    if not isinstance(table, pyarrow.Table):
        return f"is a {type(table).__name__} instead of a pyarrow.Table"
    return (_columns(table, supplies) or _types(table, metrics) or _units(table, metrics)
            or _rows(table, since, until))


def looked_at(source: str, tables: Iterable[pyarrow.Table], catalogue: Catalogue) -> Iterator[pyarrow.Table]:
    """The same tables, one by one. SourceError at the first that is not as the protocol says.

    Rows of other days than were asked for are let through: the door counts them and says so.
    """
    metrics = {metric.name: metric for metric in catalogue.supplied()}
    for table in tables:
        if wrong := fault(table, getattr(table, "column_names", ())[2:], metrics, None, None):
            raise SourceError.one(
                Location(f"source {source}"), "adapter-at-fault", f"its adapter handed over a table that {wrong}.",
                f"Tell those who maintain it; `forestall source check {source}` looks at all that it promises.")
        yield table


def _columns(table: pyarrow.Table, supplies: Collection[str]) -> str:
    names = table.column_names
    if tuple(names[:2]) != _FIRST:
        return f"begins with the columns {', '.join(names[:2]) or 'none'} instead of account, as_of"
    if len(set(names)) < len(names):
        return "has two columns of one name"
    others = names[2:]
    if too_many := [name for name in others if name not in supplies]:
        return f"has the column {too_many[0]}, which supplies() does not name"
    if missing := [name for name in supplies if name not in others]:
        return f"has no column {missing[0]}, which supplies() names"
    return ""


def _types(table: pyarrow.Table, metrics: Mapping[str, Metric]) -> str:
    if unknown := [name for name in table.column_names[2:] if name not in metrics]:
        return f"has the column {unknown[0]}, which is no metric of the catalogue"
    wanted = {"account": pyarrow.string(), "as_of": pyarrow.date32()}
    wanted |= {name: arrow_type(metrics[name].kind) for name in table.column_names[2:]}
    for name, kind in wanted.items():
        if table.schema.field(name).type != kind:
            return f"has {name} as {table.schema.field(name).type} instead of {kind}"
    return ""


def _units(table: pyarrow.Table, metrics: Mapping[str, Metric]) -> str:
    for name in table.column_names[2:]:
        said = (table.schema.field(name).metadata or {}).get(UNIT, b"").decode("utf-8", "replace")
        if said and metrics[name].unit and said != metrics[name].unit:
            return f"has {name} in {said}, and rules/metrics.yaml says {metrics[name].unit}"
    return ""


def _rows(table: pyarrow.Table, since: date | None, until: date | None) -> str:
    if not table.num_rows:
        return ""
    if table.num_rows > LARGEST:
        return f"has {table.num_rows:,} rows at once, and at most {LARGEST:,} may stand in memory"
    for name in _FIRST:
        if table.column(name).null_count:
            return f"has a row without {name}"
    if pc.any(pc.equal(table.column("account"), "")).as_py():
        return "has a row with an empty account"
    days = pc.min_max(table.column("as_of")).as_py()
    if since is not None and days["min"] < since:
        return f"has a row of {days['min']}, and days since {since} were asked for"
    if until is not None and days["max"] > until:
        return f"has a row of {days['max']}, and days until {until} were asked for"
    return ""
