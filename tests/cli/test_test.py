from pathlib import Path

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
    assert forestall("test", "--project", Path(__file__).parents[2] / "examples" / "courses").code == 0


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
