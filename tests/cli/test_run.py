"""`forestall run`: what it prints, as text and as documents, and with which exit code it ends."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from projects import write_files

from forestall.engine.cli.main import main
from forestall.engine.score import spark_session

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "output" / "run.json").read_text(encoding="utf-8"))

FILES = {
    "rules/metrics.yaml": """
account: {name: account_name, contact: contact_email, csm: csm}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  contact_email: {kind: text, personal: true, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  heat: {kind: number}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
tiers: {healthy: 60-100, at_risk: 30-59, critical: 0-29}
""",
    "rules/triggers.yaml": """
triggers:
  cold: {when: heat < 30}
  colder: {when: heat < 20, existing: record}
  lukewarm: {when: heat < 60 and heat >= 30, severity: healthy}
""",
    "rules/playbook.yaml": """
plays:
  call:
    trigger: cold
    steps:
      - task: {for: csm, to: crm, template: note}
      - email: {to: contact, template: note, from: csm}
      - slack: {to: csm, template: note}
      - webhook: {to: crm, template: note}
  story: {trigger: colder, steps: [{email: {to: contact, template: note}}]}
  nudge:
    trigger: lukewarm
    holdout: 50 percent
    steps: [{email: {to: contact, template: note}}, {wait: 9 days}]
    goal: {when: heat >= 60, within: 5 days}
limits: {per_play: 8}
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
  dana: {name: Dana Reed, email: dana@example.com, slack: U024BE7LH}
time_zone: Europe/Berlin
delivery: rehearsal
""",
    "facts.csv": """account,as_of,account_name,contact_email,csm,heat
a,2026-01-01,Acme,ann@acme.example,dana,90
a,2026-01-02,Acme,ann@acme.example,dana,25
b,2026-01-01,Bolt,,dana,10
c,2026-01-01,Crow,cat@crow.example,dana,
""",
}
Run = Callable[..., "Done"]


class Done:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def documents(self) -> list[dict]:
        """Every line of the output as a document that follows the schema."""
        found = [json.loads(line) for line in self.out.splitlines()]
        for document in found:
            assert list(Draft7Validator(SCHEMA).iter_errors(document)) == []
        return found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project, with the prompt standing in it."""
    write_files(tmp_path, FILES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`forestall run …` as from the prompt, without a new process."""

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["forestall", "run", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return call


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def edit(file: Path, find: str, by: str) -> None:
    text = file.read_text()
    assert find in text
    file.write_text(text.replace(find, by))


# -- text --------------------------------------------------------------------------------------------------------------

def test_a_dry_run_says_what_would_be_sent_and_writes_nothing(project: Path, run: Run) -> None:
    before = tree(project)
    done = run("--day", "2026-01-01")
    assert (done.code, done.err) == (0, "")
    assert tree(project) == before
    assert done.out == """\
Thursday, 1 January 2026 · rehearsal · 3 accounts

Sources       facts: 3 rows, 3 new
Tiers         Healthy 1, At Risk 0, Critical 1, unscored 1
Alerts        1 opened, 0 closed, 1 only recorded (they were so when the rules came)
                      opened  closed  recorded  true now  cannot be judged
              cold         1       0         0         1                 1
              colder       0       0         1         1                 1
Plays         1 started, 0 held out for comparison
                    started  held out
              call        1         0
Silences      no address 1
Deliveries    1 Slack message, 1 webhook, 1 task would be sent
              slack    b  call  U024BE7LH                         Bolt is at 10
              task     b  call  https://crm.example.com/hooks/cs  Bolt is at 10
              webhook  b  call  https://crm.example.com/hooks/cs  Bolt is at 10

This was a dry run: nothing was written and nothing was sent. `--send` delivers.
"""


def test_sent_it_says_where_the_messages_are(project: Path, run: Run) -> None:
    done = run("--day", "2026-01-01", "--send")
    assert (done.code, done.err) == (0, "")
    assert "Deliveries    1 Slack message, 1 webhook, 1 task planned\n" in done.out
    assert "Outbox        3 sent\n" in done.out
    assert done.out.endswith("Rehearsal: every message is a file in deliveries.\n")
    assert len(list((project / "deliveries").iterdir())) == 3
    again = run("--day", "2026-01-01", "--send")
    assert "Deliveries    nothing planned\n" in again.out
    assert "Outbox        0 sent\n" in again.out
    assert len(list((project / "deliveries").iterdir())) == 3


def test_some_days_are_told_one_by_one_without_their_messages(project: Path, run: Run) -> None:
    done = run("--day", "2026-01-01", "--until", "2026-01-03")
    assert [line.split(" · ")[0] for line in done.out.splitlines() if " · " in line] == [
        "Thursday, 1 January 2026", "Friday, 2 January 2026", "Saturday, 3 January 2026"]
    assert "Tiers         Healthy 0 (-1), At Risk 0, Critical 2 (+1), unscored 1\n" in done.out
    assert "Bolt is at 10" not in done.out


def test_what_the_guard_holds_is_said_with_the_cure(project: Path, run: Run) -> None:
    with (project / "facts.csv").open("a") as file:
        file.writelines(f"x{number},2026-01-01,X,x@x.example,dana,25\n" for number in range(12))
    done = run("--day", "2026-01-01")
    said = " ".join(done.out.split())
    assert ("call would start for 13 accounts, and none of it happens: "
            "13 starts in one pass; limits.per_play is 8.") in said
    assert "`forestall outbox approve call`" in said
    assert "guard 13" in done.out


def test_a_long_list_says_how_many_more(project: Path, run: Run) -> None:
    edit(project / "rules/playbook.yaml", "per_play: 8", "per_play: 80")
    with (project / "facts.csv").open("a") as file:
        file.writelines(f"x{number},2026-01-01,X,x@x.example,dana,25\n" for number in range(12))
    done = run("--day", "2026-01-01")
    assert "… and 31 more; --format json has them all\n" in done.out


def test_todays_day_is_the_default(project: Path, run: Run) -> None:
    done = run("--format", "json")
    assert done.code == 0
    assert len(done.documents[0]["day"]) == 10


# -- documents ---------------------------------------------------------------------------------------------------------

def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_one_document_per_day_that_follows_the_schema(project: Path, run: Run) -> None:
    done = run("--day", "2026-01-01", "--until", "2026-01-02", "--format", "json")
    first, second = done.documents
    assert (done.code, done.err) == (0, "")
    assert (first["day"], first["mode"], first["dry_run"], first["outbox"]) == ("2026-01-01", "rehearsal", True, None)
    assert (first["accounts"], first["tiers"], first["unscored"]) == (
        3, {"healthy": 1, "at_risk": 0, "critical": 1}, 1)
    assert [(one["account"], one["trigger"], one["kind"]) for one in first["transitions"]] == [
        ("b", "cold", "opened"), ("b", "colder", "recorded")]
    assert [(one["account"], one["reason"], one["detail"]) for one in first["silences"]] == [
        ("b", "no address", "nothing says how to reach contact")]
    assert [(one["account"], one["kind"], one["to"], one["subject"]) for one in second["deliveries"]] == [
        ("a", "task", "https://crm.example.com/hooks/cs", "Acme is at 25"),
        ("a", "email", "ann@acme.example", "Acme is at 25"), ("a", "slack", "U024BE7LH", "Acme is at 25"),
        ("a", "webhook", "https://crm.example.com/hooks/cs", "Acme is at 25")]


def test_every_part_of_a_document_follows_the_schema(project: Path, run: Run) -> None:
    """Held out, held by the guard, met, gone, sent: a book of business in which all of it happens."""
    with (project / "facts.csv").open("a") as file:
        file.writelines(f"x{number},2026-01-01,X,x@x.example,dana,45\n" for number in range(8))
        file.writelines(f"x{number},2026-01-03,X,x@x.example,dana,95\n" for number in range(8))
        file.writelines(f"y{number},2026-01-02,Y,y@y.example,dana,25\n" for number in range(9))
    documents = run("--day", "2026-01-01", "--until", "2026-01-20", "--send", "--format", "json").documents
    assert len(documents) == 20

    def all_of(part: str, key: str) -> set[str]:
        return {one[key] for document in documents for one in document[part]}

    assert {"running", "finished", "held_out", "stopped", "held"} <= all_of("plays", "status")
    assert {"met", "watching", "no goal"} <= all_of("plays", "outcome")
    assert {"holdout", "guard", "no address"} <= all_of("silences", "reason")
    assert {"opened", "recorded", "cleared", "gone"} <= all_of("transitions", "kind")
    assert documents[1]["held_by_guard"] == {"call": 10}
    assert documents[0]["outbox"]["sent"] == len(documents[0]["deliveries"]) > 0


# -- what goes wrong ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("arguments", "said"), [
    (["--day", "2026-01-03", "--until", "2026-01-01"], "--until: 2026-01-01 is before 2026-01-03."),
    (["--project", "rules"], "there is no"),
], ids=["until before day", "no settings"])
def test_a_mistake_is_one_sentence_and_exit_code_1(project: Path, run: Run, arguments: list[str], said: str) -> None:
    before = tree(project)
    done = run(*arguments, "--send")
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert "Traceback" not in done.err
    assert len(re.findall(r"\[[a-z-]+\]", done.err)) == 1      # the code that ends each problem
    assert tree(project) == before


def test_a_text_where_a_number_belongs_names_its_cell(project: Path, run: Run) -> None:
    edit(project / "facts.csv", "dana,10", "dana,cold")
    before = tree(project)
    done = run("--day", "2026-01-02", "--send")
    assert (done.code, done.out) == (1, "")
    assert "facts.csv:4:" in done.err
    assert "cold" in done.err
    assert len(done.err.splitlines()) == 1
    assert tree(project) == before


def test_a_past_day_is_one_sentence(project: Path, run: Run) -> None:
    run("--day", "2026-01-02", "--send")
    done = run("--day", "2026-01-01", "--send")
    assert done.code == 1
    assert "a pass never decides a past day (2026-01-01). Use `forestall simulate`" in done.err


def test_rules_with_mistakes_stop_it(project: Path, run: Run) -> None:
    edit(project / "rules/triggers.yaml", "heat < 30}", "heet < 30}")
    done = run("--day", "2026-01-01")
    assert done.code == 1
    assert "nothing is called `heet`." in done.err
    assert "Did you mean heat?" in done.err


@pytest.mark.parametrize("arguments", [["--day", "soon"], ["--existing", "maybe"], ["--frequently"]])
def test_wrong_usage_is_exit_code_2(project: Path, run: Run, arguments: list[str]) -> None:
    assert run(*arguments).code == 2


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_project_without_sources_says_what_to_do(project: Path, run: Run, form: str) -> None:
    edit(project / "forestall.yaml", "sources:\n  facts: {adapter: csv, path: facts.csv}\n", "")
    before = tree(project)
    done = run("--send", "--format", form)
    said, other = (done.out, done.err) if form == "text" else (done.err, done.out)
    assert (done.code, other) == (0, "")
    assert "forestall.yaml names no source" in said
    assert "docs/sources.md" in said
    assert tree(project) == before


# -- terminals and pipes -----------------------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "forestall.engine.cli", "run", "--day", "2026-01-01", "--until", "2026-01-02"]


def test_in_a_pipe_it_is_quiet(project: Path) -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


def test_on_a_terminal_it_shows_how_far_it_is(project: Path) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(COMMAND, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True,
                          env={**os.environ, "TERM": "xterm", "COLUMNS": "100"})
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:      # the far end is closed and everything is read
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert b"reading sources" in shown
    assert b"evaluating" in shown
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("arguments", "setting", "place"), [
    (("--engine", "spark"), "", "--engine"), ((), "engine: spark\n", "forestall.yaml:1:9")])
def test_spark_without_pyspark_is_one_sentence(project, run, monkeypatch, arguments, setting, place):
    monkeypatch.setattr(spark_session, "find_spec", lambda _name: None)
    settings = project / "forestall.yaml"
    settings.write_text(setting + settings.read_text())
    done = run("--day", "2026-01-02", *arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"{place}: the engine spark needs pyspark, which is not installed. Take `engine: duckdb`, which needs nothing, "
        "or install it: pip install 'forestall[spark]'. [no-spark]\n")
    assert not (project / ".forestall").exists()
    assert run("--day", "2026-01-02", "--engine", "duckdb").code == 0


def test_simulate_takes_the_engine_too(project, monkeypatch, capsys):
    monkeypatch.setattr(spark_session, "find_spec", lambda _name: None)
    for arguments, code in ((["history", "import"], 0), (["simulate", "--to", "2026-01-02", "--engine", "spark"], 1)):
        monkeypatch.setattr(sys, "argv", ["forestall", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
    assert capsys.readouterr().err.startswith("--engine: the engine spark needs pyspark, which is not installed.")
