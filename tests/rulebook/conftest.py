import shutil
from pathlib import Path

import pytest

MINIMAL = Path(__file__).parent / "minimal"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the minimal project that a test may change."""
    return Path(shutil.copytree(MINIMAL, tmp_path / "project"))
