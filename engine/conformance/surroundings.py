"""What is around a source while it is asked: environment, time zone, what it writes, the memory it takes."""

from __future__ import annotations

import ctypes
import errno
import gc
import io
import logging
import os
import resource
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pyarrow

EAST, WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"      # 14 hours ahead, and 11 behind: never the same day


@contextmanager
def environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """These environment variables, None without; as before afterwards."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def time_zone(name: str) -> Iterator[None]:
    """This machine is somewhere else on earth."""
    try:
        with environment({"TZ": name}):
            time.tzset()
            yield
    finally:
        time.tzset()


@contextmanager
def offline() -> Iterator[Callable[[], bool]]:
    """Nothing can be reached meanwhile; tells whether somebody tried. Only Python's own sockets are seen."""
    tried = False

    def refuse(_socket: socket.socket, address: object) -> None:
        nonlocal tried
        tried = True
        raise OSError(errno.ENETUNREACH, f"nothing can be reached while this is asked, and {address} neither")

    connect = socket.socket.connect
    socket.socket.connect = refuse      # type: ignore[method-assign, assignment]
    try:
        yield lambda: tried
    finally:
        socket.socket.connect = connect      # type: ignore[method-assign]


@contextmanager
def overheard() -> Iterator[Callable[[], str]]:
    """All that is written meanwhile: standard output and error, every log of every level, every warning."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield lambda: said.getvalue() + "".join(f"\n{one.message}" for one in warned)
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@contextmanager
def growth() -> Iterator[Callable[[], int]]:
    """How many bytes more than before the process took at its worst."""
    _give_back()
    exact = _forget_peak()
    before = _now() if exact else _peak()
    yield lambda: max(0, _peak() - before)


def _give_back() -> None:
    """What is free goes back to the system: else it would be taken again without any growth."""
    gc.collect()
    pyarrow.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):      # only the C library of GNU has it
        ctypes.CDLL(None).malloc_trim(0)


def _forget_peak() -> bool:
    """Linux can forget the peak so far; elsewhere growth below an earlier peak is not seen."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _now() -> int:
    return _of_status("VmRSS:")


def _peak() -> int:
    return _of_status("VmHWM:") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024)


def _of_status(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
