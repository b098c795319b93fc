"""Long work shows on a terminal how far it is; in a pipe it is quiet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from forestall.engine.detect.history import Progress, quiet

WORDS = {"sources": "reading sources", "rows": "reading rows", "days": "building the history", "evaluate": "evaluating",
         "deliveries": "delivering", "replay": "replaying days", "stories": "telling stories", "promises": "asking",
         "compact": "compacting"}


@contextmanager
def shown() -> Iterator[Progress]:
    """A progress callback (what, done, all) that draws a bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield quiet
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, whole: int) -> None:
            words = WORDS.get(what, what)
            if what not in tasks:
                tasks[what] = bars.add_task(words, total=whole or None)
            bars.update(tasks[what], completed=done, total=whole or None)      # nobody may know how many there will be

        yield report
