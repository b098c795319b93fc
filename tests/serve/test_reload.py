"""Rules taken over while the service runs, on a real file system. What was ever in force equals a whole set."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from projects import write_files

from forestall.engine.errors import RulesError
from forestall.engine.score.engine import DuckDb
from forestall.engine.serve.judge import Judge
from forestall.engine.serve.snapshot import snapshot
from forestall.engine.settings import read_settings
from serve.conftest import FILES, Running, reloading, rules

WATCHED = pytest.mark.parametrize("watched", [True, False], ids=["watched", "polling only"])


def digest(files: dict[str, str], place: Path) -> str:
    """The hash of a whole set."""
    write_files(place, files)
    found = snapshot(place).digest
    shutil.rmtree(place)
    return found


def whole(tmp_path: Path, count: int) -> set[str]:
    """The hashes of the sets that a test writes, and of the one it begins with."""
    return {digest(rules(number), tmp_path / "whole") for number in range(count)} | {
        digest({name.removeprefix("rules/"): text for name, text in FILES.items() if name.startswith("rules/")},
               tmp_path / "whole")}


def in_force(running: Running, number: int) -> bool:
    return f"trigger_{number}" in running.triggers


@WATCHED
def test_written_in_place(project: Path, tmp_path: Path, judge: Judge, watched: bool) -> None:
    with reloading(project / "rules", project / ".forestall", judge, watched) as running:
        write_files(project / "rules", rules(0))
        running.until(lambda: in_force(running, 0))
        write_files(project / "rules", rules(1))
        running.until(lambda: in_force(running, 1))
    assert set(running.ever_in_force()) <= whole(tmp_path, 2)
    assert running.shelf.rejected() is None


@WATCHED
def test_renamed_over_as_editors_do(project: Path, tmp_path: Path, judge: Judge, watched: bool) -> None:
    with reloading(project / "rules", project / ".forestall", judge, watched) as running:
        for number in (0, 1):
            for name, text in rules(number).items():
                draft = project / "rules" / f".{name.replace('/', '-')}.swp"
                draft.write_text(text)
                os.replace(draft, project / "rules" / name)
            running.until(lambda number=number: in_force(running, number))      # type: ignore[misc]
    assert set(running.ever_in_force()) <= whole(tmp_path, 2)


@WATCHED
def test_swapped_by_a_link_as_kubernetes_does(tmp_path: Path, project: Path, judge: Judge, watched: bool) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()

    def publish(number: int) -> None:
        write_files(mount / f"..version_{number}", rules(number))
        (mount / "..data_tmp").symlink_to(f"..version_{number}")
        os.replace(mount / "..data_tmp", mount / "..data")
        if number:
            shutil.rmtree(mount / f"..version_{number - 1}")

    publish(0)
    for name in os.listdir(mount / "..data"):
        (mount / name).symlink_to(f"..data/{name}")
    with reloading(mount, project / ".forestall", judge, watched) as running:
        for number in range(1, 6):
            publish(number)
        running.until(lambda: in_force(running, 5))
    assert set(running.ever_in_force()) <= whole(tmp_path, 6)
    assert running.events("rules-rejected") == []


@WATCHED
def test_replaced_by_a_git_checkout(project: Path, tmp_path: Path, judge: Judge, watched: bool) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=T", "-c", "user.email=t@example.com", *words], cwd=project, check=True,
                       capture_output=True)

    git("init", "-b", "main")
    git("add", "rules")
    git("commit", "-m", "one")
    git("checkout", "-b", "empty")
    git("rm", "-r", "rules")
    git("commit", "-m", "without rules")
    git("checkout", "-b", "other", "main")
    write_files(project / "rules", rules(0))
    git("commit", "-am", "two")
    git("checkout", "main")
    with reloading(project / "rules", project / ".forestall", judge, watched) as running:
        git("checkout", "other")
        running.until(lambda: in_force(running, 0))
        for _ in range(3):
            git("checkout", "empty")
            assert not (project / "rules").exists()
            git("checkout", "main")
        running.until(lambda: not in_force(running, 0))
        git("checkout", "other")
        running.until(lambda: in_force(running, 0))
    assert set(running.ever_in_force()) <= whole(tmp_path, 1)


@WATCHED
def test_a_folder_that_is_removed_and_made_anew(project: Path, tmp_path: Path, judge: Judge, watched: bool) -> None:
    with reloading(project / "rules", project / ".forestall", judge, watched) as running:
        for number in (0, 1):
            shutil.rmtree(project / "rules")
            write_files(project / "rules", rules(number))
            running.until(lambda number=number: in_force(running, number))      # type: ignore[misc]
    assert set(running.ever_in_force()) <= whole(tmp_path, 2)


@WATCHED
def test_a_set_that_is_half_written_is_not_taken(project: Path, tmp_path: Path, judge: Judge, watched: bool) -> None:
    with reloading(project / "rules", project / ".forestall", judge, watched) as running:
        for number in range(5):
            for name, text in rules(number).items():
                with (project / "rules" / name).open("w") as file:
                    for start in range(0, len(text), 40):
                        file.write(text[start:start + 40])
                        file.flush()
        running.until(lambda: in_force(running, 4))
    assert set(running.ever_in_force()) <= whole(tmp_path, 5)


def test_a_set_in_pieces_is_refused_until_it_is_whole(project: Path, tmp_path: Path, judge: Judge) -> None:
    new = rules(0)
    with reloading(project / "rules", project / ".forestall", judge) as running:
        write_files(project / "rules", {"triggers.yaml": new["triggers.yaml"]})
        running.until(lambda: running.shelf.rejected() is not None)
        assert not in_force(running, 0)
        write_files(project / "rules", {"metrics.yaml": new["metrics.yaml"]})
        running.until(lambda: in_force(running, 0))
        running.until(lambda: running.shelf.rejected() is None)
    assert set(running.ever_in_force()) <= whole(tmp_path, 1)


@WATCHED
def test_a_thousand_saves_in_a_row(project: Path, tmp_path: Path, judge: Judge, watched: bool) -> None:
    """They come so fast that most are never looked at; the last one counts."""
    about = FILES["rules/triggers.yaml"]
    file = project / "rules" / "triggers.yaml"
    with reloading(project / "rules", project / ".forestall", judge, watched) as running:
        for number in range(1000):
            draft = file.with_suffix(".draft")
            draft.write_text(f"{about}  trigger_{number}: {{when: heat > {number}}}\n")
            os.replace(draft, file)
        running.until(lambda: in_force(running, 999))
        last = running.reloader.current.digest
        assert snapshot(project / "rules").digest == last
    assert running.events("rules-rejected") == []
    assert running.shelf.in_force() == last
    assert len([path for path in running.shelf.root.iterdir() if path.is_dir()]) <= 2, "old sets are taken away"


@WATCHED
def test_an_emptied_folder_changes_nothing(project: Path, judge: Judge, watched: bool) -> None:
    with reloading(project / "rules", project / ".forestall", judge, watched) as running:
        before = running.reloader.current
        (project / "rules").rename(project / "elsewhere")
        (project / "rules").mkdir()
        running.until(lambda: running.shelf.rejected() is not None)
        assert running.reloader.current is before
        assert [problem.code for problem in running.reports.told[0]] == ["rules-empty"]
        shutil.rmtree(project / "rules")
        (project / "elsewhere").rename(project / "rules")
        running.until(lambda: running.shelf.rejected() is None)
        assert running.reloader.current is before


def test_what_is_refused_is_told_once_and_looked_at_again(project: Path, judge: Judge) -> None:
    file = project / "rules" / "triggers.yaml"
    good = file.read_text()
    with reloading(project / "rules", project / ".forestall", judge) as running:
        file.write_text(good.replace("heat < 30", "haet < 30"))
        running.until(lambda: running.shelf.rejected() is not None)
        first = running.shelf.rejected()
        for _ in range(5):
            os.utime(file)
            running.reloader.look()
        assert len(running.events("rules-rejected")) == 1
        (event,) = running.events("rules-rejected")
        (problem,) = event["problems"]      # type: ignore[misc]
        assert problem["file"] == str(file)
        assert (problem["line"], problem["code"]) == (3, "unknown-name")
        file.write_text(good.replace("heat < 30", "heta < 30"))
        running.until(lambda: len(running.events("rules-rejected")) == 2)
        running.until(lambda: running.shelf.rejected() != first)
        second = running.shelf.rejected()
        assert first is not None
        assert second is not None
        assert second.since == first.since, "the folder has been unusable since then"
        file.write_text(good)
        running.until(lambda: running.shelf.rejected() is None)
    assert [event["event"] for event in running.events()] == [
        "rules-in-force", "rules-rejected", "rules-rejected", "rules-back"]


def test_losing_more_than_half_must_be_confirmed(project: Path, judge: Judge) -> None:
    triggers = "\ntriggers:\n  cold: {when: heat < 30}\n"
    playbook = FILES["rules/playbook.yaml"].replace("[cold, hot, tepid]", "cold")
    with reloading(project / "rules", project / ".forestall", judge) as running:
        write_files(project / "rules", {"triggers.yaml": triggers, "playbook.yaml": playbook})
        running.until(lambda: running.shelf.rejected() is not None)
        (problem,) = running.reports.told[-1]
        assert problem.message == "2 of 3 triggers are gone at once, more than half: hot, tepid."
        assert "--accept-removal" in problem.hint
        assert running.triggers == {"cold", "hot", "tepid"}
        running.shelf.accept(snapshot(project / "rules").digest)
        running.until(lambda: running.triggers == {"cold"})
        running.until(lambda: running.shelf.rejected() is None)


def test_a_file_that_cannot_be_read(project: Path, judge: Judge) -> None:
    with reloading(project / "rules", project / ".forestall", judge) as running:
        (project / "rules" / "triggers.yaml").unlink()
        os.mkfifo(project / "rules" / "triggers.yaml")
        running.until(lambda: running.shelf.rejected() is not None)
        assert [str(problem) for problem in running.reports.told[0]] == [
            f"{project}/rules/triggers.yaml: this file cannot be read: it is no file. Check who may read it."]


def test_what_editors_leave_beside_is_no_change(project: Path, judge: Judge) -> None:
    with reloading(project / "rules", project / ".forestall", judge) as running:
        for name in (".triggers.yaml.swp", "triggers.yaml~", "#triggers.yaml#", ".#triggers.yaml", "4913"):
            (project / "rules" / name).write_text("half")
        running.reloader.look()
        write_files(project / "rules", rules(0))
        running.until(lambda: in_force(running, 0))
    assert running.events("rules-rejected") == []


def test_rules_that_cannot_be_compiled_are_taken_back(project: Path) -> None:
    """It is a fault of ours, made here by asking for a dialect that nobody speaks."""
    engine = DuckDb()
    judge = Judge(read_settings(project), engine)
    with closing(judge), reloading(project / "rules", project / ".forestall", judge) as running:
        before = running.reloader.current
        engine.dialect = "nobody's"
        write_files(project / "rules", rules(0))
        running.until(lambda: running.shelf.rejected() is not None)
        assert running.reloader.current is running.reloader.for_a_pass() is before
        assert [problem.code for problem in running.reports.told[0]] == ["not-compiled"]
        engine.dialect = "duckdb"
        write_files(project / "rules", rules(1))
        running.until(lambda: in_force(running, 1))
        running.until(lambda: running.shelf.in_force() == running.reloader.current.digest)
        assert running.reloader.for_a_pass() is running.reloader.current


# -- after a restart ---------------------------------------------------------------------------------------------------


def test_after_a_restart_the_last_good_set_is_in_force(project: Path, judge: Judge) -> None:
    with reloading(project / "rules", project / ".forestall", judge) as running:
        write_files(project / "rules", rules(0))
        running.until(lambda: in_force(running, 0))
    (project / "rules" / "weights.yaml").write_text("signals: {")
    with reloading(project / "rules", project / ".forestall", judge) as running:
        assert in_force(running, 0)
        assert [event["event"] for event in running.events()] == ["rules-rejected", "last-good"]
        write_files(project / "rules", rules(1))
        running.until(lambda: in_force(running, 1))


def test_a_damaged_copy_is_not_used(project: Path, judge: Judge) -> None:
    with reloading(project / "rules", project / ".forestall", judge) as running:
        kept = running.shelf.place(running.shelf.in_force())
    (kept / "triggers.yaml").write_text("triggers: {}\n")
    (project / "rules" / "weights.yaml").write_text("signals: {")
    with pytest.raises(RulesError), reloading(project / "rules", project / ".forestall", judge):
        pass


def test_without_any_good_set_it_does_not_begin(project: Path, judge: Judge) -> None:
    shutil.rmtree(project / "rules")
    with (pytest.raises(RulesError, match="is empty, or not there"),
          reloading(project / "rules", project / ".forestall", judge)):
        pass
