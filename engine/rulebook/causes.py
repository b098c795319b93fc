"""Problems without those that only follow from another: one mistake is one problem."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import groupby
from pathlib import Path

from forestall.engine.errors import Location, Problem, Severity
from forestall.engine.language.nearest import nearest

_UNKNOWN = frozenset({"unknown-name", "unknown-trigger", "unknown-tier", "unknown-text", "unknown-recipient",
                      "role-not-played", "unknown-person", "unknown-channel"})
_BANDS = frozenset({"tier-gap", "tier-overlap", "tier-order", "tier-range", "reserved-name"})
_MOST_PLACES = 3


def causes(problems: Iterable[Problem], defined: Mapping[str, Location], used: Collection[str]) -> tuple[Problem, ...]:
    """Only what a person has to mend, by place.

    `defined` is where names are defined and `used` which of them occur anywhere: a name that is unknown in many places
    while a similar one is used nowhere was most likely misspelt where it is defined.
    """
    found = list(_without_followers(_first_at_its_place(_not_cut_in_two(list(problems)))))
    if any(problem.code in _BANDS for problem in found):
        found = [problem for problem in found if problem.code != "unknown-tier" and
                 not (problem.code == "unknown-text" and "no tier" in problem.message)]
    unused = [name for name in defined if name not in used]
    said: list[Problem] = []
    found.sort(key=_family)
    for (family, word), group in groupby(found, key=_family):
        members = list(group)
        if family == "wrong-kind":
            members = [_with_its_kind(problem, defined) for problem in members]
        said.extend(_together(members, word, defined, unused if family == "unknown" else ()) if family else members)
    return tuple(sorted(said, key=lambda problem: (problem.location, problem.code, problem.message)))


def _family(problem: Problem) -> tuple[str, str]:
    if not problem.word:
        return "", ""
    return "unknown" if problem.code in _UNKNOWN else problem.code, problem.word


def _together(members: list[Problem], word: str, defined: Mapping[str, Location],
              unused: Collection[str]) -> Iterator[Problem]:
    """The same unknown name, said once where it has one cause."""
    members.sort(key=lambda problem: problem.location)
    meant = _misspelt(word, unused)
    if meant is not None and len(members) > 1:
        places = _listed([problem.location for problem in members])
        yield Problem(defined[meant], members[0].code,
                      f"nothing uses `{meant}`, and `{word}`, which does not exist, is used in {places}.",
                      "Write the same name in all of them.", word=word)
    elif meant is not None:
        where = f"{Path(defined[meant].file).name}:{defined[meant].line}"
        yield replace(members[0], hint=f"Did you mean {meant}? It stands in {where} and is used nowhere else.")
    elif len(members) >= _MOST_PLACES:
        others = _listed([problem.location for problem in members[1:]])
        yield replace(members[0], hint=f"{members[0].hint} The same in {others}.".lstrip())
    else:
        yield from members


def _misspelt(word: str, unused: Collection[str]) -> str | None:
    """The unused name that differs from `word` by a letter or two, no more."""
    meant = nearest(word, unused)
    return meant if meant and SequenceMatcher(None, word, meant).ratio() >= 0.8 else None


def _with_its_kind(problem: Problem, defined: Mapping[str, Location]) -> Problem:
    """Where a kind that does not fit comes from."""
    where = defined.get(problem.word)
    if where is None or (where.file == problem.location.file and where.line == problem.location.line):
        return problem
    return replace(problem, hint=f"{problem.hint} {problem.word} stands in {Path(where.file).name}:{where.line}."
                   .lstrip())


def _listed(places: list[Location]) -> str:
    shown = [f"{Path(place.file).name}:{place.line}" for place in places[:_MOST_PLACES]]
    more = len(places) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more} more {'place' if more == 1 else 'places'}"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _not_cut_in_two(problems: list[Problem]) -> list[Problem]:
    """Without the rest of an expression that a comma inside { } has cut in two."""
    cut = {(problem.location.file, problem.location.line) for problem in problems if problem.code == "comma-in-braces"}
    return [problem for problem in problems if problem.code != "not-an-expression"
            or (problem.location.file, problem.location.line) not in cut]


def _without_followers(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Without what only an unreadable playbook does not use, and without the uses of a name that is no usable name."""
    found = list(problems)
    errors = [problem for problem in found if problem.severity is Severity.ERROR]
    playbook = any(Path(problem.location.file).name == "playbook.yaml" for problem in errors)
    unusable = {_plain(problem.word) for problem in errors if problem.code == "wrong-name" and problem.word}
    for problem in found:
        follows = (playbook and problem.code == "unused-template") or (
            problem.code in _UNKNOWN and problem.word and _plain(problem.word) in unusable)
        if not follows:
            yield problem


def _plain(name: str) -> str:
    return re.sub(r"\W", "_", name.casefold())


def _first_at_its_place(problems: list[Problem]) -> Iterator[Problem]:
    """Of several errors at one place, the first that was found: the schema speaks before the readers."""
    seen: set[Location] = set()
    for problem in problems:
        exact = bool(problem.location.column)
        if exact and problem.severity is Severity.ERROR and problem.location in seen:
            continue
        if exact and problem.severity is Severity.ERROR:
            seen.add(problem.location)
        yield problem
