"""What the service says while it runs: one calm line for each thing that happened, for people or for machines."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from typing import TextIO

from forestall.engine.errors import Problem

VERSION = 1


class Journal:
    """Lines on a stream, from any thread. As JSON each is a document of schemas/output/serve.json."""

    def __init__(self, stream: TextIO, zone: tzinfo, now: Callable[[], datetime], *, as_json: bool = False) -> None:
        self._stream, self._zone, self._now, self._as_json = stream, zone, now, as_json
        self._one_at_a_time = threading.Lock()

    def say(self, event: str, message: str, problems: Iterable[Problem] = (), **figures: str | int) -> None:
        """Something happened. `event` is a short name for machines; `problems` are told below it."""
        self._write("info", event, message, tuple(problems), figures)

    def warn(self, event: str, message: str, problems: Iterable[Problem] = (), **figures: str | int) -> None:
        """Something that somebody should look at."""
        self._write("warning", event, message, tuple(problems), figures)

    def _write(self, level: str, event: str, message: str, problems: tuple[Problem, ...],
               figures: dict[str, str | int]) -> None:
        moment = self._now().astimezone(self._zone)
        if self._as_json:
            lines = [json.dumps({"version": VERSION, "time": moment.isoformat(timespec="milliseconds"),
                                 "level": level, "event": event, "message": message,
                                 "problems": [as_document(problem) for problem in problems], "figures": figures},
                                ensure_ascii=False)]
        else:
            mark = "! " if level == "warning" else ""
            lines = [f"{moment:%Y-%m-%d %H:%M:%S}  {mark}{message}", *(f"    {problem}" for problem in problems)]
        with self._one_at_a_time:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()


def as_document(problem: Problem) -> dict[str, str | int]:
    """A problem as the schemas in schemas/output/ describe it."""
    return {"file": problem.location.file, "line": problem.location.line, "column": problem.location.column,
            "code": problem.code, "severity": problem.severity.value, "message": problem.message,
            "hint": problem.hint}
