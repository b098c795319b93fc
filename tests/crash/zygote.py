"""Runs the real command in processes that can be killed at named points. It is a program of its own: it imports
everything once, and then forks for each order on its standard input, so that a run costs little more than its work.

The points are put around the functions of each stage here, in the child; the command itself knows nothing of them. An
order is a line of JSON: `args`, `folder`, `point` and `hit` (kill at the hit-th time that this point is reached; an
empty point never kills), `moment` (seconds after which it is killed wherever it is, or null), `ahead` (minutes by which
the clock is ahead), `counts` (a file for how often each point was reached). The answer is a line with the status of the
process when it has ended.
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import httpx
import ibis.backends.sql.compilers.duckdb
import psycopg
import sqlalchemy.dialects.postgresql.psycopg

import forestall.adapters.channels.email
import forestall.adapters.channels.webhook
import forestall.adapters.sources.files.csv
import forestall.engine.cli.run
import forestall.engine.store.postgresql
from forestall.engine import runtime
from forestall.engine.cli.main import main
from forestall.engine.detect.history import History
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.store import Store, outbox, passes
from forestall.engine.store.database import Database

__all__ = ["httpx", "ibis", "psycopg", "sqlalchemy"]

# Stage → the functions around which it has points: where they are, their name, and what the points before and after
# them are called.
POINTS: dict[str, list[tuple[Any, str, str, str]]] = {
    "collect": [(History, "add", "before a source is read", "after a source was read"),
                (History, "new_file", "before a file is staged", ""),
                (History, "build_days", "before the days are built", "after the days were built")],
    "decide": [(Evaluator, "evaluate", "before the evaluation", ""),
               (runtime, "decide_day", "before the decisions", "after the decisions"),
               (runtime, "write_messages", "", "after the messages were written")],
    "write": [(History, "publish", "before the history is in force", "after the history is in force"),
              (os, "fsync", "in the manifest", ""),
              (passes, "write_pass", "in the transaction, empty", "in the transaction, full"),
              (Store, "commit", "", "after the transaction")],
    "claim": [(outbox, "claim", "in the transaction, empty", "in the transaction, full"),
              (Store, "claim", "", "after the transaction")],
    "send": [(forestall.adapters.channels.webhook.WebhookChannel, "send", "before a webhook", "after a webhook"),
             (forestall.adapters.channels.email.EmailChannel, "send", "before an email", "after an email"),
             (smtplib.SMTP, "data", "before the text of an email", "after the text of an email"),
             (socket.socket, "sendall", "before bytes", "after bytes"),
             (socket.socket, "send", "before bytes", "after bytes")],
    "record": [(outbox, "record", "in the transaction, empty", "in the transaction, full"),
               (Store, "record", "before the transaction", "after the transaction")],
}


class Points:
    """Counts how often each point is reached, and kills the process at the one that is asked for."""

    def __init__(self, point: str, hit: int) -> None:
        self._point, self._hit = point, hit
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def reached(self, point: str) -> None:
        with self._lock:
            self.counts[point] += 1
            if point == self._point and self.counts[point] == self._hit:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)      # nothing goes on while the signal is on its way

    def around(self, owner: Any, name: str, before: str, after: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def wrapped(*words: Any, **options: Any) -> Any:
            if before:
                self.reached(before)
            answer = real(*words, **options)
            if after:
                self.reached(after)
            return answer

        setattr(owner, name, wrapped)


    def after_transactions(self) -> None:
        """A point behind every transaction that writes, whatever it is for: what should be one must not be two."""
        real = Database.writing

        @contextmanager
        def writing(database: Database, *words: Any, **options: Any) -> Iterator[Any]:
            with real(database, *words, **options) as connection:
                yield connection
            self.reached("write: after any transaction")

        Database.writing = writing      # type: ignore[method-assign]


def clock(ahead: timedelta) -> type[datetime]:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + ahead

    return Ahead


def run(order: dict[str, Any]) -> int:
    """The command, in the child."""
    os.chdir(order["folder"])
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in ((0, nothing), (1, said), (2, said)):
        os.dup2(file, number)
    points = Points(order["point"], order["hit"])
    for stage, functions in POINTS.items():
        for owner, name, before, after in functions:
            points.around(owner, name, before and f"{stage}: {before}", after and f"{stage}: {after}")
    points.after_transactions()
    runtime.datetime = clock(timedelta(minutes=order["ahead"]))      # type: ignore[attr-defined]
    sys.argv = ["forestall", *order["args"]]
    try:
        main()
    except SystemExit as ended:
        sys.stdout.flush()
        Path(order["counts"]).write_text(json.dumps(points.counts))
        return int(ended.code or 0)
    return 70


def serve() -> None:
    """One order after the other."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 71
            try:
                code = run(order)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        if order["moment"] is not None:
            time.sleep(order["moment"])
            os.kill(pid, signal.SIGKILL)      # it may have ended, but until we wait for it the pid is its own
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    serve()
