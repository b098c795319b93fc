"""A bound for what cannot be bounded from inside: a client that waits for each piece of an answer anew."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from forestall.engine.model.delivery import Receipt


def within(seconds: float, attempt: Callable[[], Receipt], late: Receipt) -> Receipt:
    """The receipt of the attempt, or `late` when there is none in time. What it raises is raised here."""
    said: SimpleQueue[Receipt | BaseException] = SimpleQueue()

    def run() -> None:
        try:
            said.put(attempt())
        except BaseException as error:
            said.put(error)

    # nobody waits for this thread: it ends when the far side lets go of it, or with the process
    threading.Thread(target=run, name="attempt", daemon=True).start()
    try:
        found = said.get(timeout=seconds)
    except Empty:
        return late
    if isinstance(found, BaseException):
        raise found
    return found
