"""Spark in local mode, in this process."""

import importlib.util
import os
import shutil


class NoSpark(Exception):
    """Spark cannot run here, with the reason."""


def found():
    """Why Spark cannot run here; empty when it may."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed; `make test-spark` does it"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "there is no Java here; Spark 4 needs Java 17"
    return ""


class Spark:
    """Holds one history and answers queries about it. NoSpark when it cannot run here."""

    dialect = "pyspark"

    def __init__(self, folder):
        """`folder` takes whatever Spark writes."""
        if missing := found():
            raise NoSpark(missing)
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession

        try:
            self._session = self._started(SparkSession.builder, folder)
        except PySparkRuntimeError as error:      # no Java, or one that is too old: the gateway ended at once
            raise NoSpark(f"Spark does not start: {error}") from None
        self._session.sparkContext.setLogLevel("ERROR")

    @staticmethod
    def _started(builder, folder):
        return (
            builder.master("local[2]").appName("judge")
            .config("spark.ui.enabled", "false").config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1").config("spark.sql.shuffle.partitions", "2")
            .config("spark.local.dir", str(folder)).config("spark.sql.warehouse.dir", str(folder / "warehouse"))
            .config("spark.sql.session.timeZone", "UTC").config("spark.sql.maxPlanStringLength", "1000")
            .config("spark.driver.memory", "2g").config("spark.ui.showConsoleProgress", "false").getOrCreate())

    @property
    def version(self):
        """Which Spark this is."""
        return self._session.version

    def load(self, history):
        """Take this Arrow table as the history."""
        self._session.createDataFrame(history).coalesce(2).createOrReplaceTempView("stored")

    def rows(self, statement, view):
        """The rows of a query over this view of the history."""
        self._session.sql(f"CREATE OR REPLACE TEMPORARY VIEW history AS {view}")
        return self._session.sql(statement).toArrow().to_pylist()

    def close(self):
        """End it."""
        self._session.stop()
