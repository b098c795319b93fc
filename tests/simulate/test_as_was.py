"""`simulate --as-was DAY`: a past day comes out as it was decided, whatever has changed since; and if not, why."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator
from projects import write_files

from forestall.engine.cli.main import cli
from forestall.engine.errors import ForestallError
from forestall.engine.model.places import PostgresPlace

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "output" / "as-was.json").read_text())
FILES = {
    "rules/metrics.yaml": """
account: {name: account_name, csm: csm}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  heat: {kind: number, stale_after: 10 days}
  noise: {kind: number, stale_after: 90 days}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
tiers: {healthy: 60-100, at_risk: 30-59, critical: 0-29}
""",
    "rules/triggers.yaml": """
triggers:
  cold: {when: heat < 30, clear_when: heat >= 40}
  fallen: {when: "drop(heat, days=2) >= 10"}
""",
    "rules/playbook.yaml": """
plays:
  call: {trigger: cold, steps: [slack: {to: csm, template: note}, wait: 2 days, slack: {to: csm, template: note}]}
  look: {trigger: fallen, steps: [slack: {to: csm, template: note}]}
""",
    "rules/templates/note.md": "Subject: {{ account.name }}\n\nIt is at {{ now.heat }}.\n",
    "forestall.yaml": """
sources:
  facts: {adapter: csv, path: facts.csv}
people:
  dana: {slack: U024BE7LD}
delivery: rehearsal
""",
}
DAYS = ("2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05")
HEATS = {"2026-03-01": 0, "2026-03-03": 0, "2026-03-04": -15}      # what is added to the number of the account


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    error: ForestallError | None

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        Draft7Validator(SCHEMA).validate(found)
        return found


def forestall(*arguments: object) -> Done:
    done = CliRunner().invoke(cli, [str(one) for one in arguments])
    if done.exception is not None and not isinstance(done.exception, (ForestallError, SystemExit)):
        raise done.exception
    return Done(done.exit_code, done.output, done.exception if isinstance(done.exception, ForestallError) else None)


def as_was(folder: Path, day: str, *more: str) -> Done:
    return forestall("simulate", "--project", folder, "--as-was", day, *more)


def told(folder: Path, day: str, *more: str) -> dict[str, Any]:
    """The only pass of the day, as a document."""
    document = as_was(folder, day, "--format", "json", *more).document
    [found] = document["passes"]
    assert found["same"] == document["same"]
    return found


def facts(until: str, **corrected: str) -> str:
    lines = ["account,as_of,account_name,csm,heat,noise"]
    lines += [f"a{number},{day},Account {number},dana,{corrected.get(f'a{number}_{day[-2:]}', number + more)},1"
              for day, more in HEATS.items() if day <= until for number in range(25, 45)]
    return "\n".join(lines) + "\n"


def decide(folder: Path, *days: str) -> None:
    for day in days:
        (folder / "facts.csv").write_text(facts(day))
        assert forestall("run", "--project", folder, "--send", "--day", day).code == 0


def written(folder: Path) -> Path:
    return write_files(folder, FILES)


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days that were really decided. Tests copy the folder."""
    folder = written(tmp_path_factory.mktemp("as-was") / "project")
    decide(folder, *DAYS[:2])
    assert forestall("alerts", "ack", "a26", "cold", "--on", DAYS[1], "--project", folder).code == 0
    decide(folder, *DAYS[2:])
    return folder


@pytest.fixture
def project(decided: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(decided, tmp_path / "project"))


def test_every_day_comes_out_as_it_was_decided(decided: Path) -> None:
    opened = {}
    for day in DAYS:
        found = told(decided, day)
        assert (found["same"], found["differences"], found["changed"], found["arrived_since"]) == (
            True, [], [], 0), day
        assert found["forestall"]["then"] == found["forestall"]["now"]
        assert found["accounts"] == {"then": 20, "now": 20}
        opened[day] = {(one["account"], one["alert"]) for one in found["opened"]}
    assert opened[DAYS[0]] == {(f"a{number}", "cold") for number in range(25, 30)}
    assert opened[DAYS[2]] == {(f"a{number}", "cold") for number in range(30, 45)} | {
        (f"a{number}", "fallen") for number in range(25, 45)}
    assert told(decided, DAYS[2])["answers_since_the_pass_before"] == 1
    assert len(told(decided, DAYS[0])["deliveries"]) == 5
    text = as_was(decided, DAYS[0])
    assert text.code == 0
    assert "The same      decided again, everything comes out as it was decided then" in text.out
    assert "a25  cold opened (critical)" in text.out


def test_a_row_corrected_later_is_named_and_does_not_count(project: Path) -> None:
    (project / "facts.csv").write_text(facts("2026-03-06", a27_01="50", a28_03="31"))
    assert forestall("run", "--project", project, "--send", "--day", "2026-03-06").code == 0
    found = told(project, DAYS[0])
    assert found["same"]
    assert ("a27", "cold") in {(one["account"], one["alert"]) for one in found["opened"]}
    assert found["arrived_since"] == 1
    assert found["corrected"] == [{"account": "a27", "metric": "heat", "day": "2026-03-01", "source": "facts",
                                   "before": 27.0, "after": 50.0, "arrived_on": "2026-03-06"}]
    done = as_was(project, DAYS[1])
    assert done.code == 0
    assert "a27  heat on 2026-03-01: 27 → 50, arrived on 2026-03-06 from facts" in done.out
    assert "a28  heat on 2026-03-03: 28 → 31, arrived on 2026-03-06 from facts" in done.out
    assert told(project, DAYS[1], "--account", "a28")["arrived_since"] == 1
    assert told(project, "2026-03-06")["corrected"] == []


def test_what_is_imported_later_about_the_days_before_does_not_count_either(project: Path) -> None:
    """A new source speaks of each day as of that day: the days of the history change, and the decision does not."""
    (project / "older.csv").write_text("account,as_of,noise\na25,2026-03-01,9\na99,2026-03-01,3\n")
    settings = (project / "forestall.yaml").read_text()
    (project / "forestall.yaml").write_text(settings.replace(
        "people:", "  older: {adapter: csv, path: older.csv}\npeople:"))
    assert forestall("history", "import", "--project", project).code == 0
    found = told(project, DAYS[1])
    assert (found["same"], found["accounts"], found["arrived_since"]) == (True, {"then": 20, "now": 20}, 2)
    assert {(one["account"], one["metric"], one["arrived_on"]) for one in found["corrected"]} == {
        ("a25", "noise", None), ("a99", "noise", None)}
    assert "a99  noise on 2026-03-01: nothing → 3, imported later from older" in as_was(project, DAYS[1]).out


def test_a_day_that_several_passes_decided_is_decided_again_pass_by_pass(project: Path) -> None:
    (project / "facts.csv").write_text(facts(DAYS[-1], a40_04="80"))
    assert forestall("run", "--project", project, "--send", "--day", DAYS[-1]).code == 0
    document = as_was(project, DAYS[-1], "--format", "json").document
    first, second = document["passes"]
    assert document["same"]
    assert (first["closed"], first["arrived_since"], first["corrected"][0]["account"]) == ([], 1, "a40")
    assert ([one["account"] for one in second["closed"]], second["arrived_since"]) == (["a40", "a40"], 0)


def test_the_rules_are_those_of_then_wherever_they_are_now(project: Path) -> None:
    """Also where a metric is no longer described as it was: the days of the history are others since then."""
    rules = project / "rules"
    for command in (["init", "-q"], ["add", "rules"], ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit",
                                                      "-qm", "rules"]):
        subprocess.run(["git", "-C", project, *command], check=True)
    commit = subprocess.run(["git", "-C", project, "rev-parse", "HEAD"], capture_output=True, text=True,
                            check=True).stdout.strip()
    (rules / "metrics.yaml").write_text(FILES["rules/metrics.yaml"].replace("10 days", "1 day"))
    (rules / "triggers.yaml").write_text("triggers: {cold: {when: heat < 44}}\n")
    (rules / "playbook.yaml").write_text(
        "plays: {call: {trigger: cold, steps: [slack: {to: csm, template: note}]}}\n")
    decide(project, "2026-03-06")
    for day in DAYS:
        found = told(project, day)
        assert found["same"], found["differences"]
        assert (found["rules"]["commit"], found["changed"]) == (commit, [])
    assert told(project, "2026-03-06")["rules"]["commit"] is None
    assert f"(in git: {commit[:12]})" in as_was(project, DAYS[0]).out


def test_another_version_of_forestall_is_said(project: Path) -> None:
    with closing(sqlite3.connect(project / ".forestall" / "rehearsal.db")) as connection, connection:
        connection.execute("UPDATE decision_log SET version = '0.0.1'")
    found = told(project, DAYS[0])
    assert found["same"]
    assert [one["cause"] for one in found["changed"]] == ["engine"]
    assert f"0.0.1 then, {found['forestall']['now']} now" in as_was(project, DAYS[0]).out


def rewrite(project: Path, change: str) -> None:
    """Change the rows that have arrived, behind Forestall's back."""
    [file] = (project / ".forestall" / "history" / "arrivals").glob("*.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows AS SELECT * FROM '{file}'")
        connection.execute(change)
        connection.execute(f"COPY rows TO '{file}' (FORMAT parquet)")


def test_a_history_that_somebody_rewrote_is_said_with_what_follows(project: Path) -> None:
    rewrite(project, "UPDATE rows SET \"heat number\" = 90 WHERE account = 'a26'")
    done = as_was(project, DAYS[0], "--format", "json")
    found = done.document["passes"][0]
    assert (done.code, found["same"], found["accounts"]) == (1, False, {"then": 20, "now": 20})
    assert [one["cause"] for one in found["changed"]] == ["history"]
    assert {one["what"] for one in found["differences"]} == {"accounts", "alert", "tier", "play", "delivery"}
    assert all(one["likely"] == ["history"] for one in found["differences"])
    missing = next(one for one in found["differences"] if one["what"] == "alert")
    assert (missing["account"], missing["name"], missing["then"], missing["now"]) == ("a26", "cold opened", "there", "")
    text = as_was(project, DAYS[0]).out
    assert "the history of 2026-03-02 was rewritten: its rows are not those that were read then." in text
    assert "a26  alert cold opened: there then, nothing now (the history was rewritten)" in text
    assert told(project, DAYS[0], "--account", "a27")["differences"] == []


def test_rows_and_histories_that_are_gone_are_said(project: Path) -> None:
    rewrite(project, "DELETE FROM rows WHERE account = 'a26'")
    assert "20 accounts had a row then, and 19 have one now" in as_was(project, DAYS[0]).out
    shutil.rmtree(project / ".forestall" / "history")
    found = told(project, DAYS[0])
    assert found["accounts"] == {"then": 20, "now": 0}
    assert "the history was deleted" in found["changed"][0]["text"]


def test_a_log_that_somebody_changed_cannot_explain_itself(project: Path) -> None:
    with closing(sqlite3.connect(project / ".forestall" / "rehearsal.db")) as connection, connection:
        connection.execute("UPDATE outbox SET template = 'other' WHERE account = 'a25'")
    found = told(project, DAYS[0])
    assert [(one["what"], one["then"], one["now"], one["likely"]) for one in found["differences"]] == [
        ("delivery", "template: other", "template: note", ["unexplained"])]
    with closing(sqlite3.connect(project / ".forestall" / "rehearsal.db")) as connection, connection:
        connection.execute("UPDATE decision_log SET decided = x'00'")
    assert "the decision log of pass 1 cannot be used" in str(as_was(project, DAYS[0]).error)


def test_other_people_are_said_and_no_address_is_shown(project: Path) -> None:
    settings = (project / "forestall.yaml").read_text()
    (project / "forestall.yaml").write_text(settings.replace("U024BE7LD", "U099XX7LD"))
    done = as_was(project, DAYS[0], "--format", "json")
    found = done.document["passes"][0]
    assert [(one["cause"], one["text"]) for one in found["changed"]] == [
        ("settings", "forestall.yaml has changed since then: people.")]
    assert {(one["what"], *one["likely"]) for one in found["differences"]} == {("delivery", "settings")}
    assert "U0" not in done.out


@pytest.mark.parametrize(("day", "said"), [
    ("2026-03-01", "no pass has decided 2026-03-01 (rehearsal). The nearest that have been decided: 2026-03-02."),
    ("2026-04-01", "The nearest that have been decided: 2026-03-05."),
])
def test_a_day_without_a_pass_names_the_nearest(decided: Path, day: str, said: str) -> None:
    done = as_was(decided, day)
    assert done.code == 1
    assert said in str(done.error)


def test_a_log_that_begins_late_begins_with_the_whole_state(project: Path) -> None:
    """The state database of an older Forestall, which kept no log."""
    with closing(sqlite3.connect(project / ".forestall" / "rehearsal.db")) as connection, connection:
        connection.execute("DELETE FROM decision_log")
    said = f"{DAYS[0]} was decided before Forestall kept a decision log."
    assert f"{said} The next pass begins it." in str(as_was(project, DAYS[0]).error)
    assert forestall("alerts", "snooze", "a27", "cold", "--days", 3, "--on", DAYS[3], "--project", project).code == 0
    decide(project, "2026-03-06", "2026-03-07")
    assert f"{said} The first day in the log is 2026-03-06." in str(as_was(project, DAYS[0]).error)
    for day in ("2026-03-06", "2026-03-07"):
        assert told(project, day)["same"]


def test_rules_that_are_not_in_the_log(project: Path) -> None:
    with closing(sqlite3.connect(project / ".forestall" / "rehearsal.db")) as connection, connection:
        connection.execute("DELETE FROM rulesets")
    assert "are not in the decision log" in str(as_was(project, DAYS[3]).error)


@pytest.mark.parametrize(("triggers", "said"), [
    ("triggers: {cold: {when: warm < 30}}", "does not accept the rules of 2026-03-02 (playbook.yaml:4: "),
    (FILES["rules/triggers.yaml"] + "# planted\n", None),
])
def test_rules_in_the_log_that_somebody_changed(project: Path, triggers: str, said: str | None) -> None:
    with closing(sqlite3.connect(project / ".forestall" / "rehearsal.db")) as connection, connection:
        [files] = connection.execute("SELECT files FROM rulesets").fetchone()
        changed = json.loads(zlib.decompress(files)) | {"triggers.yaml": triggers}
        connection.execute("UPDATE rulesets SET files = ?", [zlib.compress(json.dumps(changed).encode())])
    if said is not None:
        assert said in str(as_was(project, DAYS[0]).error)
    else:
        assert [one["cause"] for one in told(project, DAYS[0])["changed"]] == ["rules"]


@pytest.mark.parametrize("more", [("--from", "2026-03-01"), ("--base", "main"), ("--format", "html"), ("--days",)])
def test_it_does_not_go_together_with_a_comparison(decided: Path, more: tuple[str, ...]) -> None:
    done = as_was(decided, DAYS[0], *more)
    assert done.code == 1
    assert "--as-was" in str(done.error)


def test_a_state_on_a_server_keeps_the_same_log(tmp_path: Path, server_places: Callable[[], PostgresPlace]) -> None:
    folder = written(tmp_path / "project")
    place = server_places()
    settings = (folder / "forestall.yaml").read_text()
    (folder / "forestall.yaml").write_text(
        settings + f'state: "postgresql://{place.user}@/{place.database}?host={place.host}&schema={place.schema}"\n')
    decide(folder, *DAYS[:3])
    for day in DAYS[:3]:
        assert told(folder, day)["same"]
