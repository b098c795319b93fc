"""What the tests of Spark share: where it cannot run they are skipped, and say so."""

import pytest
from engines.spark import found

from forestall.engine.errors import Location, UsageError
from forestall.engine.score.spark import Spark


@pytest.fixture(scope="session")
def spark_engine():
    """Spark as `engine: spark` has it, started."""
    if missing := found():
        pytest.skip(f"evaluation did not run on Spark: {missing}")
    engine = Spark(Location("forestall.yaml", 1, 9))
    try:
        engine.start()
    except UsageError as reason:
        pytest.skip(f"evaluation did not run on Spark: {reason}")
    return engine
