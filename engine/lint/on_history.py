"""The checks that need to have seen the rules at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from forestall.engine.errors import Severity
from forestall.engine.lint.book import Book, Found
from forestall.engine.lint.observed import Observed

NOISY = 0.30


@dataclass(frozen=True, slots=True)
class HistoryCheck:
    """One piece of advice that what happened gives."""

    code: str
    severity: Severity
    why: str
    look: Callable[[Book, Observed], Iterator[Found]]


def dead_triggers(book: Book, seen: Observed) -> Iterator[Found]:
    """A rule that never speaks is often one that looks at the wrong thing."""
    for name, trigger in book.rulebook.triggers.items():
        if seen.true[name]:
            continue
        since = f"on the {seen.days} days from {seen.first} to {seen.last}"
        if not seen.known[name]:
            yield Found(trigger.location,
                        f"trigger {name} could never be judged {since}: what it looks at was missing.",
                        "Does the source supply it under this name? `forestall explain ACCOUNT` shows what it saw.")
        else:
            yield Found(trigger.location, f"trigger {name} was never true {since}.",
                        "Is the bound too far out, or the metric another one? Take it away if nobody would miss it.")


def noisy_triggers(book: Book, seen: Observed) -> Iterator[Found]:
    """What is true for everybody tells nobody apart."""
    for name, trigger in book.rulebook.triggers.items():
        share = seen.true[name] / seen.known[name] if seen.known[name] else 0.0
        if share > NOISY:
            yield Found(trigger.location, f"trigger {name} is true for {share:.0%} of the accounts on an average day "
                        f"from {seen.first} to {seen.last}.".replace("%", " percent"),
                        "Move the bound, or look at a change instead of a level: `drop(…, days=7)`.")


def twin_triggers(book: Book, seen: Observed) -> Iterator[Found]:
    """Two alerts for one thing: one of them is noise, and it takes up the account's one play."""
    for first, second in seen.twins:
        yield Found(book.rulebook.triggers[second].location,
                    f"triggers {first} and {second} were true for the same accounts on the same days, always.",
                    "Keep one of them, or let them differ.")


CHECKS = (
    HistoryCheck("dead-trigger", Severity.WARNING,
                 "A rule that never speaks is often one that looks at the wrong thing.", dead_triggers),
    HistoryCheck("noisy-trigger", Severity.WARNING, "What is true for everybody tells nobody apart.", noisy_triggers),
    HistoryCheck("twin-triggers", Severity.WARNING, "Two alerts for one thing: one of them is noise.", twin_triggers),
)
