"""What a source says, and how it refuses."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from forestall.engine.model.ports import Source, SourceError


def rows(read: Source, since: date | None = None, until: date | None = None) -> list[dict[str, Any]]:
    """Everything that it says of these days."""
    found = list(read.snapshots(since, until))
    return pa.concat_tables(found).to_pylist() if found else []


def refusal(read: Source, since: date | None = None, until: date | None = None) -> str:
    """The one sentence with which it fails."""
    with pytest.raises(SourceError) as caught:
        rows(read, since, until)
    assert len(caught.value.problems) == 1
    assert "\n" not in str(caught.value)
    return str(caught.value)
