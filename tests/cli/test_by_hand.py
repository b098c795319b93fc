"""What people know and no source says: by_hand.csv, from its first day through its last; outcomes of plays."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from forestall.engine.errors import RulesError
from forestall.engine.model.delivery import OutcomeStatus, RunStatus
from forestall.engine.model.outcome import AnswerKind
from forestall.engine.rulebook.loader import load
from forestall.engine.runtime import open_project
from forestall.engine.store import Store

FIRST = date(2026, 1, 1)
FILES = {
    "rules/metrics.yaml": """
account: {name: account_name, contact: contact_email, churned_on: left_on}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  contact_email: {kind: text, personal: true, stale_after: 90 days}
  left_on: {kind: date, stale_after: 90 days}
  heat: {kind: number, unit: degrees, stale_after: 60 days, by_hand: true}
  upset: {kind: flag, by_hand: true}
  mood: {kind: text, one_of: [good, bad], by_hand: true}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
tiers:
  healthy: 60-100
  at_risk: 30-59
  critical: {range: 0-29, when: upset}
""",
    "rules/triggers.yaml": """
triggers:
  cold: {when: heat < 30, severity: critical}
  cool: {when: heat < 50, severity: at_risk}
""",
    "rules/playbook.yaml": """
plays:
  call: {trigger: cold, goal: {when: heat >= 60, within: 3 days}, steps: [{wait: 30 days}]}
  write: {trigger: cool, goal: {when: heat >= 22, within: 9 days}, steps: [{wait: 30 days}]}
""",
    "forestall.yaml": "sources:\n  facts: {adapter: csv, path: facts.csv}\ndelivery: rehearsal\n",
}
HEAD = "account,metric,value,since,until,by,note\n"
HEATS = {"acme": [90, 20, 20, 25, 90, 90, 90], "zenith": [90] * 7}


def on(number: int) -> str:
    return str(FIRST + timedelta(days=number - 1))


BY_HAND = HEAD + f'zenith,upset,true,{on(2)},{on(3)},dana,"their boss called, twice"\n' \
    f"acme,heat,12,{on(5)},{on(5)},luis,the meter is broken\n"


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, forestall) -> tuple[Path, list[dict[str, object]]]:
    """Seven days, decided one by one, and the document of each."""
    folder = tmp_path_factory.mktemp("hand") / "project"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "rules" / "by_hand.csv").write_text(BY_HAND)
    lines = [f"{account},{on(day)},{account},a@{account}.example,{heat},{on(4) if account == 'zenith' else ''}\n"
             for account, heats in HEATS.items() for day, heat in enumerate(heats, 1)]
    (folder / "facts.csv").write_text("account,as_of,account_name,contact_email,heat,left_on\n" + "".join(lines))
    told = [forestall("run", "--project", folder, "--day", on(day), "--send", "--format", "json").document("run")
            for day in range(1, 8)]
    return folder, told


def test_a_value_holds_from_its_first_day_through_its_last(decided) -> None:
    _, told = decided
    assert [day["tiers"] for day in told] == [
        {"healthy": 2, "at_risk": 0, "critical": 0}, {"healthy": 0, "at_risk": 0, "critical": 2},
        {"healthy": 0, "at_risk": 0, "critical": 2}, *[{"healthy": 1, "at_risk": 0, "critical": 1}] * 2,
        *[{"healthy": 2, "at_risk": 0, "critical": 0}] * 2]
    assert [tuple(day["by_hand"].values()) for day in told] == [
        (0, 0), (1, 0), (1, 0), (0, 1), (1, 1), (0, 2), (0, 2)]


def test_a_simulation_of_the_days_says_the_same(decided, forestall) -> None:
    folder, told = decided
    found = forestall("simulate", "--project", folder, "--from", on(1), "--to", on(7), "--format", "json")
    days = [day["candidate"] for day in json.loads(found.out)["days"]]
    assert [{name: day["tiers"][name] for name in told[0]["tiers"]} for day in days] == [day["tiers"] for day in told]


def test_explain_says_who_says_so_and_why(decided, forestall) -> None:
    folder, _ = decided
    shown = forestall("explain", "zenith", "--project", folder, "--day", on(2)).out
    assert "By hand       upset: yes, says dana until 3 January: their boss called, twice" in shown
    found = forestall("explain", "acme", "--project", folder, "--day", on(5), "--format", "json").document("explain")
    assert found["by_hand"] == [{"what": "heat", "by": "luis", "note": "the meter is broken", "since": on(5),
                                 "until": on(5)}]
    assert {"heat": 12.0}.items() <= {one["what"]: one["value"] for one in found["metrics"]}.items()


def test_what_became_of_plays_that_ran_and_of_those_that_were_kept_away(decided) -> None:
    folder, _ = decided
    with Store.open(open_project(folder).store_path, read_only=True) as store:
        runs = {run.play: run for run in store.account("acme").runs if str(run.occurrence) == on(2)}
        lost, = store.answers("zenith")
    call, write = runs["call"], runs["write"]
    assert (call.outcome, call.took) == (OutcomeStatus.NOT_MET, None)
    assert (write.status, write.outcome, write.took) == (RunStatus.SILENCED, OutcomeStatus.MET, 2)
    assert (lost.kind, str(lost.day), lost.source) == (AnswerKind.LOST, on(4), "data")


@pytest.mark.parametrize(("line", "code", "column", "says"), [
    ("acme,heat,warm,2026-01-01,2026-01-02,dana,why", "by-hand-cell", 11, "Write a number"),
    ("acme,heat,nan,2026-01-01,2026-01-02,dana,why", "by-hand-cell", 11, "Write a number"),
    ("acme,upset,maybe,2026-01-01,2026-01-02,dana,why", "by-hand-cell", 12, "Write true or false"),
    ("acme,mood,sad,2026-01-01,2026-01-02,dana,why", "by-hand-cell", 11, "one of good, bad"),
    ("acme,left_on,2026-01-01,2026-01-01,2026-01-02,dana,why", "not-by-hand", 6, "by_hand: true"),
    ("acme,haet,3,2026-01-01,2026-01-02,dana,why", "unknown-name", 6, "heat"),
    ("acme,heat,3,1 January,2026-01-02,dana,why", "by-hand-cell", 13, "`since` is no day"),
    ("acme,heat,3,2026-01-03,2026-01-02,dana,why", "by-hand-cell", 24, "`until` lies before `since`"),
    ("acme,heat,3,2026-01-01,2026-01-02,,why", "by-hand-cell", 35, "`by` is empty"),
    ('"acme, inc",heat,3,2026-01-01,2026-01-02,dana,', "by-hand-cell", 47, "`note` is empty"),
    ("acme,heat,3,2026-01-01,2026-01-02,dana,why, oh why", "by-hand-columns", 1, "in quotes"),
    (f"acme,heat,3,{on(4)},{on(9)},dana,why", "by-hand-twice", 1, "line 3 holds until"),
])
def test_a_bad_line_is_named_with_its_place(decided, tmp_path: Path, line: str, code: str, column: int,
                                            says: str) -> None:
    rules = Path(shutil.copytree(decided[0] / "rules", tmp_path / "rules"))
    text = BY_HAND.replace(f"acme,heat,12,{on(5)},{on(5)}", f"acme,heat,12,{on(1)},{on(5)}") + line + "\n"
    (rules / "by_hand.csv").write_text(text if code == "by-hand-twice" else BY_HAND + line + "\n")
    with pytest.raises(RulesError) as refused:
        load(rules, None)
    problem, = refused.value.problems
    assert (problem.code, problem.location.line, problem.location.column) == (code, 4, column)
    assert says in str(problem)


def test_the_first_line_names_the_columns(decided, tmp_path: Path) -> None:
    rules = Path(shutil.copytree(decided[0] / "rules", tmp_path / "rules"))
    (rules / "by_hand.csv").write_text("account,metric,value,author\n")
    with pytest.raises(RulesError, match="account,metric,value,since,until,by,note"):
        load(rules, None)
