"""What a database must be able to do so that rules are evaluated in it, and what to say when it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import pyarrow

from forestall.engine.errors import ForestallError
from forestall.engine.model.warehouse import Warehouse


class WarehouseError(ForestallError):
    """The warehouse cannot be read, or its table is not what forestall.yaml says. Nothing was decided."""


class Asking(Protocol):
    """An open connection: everything that is asked through it sees the same rows."""

    def rows(self, statement: str, views: Mapping[str, str], lent: Mapping[str, pyarrow.Table]) -> pyarrow.Table:
        """The answer to a query. `views` are queries that it and later views name, `lent` tables of ours."""


class Client(Protocol):
    """Speaks to one database. It only ever reads."""

    @property
    def dialect(self) -> str:
        """Its name in Ibis."""

    def start(self) -> None:
        """Make ready. UsageError when it cannot run here."""

    def asking(self) -> AbstractContextManager[Asking]:
        """A connection for some questions. WarehouseError for what the server, the network or a value causes."""


def problem_of(warehouse: Warehouse, code: str, message: str, hint: str = "") -> WarehouseError:
    """A single sentence about the table, at its place in forestall.yaml."""
    return WarehouseError.one(warehouse.location, code, message, hint)
