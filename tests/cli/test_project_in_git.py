"""What `init` writes for git does what it says: the hooks' commands and the workflow's steps run here as they stand.

GitHub is not here: in place of `gh` stands a script that writes down what it was asked for. Whether GitHub can read the
workflow is asked in tests/editor.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from forestall import __version__

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="did not run: there is no bash on this machine")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, forestall) -> Path:
    """A project with made-up accounts, in git: as it was, and with a longer cooldown."""
    folder = tmp_path_factory.mktemp("in-git") / "project"
    assert forestall("init", folder, "--sample").code == 0
    run(folder, "git init --quiet -b main && git add --all && git commit --quiet -m 'as it was'")
    triggers = folder / "rules" / "triggers.yaml"
    triggers.write_text(triggers.read_text().replace("    cooldown: 30 days\n", "    cooldown: 45 days\n", 1))
    run(folder, "git commit --quiet --all -m 'sponsors rest longer'")
    return folder


def run(folder: Path, script: str, fails: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a step of a workflow runs: bash that stops at the first failure."""
    assert BASH is not None
    known = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "NO_COLOR": "1"}
    known |= {f"GIT_{role}_{what}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    known["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([BASH, "-e", "-c", script], cwd=folder, env={**os.environ, **known, **environment}, text=True,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == fails, f"{script}\n{done.stdout}\n{done.stderr}"
    return done


def steps(project: Path, job: str) -> dict[str, str]:
    """The scripts of a job, by the names of its steps."""
    return {step["name"]: step["run"] for step in workflow(project)["jobs"][job]["steps"] if "run" in step}


def workflow(project: Path) -> dict[str, Any]:
    read = yaml.load((project / ".github" / "workflows" / "forestall.yml").read_text(encoding="utf-8"), yaml.BaseLoader)
    assert isinstance(read, dict)
    return read


def test_the_hooks_pass_on_what_init_writes_and_leave_nothing_changed(project: Path) -> None:
    hooks = yaml.safe_load((project / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == ["forestall schema", "forestall check", "forestall test"]
    for hook in hooks:
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)
        run(project, shlex.join(shlex.split(hook["entry"])))
    assert run(project, "git status --porcelain --untracked-files=no").stdout == ""


def test_the_workflow_may_do_no_more_than_it_needs_and_knows_no_secret(project: Path) -> None:
    text = (project / ".github" / "workflows" / "forestall.yml").read_text(encoding="utf-8")
    read = workflow(project)
    assert "secrets." not in text
    assert "VERSION" not in text
    assert read["env"]["FORESTALL"] == f"forestall=={__version__}"
    assert read["permissions"] == {"contents": "read"}
    assert read["jobs"]["comment"]["permissions"] == {"contents": "read", "pull-requests": "write"}
    for job in read["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "what a branch is called must not become part of a script"


def test_the_steps_check_and_tell_the_stories(project: Path) -> None:
    told = steps(project, "rules")
    assert list(told) == ["Install Forestall", "Check", "Stories"]
    run(project, told["Check"])
    assert "0 failed" in run(project, told["Stories"]).stdout


@pytest.fixture(scope="module")
def written(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    summary = tmp_path_factory.mktemp("summary") / "summary.md"
    base = run(project, "git rev-parse HEAD~1").stdout.strip()
    run(project, steps(project, "comment")["Write"], BASE=base, GITHUB_SHA="abc123", GITHUB_STEP_SUMMARY=str(summary))
    comment = project / "comment.md"
    assert summary.read_text(encoding="utf-8") == comment.read_text(encoding="utf-8")
    return comment


def test_the_comment_says_what_changes_and_what_it_would_have_brought(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert text.startswith("<!-- forestall -->\n")
    for words in ("**Merging ", "#### On merge", "### What changes",
                  "`cooldown` of trigger sponsor_changed was 30 days, and is now 45 days.",
                  "For commit abc123. Nothing was sent."):
        assert words in text
    assert "made-up-" not in text      # no account
    assert text.count("```") == 2
    assert len(text.encode()) < 60_000


def test_without_data_the_comment_says_so(project: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(project, tmp_path / "copy", ignore=shutil.ignore_patterns(".forestall", "data")))
    run(copy, steps(project, "comment")["Write"], BASE="no-such-commit", GITHUB_SHA="abc123",
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    text = (copy / "comment.md").read_text(encoding="utf-8")
    assert "no-such-commit: this is neither a revision in git nor a folder." in text
    assert "accounts.csv" in text
    assert "[no-file]" in text
    assert "### What these rules would have done" in text
    run(copy, steps(project, "comment")["Budget"])


def test_a_broken_limit_fails_the_job_after_the_comment(project: Path, tmp_path: Path, written: Path) -> None:
    copy = Path(shutil.copytree(project, tmp_path / "copy"))
    run(copy, steps(project, "comment")["Budget"])
    playbook = copy / "rules" / "playbook.yaml"
    playbook.write_text(playbook.read_text().replace("  per_play: 200 ", "  per_play: 1 "))
    base = run(copy, "git rev-parse HEAD").stdout.strip()
    run(copy, steps(project, "comment")["Write"], BASE=base, GITHUB_SHA="abc123",
        GITHUB_STEP_SUMMARY=str(tmp_path / "again.md"))
    assert "over budget" in (copy / "comment.md").read_text()
    done = run(copy, steps(project, "comment")["Budget"], fails=3)
    assert done.stdout.startswith("Over budget: starts per day of ")


def test_the_comment_is_written_once_and_then_brought_up_to_date(project: Path, written: Path, tmp_path: Path) -> None:
    gh, asked, known = tmp_path / "bin" / "gh", tmp_path / "asked", tmp_path / "known"
    gh.parent.mkdir()
    gh.write_text(f'#!/bin/sh\necho "$@" >> {asked}\ncase "$*" in *--paginate*) cat {known};; esac\n')
    gh.chmod(gh.stat().st_mode | stat.S_IEXEC)
    path = f"{gh.parent}{os.pathsep}{os.environ['PATH']}"
    about = {"GITHUB_REPOSITORY": "acme/success", "NUMBER": "7", "PATH": path}
    comment = steps(project, "comment")["Comment"]
    known.write_text("")
    run(project, comment, **about)
    known.write_text("41\n")
    run(project, comment, **about)
    calls = asked.read_text().splitlines()
    assert calls[1] == "api --silent --method POST repos/acme/success/issues/7/comments --field body=@comment.md"
    assert calls[3] == "api --silent --method PATCH repos/acme/success/issues/comments/41 --field body=@comment.md"
    assert len(calls) == 4
