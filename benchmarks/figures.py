"""What the benchmarks share: figures with their targets, the clock, and their tables in benchmarks/README.md.

A part is a module with `measure(figures, folder, …) -> bool`: it adds its figures, may fill the empty folder, and
answers False when two ways to the same thing do not give the same answers. Numbers that it takes by name (how many
accounts, say) are options on the command line.
"""

from __future__ import annotations

import argparse
import inspect
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import active_children, get_context
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

import duckdb

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PAGE = HERE / "README.md"


@dataclass
class Figures:
    """What was measured, as the lines of a table: what, figure, target or "", verdict or ""."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, figure: str, target: str = "", met: bool | None = None) -> None:
        """One more line; it is printed at once."""
        verdict = "" if met is None else "met" if met else "**not met**"
        self.lines.append((what, figure, target, verdict))
        print(f"{what:<84}{figure:>16}  {target:<13}{verdict}", flush=True)

    def seconds(self, what: str, seconds: float, under: float | None = None) -> None:
        """A time, which may have a target."""
        self.add(what, f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s",
                 "" if under is None else f"under {under:g} s", None if under is None else seconds < under)

    def ratio(self, what: str, ratio: float, at_most: float | None = None, at_least: float | None = None) -> None:
        """How many times as much."""
        figure = f"{ratio:.0f}" if ratio >= 30 else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"
        if at_most is not None:
            self.add(what, figure, f"at most {at_most:g}", ratio <= at_most)
        elif at_least is not None:
            self.add(what, figure, f"at least {at_least:g}", ratio >= at_least)
        else:
            self.add(what, figure)

    def same(self, what: str, differences: list[str]) -> bool:
        """Whether answers agree; where they do not, what differs is printed."""
        self.add(what, "the same" if not differences else "**different**")
        for line in differences:
            print("  differs:", line)
        return not differences


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """How many seconds it took, and the answer."""
    start = time.perf_counter()
    answer = work()
    return time.perf_counter() - start, answer


def in_turns(runs: int, *ways: Callable[[], Any]) -> list[tuple[float, Any]]:
    """The median seconds and the last answer of each way. In turns: what slows the machine slows all of them."""
    seconds: list[list[float]] = [[] for _ in ways]
    answers: list[Any] = [None] * len(ways)
    for _ in range(runs):
        for index, way in enumerate(ways):
            took, answers[index] = timed(way)
            seconds[index].append(took)
    return [(median(took), answer) for took, answer in zip(seconds, answers, strict=True)]


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """The answer of a function that is run in a process of its own, with nothing loaded and its own memory."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


@contextmanager
def memory_of_all() -> Iterator[list[float]]:
    """The most memory in GB that this process and those that it began have had at one time meanwhile, as the only
    number of a list; what they share counts once. Looked at ten times a second."""
    most, done = [0.0], Event()

    def look() -> None:
        while not done.wait(0.1):
            most[0] = max(most[0], sum(map(_share_of_memory, [os.getpid(), *(one.pid for one in active_children())])))

    looking = Thread(target=look, daemon=True)
    looking.start()
    try:
        yield most
    finally:
        done.set()
        looking.join()


def _share_of_memory(process: int | None) -> float:
    with suppress(OSError):      # it may have ended
        for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024**2
    return 0.0


def most_memory() -> float:
    """The most memory that this process ever held, in GB."""
    status = Path("/proc/self/status")
    if status.exists():      # on Linux ru_maxrss of a new process begins with that of the one that started it
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform != "darwin" else 2**30)


def machine() -> str:
    """Where it was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{os.cpu_count()} cores, {memory:.0f} GB of memory, {platform.system()} on {platform.machine()}, "
            f"Python {platform.python_version()}, DuckDB {duckdb.__version__}")


def write(part: str, figures: Figures) -> None:
    """Replace the table of one part in benchmarks/README.md."""
    rows = [f"Measured on {datetime.now(UTC).date()}: {machine()}.", "", "| what | figure | target | |",
            "|---|---:|---|---|", *(f"| {' | '.join(line)} |" for line in figures.lines), ""]
    begin, end = f"<!-- figures of {part} -->\n", f"<!-- end of {part} -->\n"
    text = PAGE.read_text(encoding="utf-8")
    head, tail = text[:text.index(begin) + len(begin)], text[text.index(end):]
    PAGE.write_text(head + "\n".join(rows) + tail, encoding="utf-8")


def main(file: str, measure: Callable[..., bool]) -> int:
    """Run one part from the command line. The exit code is 1 when answers differ, never because a figure is poor."""
    part = Path(file).stem
    parser = argparse.ArgumentParser(description=inspect.getdoc(measure))
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    for name, parameter in inspect.signature(measure).parameters.items():
        if isinstance(parameter.default, int):
            parser.add_argument(f"--{name}", type=int, default=parameter.default)
    chosen = vars(parser.parse_args())
    to_be_written = chosen.pop("write")
    figures = Figures()
    print(f"{part}: {machine()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="forestall-bench-") as place:
        same = measure(figures, Path(place), **chosen)
    if to_be_written:
        write(part, figures)
    return 0 if same else 1
