"""The page: whole HTML, nothing fetched, nothing run, and charts that can be read without eyes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from simulate import made_up
from simulate.made_up import HOSTILE, MADE, hostile

from forestall.engine.simulate.comparison import DayCompared, Pair
from forestall.engine.verdict import page
from forestall.engine.verdict.charts import ticks

VOID = {"meta", "br", "hr", "img", "input", "link", "rect", "path", "circle"}


class Reader(HTMLParser):
    """Reads a page strictly: every element is closed, in its turn."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.cells: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.words.append(data)
        if self.open and {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("name", MADE)
def test_a_page_is_whole_and_needs_nothing_else(name: str) -> None:
    source = page.html(MADE[name]())
    read = Reader(source)
    assert read.open == []
    tags = {tag for tag, _ in read.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert "://" not in source
    assert "url(" not in source
    assert "@import" not in source
    for _, attributes in read.tags:
        assert not any(key.startswith("on") or key in ("src", "srcset", "action") for key in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["href"] for attributes in read.named("a")} <= {f"#{one}" for one in ids}
    assert read.named("html") == [{"lang": "en"}]
    assert "None" not in " ".join(read.words)


def test_every_chart_has_a_title_a_description_and_its_figures_as_a_table() -> None:
    source = page.html(made_up.whole())
    read = Reader(source)
    charts = read.named("svg")
    assert len(charts) == 5
    for one in charts:
        assert one["role"] == "img"
        title, described = (one["aria-labelledby"] or "").split()
        assert re.search(rf'<title id="{title}">[^<]+</title>', source)
        assert re.search(rf'<desc id="{described}">[^<]+</desc>', source)
    for head in ("Day by day", "Accounts by score", "From the base&#39;s tier (down) to the candidate&#39;s (across)",
                 "alerts per CSM and week"):
        assert head in source


def test_nothing_in_a_drawing_is_nowhere() -> None:
    for made in (made_up.whole(), made_up.alone(), made_up.unchanged(), flat(), long()):
        drawings = "".join(re.findall(r"<svg.*?</svg>", page.html(made)))
        assert "nan" not in drawings
        assert "inf" not in drawings
        assert not re.search(r'(?:width|height)="-', drawings)


def flat():
    """A period in which nothing happens."""
    one = made_up.whole(new=0, gone=0, unjudged=0)
    return replace(one, days=tuple(DayCompared(day.day, Pair(0, 0), Pair(0, 0)) for day in one.days))


def long():
    """A year: lines take the place of bars."""
    one = made_up.whole()
    return replace(one, first=one.last - timedelta(days=364), days=tuple(
        DayCompared(one.last - timedelta(days=364 - day), Pair(day % 7, day % 9), Pair(day % 5, day % 11))
        for day in range(365)))


def test_a_long_period_is_drawn_as_lines() -> None:
    assert 'class="line"' in re.findall(r"<svg.*?</svg>", page.html(long()))[0]
    assert 'class="line"' not in re.findall(r"<svg.*?</svg>", page.html(made_up.whole()))[0]


def test_no_name_does_harm() -> None:
    source = page.html(hostile())
    read = Reader(source)
    assert read.open == []
    assert "<script" not in source
    assert source.count("<!--") == 0
    for name in HOSTILE:
        if "\u202e" not in name:
            assert " ".join(name.split()) in [" ".join(one.split()) for one in read.cells]


def test_a_long_list_is_cut_and_says_so() -> None:
    source = page.html(MADE["many"]())
    assert "… and 2,000 more; <code>--format json</code> has them all." in source
    assert len(source) < 3_000_000


def test_what_must_not_be_overlooked_is_marked() -> None:
    assert 'class="verdict over"' in page.html(made_up.whole())
    assert 'class="verdict over"' in page.html(made_up.broken())
    assert 'class="verdict"' in page.html(made_up.unchanged())


@pytest.mark.parametrize(("most", "last"), [(0, 1), (1, 1), (3, 3), (7, 8), (18, 20), (41, 60), (100, 100),
                                             (12_345, 15_000)])
def test_axes_end_at_round_values(most: float, last: float) -> None:
    assert ticks(most)[0] == 0
    assert ticks(most)[-1] == last
