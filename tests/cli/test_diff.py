"""`forestall diff` in a real repository: what the text says, and that nothing is touched."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MINIMAL = Path(__file__).parents[1] / "rulebook" / "minimal"
ROOT = Path(__file__).parents[2]


def git(folder: Path, *words: str) -> str:
    who = {f"GIT_{role}_{what}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(["git", "-c", "init.defaultBranch=main", *words], cwd=folder, check=True, text=True,
                          capture_output=True, env={**os.environ, **who, **alone}).stdout


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The default rules in a repository, below a folder of their own."""
    project = tmp_path / "company" / "success"
    shutil.copytree(ROOT / "rules", project / "rules")
    git(tmp_path / "company", "init", "--quiet")
    commit(project, "rules")
    return project


def edit(project: Path, file: str, before: str, after: str) -> None:
    path = project / "rules" / file
    text = path.read_text(encoding="utf-8")
    assert text.count(before) >= 1, f"{file} no longer holds {before!r}"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


CHANGES = [
    ("weights.yaml", "weight: 40", "weight: 50",
     ["`weight` of signal activity was 40 (40 % of the score), and is now 50 (45.5 % of the score).",
      "The share of signal engagement was 30 % of the score, and is now 27.3 % of the score."]),
    ("weights.yaml", "points: {0: 0, 20: 50, 80: 100}", "points: {0: 0, 30: 50, 80: 100}",
     ["Part logins of signal activity",
      "was  50 (50 % of the signal), metric logins_14d, points {0: 0, 20: 50, 80: 100}",
      "is   50 (50 % of the signal), metric logins_14d, points {0: 0, 30: 50, 80: 100}"]),
    ("weights.yaml", "score: 100 * milestones_completed / milestones_total", "score: milestones_total",
     ["`measure` of signal milestones was score 100 * milestones_completed / milestones_total, and is now"
      " score milestones_total."]),
    ("weights.yaml", "    steps: {0: 100, 4: 80", "    missing: zero\n    steps: {0: 100, 4: 80",
     ["`missing` of signal recency was reweight, and is now zero."]),
    ("weights.yaml", "minimum_coverage: 50 percent", "minimum_coverage: 60%",
     ["`minimum_coverage` of the score was 50 percent, and is now 60 percent."]),
    ("weights.yaml", "healthy: 80-100\n  monitor: 60-79", "healthy: 85-100\n  monitor: 60-84",
     ["`range` of tier healthy was 80-100, and is now 85-100.",
      "`range` of tier monitor was 60-79, and is now 60-84."]),
    ("weights.yaml", 'applies_to: segment == "enterprise"', "applies_to: seats_total > 200",
     ['`applies_to` of profile enterprise was segment == "enterprise", and is now seats_total > 200.']),
    ("weights.yaml", "400: 100", "500: 100", ["Part logins of signal activity for enterprise"]),
    ("triggers.yaml", "drop(score, days=7) >= 15 and score < 70", "drop(score, days=7) >= 20 and score < 70",
     ["`when` of trigger health_score_drop", "was  drop(score, days=7) >= 15 and score < 70",
      "is   drop(score, days=7) >= 20 and score < 70"]),
    ("triggers.yaml", "    cooldown: 30 days\n", "",
     ["`cooldown` of trigger sponsor_changed was 30 days, and is now 14 days."]),
    ("triggers.yaml", "    clear_when: score >= 75\n", "",
     ["`clear_when` of trigger health_score_drop is gone: score >= 75."]),
    ("triggers.yaml", "  cooldown: 14 days ", "  cooldown: 3 weeks ",
     ["`cooldown` of trigger inactivity was 14 days, and is now 21 days.",
      "Cooldown of alerts by tier of the limits"]),
    ("playbook.yaml", "trigger: inactivity", "trigger: [inactivity, sharp_fall]",
     ["`trigger` of play re_engage was inactivity, and is now inactivity, sharp_fall."]),
    ("playbook.yaml", "within: 3 days", "within: same day",
     ["`within` of play win_back was 3 days, and is now same day."]),
    ("playbook.yaml", "owner: executive", "owner: csm",
     ["`owner` of play executive_save was executive, and is now csm."]),
    ("playbook.yaml", "    holdout: 10 percent\n", "", ["`holdout` of play win_back is gone: 10 percent."]),
    ("playbook.yaml", "      - wait: 7 days\n", "", ["Step 2 of play win_back is gone: wait 7 days."]),
    ("playbook.yaml", "      - wait: 7 days\n", "      - wait: 7 days\n      - stop_if: score >= 70\n",
     ["Step 3 of play win_back is new: stop_if score >= 70."]),
    ("playbook.yaml", "template: win_back, from: csm", "template: rescue, from: executive",
     ["Step 1 of play win_back", "was  email to contact, template win_back, from csm",
      "is   email to contact, template rescue, from executive"]),
    ("playbook.yaml", "emails_per_account: 1 per 3 days", "emails_per_account: 2 per week",
     ["`emails_per_account` of the limits was 1 per 3 days, and is now 2 per 7 days."]),
    ("playbook.yaml", "urgent: [critical, churning]", "urgent: [churning]",
     ["`urgent` of the limits was critical, churning, and is now churning."]),
    ("metrics.yaml", "segment:          {kind: text, one_of: [enterprise, growth, starter]",
     "segment:          {kind: text, one_of: [enterprise, growth, starter, free]",
     ["`one_of` of metric segment was enterprise, growth, starter, and is now enterprise, growth, starter, free."]),
    ("metrics.yaml", "executive: executive_owner ", "executive: csm ",
     ["`executive` of the roles was executive_owner, and is now csm."]),
    ("templates/win_back.md", "Subject: ", "Subject: Hello. ", ["Template win_back has changed."]),
]


@pytest.mark.parametrize(("file", "before", "after", "said"), CHANGES, ids=[said[0][:50] for *_, said in CHANGES])
def test_each_change_is_said(kept: Path, forestall, file: str, before: str, after: str, said: list[str]) -> None:
    edit(kept, file, before, after)
    lines = [line.strip() for line in forestall("diff", "HEAD", "--project", kept).out.splitlines()]
    document = forestall("diff", "HEAD", "--project", kept, "--format", "json").document("diff")
    lines += [change["sentence"] for change in document["changes"]]
    for sentence in said:
        assert any(line.lower().startswith(sentence.lower()) for line in lines), lines


def test_what_is_new_or_gone(kept: Path, forestall) -> None:
    edit(kept, "metrics.yaml", "metrics:\n", "metrics:\n  tickets_open: {kind: number}\n")
    edit(kept, "weights.yaml", "tiers:", "tiers:                          # changed\n  perfect: 96-100\n#")
    edit(kept, "weights.yaml", "healthy: 80-100", "healthy: 80-95")
    edit(kept, "triggers.yaml", "triggers:\n", "triggers:\n  tickets:\n    when:\n      tickets_open\n      >= 3\n")
    edit(kept, "playbook.yaml", "plays:\n", "plays:\n  answer:\n    about: Answer them\n    trigger: tickets\n"
         "    steps:\n      - slack: {to: csm, template: answer}\n")
    (kept / "rules" / "templates" / "answer.md").write_text("Subject: Tickets\n\nThree tickets are open.\n")
    commit(kept, "tickets")
    done = forestall("diff", "HEAD~1", "--project", kept)
    for sentence in ("Tier perfect is new: 96-100.", "Trigger tickets is new: tickets_open >= 3.",
                     "Play answer is new: Answer them.", "Template answer is new.",
                     "Metric tickets_open is new: number."):
        assert f"  {sentence}\n" in done.out
    assert done.out.endswith("6 changes.\n")
    git(kept, "checkout", "--quiet", "HEAD~1")
    done = forestall("diff", "main", "--project", kept)
    for sentence in ("Tier perfect is gone.", "Trigger tickets is gone.", "Play answer is gone.",
                     "Template answer is gone.", "Metric tickets_open is gone."):
        assert f"  {sentence}\n" in done.out


def test_who_stands_higher_goes_first(kept: Path, forestall) -> None:
    whole = (kept / "rules" / "playbook.yaml").read_text()
    start, end = whole.index("  heads_up:"), whole.index("  # --- By tier")
    moved = whole[:start] + whole[end:]
    (kept / "rules" / "playbook.yaml").write_text(moved.replace("plays:\n", "plays:\n" + whole[start:end], 1))
    assert "The order of the plays" in forestall("diff", "HEAD", "--project", kept).out


def test_layout_and_comments_are_no_change(kept: Path, forestall) -> None:
    edit(kept, "triggers.yaml", "    when: drop(score, days=7) >= 15 and score < 70",
         "    # a comment\n    when: drop(score, days=7) >= 15\n      and score < 70")
    done = forestall("diff", "main", "--project", kept)
    assert done.code == 0
    assert done.out.startswith("Nothing has changed since main (")


def test_a_change_for_everybody_is_said_once(kept: Path, forestall) -> None:
    edit(kept, "weights.yaml", "weight: 40", "weight: 50")
    said = forestall("diff", "HEAD", "--project", kept).out
    assert said.count("The share of signal engagement") == 1
    assert "for enterprise" not in said


def test_the_document(kept: Path, forestall) -> None:
    edit(kept, "triggers.yaml", "    cooldown: 30 days\n", "    cooldown: 45 days\n")
    document = forestall("diff", "HEAD", "--project", kept, "--format", "json").document("diff")
    assert document["changes"] == [{
        "section": "triggers", "subject": "trigger sponsor_changed", "kind": "changed", "what": "cooldown",
        "before": "30 days", "after": "45 days",
        "sentence": "`cooldown` of trigger sponsor_changed was 30 days, and is now 45 days."}]
    assert document["before"] != document["after"]
    assert document["base"].startswith("HEAD (")


def test_two_folders(kept: Path, tmp_path: Path, forestall) -> None:
    shutil.copytree(kept / "rules", tmp_path / "other")
    edit(kept, "triggers.yaml", "    cooldown: 30 days\n", "    cooldown: 45 days\n")
    for base in (tmp_path / "other", kept.parent / "success"):
        done = forestall("diff", base, "--project", kept)
        assert ("1 change." in done.out) == (base.name == "other")


def test_nothing_is_touched_and_a_hook_changes_nothing(kept: Path, forestall, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(kept, "triggers.yaml", "    cooldown: 30 days\n", "    cooldown: 45 days\n")
    (kept / "rules" / "new.txt").write_text("not tracked")
    before = git(kept, "status", "--porcelain")
    monkeypatch.setenv("GIT_DIR", "/nowhere")       # as inside of a hook, where it means another repository
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert "1 change." in forestall("diff", "HEAD", "--project", kept).out
    monkeypatch.undo()
    assert git(kept, "status", "--porcelain") == before


def problem(done) -> tuple[str, str]:
    assert done.code == 1
    assert done.error is not None
    found = done.error.problems[0]
    return found.code, str(found)


def test_no_such_revision(kept: Path, forestall) -> None:
    for name in ("mian", "--all", "HEAD~99", "main:rules"):
        code, said = problem(forestall("diff", "--project", kept, "--", name))
        assert (code, said.split(":")[0]) == ("unknown-base", name.split(":")[0])


def test_no_repository(tmp_path: Path, forestall) -> None:
    shutil.copytree(MINIMAL, tmp_path / "project")
    code, said = problem(forestall("diff", "main", "--project", tmp_path / "project"))
    assert code == "no-repository"
    assert "not a git repository" in said


def test_a_revision_without_these_rules(kept: Path, forestall) -> None:
    shutil.copytree(MINIMAL, kept / "other")
    code, said = problem(forestall("diff", "HEAD", "--project", kept / "other"))
    assert code == "not-in-git"
    assert "at HEAD this folder was not there" in said


def test_a_base_that_cannot_be_used_is_told_with_its_place(kept: Path, forestall) -> None:
    edit(kept, "triggers.yaml", "days_since_last_activity > 60", "days_since > 60")
    commit(kept, "broken")
    edit(kept, "triggers.yaml", "days_since > 60", "days_since_last_activity > 60")
    _, said = problem(forestall("diff", "HEAD", "--project", kept))
    assert said.startswith("HEAD:success/rules/triggers.yaml:")
    assert "gone_silent" in said


def test_rules_that_cannot_be_used_now(kept: Path, forestall) -> None:
    edit(kept, "triggers.yaml", "days_since_last_activity > 60", "days_since > 60")
    _, said = problem(forestall("diff", "HEAD", "--project", kept))
    assert said.startswith(f"{kept}/rules/triggers.yaml:")


def test_without_git_there_is_a_sentence(kept: Path, forestall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    code, said = problem(forestall("diff", "HEAD", "--project", kept))
    assert (code, "there is no git here" in said) == ("no-git", True)
