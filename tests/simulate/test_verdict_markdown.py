"""The answer as a review comment: it can be posted, its tables are whole, and no name does harm."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from simulate import made_up
from simulate.made_up import HOSTILE, MADE, hostile

from forestall.engine.verdict import markdown

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def rows(tokens: list[Token]) -> list[list[list[str]]]:
    """Every table as rows of cells, as they are read."""
    tables: list[list[list[str]]] = []
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in ("th_open", "td_open"):
            tables[-1][-1].append(shown(tokens[index + 1]))
    return tables


def shown(inline: Token) -> str:
    return "".join(one.content for one in inline.children or []).replace("\u200b", "")


@pytest.mark.parametrize("name", MADE)
def test_tables_are_whole_and_folds_are_closed(name: str) -> None:
    said = markdown.text(MADE[name]())
    assert said.startswith(f"{markdown.MARKER}\n")
    assert said.count("<details>") == said.count("</details>")
    tokens = READER.parse(said)
    tables = rows(tokens)
    piped = sum(line.startswith("| ") for line in said.splitlines())
    assert piped == sum(len(table) + 1 for table in tables), "every line with a bar is a row of a table"
    assert all(len({len(row) for row in table}) == 1 for table in tables)
    html = [one.content.strip() for one in tokens if one.type == "html_block"]
    assert all(one == markdown.MARKER or one == "</details>" or one.startswith("<details><summary>") for one in html)


@pytest.mark.parametrize("most", [60, 400, 9000])
def test_it_is_short_enough_to_be_posted_and_says_what_was_cut(most: int) -> None:
    said = markdown.text(made_up.whole(new=most, gone=most // 2))
    assert len(said) < 60_000
    assert ("Cut so that it fits into a comment" in said) == (most > 200)
    if most == 9000:
        assert "… and 8,900 more." in said


def test_even_absurd_sizes_fit() -> None:
    one = made_up.whole(new=300)
    absurd = replace(
        one, accounts=tuple(replace(account, name="|" * 5000, reason="`" * 5000) for account in one.accounts),
        loads=one.loads * 200, groups=one.groups * 300, alerts=one.alerts * 300,
        filters={"segment": "|" * 50_000})
    said = markdown.text(absurd)
    assert len(said) < 60_000
    assert said.count("<details>") == said.count("</details>")


def test_no_name_does_harm() -> None:
    said = markdown.text(hostile())
    tokens = READER.parse(said)
    inside = [child for token in tokens for child in token.children or []]
    kinds = {one.type for one in inside}
    assert kinds <= {"text", "text_special", "strong_open", "strong_close", "em_open", "em_close", "softbreak",
                     "code_inline"}, "no link, no picture, no HTML, no strike"
    assert {one.content for one in inside if one.type == "code_inline"} <= {
        "forestall simulate", "--format html", "--format json"}
    html = "".join(one.content for one in tokens if one.type == "html_block")
    assert "<script" not in said
    assert "@channel" not in said
    assert "@evil" not in said
    assert "https://" not in said
    assert html.count("<!--") == 1
    assert {one.tag for one in tokens if one.type == "heading_open"} == {"h3", "h4"}
    assert not any(one.type in ("bullet_list_open", "ordered_list_open", "blockquote_open", "code_block", "fence")
                   for one in tokens)


def test_names_read_as_they_are() -> None:
    found = {cell for table in rows(READER.parse(markdown.text(hostile()))) for row in table for cell in row}
    for name in HOSTILE:
        if "\u202e" not in name:
            assert " ".join(name.split()) in found
    assert "株式会社サンプル (a-0006)" in {
        cell for table in rows(READER.parse(markdown.text(made_up.whole()))) for row in table for cell in row}


def test_names_of_accounts_can_be_left_out() -> None:
    said = markdown.text(made_up.whole(), accounts=False)
    assert "Northwind" not in said
    assert "a-0001" not in said
    assert "19 openings differ. The names of accounts are left out of this comment." in said
