"""What became of accounts, as `forestall outcome list` shows it: plays with their goals, and what people said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TypeVar

from forestall.engine.cli.console import counted
from forestall.engine.cli.report import amount, table
from forestall.engine.cli.said import about, as_document, by_whom
from forestall.engine.cli.screen import near
from forestall.engine.model.delivery import NOT_STARTED, OutcomeStatus, PlayRun
from forestall.engine.model.outcome import Answer

VERSION = 1

One = TypeVar("One", PlayRun, Answer)


def began(run: PlayRun) -> date:
    """The first day of the play for this account, as far as it is known."""
    return run.began_on or run.told_on or run.occurrence


def group(run: PlayRun) -> str:
    """With whom it is compared: the accounts that had the play, or those that had none, by the reason for it."""
    return run.status.value if run.status in NOT_STARTED else "treated"


def lines(runs: Sequence[PlayRun], said: Sequence[Answer], most: int, today: date) -> Iterator[str]:
    """The latest first, at most so many of each."""
    yield f"{counted(len(runs), 'play')}, and {amount(len(said), 'thing', 'things')} that were said."
    if runs:
        yield ""
        yield from table([("account", "play", "because of", "began", "status", "goal", "took", "done by")] + [
            (one.account, one.play, one.group, near(began(one), today), one.status.value.replace("_", " "), _goal(one),
             "" if one.took is None else amount(one.took, "day", "days"), one.done_by)
            for one in _latest(runs, most)], indent=0)
    if said:
        yield ""
        yield from table([("account", "said", "for", "by", "about", "")] + [
            (one.account, one.kind.value, near(one.day, today), by_whom(one), one.play or one.alert, about(one, today))
            for one in _latest(said, most)], indent=0)
    if max(len(runs), len(said)) > most:
        yield ""
        yield f"The latest {most} of each; more with --most, --account or --since, all of them with --format json."


def _latest(found: Sequence[One], most: int) -> list[One]:
    return list(reversed(found[-most:]))


def _goal(run: PlayRun) -> str:
    if run.outcome is OutcomeStatus.NONE:
        return ""
    return "watched" if run.outcome is OutcomeStatus.WATCHING else run.outcome.value


def document(runs: Sequence[PlayRun], said: Sequence[Answer], since: date | None, today: date) -> dict[str, object]:
    """As schemas/output/outcomes.json describes it: everything, oldest first."""
    def day(value: date | None) -> str | None:
        return value.isoformat() if value else None

    return {
        "version": VERSION, "day": today.isoformat(), "since": day(since),
        "plays": [{
            "account": one.account, "play": one.play, "because_of": one.group, "occurrence": day(one.occurrence),
            "severity": one.severity, "group": group(one), "status": one.status.value, "reason": one.reason,
            "began_on": day(began(one)), "outcome": one.outcome.value, "watched_until": day(one.until),
            "met_on": day(one.met_on), "took_days": one.took, "due_on": day(one.due_on), "done_on": day(one.done_on),
            "done_by": one.done_by, "escalated_on": day(one.escalated_on),
        } for one in runs],
        "said": [{"account": one.account, **as_document(one)} for one in said],
    }
