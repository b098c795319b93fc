"""`forestall simulate` as a comparison: a small book of business in which every kind of change is known by hand."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing import active_children
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator
from projects import write_files

from forestall.engine.cli.main import cli
from forestall.engine.errors import ForestallError
from forestall.engine.runtime import open_project
from forestall.engine.serve.shelf import Shelf
from forestall.engine.serve.snapshot import snapshot
from forestall.engine.simulate import aside, replay, together
from forestall.engine.simulate.compared import compare
from forestall.engine.simulate.sides import Asked, Side

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "output" / "simulate.json").read_text(encoding="utf-8"))
BEGIN = date(2026, 1, 1)
DAYS = 40
FIRST, LAST = 20, 39      # the days that count

FILES = {
    "rules/metrics.yaml": """
account: {name: account_name, contact: contact_email, csm: csm, revenue: mrr}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  contact_email: {kind: text, personal: true, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  mrr: {kind: number, stale_after: 90 days}
  segment: {kind: text, one_of: [big, small], stale_after: 90 days}
  heat: {kind: number}
  logins: {kind: number}
  seats: {kind: number}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
tiers: {healthy: 60-100, at_risk: 30-59, critical: 0-29}
""",
    "rules/triggers.yaml": """
triggers:
  cold: {when: "drop(score, days=7) >= 15", severity: at_risk}
  quiet: {when: "logins < 5 and seats < 3"}
  away: {when: logins == 100}
  old: {when: logins == 200}
  cooler: {when: "score < 50", clear_when: "score > 90"}
""",
    "rules/playbook.yaml": """
plays:
  call:
    trigger: cold
    steps:
      - task: {for: csm, to: crm, template: note}
      - email: {to: contact, template: note}
  write: {trigger: [quiet, away, old, cooler], steps: [{slack: {to: csm, template: note}}]}
limits: {per_play: 1, tasks_per_csm: 1 per day, digest: {by: email, template: many}}
""",
    "rules/templates/note.md": "Subject: {{ account.name }}\n\nIt is {{ now.heat }}.\n",
    "rules/templates/many.md": "Subject: Many\n\n{% for one in tasks %}- {{ one.account.name }}\n{% endfor %}",
    "forestall.yaml": """
sources: {facts: {adapter: csv, path: facts.csv}}
channels:
  email: {adapter: email, server: "smtp.example.com:587", sender: cs@example.com}
  webhook: {adapter: webhook}
destinations: {crm: {channel: webhook, url: "https://crm.example.com/hooks/cs"}}
people:
  dana: {name: Dana Reed, email: dana@example.com, slack: U024BE7LH}
  luis: {name: Luis Prado, email: luis@example.com, slack: U024BE7LJ}
time_zone: Europe/Berlin
delivery: rehearsal
""",
}
CANDIDATE = {
    "rules/triggers.yaml": """
triggers:
  cold: {when: "drop(score, days=7) >= 12", severity: at_risk}
  quiet: {when: "logins < 5"}
  gone: {when: logins == 200, renamed_from: old}
  cooler: {when: "score < 50", clear_when: "score > 90"}
  cool: {when: "score < 45"}
""",
    "rules/playbook.yaml": FILES["rules/playbook.yaml"].replace("away, old, cooler", "gone, cooler, cool"),
}
# Account → metric → its value from a day on.
COURSES: dict[str, dict[str, dict[int, object]]] = {
    "a01": {"heat": {0: 80, 25: 67}},                       # falls by 13: only the candidate sees it
    "a02": {"heat": {0: 80, 26: 60}},                       # falls by 20: both
    "a03": {"heat": {0: 80, 28: 67, 30: 63}},               # both, two days apart
    "a04": {"heat": {0: 80, 28: 67, 33: 62}},               # both, five days apart
    "a05": {"heat": {0: 80, 18: 60}},                       # both, before the period
    "a06": {"heat": {0: 80}, "logins": {0: 9, 27: 100, 28: 9}},      # `away`, which the candidate has not
    "a07": {"heat": {0: 80}, "logins": {0: 9, 27: 1}, "seats": {0: 9, 15: None}},     # the base cannot judge it
    "a08": {"heat": {0: 80}, "logins": {0: 9, 27: 200}},             # under another name
    "a09": {"heat": {0: 80, 36: 67}},                       # matches at once
    "a10": {"heat": {0: 80, 37: 67}},                       # so does this: more than the guard allows
    "a11": {"heat": {0: 49, 26: 44}},                       # `cooler` since the first day; `cool` is new
    "a12": {"heat": {0: 95}},
}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict:
        found = json.loads(self.out)
        Draft7Validator(SCHEMA).validate(found)
        return found


def forestall(*arguments: object) -> Done:
    done = CliRunner().invoke(cli, [str(one) for one in arguments])
    if isinstance(done.exception, ForestallError):
        return Done(1, done.stdout, str(done.exception))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def on(day: int) -> str:
    return str(BEGIN + timedelta(days=day))


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@example.com", *words], check=True,
                   capture_output=True)


def value(steps: dict[int, object], day: int) -> object:
    return steps[max(begin for begin in steps if begin <= day)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base is committed, the candidate is in the working tree. Tests only read it."""
    folder = tmp_path_factory.mktemp("compared")
    write_files(folder, FILES)
    with (folder / "facts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["account", "as_of", "account_name", "contact_email", "csm", "mrr", "segment", "heat", "logins",
                       "seats"])
        for day in range(DAYS):
            for number, (account, course) in enumerate(COURSES.items(), 1):
                said = {"logins": {0: 9}, "seats": {0: 9}} | course
                rows.writerow([account, on(day), f"Name {account}", f"{account}@customer.example",
                               "dana" if number % 2 else "luis@example.com", 100 * number,
                               "big" if number <= 4 else "small",
                               *("" if (one := value(said[name], day)) is None else one
                                 for name in ("heat", "logins", "seats"))])
    git(folder, "init", "--quiet")
    git(folder, "add", "rules")
    git(folder, "commit", "--quiet", "--message", "base")
    write_files(folder, CANDIDATE)
    assert forestall("history", "import", "--project", folder).code == 0
    return folder


Simulate = Callable[..., Done]


@pytest.fixture(scope="module")
def simulate(project: Path) -> Simulate:
    def run(*arguments: object) -> Done:
        return forestall("simulate", "--project", project, "--from", on(FIRST), "--to", on(LAST), *arguments)
    return run


@pytest.fixture(scope="module")
def found(simulate: Simulate) -> dict:
    return simulate("--base", "HEAD", "--format", "json").document


def tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- what changes ------------------------------------------------------------------------------------------------------


def test_each_alert_is_counted_as_it_was_made(found: dict) -> None:
    told = {one["alert"]: one for one in found["alerts"]}
    assert list(told) == ["cold", "quiet", "gone", "cooler", "cool", "away"]

    def counts(alert: str) -> tuple[object, ...]:
        return (told[alert]["base"], told[alert]["candidate"], *told[alert]["changes"].values())

    assert counts("cold") == (3, 6, 4, 1, 2, 0)       # new: a01, a04, a09, a10; gone: a04; same: a02, a03
    assert (told["cold"]["only_base"], told["cold"]["only_candidate"]) == ([], ["a01", "a09", "a10"])
    assert counts("quiet") == (0, 1, 0, 0, 0, 1)
    assert counts("gone") == (1, 1, 0, 0, 1, 0)
    assert counts("cooler") == (0, 0, 0, 0, 0, 0)     # open since the warm-up on both sides: no burst on the first day
    assert counts("cool") == (None, 1, 1, 0, 0, 0)
    assert counts("away") == (1, None, 0, 1, 0, 0)


def test_each_change_has_its_day_and_its_reason(found: dict) -> None:
    told = {(one["account"], one["alert"], one["change"]): one for one in found["changed"]}
    assert found["changed_in_all"] == len(found["changed"]) == 8

    def reason(*key: str) -> str:
        return told[key]["reason"]

    assert told["a01", "cold", "new"] | {"reason": ""} == {
        "account": "a01", "name": "Name a01", "segment": "big", "csm": "dana", "revenue": 100, "alert": "cold",
        "change": "new", "base_on": None, "candidate_on": on(25), "base_tier": "healthy", "candidate_tier": "healthy",
        "reason": ""}
    assert reason("a01", "cold", "new") == "score 80 → 67 in 7 days, 13 ≥ 12 (base: 13, not ≥ 15)"
    assert reason("a04", "cold", "gone") == f"score 80 → 62 in 7 days, 18 ≥ 15 (candidate: open since {on(28)})"
    assert reason("a06", "away", "gone") == "logins 100 = 100 (candidate: has no such alert)"
    assert reason("a07", "quiet", "cannot_be_judged") == "logins 1 < 5 (base: seats is missing)"
    assert reason("a11", "cool", "new") == "score 44 < 45 (base: has no such alert)"


def test_the_worst_comes_first_then_the_most_revenue(found: dict) -> None:
    assert [one["account"] for one in found["changed"]] == ["a11", "a10", "a09", "a07", "a06", "a04", "a04", "a01"]


def test_the_first_day_after_the_merge(found: dict) -> None:
    merge = found["on_merge"]
    assert merge["day"] == on(LAST)
    assert merge["matches"] == {"cold": 2, "cool": 1, "quiet": 1}
    assert merge["accounts"] == 4
    assert merge["held_by_guard"] == {"call": 2, "write": 2}      # limits.per_play is 1
    assert merge["deliveries"]["task"] == {"base": 0, "candidate": 0}


def test_loads_count_what_people_get(found: dict) -> None:
    told = {(one["what"], one["person"]): one for one in found["loads"]}
    tasks = told["task", None]
    assert tasks["base"]["mean"] == pytest.approx(3 / 20)
    assert tasks["candidate"]["mean"] == pytest.approx(6 / 20)
    assert (tasks["candidate"]["peak"], tasks["candidate"]["peak_on"]) == (2, on(28))
    assert tasks["candidate"]["p95"] == 1
    assert told["task", "dana"]["limit"] == 1
    assert told["task", "luis"]["candidate"]["mean"] == pytest.approx(3 / 20)
    assert {key[1] for key in told if key[0] == "messages"} == {"dana", "luis"}


def test_groups_revenue_plays_and_scores(found: dict) -> None:
    told = {(one["by"], one["name"]): one for one in found["groups"]}
    assert [(by, name, one["accounts"]) for (by, name), one in told.items()] == [
        ("segment", "big", 4), ("segment", "small", 8), ("csm", "dana", 6), ("csm", "luis", 6)]
    assert told["segment", "big"]["alerts"] == {"base": 3, "candidate": 4}
    assert told["segment", "big"]["revenue"] == {"base": 900, "candidate": 1000}
    assert found["revenue"] == {"base": 900 + 600 + 800, "candidate": 1000 + 700 + 800 + 900 + 1000 + 1100}
    plays = {one["play"]: one for one in found["plays"]}
    assert plays["call"]["started"] == {"base": 3, "candidate": 6}
    assert plays["call"]["held_by_guard"] == 2      # a03 and a04 on one day
    assert sum(one["accounts"]["candidate"] for one in found["scores"]) == 12
    assert found["tier_moves"] == [{"base": "at_risk", "candidate": "at_risk", "accounts": 1},
                                   {"base": "healthy", "candidate": "healthy", "accounts": 11}]


def test_how_much_was_known_is_said(found: dict) -> None:
    # of five triggers, one account lacks seats; `cold` looks back to the first row of everybody
    assert found["complete"] == 1.0      # the candidate does not ask for seats
    assert found["days_without_data"] == []
    assert found["warm_up_days"] == 20


def test_what_both_share_is_computed_once_and_comes_out_the_same(
        simulate: Simulate, found: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "same_facts", lambda *_: False)
    assert simulate("--base", "HEAD", "--format", "json").document == found


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_days_in_pieces_come_to_the_same(simulate: Simulate, found: dict, monkeypatch: pytest.MonkeyPatch,
                                         shared: bool, apart: bool) -> None:
    monkeypatch.setattr(replay, "DAYS_AT_ONCE", 9)
    monkeypatch.setattr(replay, "ACCOUNT_DAYS_AT_ONCE", 0)
    if apart:
        monkeypatch.setattr(together, "APART", 0)
    if not shared:
        monkeypatch.setattr(together, "same_facts", lambda *_: False)
    assert simulate("--base", "HEAD", "--format", "json").document == found


@pytest.mark.parametrize("shared", [True, False])
def test_two_processes_come_to_the_same(simulate: Simulate, found: dict, monkeypatch: pytest.MonkeyPatch,
                                        shared: bool) -> None:
    begun: list[together.Aside] = []
    monkeypatch.setattr(together, "APART", 0)
    monkeypatch.setattr(together, "Aside", lambda course: begun.append(aside.Aside(course)) or begun[-1])
    if not shared:
        monkeypatch.setattr(together, "same_facts", lambda *_: False)
    assert simulate("--base", "HEAD", "--format", "json").document == found
    assert len(begun) == 1


def test_a_second_process_that_somebody_ends_does_no_harm(project: Path, found: dict) -> None:
    opened = open_project(project)
    candidate = Side("the candidate", opened.rulebook)
    ended = []

    def end_it(what: str, done: int, _all: int) -> None:
        if what == "replay" and done == 20 and not ended:
            for one in active_children():
                one.kill()
                ended.append(one)

    asked = Asked(BEGIN + timedelta(days=FIRST), BEGIN + timedelta(days=LAST))
    told = compare(candidate, candidate, opened.directory, opened.history, asked, progress=end_it, apart=True)
    assert ended
    again = compare(candidate, candidate, opened.directory, opened.history, asked, apart=False)
    assert told.comparison == again.comparison


def test_nothing_changes_where_nothing_changed(project: Path, simulate: Simulate) -> None:
    told = simulate("--base", project / "rules", "--format", "json").document
    changes = Counter()
    for one in told["alerts"]:
        changes.update(one["changes"])
        assert one["base"] == one["candidate"]
    assert changes == Counter(same=9, new=0, gone=0, cannot_be_judged=0)
    assert told["changed"] == []
    assert (told["on_merge"]["accounts"], told["on_merge"]["closes"], told["on_merge"]["cancels"]) == (0, 0, 0)
    for day in told["days"]:
        assert day["base"] == day["candidate"]


def test_another_score_moves_accounts_between_tiers(project: Path, simulate: Simulate, tmp_path: Path) -> None:
    rules = Path(shutil.copytree(project / "rules", tmp_path / "rules"))
    write_files(tmp_path, {"rules/weights.yaml": FILES["rules/weights.yaml"].replace("60-100", "70-100").replace(
        "30-59", "30-69")})
    told = simulate("--base", project / "rules", "--rules", rules, "--format", "json").document
    moves = {(one["base"], one["candidate"]): one["accounts"] for one in told["tier_moves"]}
    assert moves == {("healthy", "healthy"): 4, ("healthy", "at_risk"): 7, ("at_risk", "at_risk"): 1}


# -- of whom is told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("filters", "accounts", "changed"), [
    (["--csm", "dana"], 6, ["a11", "a09", "a07", "a01"]), (["--csm", "dana@example.com"], 6, None),
    (["--segment", "big"], 4, ["a04", "a04", "a01"]), (["--segment", "big", "--csm", "Dana Reed"], 2, ["a01"]),
    (["--account", "a04"], 1, ["a04", "a04"])], ids=lambda one: one[-1] if isinstance(one, list) else "")
def test_filters_choose_of_whom_is_told(simulate: Simulate, filters: list[str], accounts: int,
                                        changed: list[str] | None) -> None:
    told = simulate("--base", "HEAD", "--format", "json", *filters).document
    assert told["accounts"] == accounts == told["days"][0]["candidate"]["accounts"]
    assert told["filters"] == dict(zip([one[2:] for one in filters[::2]], filters[1::2], strict=True))
    if changed is not None:
        assert [one["account"] for one in told["changed"]] == changed
    assert sum(one["accounts"]["candidate"] for one in told["scores"]) == accounts


def test_both_halves_are_the_whole(simulate: Simulate, found: dict) -> None:
    halves = [simulate("--base", "HEAD", "--format", "json", "--segment", name).document for name in ("big", "small")]
    for side in ("base", "candidate"):
        for number, day in enumerate(found["days"]):
            for what in ("opened", "deliveries", "started", "tiers"):
                parts = [Counter(half["days"][number][side][what]) for half in halves]
                assert parts[0] + parts[1] == +Counter(day[side][what]), (what, day["day"])
    assert sum(half["on_merge"]["accounts"] for half in halves) == found["on_merge"]["accounts"]


@pytest.mark.parametrize(("arguments", "said"), [
    (["--csm", "dan"], "--csm: no account has dan as its CSM. Did you mean dana?"),
    (["--segment", "bigg"], "no account has bigg as its segment. Did you mean big?"),
    (["--account", "a1"], "no account a1 has a row in the period. Did you mean a12?"),
    (["--account", "a01", "--csm", "luis"], "no account is in csm luis and account a01 at once."),
    (["--base", "nowhere"], "nowhere: this is neither a revision in git nor a folder."),
    (["--base", "accepted"], "no service has accepted any rules here."),
    (["--sweep", "cold:5..20"], "no metric says when accounts left"),
    (["--horizon", "30"], "no metric says when accounts left"),
    (["--fail-over", "mails=3"], "nothing can be counted as `mails`. Did you mean emails?"),
    (["--fail-over", "emails"], "`emails` does not say how many are too many."),
    (["--fail-over", "emails=-1"], "does not say how many are too many."),
    (["--fail-over", "emails=nan"], "does not say how many are too many."),
    (["--fail-over", "limits=3"], "`limits` has no number"),
    (["--from", "2025-01-01", "--to", "2025-01-09"], "no account has a row from 2025-01-01 to 2025-01-09. "
     "The history begins on 2026-01-01."),
    (["--from", "2026-02-09", "--to", "2026-01-09"], "2026-02-09 is after 2026-01-09"),
], ids=lambda one: " ".join(one) if isinstance(one, list) else "")
def test_a_mistake_is_one_sentence_and_exit_code_1(simulate: Simulate, arguments: list[str], said: str) -> None:
    done = simulate(*arguments)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


# -- the base ----------------------------------------------------------------------------------------------------------


def test_the_working_tree_is_not_touched(project: Path, simulate: Simulate) -> None:
    before = tree(project)
    simulate("--base", "HEAD")
    assert tree(project) == before


def test_a_base_that_does_not_load_is_said_and_the_candidate_is_told_alone(
        project: Path, simulate: Simulate, tmp_path: Path) -> None:
    rules = Path(shutil.copytree(project / "rules", tmp_path / "rules"))
    write_files(tmp_path, {"rules/triggers.yaml": CANDIDATE["rules/triggers.yaml"].replace("score < 45", "scorn < 45")})
    done = simulate("--base", rules, "--format", "json")
    told = done.document
    assert done.code == 0
    assert "unknown-name" in {problem["code"] for problem in told["base"]["problems"]}
    assert told["base"]["rulebook"] is None
    assert (told["on_merge"], told["changed"], told["tier_moves"]) == (None, [], [])
    assert {one["base"] for one in told["alerts"]} == {None}
    assert "cannot be loaded" in simulate("--base", rules).out


def test_without_a_base_the_candidate_is_told_alone(simulate: Simulate, found: dict) -> None:
    told = simulate("--format", "json").document
    assert told["base"] is None
    for key in ("candidate", "complete", "budgets"):
        assert told[key] == found[key]
    for mine, both in zip(told["days"], found["days"], strict=True):
        assert mine == {"day": both["day"], "base": None, "candidate": both["candidate"]}


def test_what_the_service_accepted_last_is_the_base_that_nobody_need_name(
        project: Path, tmp_path: Path, found: dict) -> None:
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    write_files(tmp_path / "old", FILES)
    shelf = Shelf(folder / ".forestall" / "rules")
    kept = snapshot(tmp_path / "old" / "rules")
    shelf.keep(kept)
    shelf.put_in_force(kept.digest, datetime(2026, 2, 1, tzinfo=UTC))

    def run(*arguments: object) -> dict:
        return forestall("simulate", "--project", folder, "--from", on(FIRST), "--to", on(LAST), "--format", "json",
                         *arguments).document

    told = run()
    assert told["base"]["called"] == "the rules last accepted"
    assert told | {"base": None, "candidate": None} == found | {"base": None, "candidate": None}
    shutil.rmtree(folder / "rules")
    shutil.copytree(tmp_path / "old" / "rules", folder / "rules")
    assert run()["base"] is None      # they are the same: nothing to compare
    assert run("--base", "accepted")["changed"] == []


def test_without_git_a_folder_can_still_be_the_base(project: Path, simulate: Simulate, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(project / "rules", tmp_path / "old")
    monkeypatch.setenv("PATH", "")
    assert "there is no git here. Install git, or name a folder" in simulate("--base", "HEAD").err
    assert simulate("--base", "old", "--format", "json").document["changed"] == []


def test_a_copy_without_git_says_how_to_go_on(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(project, tmp_path / "copy", ignore=shutil.ignore_patterns(".git"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    done = forestall("simulate", "--project", tmp_path / "copy", "--base", "HEAD")
    assert done.code == 1
    assert "git cannot look back here" in done.err


# -- gate and output ---------------------------------------------------------------------------------------------------


def test_a_broken_budget_is_exit_code_3_and_says_which(simulate: Simulate) -> None:
    done = simulate("--base", "HEAD", "--fail-over", "tasks=1", "--fail-over", "emails=100", "--fail-over", "alerts=1")
    assert done.code == 3
    assert done.err == ("Over budget: tasks per day 2, and 1 are allowed.\n"
                        "Over budget: alerts opened per day 2, and 1 are allowed.\n")
    assert simulate("--base", "HEAD", "--fail-over", "tasks=2").code == 0


def test_limits_of_the_playbook_count_when_they_are_asked_for(simulate: Simulate) -> None:
    told = simulate("--base", "HEAD", "--format", "json")
    assert told.code == 0
    assert {"what": "starts per day of write", "limit": 1, "measured": 2, "broken": True,
            "gates": False} in told.document["budgets"]
    done = simulate("--base", "HEAD", "--fail-over", "limits")
    assert done.code == 3
    assert "starts per day of write 2, and 1 are allowed." in done.err


@pytest.mark.parametrize(("form", "begins"), [("text", "Merging "), ("markdown", ""), ("html", "<!doctype html>"),
                                              ("json", "{")])
def test_the_answer_goes_into_a_file_whole(simulate: Simulate, tmp_path: Path, form: str, begins: str) -> None:
    target = tmp_path / "answer"
    done = simulate("--base", "HEAD", "--format", form, "--output", target, "--fail-over", "tasks=1")
    assert (done.code, done.out) == (3, "")
    assert target.read_text().lower().startswith(begins.lower())
    assert [path.name for path in tmp_path.iterdir()] == ["answer"]
    assert target.read_text() == simulate("--base", "HEAD", "--format", form, "--fail-over", "tasks=1").out


def test_a_file_that_cannot_be_written_leaves_what_was_there(simulate: Simulate, tmp_path: Path) -> None:
    done = simulate("--output", tmp_path / "nowhere" / "answer")
    assert done.code == 1
    assert "the answer cannot be written here: No such file or directory." in done.err


# -- gaps --------------------------------------------------------------------------------------------------------------


def test_days_on_which_nothing_arrived_are_named(project: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "gaps", ignore=shutil.ignore_patterns(".forestall")))
    lines = (folder / "facts.csv").read_text().splitlines(keepends=True)
    silent = {on(day) for day in range(24, 34)}
    (folder / "facts.csv").write_text("".join(line for line in lines if line.split(",")[1] not in silent))
    assert forestall("history", "import", "--project", folder).code == 0
    done = forestall("simulate", "--project", folder, "--from", on(FIRST), "--to", on(LAST), "--format", "json")
    told = done.document
    assert told["days_without_data"] == sorted(silent)
    assert told["complete"] < 1      # what is said on one day is believed for seven
