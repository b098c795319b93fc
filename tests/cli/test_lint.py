"""Each check three times: it speaks, a comment excuses it, and the default rules give it no reason to speak."""

import shutil
from pathlib import Path

import pytest

from forestall.engine.lint.lint import CODES

ROOT = Path(__file__).parents[2]
TASK = "      - task: {for: csm, to: crm, template: rescue_call}\n"
EXECUTIVE_CALL = """      - task:
          for: executive
          to: crm
          template: executive_call
          done_when: days_since(last_spoken_on) <= 1
"""
OWNED = "    trigger: gone_silent\n    owner: csm\n"
NOT_OWNED = "    trigger: gone_silent\n"
# the code, the file, what stands there, what stands there instead, and the line that the finding is about
ON_RULES = [
    ("two-sided-without-clear", "triggers.yaml", "    clear_when: days_since_last_activity < 14 ", "    # ",
     "  inactivity:"),
    ("two-sided-without-clear", "triggers.yaml", "when: days_since_last_activity > 60",
     "when: not days_since_last_activity <= 60 and 90 > days_since_last_activity", "  gone_silent:"),
    ("task-on-healthy-tier", "playbook.yaml", "      - webhook: {to: in_app, template: nurture_in_app}\n", TASK,
     "  nurture:"),
    ("nobody-on-worst-tier", "playbook.yaml", EXECUTIVE_CALL, "",
     "  executive_save:"),
    ("many-customer-triggers", "triggers.yaml", "# lint: allow many-customer-triggers", "#", "triggers:"),
    ("tier-without-play", "playbook.yaml", "    tier: monitor\n", "    tier: at_risk\n", "  monitor: 60-79"),
    ("play-without-owner", "playbook.yaml", OWNED, NOT_OWNED,
     "  win_back:"),
    ("play-without-goal", "playbook.yaml", "    goal:\n      when: score >= 80\n      within: 21 days\n", "",
     "  educate:"),
    ("email-without-holdout", "playbook.yaml", "      within: 21 days\n    holdout: 10 percent\n",
     "      within: 21 days\n", "  wake_the_seats:"),
    ("secret-in-file", "playbook.yaml", "https://help.example.com/welcome-back",
     "https://hooks.slack" + ".com/services/T01234567/B01234567/abcdefABCDEF012345", "    resources: [https://hooks.slack"),
    ("secret-in-file", "templates/win_back.md", "\n\n", "\n\nToken xoxb-" + "123456789012-abcdefABCDEF\n",
     "Token xoxb"),
]
ON_HISTORY = [
    ("dead-trigger", "was never true on the 90 days", "logins_14d > 100000"),
    ("dead-trigger", "could never be judged on the 90 days", "never_said > 3"),
    ("noisy-trigger", "of the accounts on an average day", "logins_14d >= 0"),
    ("twin-triggers", "triggers inactivity and mine were true", "days_since(last_activity_on) in [*DAYS*]"),
    ("look-back-beyond-history", "looks 200 days back", "drop(score, days=200) > 5"),
]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, forestall) -> Path:
    folder = tmp_path_factory.mktemp("lint") / "project"
    forestall("init", folder)
    return folder


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "project"))


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text, before
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def linted(forestall, *arguments: object) -> tuple[dict[str, list], dict[str, list]]:
    """What `lint` finds, and what is excused, by code."""
    done = forestall("lint", *arguments, "--format", "json")
    document = done.document("lint")
    assert done.code == any(one["severity"] == "error" for one in document["findings"])
    both = []
    for key in ("findings", "excused"):
        by_code: dict[str, list] = {}
        for one in document[key]:
            by_code.setdefault(one["code"], []).append(one)
        both.append(by_code)
    return both[0], both[1]


def excuse(path: Path, line: str, code: str) -> None:
    """A comment above the line that begins like this."""
    lines = path.read_text(encoding="utf-8").splitlines()
    number = next(number for number, one in enumerate(lines) if one.startswith(line))
    comment = f"# lint: allow {code}: for once"
    if path.suffix == ".md":
        comment = f"{{{comment} #}}"
    lines.insert(number, " " * (len(line) - len(line.lstrip())) + comment)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(("code", "file", "before", "after", "line"), ON_RULES,
                         ids=[f"{row[0]}-{number}" for number, row in enumerate(ON_RULES)])
def test_a_check_speaks_and_can_be_excused(project: Path, forestall, code, file, before, after, line) -> None:
    path = project / "rules" / file
    change(path, before, after)
    findings, _ = linted(forestall, "--project", project)
    (found,) = findings[code]
    path = Path(found["file"])
    assert path.read_text(encoding="utf-8").splitlines()[found["line"] - 1].startswith(line)
    assert found["hint"]
    excuse(path, line, code)
    findings, excused = linted(forestall, "--project", project)
    assert code not in findings
    assert "for once" in [one["reason"] for one in excused[code]]


@pytest.mark.parametrize(("code", "said", "when"), ON_HISTORY, ids=[f"{row[0]}-{row[1][:9]}" for row in ON_HISTORY])
def test_a_check_of_the_history_speaks_and_can_be_excused(sampled: Path, tmp_path: Path, forestall, code, said,
                                                          when) -> None:
    rules = Path(shutil.copytree(sampled / "rules", tmp_path / "rules"))
    change(rules / "metrics.yaml", "  # Who they are.", "  never_said: {kind: number}\n  # Who they are.")
    when = "days_since(last_activity_on) >= 14 and not last_activity_on < last_activity_on and " \
        "days_since_last_activity <= 60" if "DAYS" in when else when
    with (rules / "triggers.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\n  mine:\n    when: {when}\n")
    findings, _ = linted(forestall, "--project", sampled, "--rules", rules)
    assert said in findings[code][-1]["message"]
    place = findings[code][-1]
    line = (rules / "triggers.yaml").read_text(encoding="utf-8").splitlines()[place["line"] - 1]
    excuse(rules / "triggers.yaml", line, code)
    findings, excused = linted(forestall, "--project", sampled, "--rules", rules)
    assert code not in findings
    assert excused[code][-1]["reason"] == "for once"


def test_the_default_rules_have_a_reason_for_everything(sampled: Path, forestall) -> None:
    findings, excused = linted(forestall, "--project", sampled)
    assert findings == {}
    assert all(one["reason"] for several in excused.values() for one in several)


def test_the_rules_of_the_courses_have_a_reason_for_everything(forestall) -> None:
    findings, excused = linted(forestall, "--project", ROOT / "examples" / "courses", "--days", 0)
    assert findings == {}
    assert all(one["reason"] for several in excused.values() for one in several)


def test_every_check_is_tried_here() -> None:
    assert {row[0] for row in ON_RULES} | {row[0] for row in ON_HISTORY} == set(CODES)


def test_every_check_is_explained() -> None:
    page = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    for code in CODES:
        assert f"| `{code}` |" in page


def test_twins_must_have_been_seen_together(sampled: Path, tmp_path: Path, forestall) -> None:
    """Two triggers that are never true share everything, and are no twins: they are dead."""
    rules = Path(shutil.copytree(sampled / "rules", tmp_path / "rules"))
    with (rules / "triggers.yaml").open("a", encoding="utf-8") as file:
        file.write("\n  one:\n    when: logins_14d > 100000\n  two:\n    when: logins_14d > 200000\n")
    findings, _ = linted(forestall, "--project", sampled, "--rules", rules)
    assert len(findings["dead-trigger"]) == 2
    assert "twin-triggers" not in findings


def test_a_short_look_sees_less(sampled: Path, forestall) -> None:
    document = forestall("lint", "--project", sampled, "--days", 7, "--format", "json").document("lint")
    assert document["history"] == {"first": "2026-03-25", "last": "2026-03-31", "account_days": 7 * 60}


def test_strict_fails_where_there_is_advice(project: Path, forestall) -> None:
    assert forestall("lint", "--project", project, "--strict").code == 0
    change(project / "rules" / "playbook.yaml", OWNED, NOT_OWNED)
    assert forestall("lint", "--project", project).code == 0
    done = forestall("lint", "--project", project, "--strict")
    assert done.code == 1
    assert "play win_back has no owner. [play-without-owner]" in done.out
    assert "1 note, 6 excused by a comment." in done.out
    assert "There is no history yet" in done.out


def test_a_comment_behind_the_line_counts_as_well(project: Path, forestall) -> None:
    path = project / "rules" / "playbook.yaml"
    change(path, "  win_back:\n", "  win_back:      # lint: allow play-without-owner: nobody in particular\n")
    change(path, OWNED, NOT_OWNED)
    _, excused = linted(forestall, "--project", project)
    assert excused["play-without-owner"][0]["reason"] == "nobody in particular"


def test_a_comment_that_excuses_nothing_is_named(project: Path, forestall) -> None:
    path = project / "rules" / "playbook.yaml"
    change(path, "  win_back:\n", "  # lint: allow play-without-gaol, play-without-owner\n  win_back:\n")
    findings, _ = linted(forestall, "--project", project)
    assert findings["unknown-check"][0]["hint"] == "Did you mean play-without-goal?"
    assert "has to be excused from play-without-owner" in findings["needless-exclusion"][0]["message"]


def test_what_the_history_alone_can_say_is_not_needless_without_it(project: Path, forestall) -> None:
    change(project / "rules" / "triggers.yaml", "  inactivity:\n", "  inactivity:   # lint: allow dead-trigger: new\n")
    assert linted(forestall, "--project", project)[0] == {}


def test_a_secret_is_named_but_never_shown(project: Path, forestall) -> None:
    secret = "sk_live_" + "51Habcdefghijklmnop"
    change(project / "rules" / "playbook.yaml", "https://help.example.com/welcome-back]",
           f"https://x.example/?{secret}]   # lint: allow play-without-goal")
    for form in ("text", "json"):
        done = forestall("lint", "--project", project, "--format", form)
        assert "a Stripe key stands in this file" in done.out
        assert "needless-exclusion" in done.out         # about the same line, which is not shown either
        assert secret[8:] not in done.out


@pytest.mark.parametrize(("line", "what"), [
    ("-----BEGIN RSA PRIVATE KEY" + "-----", "a private key"), ("AKIA" + "IOSFODNN7EXAMPLE", "an AWS access key"),
    ("ghp_" + "a1" * 18, "a GitHub token"), ("glpat-" + "a1b2c3d4e5f6g7h8i9j0", "a GitLab token"),
    ("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "a webhook signing secret"),
    ("SG." + "a1b2c3d4e5f6g7h8.a1b2c3d4e5f6g7h8", "a SendGrid key"),
    ("pat-na1-" + "12345678-1234-1234-1234-123456789abc", "a HubSpot token"),
    ("AIza" + "a" * 35, "a Google key"), ("sk-ant-" + "api03-abcdefghijklmnopqrst", "an OpenAI or Anthropic key"),
    ("eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "a signed token (JWT)"),
    ("postgres://cs:" + "hunter22@db.example.com/x", "a password in an address"),
    ("password: " + "correct7horse8battery", "a password"),
])
def test_secrets_are_known_by_their_form(project: Path, forestall, line: str, what: str) -> None:
    (project / "rules" / "templates" / "win_back.md").write_text(f"Subject: Hello\n\n{line}\n", encoding="utf-8")
    assert f"{what} stands in this file" in linted(forestall, "--project", project)[0]["secret-in-file"][0]["message"]


@pytest.mark.parametrize("line", [
    "https://help.example.com/reset-your-password", "Your password: you can set it yourself",
    "secret: ${secret:NAME123456789}", "api_key: {{ account }}", "ann:at@acme.example",
    "token: abcdefghijklmnopqrstuvwxyz", "https://user@example.com/a:b",
])
def test_what_only_talks_of_secrets_is_none(project: Path, forestall, line: str) -> None:
    (project / "rules" / "tests" / "more.yaml").write_text(f"# {line}\n", encoding="utf-8")
    assert "secret-in-file" not in linted(forestall, "--project", project)[0]


def test_rules_alone_are_looked_at_without_settings(project: Path, forestall) -> None:
    done = forestall("lint", "--project", project.parent, "--rules", project / "rules")
    assert done.code == 0
    assert "Nothing to say" in done.out


def test_rules_that_cannot_be_used_get_no_advice(project: Path, forestall) -> None:
    change(project / "rules" / "triggers.yaml", "days_since_last_activity > 60", "days_since_last > 60")
    done = forestall("lint", "--project", project)
    assert done.code == 1
    assert "nothing is called `days_since_last`" in str(done.error)
