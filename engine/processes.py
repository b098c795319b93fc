"""Work in processes of its own: each has an interpreter to itself, so that it takes no turns with this one."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_context, parent_process


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
