"""One DuckDB for a process that runs tests: to start one takes longer than most of what a test asks of it.

Each connection gets a database of its own in it, which goes when it is closed. tests/detect/test_history.py, where the
history itself is under test, starts one every time, as Forestall does.
"""

import itertools
import tempfile
from functools import cache
from typing import Any

import duckdb

_numbers = itertools.count()


@cache
def _started() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"temp_directory": tempfile.gettempdir()})
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET enable_external_file_cache = false")      # every read is from the file, as in a new one
    return connection


class Guest:
    """In the place of a connection to a DuckDB of its own."""

    def __init__(self) -> None:
        self._own, self._cursor = f"guest_{next(_numbers)}", _started().cursor()
        # how many threads there are is a matter of the whole DuckDB, and a long evaluation sets it to 1
        self._cursor.execute(f"RESET threads; ATTACH ':memory:' AS {self._own}; USE {self._own}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def close(self) -> None:
        """Let go of it, with everything in it."""
        self._cursor.execute(f"USE memory; DETACH {self._own}")
        self._cursor.close()
