"""What sources can do wrong, through `forestall history import`: nothing is ever half applied."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli.conftest import MINIMAL
from projects import write_files

FILES = {
    **MINIMAL,
    "forestall.yaml": "sources:\n  facts: {adapter: csv, path: facts.csv}\n  usage: {adapter: jsonl, path: usage}\n",
    "facts.csv": "account,as_of,heat\na,2026-01-01,1\na,2026-01-02,2\n",
    "usage/1.jsonl": '{"account": "a", "as_of": "2026-01-01", "name": "Acme"}\n',
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_files(tmp_path, FILES)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "pass.lock"}


@pytest.mark.parametrize(("name", "more", "expected"), [
    ("facts.csv", "b,2026-01-02,warm\n", 'facts.csv:5:14: heat holds "warm" where a number belongs.'),
    ("facts.csv", "b,2026-01-02\n", "facts.csv:5:1: the row has 2 fields where the headings have 3."),
    ("facts.csv", "b,1926-01-02,3\n", "facts.csv:5:3: as_of holds 1926-01-02, a day before 2000-01-01."),
    ("facts.csv", "b,,3\n", "facts.csv:5:3: as_of is empty."),
    ("facts.csv", b"b\xf6,2026-01-02,3\n", "facts.csv:5:1: the text is not in utf-8."),
    ("usage/1.jsonl", '{"account": "b", "as_of": "20', "usage/1.jsonl:2:1: the last line is cut off."),
    ("usage/1.jsonl", '{"account": "b", "as_of": "2026-01-01", "name": {}}\n', "1.jsonl:2:1: name holds an object"),
    ("usage/2.jsonl.gz", b"\x1f\x8b\x08\x00half", "usage/2.jsonl.gz: the compressed file is damaged"),
    ("usage/3.jsonl.zst", b"no zstd", "usage/3.jsonl.zst: the file cannot be read"),
])
def test_the_first_bad_cell_stops_the_whole_import(project, imported, name, more, expected):
    assert imported()[0] == 0
    before = tree(project / ".forestall")
    with (project / "facts.csv").open("a") as file:
        file.write("a,2026-01-03,3\n")      # news that would be kept
    with (project / name).open("ab") as file:
        file.write(more if isinstance(more, bytes) else more.encode())
    code, out, err = imported()
    assert (code, out) == (1, "")
    assert expected in err.replace("\n", " ")
    assert "Traceback" not in err
    assert tree(project / ".forestall") == before


def test_what_deserves_a_look_stops_nothing(project, imported):
    with (project / "facts.csv").open("a") as file:
        file.write("a,2026-01-02,2\na,2026-01-02,5\na,2096-01-01,1\nb,2096-01-01,1\n")
    code, out, _ = imported()
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert "facts: 4 rows of 1 account, 2026-01-01 to 2026-01-02; 2 new" in lines
    assert any(line.startswith("facts.csv:6:3: as_of holds 2096-01-01, a day to come, so the row is left out. So is 1")
               for line in lines), out
    assert any("several rows of an account and day say different things (a on 2026-01-02, for example): the row that "
               "was read last counts." in line for line in lines), out


def test_a_database_in_forestall_yaml(project, imported):
    with closing(sqlite3.connect(project / "book.db")) as book:
        book.executescript("CREATE TABLE book (id TEXT, day TEXT, heat REAL, at TEXT);"
                           "INSERT INTO book VALUES ('a', '2026-01-01', 1, '1'), ('b', '2026-01-02', 2, '2')")
    (project / "forestall.yaml").write_text("""
sources:
  crm:
    adapter: sql
    url: sqlite:///book.db
    account: id
    as_of: day
    incremental: at
    query: SELECT id, day, heat, at FROM book WHERE day >= {{ since }}
""")
    code, out, err = imported()
    assert (code, err) == (0, "")
    assert "crm: 2 rows of 2 accounts, 2026-01-01 to 2026-01-02; 2 new" in out
    assert imported()[1].count("; 0 new") == 1
    assert (project / ".forestall" / "sources" / "crm" / "state.json").is_file()
    (project / "forestall.yaml").write_text("sources:\n  crm:\n    adapter: sql\n    query: SELECT 1\n")
    code, _, err = imported()
    assert code == 1
    assert "source crm: it needs `url` or `secret_url`" in err
