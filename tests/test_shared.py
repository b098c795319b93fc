"""What tests share changes nothing of what they see."""

import shutil
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from compiled_once import essence, once
from one_duckdb import Guest

from forestall.engine.rulebook.loader import load
from forestall.engine.score.conditions import Conditions

RULES = Path(__file__).resolve().parents[1] / "rules"


def asked(rules: Path) -> object:
    book = load(rules, None)
    return essence(((book, Conditions.of(book), "duckdb"), {}))


def test_equal_rules_are_one_and_others_are_others(tmp_path: Path) -> None:
    first = asked(RULES)
    moved = Path(shutil.copytree(RULES, tmp_path / "rules"))
    triggers = moved / "triggers.yaml"
    triggers.write_text("# a line more\n" + triggers.read_text())
    assert asked(moved) == first, "where a rule stands is nothing to a query"
    book = load(RULES, None)
    for other in (replace(book, gone_after=15), replace(book, catalogue=replace(book.catalogue, by_hand=("x",)))):
        assert essence(((other, Conditions.of(book), "duckdb"), {})) != first
    for name, before, after in (("triggers.yaml", ">= 14 and core", ">= 15 and core"),
                                ("weights.yaml", "{0: 0, 20: 50, 80: 100}", "{0: 0, 21: 50, 80: 100}")):
        path = moved / name
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))
        assert asked(moved) != first, name
        path.write_text(text)


def test_what_was_compiled_is_compiled_no_more() -> None:
    told: list[object] = []
    compiled = once(lambda *words: told.append(words) or len(told))
    assert [compiled({"a": 1}), compiled({"a": 1}), compiled({"a": 1.0}), compiled({"a": True})] == [1, 1, 2, 3]


def test_nobody_sees_the_tables_of_another() -> None:
    one, other = Guest(), Guest()
    one.execute("CREATE TABLE said AS SELECT 1 AS value; SET threads = 1")
    with pytest.raises(duckdb.CatalogException):
        other.execute("FROM said")
    other.execute("CREATE TABLE said AS SELECT 2 AS value")
    assert [guest.execute("FROM said").fetchall() for guest in (one, other)] == [[(1,)], [(2,)]]
    one.close()
    other.close()
    third = Guest()
    started = duckdb.connect()
    threads = "SELECT current_setting('threads')"
    assert third.execute(threads).fetchall() == started.execute(threads).fetchall()
    with pytest.raises(duckdb.CatalogException):
        third.execute("FROM said")
    third.close()
    started.close()
