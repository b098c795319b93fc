"""Many messages: a second process writes part of them, while this one writes the others and begins to store them."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from operator import attrgetter
from typing import overload

from forestall.engine.detect.history import History
from forestall.engine.intervene.writing import outbox_rows, write
from forestall.engine.model.delivery import Delivery, Message, OutboxRow
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.processes import process
from forestall.engine.score.engine import DuckDb, Engine
from forestall.engine.score.evaluate import Compiled, Evaluator

MANY = 20_000      # a process takes a second or two to begin
OTHERS = 0.55      # the share of the second process, which need not store any

_NONE: Mapping[str, Sequence[Delivery]] = {}
_Fields = tuple[object, ...]
_fields = attrgetter(*Message.__dataclass_fields__)


class Written(Sequence[OutboxRow]):
    """Outbox rows. The last of them may still be on their way here: whoever comes to them waits."""

    def __init__(self, first: Sequence[OutboxRow], others: Callable[[], Sequence[OutboxRow]], count: int) -> None:
        self._first, self._fetch, self._count = first, others, count

    @cached_property
    def _others(self) -> Sequence[OutboxRow]:
        return self._fetch()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[OutboxRow]:
        yield from self._first
        yield from self._others

    @overload
    def __getitem__(self, index: int) -> OutboxRow: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[OutboxRow]: ...

    def __getitem__(self, index: int | slice) -> OutboxRow | Sequence[OutboxRow]:
        return (*self._first, *self._others)[index]


def _worth_it(engine: Engine, count: int) -> bool:
    """Whether so many messages are worth a second process: it reads the history with an engine of its own."""
    return count >= MANY and (os.cpu_count() or 1) >= 2 and isinstance(engine, DuckDb)


@contextmanager
def second(engine: Engine, expected: int) -> Iterator[ProcessPoolExecutor | None]:
    """A second process that begins at once, while it is still being planned what there is to write; None where less is
    expected than is worth one. It ends with an error in the block, else with the last message."""
    if not _worth_it(engine, expected):
        yield None
        return
    pool = process(__name__)
    pool.submit(int)      # nothing: a process begins when it is first asked
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def write_messages(evaluator: Evaluator, directory: Directory, history: History, deliveries: Sequence[Delivery],
                   digests: Mapping[str, Sequence[Delivery]] = _NONE,
                   begun: ProcessPoolExecutor | None = None) -> Sequence[OutboxRow]:
    """The outbox rows of planned deliveries, each with its message. `digests`: what some of them stand for. `begun`: a
    second process that is there already (see `second`); it ends with the last message."""
    if not _worth_it(evaluator.engine, len(deliveries)):
        if begun is not None:
            begun.shutdown(wait=False)
        return outbox_rows(deliveries, write(evaluator, directory, history, deliveries, digests))
    mine, others = deliveries[:(place := int(len(deliveries) * (1 - OTHERS)))], deliveries[place:]
    pool = begun or process(__name__)
    try:
        writing = pool.submit(_in_another, evaluator.rulebook, evaluator.compiled(), directory, history, others,
                              {one.key: digests[one.key] for one in others if one.key in digests})
        rows = outbox_rows(mine, write(evaluator, directory, history, mine, digests))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise

    def fetched() -> Sequence[OutboxRow]:
        try:
            messages = [Message(*fields) for fields in writing.result()]      # type: ignore[arg-type]
        except BrokenProcessPool:      # somebody ended it; it can be done here as well
            messages = write(evaluator, directory, history, others, digests)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return outbox_rows(others, messages)

    return Written(rows, fetched, len(deliveries))


def _in_another(rulebook: Rulebook, compiled: Compiled, directory: Directory, history: History,
                deliveries: Sequence[Delivery], digests: Mapping[str, Sequence[Delivery]]) -> list[_Fields]:
    """In the second process. Fields instead of messages: they travel ten times as fast."""
    gc.disable()      # as `undisturbed` does; this process does nothing else
    evaluator = Evaluator(rulebook, compiled=compiled)
    return [_fields(message) for message in write(evaluator, directory, history, deliveries, digests)]
