"""Another threshold: which number is meant, what is tried, and what it says of a past in which the answer is known."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from forestall.engine.cli.main import cli
from forestall.engine.errors import ForestallError, UsageError
from forestall.engine.foretell.records import knows_churn, records, span
from forestall.engine.foretell.sweep import numbers, read_sweep, with_number
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.runtime import Project, open_project

FIRST, END = date(2025, 1, 1), date(2025, 5, 31)
LEAVERS, STAYERS = 12, 24
SCHEMA = Path(__file__).parents[2] / "schemas" / "output" / "simulate.json"
RULES = {
    "metrics.yaml": """
account: {churned_on: left_on, csm: csm}
metrics:
  logins: {kind: number}
  errors: {kind: number}
  csm: {kind: text}
  left_on: {kind: date, stale_after: 3 days}
""",
    "weights.yaml": """
signals: {activity: {weight: 100, metric: logins, points: {0: 0, 20: 100}}}
new_accounts: scored
tiers: {healthy: 60-100, at_risk: 0-59}
""",
    "triggers.yaml": """
defaults: {cooldown: 3 days, lasts: 90 days}
triggers:
  fading: {when: "logins <= 5", existing: record}
  falls: {when: "drop(logins, days=7) >= 15 and logins < 15 and not errors >= 3", clear_when: logins >= 18}
  sinking: {when: "logins - 20 <= -12"}
  plain: {when: known(logins)}
  chosen: {when: "logins < (4 if errors > 9 else 6) and errors != 5"}
  twice: {when: "logins < 5 or errors > 5"}
""",
    "playbook.yaml": "plays: {}\n",
}
SETTINGS = """
sources:
  use: {adapter: csv, path: use.csv, account: account, as_of: as_of}
  left: {adapter: csv, path: left.csv, account: account, as_of: as_of}
delivery: rehearsal
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve accounts fall to 4 logins 20 days before they leave, and six of those who stay do so for ten days."""
    place = tmp_path_factory.mktemp("known")
    (place / "rules").mkdir()
    for name, text in RULES.items():
        (place / "rules" / name).write_text(text)
    (place / "forestall.yaml").write_text(SETTINGS)
    use, left = [], []
    for number in range(LEAVERS + STAYERS):
        low = FIRST + timedelta(days=40 + number)
        leaves = low + timedelta(days=20) if number < LEAVERS else None
        if leaves:
            left.append((f"a{number}", leaves, leaves))
        for step in range((END - FIRST).days + 1):
            day = FIRST + timedelta(days=step)
            if leaves and day >= leaves:
                break
            quiet = day >= low if leaves else number % 4 == 0 and low <= day < low + timedelta(days=10)
            use.append((f"a{number}", day, 4 if quiet else 20, 0, ("dana", "robin")[number % 2]))
    for name, head, rows in (("use", ["logins", "errors", "csm"], use), ("left", ["left_on"], left)):
        with (place / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["account", "as_of", *head], *rows])
    said("history", "import", "--project", place)
    return place


@pytest.fixture(scope="module")
def project(folder: Path) -> Project:
    return open_project(folder)


@pytest.fixture(scope="module")
def rulebook(project: Project) -> Rulebook:
    return project.rulebook


def said(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(one) for one in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def simulated(folder: Path, *arguments: object, first: str = "2025-01-15") -> dict[str, Any]:
    document = json.loads(said("simulate", "--project", folder, "--from", first, "--to", "2025-04-15",
                               "--horizon", 30, "--format", "json", *arguments))
    Draft7Validator(json.loads(SCHEMA.read_text())).validate(document)
    found: dict[str, Any] = document["churn"]
    return found


# -- which number ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("asked", "number", "values"), [
    ("fading:3..7", 5, (3, 4, 5, 6, 7)),
    ("fading:1..9:3", 5, (1, 4, 5, 7)),                     # that in force is always among them
    ("fading:5=10..12", 5, (5, 10, 11, 12)),
    ("falls:15#1=10..30", 15, (10, 12, 14, 15, 16, 18, 20, 22, 24, 26, 28, 30)),
    ("sinking:-15..-10", -12, (-15, -14, -13, -12, -11, -10)),
    ("fading: 4.5..5.5 : 0.25".replace(" : ", ":").replace(": ", ":"), 5, (4.5, 4.75, 5, 5.25, 5.5)),
    ("chosen:3..4.5", 4, (3, 3.15, 3.3, 3.45, 3.6, 3.75, 3.9, 4, 4.05, 4.2, 4.35, 4.5)),
    ("fading:5..5", 5, (5,)),
])
def test_the_number_that_the_range_holds_is_swept(rulebook, asked, number, values) -> None:
    found = read_sweep(asked, rulebook)
    assert (found.number, found.values) == (number, values)


@pytest.mark.parametrize(("asked", "phrase"), [
    ("fading", "not a trigger and a range"),
    ("fading:1-9", "not a trigger and a range"),
    ("nobody:1..9", "there is no trigger nobody. There are fading, falls,"),
    ("fading:6..9", "no number between 6 and 9 is in `logins <= 5`. Name the one that you mean: `fading:5=6..9`."),
    ("falls:1..30", "several numbers between 1 and 30 are in `drop(logins, days=7) >= 15 and logins < 15 and not "
                    "errors >= 3`. Name the one that you mean: `falls:15#1=1..30`, `falls:15#2=1..30`, "
                    "`falls:3=1..30`."),
    ("twice:5=1..9", "the number 5 is not once in `logins < 5 or errors > 5`. Write `twice:5#1=1..9`, "
                     "`twice:5#2=1..9`."),
    ("twice:7=1..9", "the number 7 is not once in"),
    ("twice:5#3=1..9", "the number 5#3 is not once in"),
    ("plain:1..9", "the condition of plain has no number: known(logins)."),
    ("fading:9..1", "9 is more than 1."),
    ("fading:0..10:0.1", "from 0 to 10 in steps of 0.1 is too much."),
    ("fading:0..10:0", "from 0 to 10 in steps of 0 is too much."),
])
def test_what_is_not_clear_is_said_in_one_sentence(rulebook, asked, phrase) -> None:
    with pytest.raises(UsageError) as raised:
        read_sweep(asked, rulebook)
    assert str(raised.value).startswith("--sweep: ")
    assert phrase in str(raised.value)


@pytest.mark.parametrize("name", ["fading", "falls", "sinking", "chosen", "twice"])
def test_another_number_changes_only_its_own_place(rulebook, name) -> None:
    when = rulebook.triggers[name].when
    for place, number in enumerate(numbers(when.term)):
        changed = with_number(when, place, 99)
        assert numbers(changed.term) == (*numbers(when.term)[:place], 99, *numbers(when.term)[place + 1:])
        back = with_number(changed, place, number)
        assert numbers(back.term) == numbers(when.term)
        assert back.term == when.term or number < 0      # `-12` becomes one literal


# -- what it says ------------------------------------------------------------------------------------------------------

def test_the_command_says_what_each_trigger_caught(folder) -> None:
    churn = simulated(folder)
    found = {one["alert"]: one for one in churn["candidate"]}
    assert (churn["churned"], churn["through"]) == (LEAVERS, "2025-04-15")
    fading = found["fading"]
    assert (fading["caught"], fading["missed"], fading["false_alarms"], fading["left_out"]) == (LEAVERS, 0, 6, 0)
    assert (fading["lead"], fading["lead_range"]) == (20, [20, 20])
    assert fading["precision"]["share"] == pytest.approx(12 / 18)
    assert fading["better_than_chance"] is True
    assert found["score"]["caught"] == LEAVERS
    assert found["plain"]["caught"] == 0              # open since the warm-up: nothing opened in the period
    assert found["plain"]["better_than_chance"] is None


def test_the_sweep_shows_the_trade(folder) -> None:
    churn = simulated(folder, "--sweep", "fading:2..6")
    assert churn["swept"] == "fading: the number 5"
    found = {one["value"]: one for one in churn["sweep"]}
    assert [value for value, one in found.items() if one["in_force"]] == [5]
    assert {value: one["caught"]["caught"] for value, one in found.items()} == {2: 0, 3: 0, 4: 12, 5: 12, 6: 12}
    assert found[5]["alerts_per_csm"] == pytest.approx(18 / 2 / 13)      # two CSMs, thirteen weeks
    [same] = [one for one in churn["candidate"] if one["alert"] == "fading"]
    assert {**found[5]["caught"], "better_than_chance": None} == {**same, "better_than_chance": None}


def test_the_value_in_force_opens_what_the_trigger_opens(folder) -> None:
    """With a condition for clearing, a cooldown and a fall that repeats, through the lifecycle of production."""
    churn = simulated(folder, "--sweep", "falls:15#1=5..25:5")
    [same] = [one for one in churn["candidate"] if one["alert"] == "falls"]
    [there] = [one for one in churn["sweep"] if one["in_force"]]
    assert there["caught"]["caught"] == same["caught"] == LEAVERS
    assert there["caught"]["precision"] == same["precision"]


@pytest.mark.parametrize("warm_up", [0, 30])
def test_the_sweep_counts_the_days_that_the_comparison_counts(folder, warm_up) -> None:
    """Eleven are low when the period begins, one of them since that day: `existing: record` holds without a warm-up."""
    churn = simulated(folder, "--warm-up", warm_up, "--sweep", "fading:5..5", first="2025-02-20")
    [same] = [one for one in churn["candidate"] if one["alert"] == "fading"]
    [there] = churn["sweep"]
    assert {**there["caught"], "better_than_chance": None} == {**same, "better_than_chance": None}
    assert same["caught"] == (1 if warm_up == 0 else 2)
    assert there["alerts_per_csm"] * 2 * 55 / 7 == pytest.approx(same["precision"]["of"] + same["left_out"])


def test_an_unclear_sweep_ends_before_anything_is_replayed(folder) -> None:
    with pytest.raises(ForestallError, match="no number between 6 and 9"):
        simulated(folder, "--sweep", "fading:6..9")


def test_without_dates_of_leaving_there_is_nothing_to_judge(folder, tmp_path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in RULES.items():
        (rules / name).write_text(text.replace("churned_on: left_on, ", ""))
    assert simulated_with(folder, rules) is None
    assert not knows_churn(open_project(folder, rules).evaluator)
    with pytest.raises(ForestallError, match="no metric says when accounts left"):
        simulated(folder, "--rules", rules)


def simulated_with(folder: Path, rules: Path) -> object:
    return json.loads(said("simulate", "--project", folder, "--rules", rules, "--format", "json"))["churn"]


# -- what hindsight knows ----------------------------------------------------------------------------------------------

def test_the_record_of_an_account_ends_when_it_left_or_when_nobody_named_it_any_more(project) -> None:
    found = records(project.evaluator, project.history)
    assert len(found) == LEAVERS + STAYERS
    left = FIRST + timedelta(days=60)
    assert (found["a0"].first, found["a0"].last, found["a0"].churned_on) == (FIRST, left, left)
    assert (found["a20"].first, found["a20"].last, found["a20"].churned_on) == (FIRST, END, None)
    assert records(project.evaluator, project.history, {"a20"}).keys() == {"a20"}
    assert span(project.history, FIRST, FIRST).end == END


def test_the_day_of_leaving_may_be_computed(folder, project, tmp_path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in RULES.items():
        (rules / name).write_text(text.replace("churned_on: left_on", "churned_on: over_on").replace(
            "  csm: {kind: text}", "  csm: {kind: text}\n  over_on: {is: left_on}"))
    said = records(project.evaluator, project.history)
    assert records(open_project(folder, rules).evaluator, project.history) == said
