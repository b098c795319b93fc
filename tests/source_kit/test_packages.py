"""Adapters that others maintain: to install their package is enough. One of examples/, and one that is just written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAILBOX = ROOT / "examples" / "mailbox"
RULES = {
    "rules/metrics.yaml": "metrics:\n  mails_received: {kind: number, per: day}\n"
                          "  last_mail_on: {kind: date, stale_after: 90 days}\n"
                          "  days_of_silence: {kind: number, is: days_since(last_mail_on)}\n",
    "rules/weights.yaml": "signals:\n  silence: {weight: 100, metric: days_of_silence, points: {0: 100, 20: 0}}\n"
                          "tiers: {healthy: 60-100, critical: 0-59}\n",
    "rules/triggers.yaml": "triggers: {}\n",
    "rules/playbook.yaml": "plays: {}\n",
    "forestall.yaml": "sources:\n  mail: {adapter: mailbox, path: support.mbox, ours: [us.example]}\n",
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory, forestall) -> Path:
    """A folder into which pip installed the mailbox of examples/, and in editable form a package of `source new`."""
    folder = tmp_path_factory.mktemp("packages")
    shutil.copytree(MAILBOX, folder / "mailbox")
    made = forestall("source", "new", "help-desk", "--into", folder / "help-desk")
    assert made.code == 0
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index",
         "--no-build-isolation", "--target", folder / "site", folder / "mailbox", "--editable", folder / "help-desk"],
        capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_tests_of_both_pass_at_once(packages):
    """pytest finds the kit by its entry point, and Forestall the adapters by theirs."""
    begin = (f"import site, sys\nsite.addsitedir({str(packages / 'site')!r})\nimport pytest\n"
             "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '--import-mode=importlib', *sys.argv[1:]]))")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    clean["FORESTALL_MANY"] = "500"      # what they ask for themselves takes seconds
    done = subprocess.run([sys.executable, "-c", begin, "help-desk/tests", "mailbox/tests"], cwd=packages,
                          capture_output=True, text=True, check=False, env=clean)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "23 passed, 4 skipped" in done.stdout


def test_what_is_written_is_as_tidy_as_ours(packages):
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "--config", ROOT / "pyproject.toml",
                           packages / "help-desk" / "src"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def project(packages, monkeypatch, tmp_path) -> Path:
    """A project whose only source is a mailbox; acme wrote until three days ago, bolt until twelve."""
    monkeypatch.syspath_prepend(packages / "site")
    for name, text in RULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    today = datetime.now(UTC).date()
    with (tmp_path / "support.mbox").open("w") as box:
        for sender, last in (("ann@acme.example", 3), ("bob@bolt.example", 12), ("dana@us.example", 1)):
            for back in range(30, last - 1, -3):
                at = datetime.combine(today - timedelta(days=back), time(12), UTC)
                box.write(f"From x Thu Jan  1 00:00:00 1970\nReceived: by mx; {format_datetime(at)}\n"
                          f"From: {sender}\n\nHello\n\n")
    return tmp_path


def test_installing_is_enough(project, forestall):
    assert forestall("check", "--project", project).code == 0
    asked = forestall("source", "check", "mail", "--project", project, "--format", "json")
    assert asked.code == 0, asked.out
    found = asked.document("source-check")
    assert (found["adapter"], found["accounts"]) == ("mailbox", 2)
    assert [one["name"] for one in found["metrics"]] == ["mails_received", "last_mail_on"]
    imported = forestall("history", "import", "--project", project)
    assert imported.code == 0
    assert imported.out.startswith("mail: 17 rows of 2 accounts, ")
    again = forestall("history", "import", "--project", project, "--format", "json").document("history-import")
    assert again["sources"][0]["new"] == 0
    silent = forestall("explain", "bolt.example", "--project", project).out
    assert "Critical; 100% of the weight has data" in silent
