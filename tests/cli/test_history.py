"""`forestall history import`."""

import json
import sys
from pathlib import Path

import pytest
from cli.conftest import MINIMAL
from jsonschema import Draft7Validator
from projects import write_files

from forestall.engine.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "output" / "history-import.json").read_text(encoding="utf-8"))
FILES = {
    **MINIMAL,
    "forestall.yaml": "sources:\n  facts: {adapter: csv, path: facts.csv}\n  names: {adapter: csv, path: names.csv}\n",
    "facts.csv": "account,as_of,heat\na,2026-01-01,1\na,2026-01-02,2\nb,2026-02-01,3\n",
    "names.csv": "account,as_of,name\na,2026-01-01,Acme\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_files(tmp_path, FILES)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_it_says_what_came_and_how_far_the_history_reaches(project, imported):
    assert imported() == (0, """\
facts: 3 rows of 2 accounts, 2026-01-01 to 2026-02-01; 3 new
names: 1 row of 1 account, 2026-01-01 to 2026-01-01; 1 new
The history holds one row per account and day through 2026-02-01.
""", "")


def test_twice_changes_nothing(project, imported):
    imported()
    before = tree(project)
    code, out, _ = imported()
    assert (code, out.count("; 0 new")) == (0, 2)
    assert tree(project) == before


def test_the_document_follows_its_schema(project, imported):
    code, out, err = imported("--format", "json")
    document = json.loads(out)
    Draft7Validator.check_schema(SCHEMA)
    assert list(Draft7Validator(SCHEMA).iter_errors(document)) == []
    assert (code, err, document["through"]) == (0, "", "2026-02-01")
    assert document["sources"][0] == {"source": "facts", "rows": 3, "new": 3, "accounts": 2, "metrics": ["heat"],
                                      "noticed": [],
                                      "first": "2026-01-01", "last": "2026-02-01"}


def test_rows_of_days_to_come_stay_away(project, imported):
    with (project / "facts.csv").open("a") as file:
        file.write("a,2999-01-01,9\n")
    document = json.loads(imported("--format", "json")[1])
    assert document["through"] == "2026-02-01"


@pytest.mark.parametrize("form", ["text", "json"])
def test_without_sources_there_is_nothing_to_import(project, imported, form):
    (project / "forestall.yaml").write_text("delivery: rehearsal\n")
    code, out, err = imported("--format", form)
    assert (code, err) == (0, "")
    if form == "json":
        document = json.loads(out)
        assert list(Draft7Validator(SCHEMA).iter_errors(document)) == []
        assert (document["sources"], document["through"]) == ([], None)
    else:
        assert out == "forestall.yaml names no source, so there is nothing to import.\n"
    assert not (project / ".forestall").exists()


def test_a_broken_row_in_the_second_source_keeps_nothing_of_the_first(project, imported):
    (project / "names.csv").write_text("account,as_of,name\na,the first,Acme\n")
    before = tree(project)
    code, out, err = imported()
    assert (code, out) == (1, "")
    assert "names.csv:2:3" in err
    assert len(err.splitlines()) == 1
    assert tree(project) == before
    assert not (project / ".forestall").exists()


def test_an_unknown_verb_is_usage(project, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["forestall", "history", "export"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
