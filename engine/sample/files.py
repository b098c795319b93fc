"""Made-up histories as CSV files, in the columns that the default rulebook expects."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from forestall.engine.sample.histories import History, Profile, Terms, Usage, histories

ACCOUNT_COLUMNS = ("account", "as_of", "account_name", "contact_email", "csm", "executive_owner", "mrr", "renewal_date",
                   "time_zone", "customer_since", "email_opt_out", "segment", "sponsor", "seats_total",
                   "onboarding_completed_on", "last_spoken_on")
USAGE_COLUMNS = ("account", "as_of", "logins_14d", "key_feature_uses_14d", "features_per_session", "session_minutes",
                 "seats_active_14d", "last_activity_on", "core_feature_uses_total", "milestones_completed",
                 "milestones_total", "journey", "journey_step", "journey_step_started_on", "journey_step_expected_days")
CHURN_COLUMNS = ("account", "churned_on")

Row = tuple[object, ...]


def write_sample(folder: Path, seed: int, accounts: int, first: date, days: int) -> list[Path]:
    """Write made-up histories of `days` days from `first` below `folder`/data; returns the files, oldest first.

    accounts.csv has the slow facts (once a week, and when they change), usage/YYYY-MM.csv the daily ones, churn.csv
    who left and when. The same arguments give the same bytes. ValueError for fewer than one account or day.
    """
    if accounts < 1 or days < 1:
        raise ValueError(f"a sample needs at least one account and one day, not {accounts} and {days}")
    made = list(histories(seed, accounts, first, days))
    root = folder / "data"
    (root / "usage").mkdir(parents=True, exist_ok=True)
    written = [_write(root / "accounts.csv", ACCOUNT_COLUMNS, _in_order(account_rows(made)))]
    months: dict[str, list[Row]] = {}
    for row in _in_order(usage_rows(made)):
        months.setdefault(str(row[1])[:7], []).append(row)
    for month in sorted(months):
        written.append(_write(root / "usage" / f"{month}.csv", USAGE_COLUMNS, months[month]))
    written.append(_write(root / "churn.csv", CHURN_COLUMNS, churn_rows(made)))
    return written


def account_rows(made: Iterable[History]) -> Iterator[Row]:
    """Rows of ACCOUNT_COLUMNS; None where there is nothing to say."""
    for history in made:
        for terms in history.terms:
            yield _account_row(history.profile, terms)


def usage_rows(made: Iterable[History]) -> Iterator[Row]:
    """Rows of USAGE_COLUMNS; None where there is nothing to say."""
    for history in made:
        for usage in history.usage:
            yield _usage_row(history.profile, usage)


def churn_rows(made: Iterable[History]) -> Iterator[Row]:
    """Rows of CHURN_COLUMNS, one per account; None for those that stay."""
    for history in made:
        yield (history.profile.account, history.churned_on)


def _account_row(profile: Profile, terms: Terms) -> Row:
    return (
        profile.account, terms.day, profile.name, profile.contact, profile.csm, profile.executive, terms.mrr,
        terms.renewal, profile.time_zone, terms.customer_since, "true" if profile.opted_out else "false",
        profile.size.segment, terms.sponsor, terms.seats, terms.onboarded, terms.spoken,
    )


def _usage_row(profile: Profile, usage: Usage) -> Row:
    step = usage.step
    return (
        profile.account, usage.day, usage.logins_14d, usage.key_uses_14d, usage.features, usage.minutes,
        usage.seats_active_14d, usage.last_activity, usage.core_uses, usage.milestones, profile.milestones,
        step.journey if step else "none", step.name if step else None, usage.step_started,
        step.expected_days if step else None,
    )


def _in_order(rows: Iterable[Row]) -> list[Row]:
    """As a nightly export would append them: by day, then account."""
    return sorted(rows, key=lambda row: (str(row[1]), str(row[0])))


def _write(file: Path, columns: tuple[str, ...], rows: Iterable[Row]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    return file
