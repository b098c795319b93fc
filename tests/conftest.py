"""What holds for all tests: nobody speaks to the outside world by accident."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest


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
