"""The service as people run it: a process of its own, signals, a schedule; and what no reload may lose."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import IO

import httpx
import pytest
from called import called
from jsonschema import Draft7Validator
from projects import write_files

from forestall.engine.runtime import PassReport, Project, passes
from forestall.engine.serve.judge import Judge
from forestall.engine.settings import read_settings
from forestall.engine.store import Store
from serve.conftest import FILES, LONG, Running, reloading, rules

ROOT = Path(__file__).resolve().parents[2]
FIRST = date(2026, 1, 1)


# -- what no reload may lose -------------------------------------------------------------------------------------------


def one(running: Running, project: Path, day: date) -> PassReport:
    """A pass with the rules in force, with a real store and real files."""
    made = running.reloader.current
    with passes(Project(read_settings(project), made.rulebook, made.evaluator), send=True) as some:
        return some.one(day)


def told(report: PassReport) -> list[str]:
    return [f"{move.alert.account} {move.alert.trigger} {move.kind.value}"
            for move in report.decided.decisions.transitions]


def test_alerts_cooldowns_and_waiting_plays_survive_a_reload(project: Path, judge: Judge) -> None:
    with reloading(project / "rules", project / ".forestall", judge) as running:
        report = one(running, project, FIRST)
        assert told(report) == ["a cold opened"]
        assert [row.delivery.kind.value for row in report.rows] == ["email"]
        write_files(project / "rules", rules(0))
        running.until(lambda: "trigger_0" in running.triggers)
        assert told(one(running, project, FIRST + timedelta(days=1))) == [], "the alert is open and stays so"
        report = one(running, project, FIRST + timedelta(days=3))
        assert [row.delivery.kind.value for row in report.rows] == ["webhook"], "the play goes on where it waited"
        with (project / "facts.csv").open("a") as facts:
            facts.write("a,2026-01-05,Acme,ann@acme.example,60\na,2026-01-06,Acme,ann@acme.example,10\n")
        assert told(one(running, project, FIRST + timedelta(days=4))) == ["a cold cleared"]
        write_files(project / "rules", rules(1))
        running.until(lambda: "trigger_1" in running.triggers)
        report = one(running, project, FIRST + timedelta(days=5))
        assert report.decided.true["cold"] == 1
        assert (told(report), report.rows) == ([], ()), "the cooldown goes on"


def test_a_pass_keeps_the_rules_that_it_began_with(project: Path, judge: Judge) -> None:
    with reloading(project / "rules", project / ".forestall", judge) as running:
        made = running.reloader.current
        with passes(Project(read_settings(project), made.rulebook, made.evaluator), send=True) as some:
            write_files(project / "rules", rules(0))
            running.until(lambda: "trigger_0" in running.triggers)
            report = some.one(FIRST)
        assert set(report.decided.true) == {"cold", "hot", "tepid"}
        assert set(one(running, project, FIRST + timedelta(days=1)).decided.true) == {
            "cold", "hot", "tepid", "trigger_0"}


# -- a process of its own ----------------------------------------------------------------------------------------------


class Served:
    """`forestall serve` in a process, and what it says."""

    def __init__(self, project: Path, *words: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "forestall.engine.cli", "serve", *words], cwd=project,
                                        stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._said = threading.Condition()
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,))
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._said:
                self.lines.append(line.rstrip("\n"))
                self._said.notify_all()

    def says(self, words: str, times: int = 1) -> str:
        """Wait until a line with these words was said so often; the last of them."""
        def found() -> list[str]:
            return [line for line in self.lines if words in line]

        with self._said:
            assert self._said.wait_for(lambda: len(found()) >= times, LONG), (words, self.lines)
            return found()[times - 1]

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(LONG)
        self._reader.join()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


@contextmanager
def served(project: Path, *words: str) -> Iterator[Served]:
    running = Served(project, *words)
    try:
        yield running
    finally:
        running.close()


def once(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """One pass or none, in this process; the two that judge the rules are processes of their own here too."""
    return called("serve", *words, cwd=project)


def children(process: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_it_passes_reloads_and_ends_when_asked(project: Path) -> None:
    with (project / "forestall.yaml").open("a") as settings:
        settings.write('listen: {at: "127.0.0.1:0"}\n')
    with served(project, "--every", "1 day", "--send") as running:
        port = running.says("Answers are taken at 127.0.0.1:").rstrip(".").rsplit(":", 1)[1]
        assert httpx.post(f"http://127.0.0.1:{port}/done").text == "nobody listens for callbacks here\n"
        assert "2 accounts, 1 alerts opened, 0 closed, 1 messages sent." in running.says("Pass of")
        write_files(project / "rules", rules(0))
        running.says("New rules are in force: 4 triggers and 1 plays")
        (project / "rules" / "triggers.yaml").write_text("triggers:\n  cold: {when: haet < 30}\n")
        running.says("The rules in rules are not taken over. What is in force stays so: 4 triggers")
        running.says("rules/triggers.yaml:2:16: ")
        assert running.end(signal.SIGTERM) == 0
        assert running.lines[-1].endswith("Stopped.")
    left = [path.name for path in (project / ".forestall").rglob("*") if path.name.endswith((".part", ".draft"))]
    assert left == []
    document = json.loads((project / ".forestall" / "rules" / "rejected.json").read_text())
    Draft7Validator(schema("rejected")).validate(document)
    with Store.open(project / ".forestall" / "rehearsal.db", read_only=True) as store:
        assert store.state().previous_pass is not None
    with served(project, "--at", "00:00", "--send") as running:
        running.says("The last good rules are in force until the folder is mended: 4 triggers")
        running.says("the next one on ")
        assert running.end(signal.SIGINT) == 0
        assert running.lines[-1].endswith("Stopped.")


def schema(name: str) -> dict[str, object]:
    form: dict[str, object] = json.loads((ROOT / "schemas" / "output" / f"{name}.json").read_text())
    Draft7Validator.check_schema(form)
    return form


def test_a_signal_during_a_pass_waits_for_its_end(project: Path) -> None:
    with served(project, "--every", "1 hour", "--send") as running:
        running.says("the next one now")
        assert running.end() == 0
        passed = [line for line in running.lines if "Pass of" in line]
    with Store.open(project / ".forestall" / "rehearsal.db", read_only=True) as store:
        assert (store.state().previous_pass is not None) == bool(passed)
        assert store.waiting() == 0


def test_machines_read_json(project: Path) -> None:
    form = Draft7Validator(schema("serve"))
    with served(project, "--every", "1 day", "--format", "json") as running:
        running.says('"event": "pass"')
        (project / "rules" / "weights.yaml").unlink()
        running.says('"event": "rules-rejected"')
        assert running.end() == 0
    for line in running.lines:
        form.validate(json.loads(line))
    assert [json.loads(line)["event"] for line in running.lines] == [
        "rules-in-force", "started", "pass", "rules-rejected", "stopped"]
    assert not (project / "deliveries").exists(), "without --send nothing is sent"
    assert not (project / ".forestall" / "rehearsal.db").exists()


def test_owners_are_told_through_the_ordinary_channels_once(project: Path) -> None:
    assert once(project, "--once", "--send").returncode == 0
    (project / "rules" / "triggers.yaml").write_text("triggers: {cold: {when: haet < 30}}\n")
    for _ in range(2):
        done = once(project, "--once", "--send")
        assert done.returncode == 0, done.stderr
    sent = [path.name for path in (project / "deliveries").iterdir() if "rules-rejected" in path.name]
    assert sorted(Path(name).suffix for name in sent) == [".eml", ".json"]
    assert done.stderr.count("were told") == 0


def test_a_pass_that_fails_is_tried_again_at_its_next_time(project: Path) -> None:
    facts = (project / "facts.csv").read_text()
    (project / "facts.csv").write_text(facts.replace(",10\n", ",ten\n"))
    done = once(project, "--once", "--send")
    assert done.returncode == 1
    assert "The pass failed. It is tried again at its next time." in done.stderr
    assert "facts.csv:2:" in done.stderr
    assert "Traceback" not in done.stderr
    (project / "facts.csv").write_text(facts)
    assert once(project, "--once", "--send").returncode == 0


def test_there_is_one_service_for_a_project(project: Path) -> None:
    with served(project, "--every", "1 day") as running:
        running.says("Pass of")
        second = once(project, "--once")
        assert (second.returncode, second.stderr) == (1, (
            ".forestall: another `forestall serve` runs for this project. End it first, or leave it to its work. "
            "[served-already]\n"))
        write_files(project / "rules", {
            "triggers.yaml": "triggers:\n  cold: {when: heat < 30}\n",
            "playbook.yaml": FILES["rules/playbook.yaml"].replace("[cold, hot, tepid]", "cold")})
        running.says("2 of 3 triggers are gone at once")
        assert once(project, "--accept-removal").returncode == 0
        running.says("New rules are in force: 1 triggers")
        assert running.end() == 0


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the process")
def test_the_process_that_judges_may_die(project: Path) -> None:
    with served(project, "--every", "1 day") as running:
        running.says("Pass of")
        for child in children(running.process.pid):
            if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
                os.kill(child, signal.SIGKILL)
        write_files(project / "rules", rules(0))
        running.says("New rules are in force: 4 triggers")
        assert running.end() == 0


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the process")
def test_nothing_outlives_a_service_that_is_killed(project: Path) -> None:
    with served(project, "--every", "1 day") as running:
        running.says("Pass of")
        judging = [child for child in children(running.process.pid)
                   if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]
        assert len(judging) == 2, "one checks, the other compiles"
        running.process.kill()
        running.process.wait(LONG)
        ended = threading.Event()
        for _ in range(600):
            if not any(alive(child) for child in judging):
                break
            ended.wait(0.05)
        else:
            raise AssertionError("the process that judges is still there")


def test_forestall_yaml_is_read_at_the_start_and_a_change_is_said(project: Path) -> None:
    path = project / "forestall.yaml"
    with served(project, "--every", "1 day") as running:
        running.says("Pass of")
        path.write_text(path.read_text().replace("[dana, crm]", "dna"))
        running.says("forestall.yaml has changed. It is read when the service starts")
        assert running.end() == 0
    done = once(project, "--once")
    assert done.returncode == 1
    assert "`owners` names no person and no destination: `dna`. [unknown-owner]" in done.stderr


@pytest.mark.parametrize(("words", "said"), [
    (["--at", "25:00"], "`25:00` is no time of the day. Write it like 06:00."),
    (["--every", "1 second"], "`1 second` is no time between two passes."),
    (["--at", "06:00", "--every", "1 hour"], "--at and --every exclude each other. Keep one."),
])
def test_a_schedule_that_cannot_be_read(project: Path, words: list[str], said: str) -> None:
    done = once(project, *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (project / ".forestall").exists()


def test_without_a_source_there_is_nothing_to_serve(project: Path) -> None:
    path = project / "forestall.yaml"
    path.write_text(path.read_text().replace("sources:\n  facts: {adapter: csv, path: facts.csv}\n", ""))
    done = once(project, "--once")
    assert (done.returncode, "no source is named" in done.stderr) == (1, True)
