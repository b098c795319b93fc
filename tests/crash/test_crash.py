"""Killed anywhere, a pass loses nothing, doubles nothing and opens no alert twice. docs/deliveries.md has the promise.

KILLS=300 is the long form, `make test-crash`: that many kills on each database.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crash.harness import Harness, Kills, Zygote, zygote
from crash.receivers import Receivers, receivers
from forestall.engine.model.places import PostgresPlace

KILLS = int(os.environ.get("KILLS", "0"))
STAGES = {"collect", "decide", "write", "claim", "send", "record", "any moment"}
pytestmark = pytest.mark.xdist_group("crash")


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    temporary = tmp_path_factory.mktemp("temporary")
    with zygote(temporary) as process:
        yield process
    assert list(temporary.glob("forestall-*")) == []      # who is killed cannot tidy up, and nobody else would


@pytest.fixture(scope="module")
def far() -> Iterator[Receivers]:
    with receivers() as both:
        yield both


def kill(harness: Harness, wanted: int, each_day: int, seed: int) -> Kills:
    rng, kills = random.Random(seed), Kills()
    while kills.all() < wanted:
        harness.trial(rng, kills, each_day)
    return kills


def report(kills: Kills, database: str) -> None:
    print(f"\n{database}: {kills.all()} kills in {kills.trials} projects, {kills.repeats} repeats with a known key")
    for stage, count in sorted(kills.stages.items()):
        print(f"  {stage:<12} {count}")


def test_killed_on_sqlite(tmp_path: Path, children: Zygote, far: Receivers) -> None:
    harness = Harness(tmp_path, children, far, "", tmp_path)
    assert len(harness.expected.arrived) == 54
    kills = kill(harness, KILLS or 13, each_day=7, seed=20250303)
    report(kills, "SQLite")
    assert set(kills.stages) == STAGES
    assert not KILLS or min(kills.stages.values()) >= 20


def test_killed_on_postgresql(tmp_path: Path, children: Zygote, far: Receivers,
                              server_places: Callable[[], PostgresPlace]) -> None:
    place = server_places()
    harness = Harness(tmp_path, children, far,
                      f'state: "postgresql://judge@/postgres?host={place.host}&schema={{schema}}"', place)
    kills = kill(harness, KILLS or 12, each_day=6, seed=20250304)
    report(kills, "PostgreSQL")
    assert not KILLS or (set(kills.stages) == STAGES and min(kills.stages.values()) >= 20)
