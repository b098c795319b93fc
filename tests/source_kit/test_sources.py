"""Every adapter of ours keeps what docs/source-kit.md promises of sources.

An adapter has a stand in a module of tests/source_kit/stands, which names it in STANDS.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from forestall.engine.conformance import PROMISES

HERE = Path(__file__).parent
MODULES = sorted(path.stem for path in (HERE / "stands").glob("*.py") if path.stem != "__init__")
STANDS = [stand for module in MODULES for stand in import_module(f"source_kit.stands.{module}").STANDS]
ASKED = [(stand, promise) for stand in STANDS for promise in PROMISES if not promise.cannot(stand)]


@pytest.mark.parametrize(("stand", "promise"), ASKED,
                         ids=[f"{stand.__name__}-{promise.name}" for stand, promise in ASKED])
def test_an_adapter_keeps_its_promises(stand, promise, tmp_path):
    assert promise.kept_by(stand(tmp_path))
