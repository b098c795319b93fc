"""`forestall explain` after passes: alerts with what would clear them, plays or why not, ages, and changed rules."""

import json
import shutil
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest
from projects import write_files

FIRST = date(2026, 1, 1)
FILES = {
    "rules/metrics.yaml": """
account: {name: account_name, contact: contact_email, csm: csm}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  contact_email: {kind: text, personal: true, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  segment: {kind: text, one_of: [small, large], stale_after: 90 days}
  heat: {kind: number, unit: degrees, stale_after: 3 days}
  light: {kind: number, stale_after: 3 days}
  wind: {kind: number, stale_after: 3 days}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 50, metric: heat, points: {0: 0, 100: 100}}
  brightness: {weight: 30, metric: light, points: {0: 0, 10: 100}}
  air: {weight: 20, metric: wind, points: {0: 100, 10: 0}, missing: zero}
tiers: {healthy: 60-100, at_risk: 30-59, critical: 0-29}
""",
    "rules/triggers.yaml": """
triggers:
  cold:
    when: heat < 30
    clear_when: heat >= 35
  cooling: {when: "drop(heat, days=3) >= 20", severity: healthy}
  known_cold: {when: heat < 31, existing: record}
  dark: {when: light < 2, severity: healthy}
""",
    "rules/playbook.yaml": """
plays:
  for_large:
    trigger: cold
    applies_to: segment == "large"
    steps: [{email: {to: contact, template: note}}]
  call:
    trigger: cold
    steps:
      - email: {to: contact, template: note}
      - wait: 3 days
      - task: {for: csm, to: crm, template: note}
  warm_up: {trigger: cooling, steps: [{email: {to: contact, template: note}}]}
  again: {trigger: known_cold, steps: [{email: {to: contact, template: note}}]}
limits: {emails_per_account: 1 per 3 days}
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
delivery: rehearsal
""",
}
HEAD = "account,as_of,account_name,contact_email,csm,segment,heat,light,wind\n"
COLD = [(90, 8, 1), (88, 8, 1), (80, 8, 1), (72, 8, 1), (28, 8, 1), (20, 8, 1)]


def facts(series: list[tuple[object, ...]], account: str = "acme", segment: str = "small") -> str:
    return "".join(
        f"{account},{FIRST + timedelta(days=index)},Acme,ann@acme.example,dana,{segment},"
        + ",".join("" if one is None else str(one) for one in values) + "\n" for index, values in enumerate(series))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write_files(folder, FILES)
    (folder / "facts.csv").write_text(HEAD + facts(COLD))
    return folder


def on(number: int) -> str:
    return str(FIRST + timedelta(days=number - 1))


def explained(forestall, project: Path, *more: object, account: str = "acme") -> dict[str, object]:
    return forestall("explain", account, "--project", project, "--format", "json", *more).document("explain")


def passes(forestall, project: Path, first: int, last: int) -> list[dict[str, object]]:
    done = forestall("run", "--project", project, "--day", on(first), "--until", on(last), "--send", "--format", "json")
    assert done.code == 0, done.error
    return [json.loads(line) for line in done.out.splitlines()]


def test_an_open_alert_says_what_would_clear_it_and_which_plays_started(project: Path, forestall) -> None:
    passes(forestall, project, 1, 6)
    found = explained(forestall, project)
    assert (found["day"], found["decided"]) == (on(6), on(6))
    alerts = {one["trigger"]: one for one in found["alerts"]}
    cold = alerts["cold"]
    assert (cold["status"], cold["opened_on"], cold["recorded_only"]) == ("open", on(5), False)
    assert cold["clearing"]["condition"] == "heat >= 35"
    assert cold["clearing"]["ways"] == [[{"metric": "heat", "now": 20, "to": 35, "one_unit_less": 34}]]
    assert cold["clearing"]["expires_on"] == on(35)
    assert cold["clearing"]["if_all_stays"] is None
    assert cold["plays"] == [
        {"play": "for_large", "started": False,
         "why_not": 'not for this account: segment is "small", not == "large"'},
        {"play": "call", "started": True, "why_not": ""}]
    assert alerts["cooling"]["plays"] == [
        {"play": "warm_up", "started": False, "why_not": "another play: call is running"}]
    assert alerts["cooling"]["clearing"]["if_all_stays"] == on(8)      # three days on, nothing has fallen any more
    call = next(one for one in found["plays"] if one["play"] == "call")
    assert [(one["kind"], one["status"]) for one in call["deliveries"]] == [("email", "sent")]
    assert call["next_on"] == on(8)
    out = forestall("explain", "acme", "--project", project).out
    assert "clears when heat >= 35; enough today: heat 35 (is 20)" in out
    assert "call: started 5 January; 1 email sent; next task note on 8 January" in out
    assert "warm_up: not started, another play: call is running" in out
    assert "example" not in out


def test_a_change_that_is_named_closes_the_alert_in_a_pass(project: Path, forestall, tmp_path: Path) -> None:
    """Not only in the explanation: the day is decided again with the other value in the source."""
    passes(forestall, project, 1, 5)
    before = Path(shutil.copytree(project, tmp_path / "before"))
    passes(forestall, project, 6, 6)
    found = explained(forestall, project)
    for alert in found["alerts"]:
        for (way,) in alert["clearing"]["ways"]:
            for value, closes in ((way["to"], True), (way["one_unit_less"], False)):
                again = Path(shutil.copytree(before, tmp_path / f"{alert['trigger']}-{way['metric']}-{value}"))
                heat, light, wind = COLD[-1]
                changed = {"heat": heat, "light": light, "wind": wind} | {way["metric"]: value}
                (again / "facts.csv").write_text(HEAD + facts([*COLD[:-1], tuple(changed.values())]))
                (document,) = passes(forestall, again, 6, 6)
                closed = [one["trigger"] for one in document["transitions"] if one["kind"] == "cleared"]
                assert (alert["trigger"] in closed) is closes, (alert["trigger"], way, value)


def test_an_earlier_day_shows_the_alerts_of_then(project: Path, forestall) -> None:
    passes(forestall, project, 1, 6)
    assert explained(forestall, project, "--day", on(4))["alerts"] == []
    at_five = explained(forestall, project, "--day", on(5))
    assert {one["trigger"]: one["status"] for one in at_five["alerts"]} == {"cold": "open", "cooling": "open",
                                                                          "known_cold": "open"}
    later = forestall("explain", "acme", "--project", project, "--day", on(7))
    assert later.code == 1      # the history ends with the last pass


def test_what_was_only_recorded_says_so(project: Path, forestall) -> None:
    (project / "facts.csv").write_text(HEAD + facts([(20, 8, 1)] * 3))
    passes(forestall, project, 1, 3)
    found = {one["trigger"]: one for one in explained(forestall, project)["alerts"]}
    assert found["known_cold"]["recorded_only"]
    assert found["known_cold"]["plays"][0]["why_not"].startswith("the alert was only recorded")
    assert "known_cold, at_risk, open since 1 January; expires on 31 January; only recorded, so no play started" in (
        " ".join(forestall("explain", "acme", "--project", project).out.split()))


def test_a_closed_alert_rests_and_says_until_when(project: Path, forestall) -> None:
    (project / "facts.csv").write_text(HEAD + facts([(90, 8, 1), (20, 8, 1), (90, 8, 1), (20, 8, 1)]))
    passes(forestall, project, 1, 4)
    found = next(one for one in explained(forestall, project)["triggers"] if one["trigger"] == "cold")
    assert (found["truth"], found["alert"], found["cooldown_until"]) == ("true", "clear", on(16))
    assert "heat is 20, < 30; rests until 16 January" in forestall("explain", "acme", "--project", project).out


def test_ages_and_what_missing_did(project: Path, forestall) -> None:
    (project / "facts.csv").write_text(HEAD + facts([(90, 8, 1), (None, 8, 1), (None, 8, None), (None, 8, None),
                                                     (None, 8, None)]))
    passes(forestall, project, 1, 3)
    third = {one["name"]: one for one in explained(forestall, project)["signals"]}
    assert {name: one["age_days"] for name, one in third.items()} == {"warmth": 2, "brightness": 0, "air": 1}
    passes(forestall, project, 4, 5)
    found = explained(forestall, project)
    signals = {one["name"]: one for one in found["signals"]}
    assert (signals["warmth"]["points"], signals["warmth"]["earned"], signals["warmth"]["effective_share"]) == (
        None, None, 0)
    assert signals["warmth"]["lacking"] == ["heat"]
    assert signals["warmth"]["without_data"] == "the others share its weight"
    assert signals["air"]["earned"] == 18 * 2
    assert signals["air"]["age_days"] == 3
    metrics = {one["what"]: one for one in found["metrics"]}
    assert metrics["heat"] == {"what": "heat", "value": None, "unit": "degrees", "age_days": 4, "said_on": on(1),
                               "source": "facts"}
    assert "contact_email" not in metrics
    out = forestall("explain", "acme", "--project", project).out
    assert "4 days ago  heat too old after 3 days: left out" in out
    since = explained(forestall, project, "--since", 4)["since"]
    assert since["behaviour"] == 0
    assert since["data"] == pytest.approx(since["change"] - since["rounding"])
    assert since["moved"][0]["signal"] == "warmth"


def test_no_score_is_said_with_its_reason(project: Path, forestall) -> None:
    weights = project / "rules" / "weights.yaml"
    weights.write_text(weights.read_text() + "minimum_coverage: 60 percent\n")
    (project / "facts.csv").write_text(HEAD + facts([(90, None, None)]))
    passes(forestall, project, 1, 1)
    found = explained(forestall, project)
    assert found["score"] is None
    assert {one["earned"] for one in found["signals"]} == {None}
    assert found["since"]["change"] is None
    out = forestall("explain", "acme", "--project", project).out
    assert "unscored: 50% of the weight has data; 60% is needed" in out
    assert "nothing to compare, the account had no score on that day" in out
    assert "light was never said" in out


def test_a_tier_that_a_condition_forces_is_said_so(project: Path, forestall) -> None:
    weights = project / "rules" / "weights.yaml"
    weights.write_text(weights.read_text().replace("critical: 0-29", "critical: {range: 0-29, when: light < 3}"))
    (project / "facts.csv").write_text(HEAD + facts([(90, 2, 1)]))
    passes(forestall, project, 1, 1)
    out = forestall("explain", "acme", "--project", project).out
    assert "69, Critical whatever the score: light is 2, < 3; 100% of the weight has data" in out


def test_an_account_that_is_gone_says_when_it_was_last_named(project: Path, forestall) -> None:
    (project / "facts.csv").write_text(HEAD + facts(COLD) + facts([(90, 5, 1)] * 30, account="other"))
    passes(forestall, project, 30, 30)
    gone = forestall("explain", "acme", "--project", project)
    assert gone.code == 1
    assert f"no account of this name has a row on {on(30)}" in str(gone.error)
    assert f"A source named it last on {on(6)}: look at that day with --day." in str(gone.error)


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_rules_that_changed_are_told_apart(project: Path, forestall) -> None:
    (project / "facts.csv").write_text(HEAD + facts([(90, 5, 1), (90, 5, 1), (70, 5, 1)]))
    git(project, "init", "--quiet")
    git(project, "add", "rules")
    git(project, "commit", "--quiet", "-m", "first")
    passes(forestall, project, 1, 2)
    assert explained(forestall, project, "--since", 1)["since"]["rules_then"] == "the same"
    weights = project / "rules" / "weights.yaml"
    text = weights.read_text()
    weights.write_text(text.replace("weight: 50", "weight: 80").replace("weight: 30", "weight: 10").replace(
        "weight: 20", "weight: 10"))
    passes(forestall, project, 3, 3)
    since = explained(forestall, project, "--since", 1)["since"]
    assert since["rules_then"] == "changed"
    assert len(since["commit"]) == 40
    assert since["score"] == 0.5 * 90 + 0.3 * 50 + 0.2 * 90          # by the rules of then
    assert since["rules"] == pytest.approx(0.8 * 90 + 0.1 * 50 + 0.1 * 90 - since["score"])
    assert since["behaviour"] == pytest.approx(-0.8 * 20)
    assert since["change"] == pytest.approx(since["behaviour"] + since["data"] + since["rules"] + since["rounding"])
    assert "rules +8.0" in forestall("explain", "acme", "--project", project, "--since", 1).out


def test_rules_that_are_not_stored_are_not_made_up(project: Path, forestall) -> None:
    (project / "facts.csv").write_text(HEAD + facts([(90, 5, 1), (70, 5, 1)]))
    passes(forestall, project, 1, 1)
    weights = project / "rules" / "weights.yaml"
    weights.write_text(weights.read_text().replace("weight: 50", "weight: 90"))
    passes(forestall, project, 2, 2)
    since = explained(forestall, project, "--since", 1)["since"]
    assert (since["rules_then"], since["rules"], since["commit"]) == ("changed, not stored", None, "")
    assert since["change"] == pytest.approx(since["behaviour"] + since["data"] + since["rounding"])
    out = " ".join(forestall("explain", "acme", "--project", project, "--since", 1).out.split())
    assert "what they were is not stored: the score of then is computed by today's rules" in out
    assert "rules +" not in out


def test_a_wrong_number_of_days_is_wrong_usage(project: Path, forestall) -> None:
    assert forestall("explain", "acme", "--project", project, "--since", 0).code == 2


def test_it_is_readable_without_a_terminal(project: Path, forestall) -> None:
    passes(forestall, project, 1, 6)
    out = forestall("explain", "acme", "--project", project).out
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines()) <= 100


def test_many_alerts_are_shortened_to_one_screen(forestall, project: Path) -> None:
    more = "".join(f"  below_{number}: {{when: heat < {60 - number}, clear_when: heat >= {70 + number}}}\n"
                   f"  above_{number}: {{when: heat > {200 + number}}}\n" for number in range(12))
    with (project / "rules" / "triggers.yaml").open("a") as file:
        file.write(more)
    forestall("run", "--project", project, "--day", on(6), "--send", "--existing", "open")
    short, whole = (forestall("explain", "acme", "--project", project, *more).out.splitlines()
                    for more in ((), ("--all",)))
    assert len(short) <= 50 < len(whole)
    assert short[-1] == "Shortened to one screen; --all shows the rest."
    assert max(map(len, short)) <= 100
    assert all(any(f"{name}_{number}" in line for line in short) for name in ("below", "above") for number in range(12))
