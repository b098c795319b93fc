"""Three ways into a database: SQLAlchemy, ADBC, and DuckDB itself. Rows come in pieces, however many there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from forestall.adapters.sources.cells import plain
from forestall.adapters.sources.sql.statement import Statement
from forestall.adapters.sources.values import Values

if TYPE_CHECKING:
    import pyarrow
    import sqlalchemy

ROWS = 20_000      # in one piece: as Python objects they take some ten times the memory of the table

Piece = tuple[tuple[str, ...], "tuple[pyarrow.Array | Values, ...]"]      # names and columns, which may repeat a name


class NoDatabase(Exception):
    """The file of a database is not there."""


class Way(Protocol):
    """One way into a database."""

    def columns(self, statement: Statement, values: Mapping[str, object]) -> tuple[str, ...]:
        """The columns that a query has."""

    def pieces(self, statement: Statement, values: Mapping[str, object]) -> Iterator[Piece]:
        """The rows of a query by column, some at a time."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a database is. `url` holds the password by now; no sentence may repeat it."""

    url: str = field(repr=False)
    folder: Path
    options: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)

    def file(self, path: str) -> Path:
        """The file of a database on this machine. NoDatabase when there is none: drivers would make an empty one."""
        found = self.folder / path
        if not found.is_file():
            raise NoDatabase(path)
        return found


class Alchemy:
    """SQLAlchemy, with a cursor that stays on the server where the driver has one."""

    def __init__(self, reached: Reached) -> None:
        self._reached = reached

    def columns(self, statement: Statement, values: Mapping[str, object]) -> tuple[str, ...]:
        """The columns that a query has."""
        with self._asked(statement, values) as result:
            return tuple(map(str, result.keys()))

    def pieces(self, statement: Statement, values: Mapping[str, object]) -> Iterator[Piece]:
        """The rows of a query by column, some at a time."""
        with self._asked(statement, values) as result:
            names = tuple(map(str, result.keys()))
            for rows in result.partitions(ROWS):
                yield names, tuple(Values(list(cells)) for cells in zip(*rows, strict=True))

    @contextmanager
    def _asked(self, statement: Statement, values: Mapping[str, object]) -> Iterator[sqlalchemy.CursorResult[Any]]:
        import sqlalchemy as sa

        # a colon is the sign of a parameter here, and may stand anywhere in a query
        text = sa.text(statement.written(lambda _, name: f":{name}", lambda piece: piece.replace(":", "\\:")))
        text = text.bindparams(*(sa.bindparam(name, type_=sa.Date()) for name in {*statement.names} - {"mark"}))
        engine = self._engine()
        try:
            with engine.connect() as connection:
                if connection.dialect.name == "postgresql":
                    connection = connection.execution_options(postgresql_readonly=True)
                streaming = connection.execution_options(yield_per=ROWS)      # which leaves the others on the server
                with streaming.execute(text, {name: values[name] for name in statement.names}) as result:
                    yield result
        finally:
            engine.dispose()

    def _engine(self) -> sqlalchemy.Engine:
        import sqlalchemy as sa

        url = sa.make_url(self._reached.url)
        told: dict[str, Any] = {"poolclass": sa.NullPool, "connect_args": {**self._reached.options,
                                                                           **self._reached.secrets}}
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        if url.get_backend_name() == "sqlite":
            file = self._reached.file(url.database or "")
            told["creator"] = lambda: _sqlite(file)
        return sa.create_engine(url, **told)


def _sqlite(file: Path) -> Any:
    """Opened for reading only, so that nothing is made or changed."""
    import sqlite3

    return sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)


class _InArrow(ABC):
    """A way on which answers come as Arrow tables."""

    @abstractmethod
    def _asked(self, statement: Statement,
               values: Mapping[str, object]) -> AbstractContextManager[pyarrow.RecordBatchReader]:
        """The answer to a query, closed at the end."""

    def columns(self, statement: Statement, values: Mapping[str, object]) -> tuple[str, ...]:
        """The columns that a query has."""
        with self._asked(statement, values) as reader:
            return tuple(reader.schema.names)

    def pieces(self, statement: Statement, values: Mapping[str, object]) -> Iterator[Piece]:
        """The rows of a query by column, some at a time."""
        with self._asked(statement, values) as reader:
            for batch in reader:
                for start in range(0, batch.num_rows, 10 * ROWS):
                    part = batch.slice(start, 10 * ROWS)
                    yield tuple(part.schema.names), tuple(plain(column) for column in part.columns)


class Adbc(_InArrow):
    """A driver of ADBC, which gives Arrow tables and no Python objects: `driver` is its Python package."""

    def __init__(self, reached: Reached, driver: str) -> None:
        self._reached, self._driver = reached, driver

    @contextmanager
    def _asked(self, statement: Statement, values: Mapping[str, object]) -> Iterator[pyarrow.RecordBatchReader]:
        told = {**self._reached.options, **self._reached.secrets}
        scheme, _, path = self._reached.url.partition(":///")
        uri = str(self._reached.file(path)) if scheme == "sqlite" else self._reached.url
        numbered = "postgres" in self._driver or "duckdb" in self._driver
        sql = statement.written(lambda position, _: f"${position}" if numbered else "?")
        connect = import_module(f"{self._driver}.dbapi").connect
        addressed = (uri,) if uri else ()
        with closing(connect(*addressed, **({"db_kwargs": told} if told else {}))) as connection, \
                closing(connection.cursor()) as cursor:
            cursor.execute(sql, [values[name] for name in statement.names] or None)
            with cursor.fetch_record_batch() as reader:
                yield reader


class Duck(_InArrow):
    """DuckDB, which is here anyway. The file is opened for reading only."""

    def __init__(self, reached: Reached) -> None:
        self._reached = reached

    @contextmanager
    def _asked(self, statement: Statement, values: Mapping[str, object]) -> Iterator[pyarrow.RecordBatchReader]:
        import duckdb

        file = self._reached.file(self._reached.url.split("://", 1)[1].removeprefix("/"))
        with duckdb.connect(str(file), read_only=True) as connection:
            sql = statement.written(lambda _, name: f"${name}")
            found = connection.sql(sql, params={name: values[name] for name in statement.names})
            with found.to_arrow_reader(ROWS) as reader:
                yield reader
