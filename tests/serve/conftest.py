"""A small project with real files, and a reloader that keeps its rules in force."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from projects import write_files

from forestall.engine.errors import Problem
from forestall.engine.score.engine import DuckDb
from forestall.engine.serve.journal import Journal
from forestall.engine.serve.judge import Judge
from forestall.engine.serve.reload import Reloader
from forestall.engine.serve.shelf import Rejected, Shelf
from forestall.engine.settings import read_settings

LONG = 120.0     # seconds until a test gives up; nothing here decides by how long something takes

FILES = {
    "rules/metrics.yaml": """
account: {name: account_name, contact: contact_email}
metrics:
  account_name: {kind: text, stale_after: 900 days}
  contact_email: {kind: text, personal: true, stale_after: 900 days}
  heat: {kind: number, stale_after: 900 days}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
tiers: {healthy: 60-100, at_risk: 30-59, critical: 0-29}
""",
    "rules/triggers.yaml": """
triggers:
  cold: {when: heat < 30, cooldown: 200 days, lasts: 200 days}
  hot: {when: heat > 95}
  tepid: {when: 40 < heat < 45}
""",
    "rules/playbook.yaml": """
plays:
  nudge:
    trigger: [cold, hot, tepid]
    finish_anyway: true
    steps:
      - email: {to: contact, template: note}
      - wait: 3 days
      - webhook: {to: crm, template: note}
""",
    "rules/templates/note.md": "Subject: {{ account.name }} is at {{ now.heat }}\n\nIt was {{ before.heat }}.\n",
    "forestall.yaml": """
sources:
  facts: {adapter: csv, path: facts.csv}
channels:
  email: {adapter: email, server: "smtp.example.com:587", sender: cs@example.com}
  webhook: {adapter: webhook}
destinations:
  crm: {channel: webhook, url: https://crm.example.com/hooks/cs}
people:
  dana: {email: dana@example.com}
owners: [dana, crm]
gone_after: 900 days
time_zone: Europe/Berlin
delivery: rehearsal
""",
    "facts.csv": """account,as_of,account_name,contact_email,heat
a,2026-01-01,Acme,ann@acme.example,10
b,2026-01-01,Bolt,ben@bolt.example,90
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write_files(folder, FILES)
    return folder


def rules(number: int) -> dict[str, str]:
    """A whole set of rules like no other: two files must fit together."""
    return {"metrics.yaml": FILES["rules/metrics.yaml"] + f"  heat_{number}: {{kind: number}}\n",
            "triggers.yaml": FILES["rules/triggers.yaml"] + f"  trigger_{number}: {{when: heat_{number} > 1}}\n",
            **{name: FILES[f"rules/{name}"] for name in ("weights.yaml", "playbook.yaml", "templates/note.md")}}


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """The process that judges; one for all tests, because it takes a while to start."""
    folder = tmp_path_factory.mktemp("settings")
    write_files(folder, FILES)
    running = Judge(read_settings(folder), DuckDb())
    yield running
    running.close()


class Reports:
    """What the owners would be told."""

    def __init__(self) -> None:
        self.told: list[tuple[Problem, ...]] = []

    def rejected(self, rejected: Rejected, in_force: str, problems: tuple[Problem, ...]) -> None:
        self.told.append(problems)

    def mended(self) -> None:
        pass


class Running:
    """A reloader at work, and everything that it said."""

    def __init__(self, rules: Path, state: Path, judge: Judge, watched: bool) -> None:
        self._lines = io.StringIO()
        self.rules, self.shelf, self.reports = rules, Shelf(state / "rules"), Reports()
        journal = Journal(self._lines, UTC, lambda: datetime.now(UTC), as_json=True)
        self.reloader = Reloader(rules, self.shelf, judge, DuckDb(), journal, lambda: datetime.now(UTC), self.reports,
                                 watched=watched)

    def events(self, name: str = "") -> list[dict[str, object]]:
        said = [json.loads(line) for line in self._lines.getvalue().splitlines()]
        return [event for event in said if name in ("", event["event"])]

    def ever_in_force(self) -> list[str]:
        return [event["figures"]["digest"] for event in self.events("rules-in-force")]      # type: ignore[index]

    @property
    def triggers(self) -> set[str]:
        return set(self.reloader.current.rulebook.triggers)

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + LONG
        while not true():
            assert time.monotonic() < end, self.events()
            time.sleep(0.02)


@contextmanager
def reloading(rules: Path, state: Path, judge: Judge, watched: bool = True) -> Iterator[Running]:
    running = Running(rules, state, judge, watched)
    thread = threading.Thread(target=running.reloader.run)
    try:
        running.reloader.begin()
        thread.start()
        yield running
    finally:
        running.reloader.stop()
        if thread.is_alive():
            thread.join()
