"""Stories as JUnit XML, the form that build servers read.

Readers differ, so everything stands where all of them look: GitLab tells cases apart by `classname` and `name` and
shows the text of a failure, not its `message`; Jenkins shows both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import PurePath
from xml.etree import ElementTree

from forestall.engine.stories.outcome import Told

# What XML 1.0 cannot hold, however it is escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(told: Sequence[Told]) -> str:
    """One suite per file, one case per story."""
    root = ElementTree.Element("testsuites", {"name": "forestall", **_counts(told)})
    for file, found in groupby(told, key=lambda one: one.story.location.file):
        stories = list(found)
        suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(file), **_counts(stories), "skipped": "0"})
        for one in stories:
            _case(suite, one)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _counts(told: Sequence[Told]) -> dict[str, str]:
    return {"tests": str(len(told)), "failures": str(sum(bool(one.misses) for one in told)), "errors": "0",
            "time": "0"}


def _case(suite: ElementTree.Element, one: Told) -> None:
    file = one.story.location.file
    classname = ".".join(PurePath(file).with_suffix("").parts[-3:])
    case = ElementTree.SubElement(suite, "testcase", classname=_clean(classname), name=_clean(one.story.name),
                                  file=_clean(file), time="0")
    if one.misses:
        lines = [f"{miss.expectation.location}: day {miss.day}: expected {miss.expected}; {miss.got}\n"
                 f"    {miss.because}" for miss in one.misses]
        first = one.misses[0]
        failure = ElementTree.SubElement(
            case, "failure", type="expectation",
            message=_clean(f"day {first.day}: expected {first.expected}; {first.got}"))
        failure.text = _clean("\n".join(lines))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
