"""Run the checks, and leave out what a comment excuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from forestall.engine.errors import Problem, Severity
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.lint import on_history, on_rules
from forestall.engine.lint.book import Book, Check, Found
from forestall.engine.lint.excuses import Excuse, excuses
from forestall.engine.lint.observed import Observed
from forestall.engine.lint.on_history import HistoryCheck

UNKNOWN = "unknown-check"
NEEDLESS = "needless-exclusion"
CODES = (*(check.code for check in on_rules.CHECKS), *(check.code for check in on_history.CHECKS))


@dataclass(frozen=True, slots=True)
class Excused:
    """A finding that a comment excuses, with the reason that stands there."""

    problem: Problem
    reason: str


@dataclass(frozen=True, slots=True)
class Linted:
    """What the checks found, by place, and what of it is excused."""

    findings: tuple[Problem, ...]
    excused: tuple[Excused, ...]


def lint(book: Book, observed: Observed | None) -> Linted:
    """Every check; those on the history only where `observed` says what happened."""
    allowed = list(excuses(book.texts))
    found = sorted(set(_all(book, observed)), key=lambda one: (one.location, one.code, one.message))
    findings: list[Problem] = []
    excused: list[Excused] = []
    used: set[Excuse] = set()
    for problem in found:
        answer = _excuse(problem, allowed)
        if answer is None:
            findings.append(problem)
        else:
            used.add(answer)
            excused.append(Excused(problem, answer.reason))
    findings.extend(_about_comments(book, allowed, used, observed))
    findings.sort(key=lambda one: (one.location, one.code, one.message))
    return Linted(tuple(findings), tuple(excused))


def _all(book: Book, observed: Observed | None) -> Iterator[Problem]:
    for check in on_rules.CHECKS:
        yield from (_problem(check, one) for one in check.look(book))
    for later in on_history.CHECKS if observed is not None and observed.rows else ():
        assert observed is not None
        yield from (_problem(later, one) for one in later.look(book, observed))


def _problem(check: Check | HistoryCheck, found: Found) -> Problem:
    """The finding with the reason why it matters, and what to do."""
    return Problem(found.location, check.code, found.message, f"{check.why} {found.hint}", check.severity)


def _excuse(problem: Problem, allowed: Sequence[Excuse]) -> Excuse | None:
    where = problem.location
    return next((one for one in allowed if one.code == problem.code and one.location.file == where.file
                 and one.line == where.line), None)


def _about_comments(book: Book, allowed: Sequence[Excuse], used: set[Excuse],
                    observed: Observed | None) -> Iterator[Problem]:
    """Comments that excuse nothing: a misspelt code, or something that is well by now."""
    not_looked = set() if observed is not None else {check.code for check in on_history.CHECKS}
    if book.days is None:
        not_looked.add("look-back-beyond-history")
    for one in allowed:
        if one.code not in CODES:
            yield Problem(one.location, UNKNOWN, f"no check is called `{one.code}`.",
                          did_you_mean(one.code, CODES) or f"There are: {', '.join(CODES)}.", Severity.WARNING)
        elif one not in used and one.code not in not_looked:
            yield Problem(one.location, NEEDLESS, f"nothing here has to be excused from {one.code}.",
                          "Take the comment away, or move it to the line above what it is about.", Severity.NOTE)
