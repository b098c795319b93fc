"""What people can bear: one small pure function for each limit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache

from forestall.engine.intervene.quiet import Quiet, holidays_near, leaves_at
from forestall.engine.model.delivery import Delivery
from forestall.engine.model.play import Every, Play
from forestall.engine.model.rulebook import Limits
from forestall.engine.model.scorecard import Scorecard

PATIENCE = 7      # days for which a step of a play without `within` may be put off by a cap
SPREAD = 28       # recurring plays of a month start on day 1 to 28, so that every month has the day


def share_of(*words: str) -> float:
    """A stable number from 0 to 1 (1 excluded) for these words: the same in every process and on every machine."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def held_out(play: Play, account: str, group: str, severity: str, card: Scorecard) -> bool:
    """Whether the account belongs to the control group of this alert.

    The draw depends on account and group only, so all plays of one alert agree. Accounts whose alert has one of the two
    worst severities are exempt, unless the play is for that tier itself and still names a holdout.
    """
    if play.holdout <= 0:
        return False
    worst = {tier.name for tier in card.tiers[-2:]}
    if severity in worst and play.tier not in worst:
        return False
    return share_of("holdout", account, group) < play.holdout


def email_allowed_on(limits: Limits, sent: Sequence[date], day: date) -> date:
    """The first day from `day` on at which the account may get one more email."""
    if limits.emails_per_account is None:
        return day
    count, days = limits.emails_per_account
    recent = sorted(on for on in sent if on > day - timedelta(days=days))
    if len(recent) < count:
        return day
    return recent[-count] + timedelta(days=days)


def may_be_told(limits: Limits, planned: int) -> bool:
    """Whether a person who gets `planned` emails and Slack messages today can bear one more."""
    return limits.messages_per_person is None or planned < limits.messages_per_person


def urgency(rank: int, revenue: float | None, renewal: date | None) -> tuple[int, float, date]:
    """Who comes first where a day has room for some: the worst severity, the most revenue, the next renewal."""
    return -rank, -(revenue or 0.0), renewal or date.max


@lru_cache(maxsize=4096)
def quiet_for(limits: Limits, zone: str, severity: str, day: date, *, to_customer: bool) -> Quiet | None:
    """When a message planned on `day` must not leave; None: at any time. `zone` is of whoever reads it.

    What is urgent may disturb colleagues, never a customer.
    """
    if not (limits.quiet_hours or limits.holidays) or (not to_customer and urgent(limits, severity)):
        return None
    start, end = limits.quiet_hours or (None, None)
    return Quiet(zone, start, end, holidays_near(limits.holidays, day))


def not_in_quiet_hours(delivery: Delivery, limits: Limits, zone: str, moment: datetime | None) -> Delivery:
    """The same, with the hours in which it must not leave by the clock of `zone`, and when it leaves if not at once.

    Without a `moment` nothing is quiet: a simulation knows days and no hours.
    """
    quiet = quiet_for(limits, zone, delivery.severity, delivery.day, to_customer=delivery.to_customer)
    if moment is None or quiet is None:
        return delivery
    leaves = leaves_at(quiet, moment)
    return replace(delivery, quiet=_text(quiet), not_before=leaves if leaves > moment else None)


@lru_cache(maxsize=4096)
def _text(quiet: Quiet) -> str:
    return str(quiet)


def within_budget(limits: Limits, planned: int) -> bool:
    """Whether a CSM who has `planned` tasks today can take one more."""
    return limits.tasks_per_csm is None or planned < limits.tasks_per_csm


def urgent(limits: Limits, severity: str) -> bool:
    """Whether an alert of this severity passes the caps; it never passes an opt-out."""
    return severity in limits.urgent


def may_be_put_off(play: Play, since: date, day: date) -> bool:
    """Whether a step that was due on `since` may still wait for the day after `day`."""
    patience = play.within if play.within is not None else PATIENCE
    return (day - since).days < patience


def recurs_on(every: Every, play: str, account: str, day: date) -> bool:
    """Whether a recurring play is due for this account on this day; accounts are spread over the period."""
    if every.monthly:
        month = day.year * 12 + day.month - 1
        return day.day == 1 + int(share_of(play, account) * SPREAD) and (
            month % every.count == int(share_of(play, account, "month") * every.count))
    return (day.toordinal() + int(share_of(play, account) * every.count)) % every.count == 0


def last_due(every: Every, play: str, account: str, after: date | None, day: date) -> date | None:
    """The last day in (after, day] on which the play is due; `after` None looks at `day` alone.

    A play that was missed while nothing ran starts once, not once for each date missed.
    """
    earliest = after + timedelta(days=1) if after is not None else day
    for back in range((day - earliest).days + 1):
        candidate = day - timedelta(days=back)
        if recurs_on(every, play, account, candidate):
            return candidate
    return None


def counted(names: Iterable[str]) -> dict[str, int]:
    """How often each name occurs, in order of first appearance."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
