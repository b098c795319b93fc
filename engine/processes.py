"""How work runs: in a process of its own, which takes no turns with this one, and undisturbed."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import get_context, parent_process


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without the search for dead cycles: many objects come to be and all of them stay, so that to look through them
    again and again takes a fifth of the time and finds nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def process(needed: str, niceness: int = 0) -> ProcessPoolExecutor:
    """One more process, which begins by importing the module `needed`. It ends with this one, however this ends."""
    return ProcessPoolExecutor(1, get_context("spawn"), _begin, (needed, niceness))


def _begin(needed: str, niceness: int) -> None:
    """In the new process: whoever started it ends it, and what it will need is imported before it is asked."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(OSError):
        os.nice(niceness)
    import_module(needed)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
