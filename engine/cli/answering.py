"""What the commands share that record what a person says: which account is meant, who says it, for which day."""

from __future__ import annotations

import getpass
from datetime import date, datetime

from forestall.engine.errors import Location, UsageError
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.runtime import Project
from forestall.engine.score.explain import nearest_accounts
from forestall.engine.store import Store


def whoever(by: str | None) -> str:
    """The name given, or that of the login."""
    try:
        return (by or getpass.getuser()).strip()
    except (OSError, KeyError):      # a login without a name, as in some containers
        raise UsageError.one(Location("--by"), "nobody", "it is not clear who says so: this login has no name.",
                             "Say it with --by NAME.") from None


def said_on(project: Project, on: datetime | None) -> date:
    """The day that an answer counts for: not one to come."""
    today = project.today()
    day = on.date() if on else today
    if day > today:
        raise UsageError.one(Location("--on"), "day-to-come", f"{day} has not come yet.", "Say it on the day.")
    return day


def must_be_known(project: Project, store: Store, account: str) -> None:
    """UsageError, with the nearest name, for an account of which neither the history nor the state knows anything."""
    if project.history.last_named(account) is not None:
        return
    record = store.account(account)
    if record.alerts or record.runs:
        return
    last = project.history.through
    there = nearest_accounts(project.rulebook, project.history, last) if last else []
    raise UsageError.one(Location(account), "unknown-account", "no source has ever named this account.",
                         did_you_mean(account, there) or "Look for its name in `forestall alerts list`.")
