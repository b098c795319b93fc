"""Kills runs of the real command and compares what is left, and what arrived, with a run that nobody killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crash.project import DAYS, write_project
from crash.receivers import Receivers
from forestall.engine.model.places import StatePlace
from forestall.engine.store import Store

LEASE = 11      # minutes: a little more than a worker that died is waited for


class Zygote:
    """The program of zygote.py."""

    def __init__(self, temporary: Path) -> None:
        here = Path(__file__).parent
        self._process = subprocess.Popen([sys.executable, here / "zygote.py"], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, bufsize=1,
                                         env=os.environ | {"TMPDIR": str(temporary)})

    def run(self, project: Path, args: list[str], ahead: int, *, point: str = "", hit: int = 0,
            moment: float | None = None) -> int:
        """The exit code of the run; negative: the signal that ended it."""
        assert self._process.stdin
        assert self._process.stdout
        order = {"args": args, "folder": str(project), "point": point, "hit": hit, "moment": moment, "ahead": ahead,
                 "counts": str(project / "counts.json")}
        self._process.stdin.write(json.dumps(order) + "\n")
        line = self._process.stdout.readline()
        assert line, "the zygote has died"
        return os.waitstatus_to_exitcode(int(line))

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def zygote(temporary: Path) -> Iterator[Zygote]:
    """`temporary`: where its processes put what is for a while."""
    process = Zygote(temporary)
    try:
        yield process
    finally:
        process.close()


@dataclass
class Outcome:
    """What a project has become: what arrived, and everything that is stored of accounts."""

    arrived: dict[str, str]
    stored: dict[str, list[str]]
    repeats: int = 0


@dataclass
class Kills:
    """How often each stage was killed, and at random moments; `repeats`: how often a receiver saw a key again."""

    stages: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    tries: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    trials: int = 0

    def all(self) -> int:
        return sum(self.stages.values())


class Harness:
    """One project, one place for its state, and as many trials as are wanted."""

    def __init__(self, folder: Path, children: Zygote, far: Receivers, state: str, place: StatePlace) -> None:
        """`state`: the line of forestall.yaml with `{schema}` where each trial has its own name; `place`: the same."""
        self._folder, self._children, self._far, self._state, self._place = folder, children, far, state, place
        self._number = 0
        self.counts: list[dict[str, int]] = []      # day by day, how often each point is reached when nothing happens
        self.seconds: list[float] = []
        self.expected = self._trial(None, Kills(), 0)

    def trial(self, rng: random.Random, kills: Kills, each_day: int) -> None:
        """Some kills on every day, and after them a run to its end. In the end everything is as if nobody had."""
        outcome = self._trial(rng, kills, each_day)
        kills.trials += 1
        kills.repeats += outcome.repeats
        assert outcome.arrived == self.expected.arrived, "what arrived is not what an undisturbed run sends"
        assert outcome.stored == self.expected.stored, "what is stored is not what an undisturbed run stores"

    def _trial(self, rng: random.Random | None, kills: Kills, each_day: int) -> Outcome:
        self._number += 1
        name = f"crash_{self._number}"
        project = self._folder / name
        write_project(project, self._far.smtp, self._far.http, self._state.format(schema=name))
        self._far.received.clear()
        ahead = 0
        for index, day in enumerate(DAYS):
            args = ["run", "--send", "--day", day.isoformat(), *(["--existing", "open"] if index == 0 else [])]
            for _ in range(each_day):
                assert rng is not None
                self._killed(rng, kills, index, project, args, ahead)
                ahead += rng.choice([0, LEASE])
            ahead += LEASE
            self._whole(project, args, ahead)
        assert not self._far.received.changed, "a repeat carried another text"
        outcome = Outcome(dict(self._far.received.messages), stored(self._in(project, name)),
                          self._far.received.repeats)
        shutil.rmtree(project)
        return outcome

    def _killed(self, rng: random.Random, kills: Kills, index: int, project: Path, args: list[str],
                ahead: int) -> None:
        """One run that is killed, if it gets as far as it should: at a point of the stage that had the fewest kills, or
        now and then at any moment."""
        counts = self.counts[index]
        stages = sorted({point.split(":")[0] for point in counts} | {"any moment"}, key=lambda one: (
            kills.stages[one], rng.random()))
        stage, point, hit, moment = stages[0], "", 0, None
        if stage == "any moment":
            moment = rng.uniform(0, self.seconds[index])
        else:
            point = min((one for one in counts if one.startswith(f"{stage}:")), key=lambda one: (
                kills.points[one], rng.random()))
            hit = kills.tries[point] % counts[point] + 1      # the first time, the second time and so on
            kills.tries[point] += 1
        code = self._children.run(project, args, ahead, point=point, hit=hit, moment=moment)
        assert code in (0, -signal.SIGKILL), (project / "said.txt").read_text()
        if code:
            kills.stages[stage] += 1
            kills.points[point or "any moment"] += 1
        elif point:
            kills.points[point] += 0.25      # it was not reached: nothing was left to do

    def _whole(self, project: Path, args: list[str], ahead: int) -> None:
        began = time.monotonic()
        code = self._children.run(project, args, ahead)
        assert code == 0, (project / "said.txt").read_text()
        if len(self.counts) < len(DAYS):
            self.counts.append(json.loads((project / "counts.json").read_text()))
            self.seconds.append(time.monotonic() - began)

    def _in(self, project: Path, name: str) -> StatePlace:
        from dataclasses import replace

        return project / ".forestall" / "live.db" if isinstance(self._place, Path) else replace(
            self._place, schema=f"{name}_live")


def stored(place: StatePlace) -> dict[str, list[str]]:
    """Everything that is kept of accounts, without the moments, the attempts and the order of writing."""
    with Store.open(place, read_only=True) as store:
        rows = list(store.outbox())
        state = store.state()
        history = [transition for account in sorted({row.delivery.account for row in rows})
                   for transition in store.history_of(account)]
    return {"outbox": sorted(f"{row.delivery} {row.message} {row.status}" for row in rows),
            "transitions": sorted(map(repr, history)), "runs": sorted(map(repr, state.runs)),
            "alerts": sorted(map(repr, state.alerts.values())), "tiers": sorted(map(repr, state.tiers.items())),
            "known": sorted(state.known_triggers), "starts": [repr(state.starts)],
            "emails": sorted(map(repr, state.last_sent.items()))}
