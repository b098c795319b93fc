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

    def rows(self, statement, today=None):
        """The rows of a query: over every day, or about the day `today` alone."""
        chosen = "*" if today is None else f"*, {today} - day AS back"
        until = "" if today is None else f" WHERE day <= {today}"
        self._connection.execute(f"CREATE OR REPLACE VIEW history AS SELECT {chosen} FROM stored{until}")
        return self._connection.sql(statement).to_arrow_table().to_pylist()

    def close(self):
        """Let go of everything."""
        self._connection.close()
