"""The warehouse as the engine of evaluations: where the history is a table, nothing but answers travels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import pyarrow

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.warehouse import Warehouse
from forestall.engine.score.engine import Reading
from forestall.engine.warehouse.client import Client
from forestall.engine.warehouse.table_history import TableHistory


class InWarehouse:
    """Evaluates in the database that holds the history."""

    in_order = False
    far = True

    def __init__(self, warehouse: Warehouse, client: Client) -> None:
        self._warehouse, self._client = warehouse, client
        self._histories: dict[tuple[Path, int], TableHistory] = {}

    @property
    def dialect(self) -> str:
        """See `Engine`."""
        return self._client.dialect

    def start(self) -> None:
        """See `Engine`."""
        self._client.start()

    def history(self, root: Path, gone_after: int) -> TableHistory:
        """The history that it holds. `root` is where ours would be."""
        key = root, gone_after
        if key not in self._histories:      # it remembers which days are sound
            self._histories[key] = TableHistory(root, self._warehouse, self._client, gone_after)
        return self._histories[key]

    def reading(self, history: History, catalogue: Catalogue, first: date, last: date,
                accounts: Iterable[str] | None = None) -> AbstractContextManager[Reading]:
        """See `Engine`."""
        assert isinstance(history, TableHistory)      # it is this engine that makes them
        return history.in_place(catalogue, first, last, accounts)

    def answers(self, history: History, catalogue: Catalogue, first: date, last: date, statement: str,
                progress: Progress = quiet) -> Iterator[pyarrow.Table]:
        """See `Engine`."""
        with self.reading(history, catalogue, first, last) as reading:
            yield reading.rows(statement)
        progress("evaluate", 1, 1)
