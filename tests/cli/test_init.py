from pathlib import Path

import pytest


@pytest.mark.parametrize("sample", [False, True], ids=["empty", "sample"])
def test_what_it_writes_can_be_used_at_once(tmp_path: Path, forestall, sample: bool) -> None:
    folder = tmp_path / "x"
    done = forestall("init", folder, *(["--sample"] if sample else []))
    assert done.code == 0
    assert "forestall check" in done.out
    for verb in ("check", "test", "run"):
        assert forestall(verb, "--project", folder).code == 0, verb
    assert (folder / ".gitignore").read_text().splitlines()[-2:] == [".forestall/", "deliveries/"]
    assert {path.name for path in folder.iterdir()} == {
        ".gitattributes", ".github", ".gitignore", ".pre-commit-config.yaml", ".vscode", "README.md", "data",
        "forestall.yaml", "rules", "schemas"}


def test_the_rules_are_the_default_rulebook(tmp_path: Path, forestall) -> None:
    forestall("init", tmp_path / "x")
    root = Path(__file__).parents[2] / "rules"
    shipped = {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    written = {path.relative_to(tmp_path / "x" / "rules"): path.read_bytes()
               for path in (tmp_path / "x" / "rules").rglob("*") if path.is_file()}
    assert written == shipped


def test_it_never_writes_over_anything(tmp_path: Path, forestall) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "mine.txt").write_text("mine")
    done = forestall("init", tmp_path / "x")
    assert done.code == 1
    assert "is not an empty folder" in str(done.error)
    assert [path.name for path in tmp_path.rglob("*")] == ["x", "mine.txt"]


def test_a_new_project_says_what_to_do_next(tmp_path: Path, forestall) -> None:
    forestall("init", tmp_path / "x")
    done = forestall("run", "--project", tmp_path / "x")
    assert done.code == 0
    assert "names no source" in done.out
    assert "docs/sources.md" in done.out


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, forestall) -> None:
    (tmp_path / "file").write_text("")
    done = forestall("init", tmp_path / "file" / "x")
    assert done.code == 1
    assert done.error is not None
    assert done.error.problems[0].code == "folder-unwritable"
