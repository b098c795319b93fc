from pathlib import Path
from xml.etree import ElementTree

import pytest

SERIES = "last_activity_on: 2026-01-05 x17"
STORY = """stories:
  - name: Nobody has been here for two weeks
    account: {{account_name: Acme, contact_email: ann@acme.example, csm: dana, customer_since: 2024-03-01}}
    series: {{last_activity_on: 2026-01-05 x17}}
    expect:
      - {expect}
"""


@pytest.fixture
def project(tmp_path: Path, forestall) -> Path:
    forestall("init", tmp_path / "x")
    for path in (tmp_path / "x" / "rules" / "tests").iterdir():
        path.unlink()
    return tmp_path / "x"


def told(project: Path, expect: str) -> Path:
    (project / "rules" / "tests" / "mine.yaml").write_text(STORY.format(expect=expect))
    return project


def test_the_shipped_stories_pass(tmp_path: Path, forestall) -> None:
    forestall("init", tmp_path / "x")
    done = forestall("test", "--project", tmp_path / "x", "--format", "json")
    document = done.document("test")
    assert done.code == 0
    assert document["failed"] == 0
    assert document["passed"] == len(document["stories"]) > 50


def test_the_courses_stories_pass(forestall) -> None:
    done = forestall("test", "--project", Path(__file__).parents[2] / "examples" / "courses", "--coverage")
    assert done.code == 0
    assert [" ".join(line.split()) for line in done.out.splitlines()[-5:-1]] == [
        "triggers 8 of 8", "tiers 6 of 6", "plays 14 of 14", "steps 22 of 22"]


@pytest.mark.parametrize("expect", [
    "{day: 15, alerts: [inactivity]}", "{day: 14, no_alerts: all}", "{day: 1-14, no_deliveries: all}",
    "{day: [15], deliveries: [re_engage.email]}", "{day: 15, tier: unscored}", "{day: 15, no_deliveries: [win_back]}",
])
def test_what_is_so_passes(project: Path, forestall, expect: str) -> None:
    done = forestall("test", "--project", told(project, expect))
    assert done.code == 0, done.out
    assert "1 story: 1 passed, 0 failed." in done.out


@pytest.mark.parametrize(("expect", "said"), [
    ("{day: 14, alerts: [inactivity]}", "day 14: expected alert inactivity open; open: nothing"),
    ("{day: 15, no_alerts: [inactivity]}", "day 15: expected alert inactivity not open; open: inactivity"),
    ("{day: 15, no_alerts: all}", "day 15: expected no alert open; open: inactivity"),
    ("{day: 14-15, deliveries: [re_engage.email]}", "day 14: expected delivery re_engage.email; planned: nothing"),
    ("{day: 15, no_deliveries: all}", "day 15: expected nothing planned; planned: re_engage.email"),
    ("{day: 15, no_deliveries: [re_engage]}", "day 15: expected nothing of re_engage; planned: re_engage.email"),
    ("{day: 15, tier: healthy}", "day 15: expected tier healthy; tier unscored"),
    ("{day: 15, score: 50}", "day 15: expected score 50; no score"),
    ("{day: 15, score: {above: 50}}", "day 15: expected score above 50; no score"),
    ("{day: 15, silence: [holdout]}", "day 15: expected silence because of holdout; silences: nothing"),
])
def test_what_is_not_so_fails_and_says_day_expected_and_got(project: Path, forestall, expect: str, said: str) -> None:
    done = forestall("test", "--project", told(project, expect))
    assert done.code == 1
    assert said in done.out
    assert "mine.yaml:6:" in done.out


@pytest.mark.parametrize(("expect", "said"), [
    ("{day: 15, alerts: [inactivty]}", "no alert is called `inactivty`. Did you mean inactivity?"),
    ("{day: 15, deliveries: [re_engage.mail]}", "no delivery is called `re_engage.mail`. Did you mean re_engage.email"),
    ("{day: 15, tier: helthy}", "no tier is called `helthy`. Did you mean healthy?"),
    ("{day: 18, no_alerts: all}", "the story has 17 days"),
    ("{day: 9-4, no_alerts: all}", "is no range of days"),
])
def test_what_cannot_be_expected_is_a_sentence(project: Path, forestall, expect: str, said: str) -> None:
    done = forestall("test", "--project", told(project, expect))
    assert done.code == 1
    assert said in str(done.error)
    assert "mine.yaml:6:" in str(done.error)


@pytest.mark.parametrize(("before", "after", "said"), [
    (SERIES, "last_activity_on: 2026-13-05 x17", "`2026-13-05` is no value of last_activity_on"),
    (SERIES, "last_actvity_on: 2026-01-05 x17", "Did you mean last_activity_on?"),
    (SERIES, "logins_14d: 9..4", "needs at least two days"),
    (SERIES, "logins_14d: many x17", "`many` is no value of logins_14d: a number is needed"),
    (SERIES, "days_since_last_activity: 3 x17", "is computed from other metrics"),
    ("csm: dana", "last_activity_on: 2026-01-05", "stands in `account` and in `series`"),
    ("csm: dana", "email_opt_out: maybe", "true or false is needed"),
])
def test_a_story_that_cannot_be_told_is_a_sentence(project: Path, forestall, before: str, after: str,
                                                   said: str) -> None:
    told(project, "{day: 1, no_alerts: all}")
    path = project / "rules" / "tests" / "mine.yaml"
    path.write_text(path.read_text().replace(before, after))
    done = forestall("test", "--project", project)
    assert done.code == 1
    assert said in str(done.error), done.error


def test_two_stories_of_one_name_are_refused(project: Path, forestall) -> None:
    told(project, "{day: 1, no_alerts: all}")
    path = project / "rules" / "tests" / "mine.yaml"
    path.write_text(path.read_text() + path.read_text().split("\n", 1)[1])
    assert "stands at" in str(forestall("test", "--project", project).error)


def test_a_project_without_stories_is_told_so(project: Path, forestall) -> None:
    done = forestall("test", "--project", project)
    assert done.code == 0
    assert "There is no story" in done.out


# -- why ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("expect", "why"), [
    ("{day: 14, alerts: [inactivity]}",
     "inactivity: `14 <= days_since_last_activity <= 60` is false: days_since_last_activity is 13, not >= 14"),
    ("{day: 15, no_alerts: all}", "`14 <= days_since_last_activity <= 60` is true: days_since_last_activity is 14"),
    ("{day: 14, deliveries: [re_engage.email]}", "inactivity: `14 <= days_since_last_activity <= 60` is false"),
    ("{day: 16, deliveries: [re_engage.email]}", "re_engage runs since day 15, its next step is due on day 20"),
    ("{day: 15, no_deliveries: all}", "re_engage answers inactivity, which opened on day 15: `14 <= "),
    ("{day: 15, deliveries: [check_in.slack]}", "health_score_drop: `drop(score, days=7) >= 15 and score < 70` is unk"),
    ("{day: 15, deliveries: [nurture.email]}", "nurture starts by the calendar"),
    ("{day: 15, tier: healthy}", "no score: 10% of the weight has data; 50% is needed (activity missing"),
    ("{day: 15, score: {above: 50}}", "recency 30 x 10%"),
    ("{day: 15, silence: [holdout]}", "nothing was held back on this day"),
    ("{day: 15, alerts: ['tier:critical']}", "tier:critical: the account is unscored; no score: 10% of the weight"),
])
def test_a_failure_says_why(project: Path, forestall, expect: str, why: str) -> None:
    done = forestall("test", "--project", told(project, expect))
    assert done.code == 1
    assert why in done.out, done.out
    document = forestall("test", "--project", project, "--format", "json").document("test")
    assert why in document["stories"][0]["misses"][0]["because"]
    assert document["coverage"] is None


MORE = """stories:
  - name: More
    account: {{account_name: Acme, contact_email: ann@acme.example, csm: {csm}, email_opt_out: {out}}}
    series: {{last_activity_on: "{series}"}}
    expect:
      - {expect}
"""


@pytest.mark.parametrize(("series", "csm", "out", "expect", "why"), [
    ("2026-01-05 x20", "dana", "true", "{day: 15, deliveries: [re_engage.email]}",
     "was kept quiet: opted out, the customer asked for no email"),
    ("2026-01-05 x20", "nobody", "false", "{day: 20, deliveries: [re_engage.slack]}",
     "was kept quiet: no address, nothing says how to reach csm"),
    ("2026-01-05 x15, 2026-01-20 x1, 2026-01-05 x3", "dana", "false", "{day: 18, alerts: [inactivity]}",
     "; but it opened on day 15 and rests for 14 days"),
    ("2026-01-05 x46", "dana", "false", "{day: 46, alerts: [inactivity]}", "it was open from day 15 and has expired"),
    ("2025-12-22 x50", "dana", "false", "{day: 30, deliveries: [re_engage.email]}",
     "re_engage began on day 1 and is finished"),
    ("2025-11-06 x2", "dana", "false", "{day: 2, no_alerts: [inactivity]}",
     "; open since day 1, and `clear_when` `days_since_last_activity < 14` is false"),
    ("2025-11-06 x2", "dana", "false", "{day: 1, deliveries: [win_back.email]}",
     "gone_silent: `days_since_last_activity > 60` is false"),
    ("_ x3", "dana", "false", "{day: 3, alerts: [inactivity]}", "days_since_last_activity is missing"),
])
def test_why_it_is_quiet_or_over(project: Path, forestall, series, csm, out, expect, why) -> None:
    (project / "rules" / "tests" / "mine.yaml").write_text(
        MORE.format(series=series, csm=csm, out=out, expect=expect))
    done = forestall("test", "--project", project)
    assert done.code == 1
    assert why in done.out, done.out


# -- what stories reach ------------------------------------------------------------------------------------------------


def test_the_shipped_stories_reach_everything(tmp_path: Path, forestall) -> None:
    forestall("init", tmp_path / "x")
    document = forestall("test", "--project", tmp_path / "x", "--coverage", "--format", "json").document("test")
    assert {name: found["missing"] for name, found in document["coverage"].items()} == {
        "triggers": [], "tiers": [], "plays": [], "steps": [], "reasons": []}
    assert document["coverage"]["reasons"]["cannot"] == ["quiet hours", "budget", "snoozed", "guard", "no template"]


def test_coverage_says_what_no_story_reaches(project: Path, forestall) -> None:
    done = forestall("test", "--project", told(project, "{day: 15, alerts: [inactivity]}"), "--coverage")
    assert done.code == 0
    lines = {line.split()[0]: line for line in done.out.splitlines()[1:]}
    assert lines["triggers"].startswith("triggers    1 of 11; no story reaches: onboarding_stuck, ")
    assert " inactivity" not in lines["triggers"]
    assert lines["tiers"].startswith("tiers       1 of 6; no story reaches: healthy, monitor")
    assert "unscored" not in lines["tiers"]
    assert lines["plays"].startswith("plays       1 of 17")
    assert lines["steps"].startswith("steps       1 of 40")
    assert "re_engage.email:re_engage_again" in lines["steps"]
    assert "re_engage.email:re_engage," not in lines["steps"]
    assert lines["reasons"].endswith("; cannot happen to one account: quiet hours, budget, snoozed, guard, no template")


def test_what_can_happen_to_one_account_follows_from_the_rules(project: Path, forestall) -> None:
    path = project / "rules" / "playbook.yaml"
    path.write_text(path.read_text().replace("tasks_per_csm: 8 per day", "tasks_per_csm: 1 per day"))
    told(project, "{day: 1, no_alerts: all}")
    document = forestall("test", "--project", project, "--coverage", "--format", "json").document("test")
    assert document["coverage"]["reasons"]["cannot"] == ["quiet hours", "snoozed", "guard", "no template"]
    assert "budget" in document["coverage"]["reasons"]["missing"]


# -- JUnit -------------------------------------------------------------------------------------------------------------


def test_junit_has_a_case_per_story(project: Path, forestall) -> None:
    path = told(project, "{day: 15, no_alerts: all}") / "rules" / "tests" / "mine.yaml"
    other = path.with_name("other.yaml")
    other.write_text(path.read_text().replace(
        "Nobody has been here for two weeks", r'"“<Nobody>” & \x01 \U0001F44B"').replace(
        "no_alerts: all", "alerts: [inactivity]"))
    done = forestall("test", "--project", project, "--format", "junit")
    assert done.code == 1
    assert done.out.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    root = ElementTree.fromstring(done.out)
    assert root.attrib == {"name": "forestall", "tests": "2", "failures": "1", "errors": "0", "time": "0"}
    failed, passed = root.findall("testsuite")
    assert (failed.attrib["name"], failed.attrib["failures"]) == (str(path), "1")
    assert (passed.attrib["name"], passed.attrib["failures"]) == (str(other), "0")
    case, failure = failed.find("testcase"), failed.find("testcase/failure")
    assert case.attrib["classname"] == "rules.tests.mine"
    assert case.attrib["name"] == "Nobody has been here for two weeks"
    assert failure.attrib["message"] == "day 15: expected no alert open; open: inactivity"
    assert "mine.yaml:6:9: day 15: expected no alert open" in failure.text
    assert "days_since_last_activity is 14" in failure.text
    assert passed.find("testcase").attrib["name"] == "“<Nobody>” & \ufffd \U0001f44b"
    assert passed.find("testcase/failure") is None
