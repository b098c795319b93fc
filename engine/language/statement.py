"""Queries put together layer by layer. Ibis compiles one layer at a time, over a stand-in for the one below.

Given a query of twenty layers and hundreds of columns as one expression, Ibis looks at every column of every layer
again and again; so the time grows with the new columns only. Layers become text and are nested as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ibis
from ibis.backends.sql import compilers
from ibis.config import Config
from ibis.expr import operations as ops

AT_ONCE = 40            # columns that are compiled together, and remembered together
REMEMBERED = 256        # such groups
QUOTED = re.compile(r"""["`](layer [a-z]+)["`]""")


def quoted(names: Iterable[str], dialect: str) -> tuple[str, ...]:
    """Names as the engine takes them as they are written."""
    mark = "`" if dialect in ("pyspark", "databricks", "bigquery") else '"'
    return tuple(mark + name.replace(mark, mark * 2) + mark for name in names)


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
        text = QUOTED.sub(lambda found: below[found.group(1)].nested, _compiled(table.op(), dialect))
        return cls(text, dict(table.schema().items()), dialect)

    @property
    def nested(self) -> str:
        """The text as a part of another. PostgreSQL would put what is below into what is above, again for every place
        that names it, until its memory ends; OFFSET keeps it from that."""
        return f"({self.text} OFFSET 0)" if self.dialect == "postgres" else f"({self.text})"

    def stand_in(self, name: str = "layer below") -> Any:
        """An Ibis table in place of this query; its name says `layer` and a word."""
        return ibis.table(self.columns, name=name)

    def adding(self, build: Callable[[Any], Mapping[str, Any]]) -> Statement:
        """One SELECT more: every column that there is, and those that `build` makes of them."""
        row = self.stand_in()
        built = list(build(row).items())
        columns, parts = dict(self.columns), []
        for start in range(0, len(built), AT_ONCE):
            # `row.select` would look each column up again; they are built of this row and of nothing else.
            some = ops.Project(row, dict(built[start:start + AT_ONCE]))
            columns |= some.schema.items()
            parts.append(_selected(some, self.dialect))
        below = parts[0][1].replace(_quoted("layer below", parts[0][1]), self.nested)
        return Statement(f"SELECT *, {', '.join(part for part, _ in parts)}{below}", columns, self.dialect)

    def choosing(self, columns: Mapping[str, str]) -> Statement:
        """These columns only, under their new names."""
        row = self.stand_in()
        return Statement.of(row.select(**{name: row[column] for name, column in columns.items()}), self.dialect,
                            {"layer below": self})


def _selected(projection: Any, dialect: str) -> tuple[str, str]:
    """What stands between SELECT and FROM, and from there on."""
    text = _compiled(projection, dialect)
    start = text.rindex(" FROM ")      # the name of the stand-in follows, and nothing that holds another FROM
    return text[len("SELECT "):start], text[start:]


def _quoted(name: str, text: str) -> str:
    found = QUOTED.search(text)
    assert found is not None
    assert found.group(1) == name
    return found.group(0)


@lru_cache(maxsize=REMEMBERED)
def _compiled(operation: Any, dialect: str) -> str:
    """The SQL of an Ibis operation. Equal operations are equal text: a service in which one trigger was edited
    compiles the few columns around it.
    """
    if dialect in ("pyspark", "databricks") and ibis.options.pyspark is None:
        ibis.options.pyspark = _SparkOptions()
    compiler = getattr(compilers, dialect).compiler      # what ibis.to_sql calls after some copying that is not needed
    return str(compiler.to_sqlglot(operation.to_expr()).sql(dialect=compiler.dialect, copy=False))
