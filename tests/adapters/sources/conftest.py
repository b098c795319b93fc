"""A far side for sources that fetch over HTTP."""

from collections.abc import Iterator

import pytest
from far_sides.server import FarSide, Said

from forestall.adapters.sources.http import asking


@pytest.fixture(scope="session")
def far_side_of_all() -> Iterator[FarSide]:
    server = FarSide()
    yield server
    server.close()


@pytest.fixture
def far_side(far_side_of_all: FarSide) -> FarSide:
    far_side_of_all.asked.clear()
    far_side_of_all.answers = lambda asked: Said({}, 404)
    return far_side_of_all


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long we would have waited; nobody does."""
    waited: list[float] = []
    monkeypatch.setattr(asking, "pause", waited.append)
    return waited
