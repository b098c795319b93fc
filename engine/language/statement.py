"""Queries put together layer by layer. Ibis compiles one layer at a time, over a stand-in for the one below.

Given a query of twenty layers and hundreds of columns as one expression, Ibis looks at every column of every layer
again and again; so the time grows with the new columns only. Layers become text and are nested as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ibis
from ibis.backends.sql import compilers
from ibis.config import Config
from ibis.expr import operations as ops

QUOTED = re.compile(r"""["`](layer [a-z]+)["`]""")


class _SparkOptions(Config):      # type: ignore[misc]  # Ibis publishes no types
    """What Ibis asks of its Spark backend while it compiles. Loading that backend sets it too, but takes pandas."""

    treat_nan_as_null: bool = False      # a NaN ends at the door


@dataclass(frozen=True, slots=True)
class Statement:
    """The text of a query in the SQL of `dialect` (its name in Ibis), and its columns with their Ibis types."""

    text: str
    columns: Mapping[str, Any]
    dialect: str

    @classmethod
    def of(cls, table: Any, dialect: str, layers: Mapping[str, Statement] | None = None) -> Statement:
        """An Ibis table as text. `layers` are what its stand-ins stand for."""
        below = layers or {}
        text = QUOTED.sub(lambda found: f"({below[found.group(1)].text})", _compiled(table, dialect))
        return cls(text, dict(table.schema().items()), dialect)

    def stand_in(self, name: str = "layer below") -> Any:
        """An Ibis table in place of this query; its name says `layer` and a word."""
        return ibis.table(self.columns, name=name)

    def adding(self, build: Callable[[Any], Mapping[str, Any]]) -> Statement:
        """One SELECT more: every column that there is, and those that `build` makes of them."""
        row = self.stand_in()
        # `row.select` would look each column up again; they are built of this row and of nothing else.
        added = Statement.of(ops.Project(row, build(row)).to_expr(), self.dialect, {"layer below": self})
        text = added.text.replace("SELECT ", "SELECT *, ", 1)
        return Statement(text, {**self.columns, **added.columns}, self.dialect)

    def choosing(self, columns: Mapping[str, str]) -> Statement:
        """These columns only, under their new names."""
        row = self.stand_in()
        return Statement.of(row.select(**{name: row[column] for name, column in columns.items()}), self.dialect,
                            {"layer below": self})


def _compiled(table: Any, dialect: str) -> str:
    if dialect == "pyspark" and ibis.options.pyspark is None:
        ibis.options.pyspark = _SparkOptions()
    compiler = getattr(compilers, dialect).compiler      # what ibis.to_sql calls after some copying that is not needed
    return str(compiler.to_sqlglot(table).sql(dialect=compiler.dialect, copy=False))
