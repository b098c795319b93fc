"""Hot reload at 500 triggers: from the last write to in force, and what a pass feels of it."""

from __future__ import annotations

import io
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from compile_rules import conditions, write_rules
from fifteen_metrics import LAST_DAY, write_history
from figures import Figures, apart, main

from forestall.engine.detect.history import History
from forestall.engine.score.engine import DuckDb
from forestall.engine.serve.journal import Journal
from forestall.engine.serve.judge import Judge
from forestall.engine.serve.reload import InForce, Reloader
from forestall.engine.serve.shelf import Shelf
from forestall.engine.settings import read_settings

SAVES = 200      # in a row, as fast as the disk takes them
WRITTEN = re.compile(r"when: days_since_last_activity >= 1000.*")


class Nobody:
    """Owners who are not told."""

    def rejected(self, *told: object) -> None:
        raise AssertionError(told)

    def mended(self) -> None: ...


def measure(figures: Figures, folder: Path, triggers: int = 500, accounts: int = 20_000, runs: int = 7) -> bool:
    """Saves of one trigger and of many files, with the watcher and without; passes with reloads meanwhile."""
    rules, history = folder / "rules", folder / "history"
    (folder / "forestall.yaml").write_text("")
    named = conditions(triggers)
    named["trigger_250"] = "days_since_last_activity >= 1000.5"      # the one that is changed
    write_rules(rules, named)
    apart(write_history, history, accounts, 60)
    for watched in (True, False):
        how = "" if watched else ", polling only"
        with reloading(folder, watched) as reloader:
            taken, compiled = zip(*(saved(rules, reloader, number) for number in range(runs)), strict=True)
            figures.seconds(f"one of {triggers} triggers changed: from the save to in force{how} (median of {runs})",
                            median(taken), under=1.0)
            figures.seconds(f"the slowest of them{how}", max(taken), under=1.0)
            figures.seconds(f"from the save until a pass need not wait for its queries{how} (median)", median(compiled))
            if watched:
                figures.seconds(f"{SAVES} saves in a row: from the last one to in force", many(rules, reloader),
                                under=1.0)
                alone, beside, count = passes(History(history), rules, reloader, runs)
                figures.seconds(f"the last day of {accounts:,} accounts evaluated, alone (median of {runs})", alone)
                figures.seconds(f"the same with {count} reloads meanwhile", beside)
                figures.ratio("ratio", beside / alone)
    return True


@contextmanager
def reloading(folder: Path, watched: bool) -> Iterator[Reloader]:
    """A reloader at work, warm."""
    judge = Judge(read_settings(folder), DuckDb())
    journal = Journal(io.StringIO(), UTC, lambda: datetime.now(UTC))
    reloader = Reloader(folder / "rules", Shelf(folder / "state"), judge, DuckDb(), journal,
                        lambda: datetime.now(UTC), Nobody(), watched=watched)
    thread = threading.Thread(target=reloader.run)
    try:
        reloader.begin()
        thread.start()
        try:
            yield reloader
        finally:
            reloader.stop()
            thread.join()
    finally:
        judge.close()


def saved(rules: Path, reloader: Reloader, number: int) -> tuple[float, float]:
    """Seconds from the end of a save until a pass that begins uses it, and until it need not wait for its queries."""
    time.sleep(0.7 + number * 0.07)      # at another moment of the poll each time
    before = reloader.current
    change(rules)
    start = time.perf_counter()
    in_force = wait(lambda: reloader.current is not before) - start
    return in_force, wait(lambda: reloader.current.compiling.done()) - start


def change(rules: Path) -> None:
    """Another threshold for one trigger, renamed over the file as editors do."""
    file = rules / "triggers.yaml"
    text, count = WRITTEN.subn(f"when: days_since_last_activity >= 1000.{time.time_ns() % 100000}",
                               file.read_text(), count=1)
    assert count == 1
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)


def many(rules: Path, reloader: Reloader) -> float:
    """Seconds from the last of many saves until exactly that is in force."""
    from forestall.engine.serve.snapshot import snapshot

    for _ in range(SAVES):
        change(rules)
    start, last = time.perf_counter(), snapshot(rules).digest
    return wait(lambda: reloader.current.digest == last) - start


def passes(history: History, rules: Path, reloader: Reloader, runs: int) -> tuple[float, float, int]:
    """Median seconds of a pass alone, and while rules are saved all the time; how many reloads there were."""
    made = reloader.current
    evaluated(made, history)
    alone = median(evaluated(made, history) for _ in range(runs))
    ended, reloads = threading.Event(), list[InForce]()

    def saving() -> None:
        while not ended.is_set():
            before = reloader.current
            change(rules)
            while not ended.is_set() and (reloader.current is before or not reloader.current.compiling.done()):
                time.sleep(0.05)
            reloads.append(reloader.current)

    thread = threading.Thread(target=saving, daemon=True)
    thread.start()
    beside = median(evaluated(made, history) for _ in range(runs))
    ended.set()
    thread.join()
    return alone, beside, len(reloads)


def evaluated(made: InForce, history: History) -> float:
    """Seconds to evaluate the last day and to count, with the rules that the pass began with."""
    start = time.perf_counter()
    made.evaluator.evaluate(history, LAST_DAY, LAST_DAY).on(LAST_DAY).counts()
    return time.perf_counter() - start


def wait(true: Callable[[], bool]) -> float:
    """The moment at which something became true; gives up after two minutes."""
    end = time.perf_counter() + 120
    while not true():
        if time.perf_counter() > end:
            raise TimeoutError("the rules did not come into force")
        time.sleep(0.001)
    return time.perf_counter()


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
