"""Rules as they were, out of git: by the digest that a pass wrote down, or not at all."""

import shutil
import subprocess
from pathlib import Path

import pytest

from forestall.engine.rulebook.earlier import earlier
from forestall.engine.rulebook.loader import load, scoring_digest

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The default rules in a folder of a repository, committed."""
    folder = Path(shutil.copytree(ROOT / "rules", tmp_path / "project" / "rules"))
    git(folder.parent, "init", "--quiet")
    commit(folder, "first")
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True,
                          text=True).stdout.strip()


def commit(rules: Path, message: str) -> str:
    git(rules, "add", ".")
    git(rules, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(rules, "rev-parse", "HEAD")


def changed(rules: Path, name: str, old: str, new: str) -> None:
    text = (rules / name).read_text(encoding="utf-8")
    assert old in text
    (rules / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_rules_of_a_digest_are_found_where_they_stood(rules: Path) -> None:
    before = load(rules, None)
    first = git(rules, "rev-parse", "HEAD")
    changed(rules, "weights.yaml", "weight: 40", "weight: 45")
    second = commit(rules, "heavier")
    changed(rules, "weights.yaml", "weight: 45", "weight: 50")
    found = earlier(rules, before.scoring_digest)
    assert found is not None
    assert (found.commit, found.rulebook.digest) == (first, before.digest)
    middle = earlier(rules, found.rulebook.scoring_digest[::-1])
    assert middle is None
    git(rules, "checkout", "--quiet", second, ".")
    assert earlier(rules, load(rules, None).scoring_digest).commit == second
    assert git(rules, "status", "--porcelain") == ""


def test_a_digest_is_the_one_of_the_loaded_rules(rules: Path, tmp_path: Path) -> None:
    assert scoring_digest(rules) == load(rules, None).scoring_digest
    assert scoring_digest(tmp_path / "nowhere") == ""


def test_what_git_does_not_know_is_not_found(rules: Path, tmp_path: Path) -> None:
    digest = load(rules, None).scoring_digest
    outside = Path(shutil.copytree(rules, tmp_path / "outside"))
    assert earlier(outside, digest) is None
    assert earlier(tmp_path / "nowhere", digest) is None


def test_rules_that_no_longer_load_are_not_used(rules: Path) -> None:
    (rules / "triggers.yaml").write_text("triggers: {broken: {when: nothing_of_the_kind > 3}}\n", encoding="utf-8")
    digest = scoring_digest(rules)
    changed(rules, "weights.yaml", "weight: 40", "weight: 45")
    broken = commit(rules, "broken")
    assert broken
    assert earlier(rules, scoring_digest(rules)) is None
    assert earlier(rules, digest) is not None      # the same weights stand in the first commit, with rules that load
