"""`forestall history compact`: dry by default, whole or not at all, and what can be seen afterwards."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from forestall.engine.detect.history import History
from forestall.engine.store.alone import alone

BEGIN, END = date(2025, 1, 8), date(2025, 6, 19)
FILES = {
    "rules/metrics.yaml": "metrics:\n  heat: {kind: number, stale_after: 20 days}\n",
    "rules/weights.yaml": """
signals: {warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}}
tiers: {healthy: 50-100, at_risk: 0-49}
""",
    "rules/triggers.yaml": "triggers:\n  cold: {when: \"heat < 40 and drop(heat, days=20) > 5\", severity: at_risk}\n",
    "rules/playbook.yaml": "plays: {}\n",
    "forestall.yaml": "sources: {facts: {adapter: csv, path: facts.csv}}\nretention: 5 days\n",
    "facts.csv": "account,as_of,heat\n" + "".join(
        f"{account},{date.fromordinal(day)},{20 + day % 60}\n" for account in ("acme", "bolt")
        for day in range(BEGIN.toordinal(), END.toordinal() + 1, 3)) + f"gone,{BEGIN},3\n",
}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory, forestall) -> Path:
    folder = tmp_path_factory.mktemp("compact") / "project"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert forestall("history", "import", "--project", folder).code == 0
    return folder


@pytest.fixture
def project(imported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(imported, tmp_path / "project"))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / ".forestall").rglob("*") if path.is_file())


def test_it_says_what_would_go_and_then_takes_it_away(project: Path, forestall) -> None:
    before = files(project)
    told = forestall("history", "compact", "--project", project)
    assert told.code == 0, told.error
    assert told.out.splitlines()[:4] == [
        "`retention` is 5 days, and the rules look back further: 55 days are kept.",
        "Days      2025-01 to 2025-03 (3 months) would go: one row per account and day",
        "Arrivals  2025-01 would go: what sources said", "Accounts  1 account that nobody has named since would go"]
    assert told.out.splitlines()[-1] == "This was a dry run: nothing was changed. `--write` does it."
    assert files(project) == before
    done = forestall("history", "compact", "--project", project, "--write", "--format", "json").document(
        "history-compact")
    assert (done["written"], done["retention"], done["kept_days"], done["kept_from"]) == (True, 5, 55, "2025-04-01")
    assert done["bytes_after"] < done["bytes_before"]
    assert len(files(project)) == len(before) - 4
    assert "There is nothing to do." in forestall("history", "compact", "--project", project).out
    assert "The history holds 2025-04-01 to 2025-06-19" in forestall("history", "status", "--project", project).out
    assert "The history begins on 2025-04-01." in str(
        forestall("simulate", "--project", project, "--from", "2025-01-10", "--to", "2025-01-12").error)
    again = forestall("history", "import", "--project", project, "--format", "json").document("history-import")
    assert [one["new"] for one in again["sources"]] == [0]
    assert History(project / ".forestall" / "history").first == date(2025, 4, 1)


def test_without_retention_every_day_is_kept(project: Path, forestall) -> None:
    (project / "forestall.yaml").write_text(FILES["forestall.yaml"].replace("retention: 5 days\n", ""))
    assert forestall("history", "compact", "--project", project).out.splitlines() == [
        "Every day is kept: forestall.yaml says no `retention`.", "There is nothing to do."]


def test_while_a_pass_runs_it_does_nothing(project: Path, forestall) -> None:
    before = files(project)
    with alone(project / ".forestall" / "pass.lock"):
        told = forestall("history", "compact", "--project", project, "--write")
    assert "another pass or import of this project is under way" in str(told.error)
    assert files(project) == before


def test_what_ends_part_way_was_never_there(project: Path, forestall, monkeypatch: pytest.MonkeyPatch) -> None:
    before, seen = files(project), History(project / ".forestall" / "history").manifest

    def no_more(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", no_more)
        with pytest.raises(OSError, match="No space"):
            forestall("history", "compact", "--project", project, "--write")
    assert [one for one in files(project) if not one.endswith(".new")] == before
    assert History(project / ".forestall" / "history").manifest == seen
    assert forestall("history", "compact", "--project", project, "--write").code == 0


def test_a_day_that_is_not_kept_cannot_be_decided_again(project: Path, forestall) -> None:
    shutil.rmtree(project / ".forestall")
    for day in ("2025-03-10", "2025-04-05", "2025-06-19"):
        assert forestall("run", "--project", project, "--day", day, "--send").code == 0
    assert forestall("history", "compact", "--project", project, "--write").code == 0
    told = forestall("simulate", "--project", project, "--as-was", "2025-03-10")
    assert "the history of 2025-03-10 is not kept any more" in str(told.error)
    told = forestall("simulate", "--project", project, "--as-was", "2025-04-05")
    assert "look back to 2025-03-16, and the history is kept from 2025-04-01 on" in " ".join(told.out.split())
