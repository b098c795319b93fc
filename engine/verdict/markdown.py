"""The answer as a review comment: GitHub flavoured Markdown, short enough to post, in which no name can do harm."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from forestall.engine.simulate.comparison import Change, Comparison
from forestall.engine.verdict.outline import Column, Section, Table
from forestall.engine.verdict.sections import TITLE, sections
from forestall.engine.verdict.sentence import total
from forestall.engine.verdict.words import cut, one_line

MARKER = "<!-- forestall -->"      # by it the comment is found again and replaced
LIMIT = 60_000                     # characters; GitHub takes 65,536
_ROWS = (200, 100, 50, 25, 10, 5, 1, 0)      # of every list, until the whole is short enough
_LONG = 12                         # a table of more rows is folded
_SENTENCE = 1_500
_APART = "&#8203;"                 # a space without width: nothing is linked, called or replaced across it

# What Markdown would read as more than text wherever it stands, and `$`, with which GitHub begins a formula.
_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|^[-+=]")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
# Places at which GitHub would call somebody, link an issue or an address, or put a picture for a word.
_CALLS = re.compile(r"(?<=[@#])|(?<=[Ww]{3})(?=\.)|(?<=:)(?=//)|(?<=[Gg][Hh])(?=-\d)|(?<=:)(?=[a-z0-9_+-]+:)")


def text(comparison: Comparison, *, accounts: bool = True) -> str:
    """The comment. `accounts` False leaves their names out, for a place where more people read than may know them."""
    written = ""
    for most in _ROWS:
        written = "\n".join(_lines(comparison, most, accounts)) + "\n"
        if len(written) <= LIMIT:
            break
    return written


def escaped(said: str) -> str:
    """The text so that GitHub shows just it: no formatting, no HTML, nobody called by `@`, no issue linked by `#`."""
    line = _CALLS.sub("\x00", one_line(said))
    line = _NUMBERED.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", line))
    line = f"\\{line}" if line.startswith("#") else line
    return html.escape(line, quote=False).replace("\x00", _APART)


def _lines(comparison: Comparison, most: int, accounts: bool) -> Iterator[str]:
    yield MARKER
    yield f"### {TITLE}"
    for number, section in enumerate(sections(comparison)):
        if number:
            yield ""
            yield f"#### {escaped(section.title)}"
        if section.key == "accounts" and not accounts:
            yield ""
            yield f"{_counted(comparison)} The names of accounts are left out of this comment."
            continue
        yield from _section(section, most, bold=not number)
    yield from _cut(comparison, most, accounts)


def _counted(comparison: Comparison) -> str:
    count = sum(total(comparison, change) for change in Change if change is not Change.SAME)
    return f"{count:,} {'opening differs' if count == 1 else 'openings differ'}."


def _section(section: Section, most: int, *, bold: bool) -> Iterator[str]:
    for index, said in enumerate(section.said):
        yield ""
        sentence = escaped(cut(said, _SENTENCE))
        yield f"**{sentence}**" if bold and not index else sentence
    for table in section.tables:
        yield ""
        if table.folded or table.of_chart or len(table.rows) > _LONG:
            yield f"<details><summary>{_title(table)}</summary>"
            yield ""
            yield from _table(table, most)
            yield ""
            yield "</details>"
        else:
            if len(section.tables) > 1 and table.title:
                yield f"*{escaped(table.title)}*"
                yield ""
            yield from _table(table, most)


def _title(table: Table) -> str:
    """The words of a fold, in which no address is linked and nobody is called either."""
    return html.escape(_CALLS.sub("\x00", f"{one_line(table.title)} ({len(table.rows):,})")).replace("\x00", _APART)


def _table(table: Table, most: int) -> Iterator[str]:
    rows = table.rows[:most]
    if rows:
        yield _row([escaped(column.name) for column in table.columns])
        yield _row(["---:" if column.right else ":---" for column in table.columns])
    for number, row in enumerate(rows):
        cells = [_cell(str(cell), column) for cell, column in zip(row, table.columns, strict=True)]
        yield _row([f"**{cell}**" if number in table.marked and cell.strip() else cell for cell in cells])
    if table.more:
        yield ""
        yield escaped(table.more)
    if len(table.rows) > len(rows):
        yield ""
        yield f"… and {len(table.rows) - len(rows):,} more."


def _cell(said: str, column: Column) -> str:
    return escaped(cut(one_line(said), column.wide))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cut(comparison: Comparison, most: int, accounts: bool) -> Iterator[str]:
    """What was left out so that the comment can be posted."""
    longest = [table for section in sections(comparison) if accounts or section.key != "accounts"
               for table in section.tables if len(table.rows) > most]
    if longest:
        left = sum(len(table.rows) - most for table in longest)
        yield ""
        yield (f"*Cut so that it fits into a comment: {left:,} {'row' if left == 1 else 'rows'} of "
               f"{len(longest):,} {'table' if len(longest) == 1 else 'tables'} are left out. `forestall simulate` with "
               "`--format html` or `--format json` has them all.*")
