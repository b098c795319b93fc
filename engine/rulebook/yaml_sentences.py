"""What PyYAML complains about, said to somebody who has never heard of a scalar."""

from __future__ import annotations

import re

import yaml

from forestall.engine.errors import Location, Problem
from forestall.engine.rulebook.layout import suspect

_NAMES = {"\t": "a tab", "@": "an @", "`": "a backquote", "%": "a percent sign"}


def in_words(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """The error as a problem with its place, a sentence and a cure."""
    lines = text.split("\n")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return _unreadable_character(error, text, file)
    line, column = mark.line, mark.column
    what = str(getattr(error, "problem", "") or "")
    around = str(getattr(error, "context", "") or "")
    written = lines[line] if line < len(lines) else ""
    here = Location(file, line + 1, column + 1)
    tab = _tab(lines, line, file)
    if tab:
        return tab
    odd = suspect(lines, line)
    if odd is not None and (odd.line < line or "quote" in odd.message):
        return Problem(Location(file, odd.line + 1, odd.column + 1), "yaml", odd.message, odd.hint)
    if "cannot start any token" in what:
        name = _NAMES.get(written[column : column + 1], f"`{written[column : column + 1]}`")
        return Problem(here, "yaml", f"{name} cannot stand at the start of a value.", "Put the value in quotes.")
    if "mapping values are not allowed" in what:
        return _second_colon(here, lines, line, column)
    if "quoted scalar" in around:
        return _quotes(error, here, what, file)
    if "{{" in written:
        return Problem(here, "unquoted-braces", "`{{ }}` in a value means something else in YAML.",
                       'Put the whole value in quotes: "{{ … }}".')
    if "flow" in around:
        start = getattr(error, "context_mark", None)
        where = Location(file, start.line + 1, start.column + 1) if start else here
        return Problem(where, "yaml", "this bracket is never closed, or a comma is missing after it.",
                       "Close it with ] or }, and put commas between the values.")
    if "document" in what:
        return Problem(here, "yaml", "only one document may stand in a file.", "Take the line `---` away.")
    return _rest(here, what, written, column, file, lines)


def _tab(lines: list[str], line: int, file: str) -> Problem | None:
    """Tabs in the indentation of the line, or of the one before it, cause errors of many names."""
    for number in (line, line - 1):
        if 0 <= number < len(lines):
            indentation = re.match(r"[ \t]*", lines[number])
            assert indentation is not None
            at = indentation.group().find("\t")
            if at >= 0:
                return Problem(Location(file, number + 1, at + 1), "yaml", "a tab cannot indent a line.",
                               "Use spaces instead.")
    return None


def _second_colon(here: Location, lines: list[str], line: int, column: int) -> Problem:
    written = lines[line]
    before = written[:column]
    if re.search(r":\s", before):
        return Problem(here, "yaml", "a second colon in one line.",
                       "Put the text after the first colon in quotes, or start a new line.")
    indented = len(written) - len(written.lstrip())
    above = next((other for other in reversed(lines[:line]) if other.strip()), "")
    if indented > len(above) - len(above.lstrip()):
        return Problem(here, "yaml", "this line is indented below a line that already has a value.",
                       "Indent it like the line above, or end the line above with a colon.")
    if re.search(r"\S:\S", above) and not re.search(r":\s", above):
        return Problem(here.moved(0), "yaml", "the line above has no space after its colon.",
                       "Write `key: value` with a space.")
    return Problem(here, "yaml", "this line does not fit below the line above.", "Indent both alike.")


def _quotes(error: yaml.YAMLError, here: Location, what: str, file: str) -> Problem:
    start = getattr(error, "context_mark", None)
    opened = Location(file, start.line + 1, start.column + 1) if start else here
    if "escape" in what:
        return Problem(here, "yaml", "a backslash in double quotes means something else in YAML.",
                       "Use single quotes, or write two backslashes.")
    return Problem(opened, "yaml", "this quote is never closed.", "Close it with the same quote.")


def _rest(here: Location, what: str, written: str, column: int, file: str, lines: list[str]) -> Problem:
    if "alias" in what:
        return Problem(here, "anchor", "an alias (`*`) is not used in rules.",
                       "Write the value out, or put a text that starts with * in quotes.")
    if "expected ':'" in what:
        number = next((n for n in range(here.line - 2, -1, -1) if lines[n].strip()), 0)
        text = lines[number]
        place = Location(file, number + 1, len(text) - len(text.lstrip()) + 1)
        return Problem(place, "yaml", "this line has no colon.", "Write `key: value`, or indent it below its key.")
    if "expected key" in what and re.search(r":\s+(['\"{\[])", written[:column]):
        return Problem(here, "yaml", "something stands after the closing quote or bracket.",
                       "Put the whole value in quotes; inside 'single' quotes you may use \"double\" ones.")
    if "expected '-'" in what and re.match(r"-\w", written[column:]):
        return Problem(here, "yaml", "there is no space after the dash.", f"Write `- {written[column + 1:].strip()}`.")
    if "expected '-'" in what:
        return Problem(here, "yaml", "a key stands where the next `- ` of the list was expected.",
                       "Indent the list below a key, or start this line with `- `.")
    if "block sequence entries" in what:
        return Problem(here, "yaml", "a list cannot start on the line of its key.", "Put each `- ` on its own line.")
    if "comment or line break" in what:
        return Problem(here, "yaml", "after `|` or `>` the text starts on the next line.",
                       "Move the text down, or put the value in quotes.")
    return Problem(here, "yaml", "this line does not fit where it stands.",
                   "Check its indentation against the lines above.")


def _unreadable_character(error: yaml.YAMLError, text: str, file: str) -> Problem:
    at = getattr(error, "position", 0) or 0
    where = Location(file, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
    return Problem(where, "yaml", "an invisible control character stands here.", "Delete it and type the text again.")
