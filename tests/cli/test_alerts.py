"""`forestall alerts` and `forestall outcome`: what is open, what people say about it, and what it changes."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from projects import write_files

from forestall.engine.model.outcome import AnswerKind
from forestall.engine.runtime import open_project
from forestall.engine.store import Store

FIRST = date(2026, 1, 1)
FILES = {
    "rules/metrics.yaml": """
account: {name: account_name, contact: contact_email, csm: csm, revenue: mrr}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  contact_email: {kind: text, personal: true, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  mrr: {kind: number, stale_after: 90 days}
  heat: {kind: number, unit: degrees, stale_after: 60 days}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
tiers: {healthy: 60-100, at_risk: 30-59, critical: 0-29}
""",
    "rules/triggers.yaml": """
defaults: {repeat: 7 days}
triggers:
  cold: {when: heat < 30, lasts: 90 days}
  cool: {when: heat < 50, severity: at_risk, lasts: 90 days}
""",
    "rules/playbook.yaml": """
plays:
  call:
    trigger: cold
    owner: csm
    steps:
      - task: {for: csm, to: crm, template: note}
      - wait: 30 days
  write: {trigger: cool, alongside: true, steps: [{email: {to: contact, template: note}}, {wait: 30 days}]}
""",
    "rules/templates/note.md": "Subject: {{ account.name }} is at {{ now.heat }}\n\nHello.\n",
    "forestall.yaml": """
sources:
  facts: {adapter: csv, path: facts.csv}
channels:
  webhook: {adapter: webhook}
destinations:
  crm: {channel: webhook, url: https://crm.example.com/hooks/cs}
people:
  dana: {name: Dana Reed, email: dana@example.com}
  luis: {name: Luis, email: luis@example.com}
delivery: rehearsal
""",
}
HEAD = "account,as_of,account_name,contact_email,csm,mrr,heat\n"
TOLD = {"acme": ("dana", 100, [90, 20]), "zenith": ("luis", 900, [45]), "nova": ("luis", 500, [90])}


def on(number: int) -> str:
    return str(FIRST + timedelta(days=number - 1))


def facts(account: str, csm: str, mrr: int, heats: list[int], first: int = 1) -> str:
    return "".join(f"{account},{on(first + index)},{account.title()},ann@{account}.example,{csm},{mrr},{heat}\n"
                   for index, heat in enumerate(heats))


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, forestall) -> Path:
    """Two passes: acme is cold since the second, zenith cool since the first."""
    folder = tmp_path_factory.mktemp("alerts") / "project"
    write_files(folder, FILES)
    (folder / "facts.csv").write_text(HEAD + "".join(facts(name, *told) for name, told in TOLD.items()))
    for day in (1, 2):
        assert forestall("run", "--project", folder, "--day", on(day), "--send").code == 0
    return folder


@pytest.fixture
def project(decided: Path, tmp_path: Path) -> Path:
    """A copy to write into."""
    return Path(shutil.copytree(decided, tmp_path / "project"))


def state_of(folder: Path) -> dict[tuple[str, str], object]:
    with Store.open(open_project(folder).store_path, read_only=True) as store:
        return {(alert.account, alert.trigger): alert for alert in store.open_alerts()}


def test_the_list_begins_with_what_is_most_serious(decided: Path, forestall) -> None:
    shown = forestall("alerts", "list", "--project", decided).out.splitlines()
    assert shown[0] == "3 open alerts, the most serious first."
    assert [line.split()[:3] for line in shown[3:]] == [
        ["acme", "cold", "critical"], ["zenith", "cool", "at_risk"], ["acme", "cool", "at_risk"]]
    assert len({line.index(word) for line, word in zip(shown[3:], ("cold", "cool", "cool"), strict=True)}) == 1
    assert not any(line != line.rstrip() for line in shown)


def test_the_list_as_a_document(decided: Path, forestall) -> None:
    found = forestall("alerts", "list", "--project", decided, "--format", "json").document("alerts")
    first = found["alerts"][0]
    assert (first["account"], first["name"], first["csm"], first["revenue"]) == ("acme", "Acme", "dana", 100)
    assert (first["tier"], first["plays"], first["opened_on"]) == ("critical", ["call"], on(2))


@pytest.mark.parametrize(("options", "accounts"), [
    (["--account", "zenith"], ["zenith"]), (["--csm", "dana@example.com"], ["acme", "acme"]),
    (["--csm", "Luis"], ["zenith"]), (["--tier", "critical"], ["acme", "acme"]), (["--tier", "healthy"], []),
    (["--account", "nova"], []),
])
def test_the_list_of_some(decided: Path, forestall, options: list[str], accounts: list[str]) -> None:
    found = forestall("alerts", "list", "--project", decided, "--format", "json", *options).document("alerts")
    assert [one["account"] for one in found["alerts"]] == accounts


def test_nothing_open_is_said(decided: Path, forestall) -> None:
    assert forestall("alerts", "list", "--project", decided, "--account", "nova").out == "No alert is open.\n"


@pytest.mark.parametrize(("arguments", "code", "says"), [
    (["list", "--account", "acmee"], "unknown-account", "Did you mean acme?"),
    (["list", "--tier", "critica"], "unknown-tier", "Did you mean critical?"),
    (["list", "--csm", "dane"], "unknown-person", "Did you mean dana?"),
    (["ack", "zenit"], "unknown-account", "Did you mean zenith?"),
    (["ack", "nova"], "nothing-open", "forestall alerts list"),
    (["ack", "acme", "coldd"], "nothing-open", "Did you mean cold?"),
    (["ack", "zenith", "cold"], "nothing-open", "Did you mean cool?"),
    (["ack", "acme", "--on", "2999-01-01"], "day-to-come", "on the day"),
    (["snooze", "acme"], "until-when", "--until DAY"),
    (["snooze", "acme", "--until", on(2), "--days", "2"], "until-when", "not with both"),
    (["snooze", "acme", "--until", on(1), "--on", on(2)], "snooze-past", "--days"),
])
def test_what_cannot_be_done_is_said(decided: Path, forestall, arguments: list[str], code: str, says: str) -> None:
    done = forestall("alerts", *arguments, "--project", decided)
    assert done.code == 1
    assert [problem.code for problem in done.error.problems] == [code]
    assert says in str(done.error)


def test_acknowledged_it_is_not_repeated_until_it_gets_worse(project: Path, forestall) -> None:
    said = forestall("alerts", "ack", "zenith", "--project", project, "--by", "luis", "--on", on(2), "--note", "calls")
    assert said.out == "zenith: cool is acknowledged by luis.\n"
    assert "acknowledged by luis" in forestall("alerts", "list", "--project", project, "--account", "zenith").out
    days = forestall("run", "--project", project, "--day", on(12), "--send", "--format", "json").document("run")
    kinds = {(one["account"], one["trigger"]): one["kind"] for one in days["transitions"]}
    assert kinds == {("acme", "cold"): "reminded", ("acme", "cool"): "reminded"}, "once, after ten days without a pass"
    with Store.open(open_project(project).store_path, read_only=True) as store:
        answer, = store.answers("zenith")
    assert (answer.kind, answer.by, answer.note, str(answer.day)) == (AnswerKind.ACKNOWLEDGED, "luis", "calls", on(2))


def test_snoozed_it_rests_until_the_day_has_passed(project: Path, forestall) -> None:
    done = forestall("alerts", "snooze", "acme", "--project", project, "--days", "9", "--on", on(2), "--by", "dana")
    assert done.out == "acme: cold rests until 11 January.\nacme: cool rests until 11 January.\n"
    for day, told in ((11, {"zenith"}), (12, {"zenith", "acme"})):
        folder = shutil.copytree(project, project.parent / str(day))
        found = forestall("run", "--project", folder, "--day", on(day), "--send", "--format", "json").document("run")
        assert {one["account"] for one in found["transitions"] if one["kind"] == "reminded"} == told


def test_done_is_kept_with_the_run(project: Path, forestall) -> None:
    done = forestall("alerts", "done", "acme", "cold", "--project", project, "--by", "dana", "--on", on(2))
    assert done.out == "acme: call is done, says dana.\n"
    with Store.open(open_project(project).store_path, read_only=True) as store:
        run, = (run for run in store.account("acme").runs if run.play == "call")
    assert (str(run.done_on), run.done_by) == (on(2), "dana")
    assert state_of(project)["acme", "cold"].acknowledged_by == "dana"


def test_what_was_said_survives_the_passes_that_follow(project: Path, forestall) -> None:
    forestall("alerts", "ack", "acme", "cold", "--project", project, "--by", "dana", "--on", on(2))
    forestall("run", "--project", project, "--day", on(3), "--send")
    assert state_of(project)["acme", "cold"].acknowledged_by == "dana"


def test_after_days_without_a_pass_the_latest_state_counts(project: Path, forestall) -> None:
    """Nova was cold for weeks and is not any more: nobody hears of it. Zenith is: one message, not one a day."""
    with (project / "facts.csv").open("a") as file:
        file.write(facts("nova", "luis", 500, [20] * 15 + [90], 5) + facts("zenith", "luis", 900, [20] * 20, 5))
    found = forestall("run", "--project", project, "--day", on(24), "--send", "--format", "json").document("run")
    assert {(one["account"], one["play"], one["kind"]) for one in found["deliveries"] if one["play"] != "reminder"
            and one["account"] in ("nova", "zenith") and one["play"] == "call"} == {("zenith", "call", "task")}
    assert [one for one in found["transitions"] if one["account"] == "nova"] == []
    assert sum(one["account"] == "zenith" and one["kind"] == "opened" for one in found["transitions"]) == 1


def test_a_trigger_with_a_new_name_goes_on_in_the_store(project: Path, forestall) -> None:
    rules = project / "rules"
    for name, old, new in (("triggers", "  cold: {when", "  frozen: {renamed_from: cold, when"),
                           ("playbook", "trigger: cold", "trigger: frozen")):
        text = (rules / f"{name}.yaml").read_text()
        (rules / f"{name}.yaml").write_text(text.replace(old, new))
    for day in (3, 4):
        found = forestall("run", "--project", project, "--day", on(day), "--send", "--format", "json").document("run")
        assert (found["transitions"], found["deliveries"], found["plays"]) == ([], [], [])
    with Store.open(open_project(project).store_path, read_only=True) as store:
        record = store.account("acme")
    assert sorted(record.alerts) == ["cool", "frozen"]
    assert {run.group for run in record.runs} == {"cool", "frozen"} == {one.alert.trigger for one in record.log}
    assert {row.delivery.group for row in record.deliveries} == {"cool", "frozen"}


def test_an_outcome_is_recorded_once(project: Path, forestall) -> None:
    said = ["outcome", "acme", "saved", "--project", project, "--revenue", "1200", "--reason", "price", "--by", "dana",
            "--on", on(2)]
    assert forestall(*said).out == "acme: saved (1,200) on 2 January, recorded by dana.\n"
    assert forestall(*said).out == "acme: that was recorded before.\n"
    with Store.open(open_project(project).store_path, read_only=True) as store:
        answer, = store.answers("acme")
    assert (answer.kind, answer.revenue, answer.reason, str(answer.day)) == (AnswerKind.SAVED, 1200, "price", on(2))
    assert forestall("outcome", "acme", "lost", "--project", project, "--by", "dana", "--on", on(2)).code == 0


@pytest.mark.parametrize(("arguments", "code"), [
    (["acne", "saved"], "unknown-account"), (["acme", "saved", "--revenue", "-1"], "no-amount"),
    (["acme", "lost", "--on", "2999-01-01"], "day-to-come")])
def test_an_outcome_that_cannot_be(decided: Path, forestall, arguments: list[str], code: str) -> None:
    done = forestall("outcome", *arguments, "--project", decided)
    assert (done.code, [problem.code for problem in done.error.problems]) == (1, [code])
