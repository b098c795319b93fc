"""Spark in local mode: started once per process, only when it is needed, silent, and gone without a trace."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from forestall.engine.errors import Location, UsageError

JAVA = 17      # what Spark 4 needs
HOW = "Take `engine: duckdb`, which needs nothing, or "

# A stage of our long expressions as one method is more than Java compiles: it would be interpreted (docs/engines.md).
SETTINGS = {
    "spark.master": "local[*]", "spark.app.name": "forestall", "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false", "spark.log.level": "OFF",
    "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.maxResultSize": "0",
    "spark.sql.session.timeZone": "UTC", "spark.sql.codegen.wholeStage": "false",
    "spark.sql.maxPlanStringLength": "1000",
}


def session(asked_at: Location) -> Any:
    """The SparkSession of this process. UsageError, at the place where Spark was asked for, when it cannot run here."""
    if find_spec("pyspark") is None:
        raise UsageError.one(asked_at, "no-spark", "the engine spark needs pyspark, which is not installed.",
                             f"{HOW}install it: pip install 'forestall[spark]'.")
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    context = SparkContext._active_spark_context
    if context is None:      # nobody has started it, or somebody has stopped it
        _check_java(asked_at)
        context = _started(asked_at)
    return SparkSession(context)


def _check_java(asked_at: Location) -> None:
    """The Java that Spark would take: JAVA_HOME if it is set, else the one on the path."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")
    if java is None:
        where = f"there is none in JAVA_HOME ({home})" if home else "none is on the path"
        raise UsageError.one(asked_at, "no-java", f"the engine spark needs Java {JAVA} or newer, and {where}.",
                             f"{HOW}install Java {JAVA}.")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    if found is None or int(found[1]) < JAVA:
        is_it = f"{java} is Java {found[1]}" if found else f"{java} does not start"
        raise UsageError.one(asked_at, "no-java", f"the engine spark needs Java {JAVA} or newer, and {is_it}.",
                             f"{HOW}install Java {JAVA} and name it in JAVA_HOME.")


def _started(asked_at: Location) -> Any:
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway

    scratch = Path(tempfile.mkdtemp(prefix="forestall-spark-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    conf = SparkConf(loadDefaults=False).setAll([*SETTINGS.items(), *_places(scratch)])
    try:
        if SparkContext._gateway is None:
            with (scratch / "log").open("w") as log:      # Java inherits it and talks to it before Spark is told not to
                gateway = launch_gateway(conf, {"stdout": log, "stderr": log})
            atexit.register(_end, gateway)
        else:
            gateway = SparkContext._gateway
        return SparkContext(conf=conf, gateway=gateway)
    except (PySparkException, Py4JError, OSError) as error:
        raise UsageError.one(asked_at, "no-spark", f"Spark does not start ({_why(scratch / 'log', error)}).",
                             f"{HOW}see to it that Java {JAVA} has memory and may write to {tempfile.gettempdir()}."
                             ) from None


def _places(scratch: Path) -> list[tuple[str, str]]:
    """Whatever Spark and Java write goes to one folder."""
    cores = str(os.cpu_count() or 1)
    places = [("spark.local.dir", str(scratch)), ("spark.sql.warehouse.dir", str(scratch / "warehouse")),
              ("spark.driver.extraJavaOptions", f"-Djava.io.tmpdir={scratch} -XX:-UsePerfData"),
              ("spark.sql.shuffle.partitions", cores)]
    return places if "SPARK_DRIVER_MEMORY" in os.environ else [*places, ("spark.driver.memory", "2g")]


def _why(log: Path, error: Exception) -> str:
    """What Java says is wrong: the error itself, or the first line of its log that looks like one."""
    thrown = getattr(error, "java_exception", None)
    lines = str(thrown.getMessage()).splitlines() if thrown is not None else []
    if not lines and log.exists():
        said = log.read_text(errors="replace").splitlines()
        lines = [line for line in said if "Error" in line or "Exception" in line]
    return (lines or str(error).splitlines() or ["no reason given"])[0].strip().rstrip(".")


def _end(gateway: Any) -> None:
    """Stop Spark, then Java, so that nothing is written any more when the folder goes."""
    from py4j.protocol import Py4JError
    from pyspark import SparkContext

    with suppress(Py4JError, OSError):      # Java may be gone already: it ends itself when it is out of memory
        if SparkContext._active_spark_context is not None:
            SparkContext._active_spark_context.stop()
        gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
