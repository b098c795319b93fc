"""DuckDB in memory."""

import duckdb


class DuckDb:
    """Holds one history and answers queries about it."""

    dialect = "duckdb"

    def __init__(self):
        self._connection = duckdb.connect()

    def load(self, history):
        """Take this Arrow table as the history."""
        self._connection.register("said", history)
        self._connection.execute("CREATE OR REPLACE TABLE stored AS FROM said")
        self._connection.unregister("said")

    def rows(self, statement, view):
        """The rows of a query over this view of the history."""
        self._connection.execute(f"CREATE OR REPLACE TABLE history AS {view}")
        return self._connection.sql(statement).to_arrow_table().to_pylist()

    def close(self):
        """Let go of everything."""
        self._connection.close()
