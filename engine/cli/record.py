"""`forestall test --record ACCOUNT`: a stretch of the real history as a story."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from forestall.engine.errors import Location, UsageError
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.runtime import Project
from forestall.engine.score.explain import nearest_accounts
from forestall.engine.stories.recording import record, refuse_backwards


def record_story(opened: Project, account: str, first: date, last: date | None, name: str | None,
                 out: Path | None) -> None:
    """Write the story to `out`, or print it. What it cannot tell as it was is said beside it."""
    through = opened.history.through
    if through is None:
        raise UsageError.one(Location(str(opened.history.root)), "history-empty", "there is no history yet.",
                             "Bring it in with `forestall history import`.")
    if out is not None and out.exists():
        raise UsageError.one(Location(str(out)), "file-exists", "this file exists already.", "Name a new one.")
    last = min(last, through) if last else through
    refuse_backwards(first, last)
    found = record(opened.evaluator, opened.directory, opened.history, account, first, last,
                   name or f"Recorded from {first} to {last}")
    if found is None:
        named = opened.history.last_named(account)
        near = f"A source named it last on {named}: name a period that reaches it." if named else \
            did_you_mean(account, nearest_accounts(opened.rulebook, opened.history, last))
        raise UsageError.one(Location(account), "unknown-account",
                             f"the history has no row of this account from {first} to {last}.",
                             near or "Look at another period with --from and --to.")
    for line in found.differences:
        click.echo(f"not as it was: {line}", err=True)
    if out is None:
        click.echo(found.text, nl=False)
        return
    try:
        out.write_text(found.text, encoding="utf-8")
    except OSError as error:
        raise UsageError.one(Location(str(out)), "unwritable", f"this file cannot be written ({error.strerror}).",
                             "Name another with --out.") from None
    click.echo(f"{out} holds the story. Numbers and dates are the real ones; names are made up. Look through it before "
               "you share it.")
