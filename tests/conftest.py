"""What holds for all tests: nobody speaks to the outside world by accident."""

from __future__ import annotations

import gc
import ipaddress
import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from compiled_once import QUERIES, once
from engines.postgresql import NoServer, Server

from forestall.engine.model.places import PostgresPlace, StatePlace

_schemas = (f"test_{number}" for number in itertools.count())
GARBAGE_AFTER = 100_000      # new objects: rules and queries stay, and to look through them takes a tenth of the time
gc.set_threshold(GARBAGE_AFTER, 50, 100)


def pytest_collection_finish() -> None:
    """What was imported until now is no waste, ever."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Until Python ends and everything must go."""
    gc.unfreeze()


def _is_here(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True                      # a Unix socket
    if address[0] in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_outside_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anything but this machine fails the test at once."""
    connect = socket.socket.connect

    def only_here(self: socket.socket, address: Any) -> None:
        if not _is_here(address):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_here)


@pytest.fixture(scope="session", autouse=True)
def rules_compiled_once() -> Iterator[None]:
    """Equal rules, opened anew by one test after the other, become queries once."""
    from forestall.engine.score import queries

    with pytest.MonkeyPatch.context() as patch:
        for name in QUERIES:
            patch.setattr(queries, name, once(getattr(queries, name)))
        yield


@pytest.fixture(autouse=True)
def one_duckdb(monkeypatch: pytest.MonkeyPatch) -> None:
    """The history is read and written by one DuckDB for all tests of a process."""
    from one_duckdb import Guest

    from forestall.engine.detect import history

    monkeypatch.setattr(history, "connect", Guest)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """One PostgreSQL for all tests of a session that keep their state on one."""
    try:
        server = Server()
    except NoServer as reason:
        pytest.skip(f"the state database was not tested on PostgreSQL: {reason}")
    yield server
    server.stop()


@pytest.fixture
def server_places(postgresql_server: Server) -> Callable[[], PostgresPlace]:
    """Schemas of their own on that server, not made yet."""
    return lambda: PostgresPlace(str(postgresql_server.folder), None, "postgres", "judge", None, next(_schemas))


@pytest.fixture
def server_place(server_places: Callable[[], PostgresPlace]) -> PostgresPlace:
    """One of them."""
    return server_places()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StatePlace:
    """Where a state database can be: a test that asks for this runs once on each."""
    if request.param == "sqlite":
        return tmp_path / ".forestall" / "state.db"
    server: PostgresPlace = request.getfixturevalue("server_place")
    return server
