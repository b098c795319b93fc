from pathlib import Path

import pytest

from forestall.engine.rulebook.nodes import ListNode, ScalarNode, plain
from forestall.engine.rulebook.source import meaning, parse, read


def scalar(text: str, key: str = "a") -> ScalarNode:
    root = parse(text, "f.yaml").root
    assert root is not None
    found = root.get(key)
    assert isinstance(found, ScalarNode)
    return found


@pytest.mark.parametrize(("written", "value"), [
    ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"), ("12:30", "12:30"),
    ("2026-01-05", "2026-01-05"), ("1_000", "1_000"), ("true", True), ("False", False), ("", None), ("~", None),
    ("12", 12), ("-3", -3), ("012", 12), ("0x1F", 31), ("0o17", 15), ("1.10", 1.1), (".5", 0.5), ("1e3", 1000.0),
    ("1.5e+3", 1500.0), (".nan", ".nan"), (".inf", ".inf"), ("1e999", "1e999"), ("=", "="), ("60-79", "60-79"),
    ("9" * 5000, "9" * 5000),
])
def test_plain_values_mean_what_yaml_1_2_says(written: str, value: object) -> None:
    assert meaning(written) == value
    assert type(meaning(written)) is type(value)


def test_quoted_values_are_texts() -> None:
    assert scalar('a: "12"').value == "12"
    assert scalar("a: 'true'").value == "true"


def test_every_key_and_value_knows_its_place() -> None:
    root = parse("a:\n  b: [1, two]\n  c: {d: x}\n", "f.yaml").root
    assert root is not None
    inner = root.map("a")
    places = {entry.key.text: (entry.key.location.line, entry.key.location.column) for entry in inner}
    assert places == {"b": (2, 3), "c": (3, 3)}
    listed = inner.get("b")
    assert isinstance(listed, ListNode)
    assert [str(item.location) for item in listed.items] == ["f.yaml:2:7", "f.yaml:2:10"]
    assert plain(root) == {"a": {"b": [1, "two"], "c": {"d": "x"}}}


@pytest.mark.parametrize("text", [
    "a: one and X\n",
    "é: 1\na: é one and X\n",
    "a: one\n   and\n\n   X more\n",
    "a: 'it''s one and X'\n",
    "a: 'it''s\n  one and X'\n",
    'a: "t\\tab \\u00e9 X"\n',
    'a: "one \\\n    and X"\n',
    "a: |\n    one\n      and\n\n    X more\n",
    "a: >-\n  one\n  and X\n",
    "a: |2-\n    indented\n  X\n",
    "a: > # a comment\n\n  one X\n",
    "b: [1]\na:\n  one\n  X\n",
])
def test_a_place_inside_a_value_is_found_in_the_file(text: str) -> None:
    found = scalar(text)
    place = found.place(found.text.index("X"))
    assert text.split("\n")[place.line - 1][place.column - 1] == "X"


def test_the_end_and_beyond_stay_inside_the_value() -> None:
    found = scalar("a: 'xy'\n")
    assert str(found.place(2)) == "f.yaml:1:7"
    assert str(found.place(99)) == "f.yaml:1:7"


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "- " * 100_000, "a: " + "{x: " * 100_000,
                                  "".join(" " * n + "a:\n" for n in range(200))])
def test_nesting_is_refused_before_it_can_hurt(text: str) -> None:
    document = parse(text, "f.yaml")
    assert document.root is None
    assert [problem.code for problem in document.problems][:1] == ["too-deep"]


def test_an_alias_bomb_is_refused() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n"
                                      for n in range(9))
    assert {problem.code for problem in parse(bomb, "f.yaml").problems} == {"anchor"}


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes("\ufeffa: 1\r\nb: x\r\n  y\r\n".encode())
    root = read(file).root
    assert root is not None
    assert plain(root) == {"a": 1, "b": "x y"}
    found = root.get("b")
    assert isinstance(found, ScalarNode)
    assert (found.place(2).line, found.place(2).column) == (3, 3)


def test_unreadable_files_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_001)
    (tmp_path / "weights.yml").write_text("a: 1\n")
    said = {name: read(tmp_path / name, name).problems[0] for name in
            ("folder.yaml", "latin.yaml", "large.yaml", "weights.yaml", "none.yaml")}
    assert str(said["latin.yaml"].location) == "latin.yaml:2:7"
    assert {name: problem.code for name, problem in said.items()} == {
        "folder.yaml": "unreadable-file", "latin.yaml": "not-utf-8", "large.yaml": "too-large",
        "weights.yaml": "missing-file", "none.yaml": "missing-file"}
    assert said["weights.yaml"].hint == "Rename weights.yml to weights.yaml."


@pytest.mark.parametrize("text", [
    "a: b: c", "a:\n\tb: 1", "a: @x", "a: 'x", "a: [1", "a: *x", "a: 1\n  b: 2", "- a\nb: 1", 'a: "\\q"', "\x01",
    "a: 1\n---\nb: 2", 'a: "x" y', "a: - b", "a: x\nb\n", "a:b\nc: 1", "a: > x", "%YAML 1.1\na: 1", "a: }", "]",
    "? [a]\n: 1", "a: !x y", "<<: {a: 1}", "a: {{ x }}", "a: {{ x }} y", "a: 1\n b: 2", ":", "? a\n? b\n: : c", "a: ,",
    "a: |\n\tx\n",
])
def test_whatever_is_broken_has_one_place_and_a_cure(text: str) -> None:
    document = parse(text, "f.yaml")
    if document.root is not None:
        return      # `:` and the like are valid YAML; the schema has the word
    for problem in document.problems:
        assert problem.location.line >= 1
        assert problem.message.endswith(".")
        assert problem.hint.endswith((".", "`.", "}."))


def test_an_empty_file_says_nothing() -> None:
    root = parse("# only a comment\n", "f.yaml").root
    assert root is not None
    assert not root.entries
