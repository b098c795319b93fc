"""The verdict in one line: what would be different, and what to know before believing it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from forestall.engine.simulate.comparison import Change, Comparison, OneSide
from forestall.engine.verdict.words import (
    accounts,
    alerts,
    amount,
    complete,
    day,
    day_of_year,
    figure,
    listed,
    loaded,
    mean,
    one_line,
)

MANY = 3      # so many things are named, and the rest is counted


def sentence(comparison: Comparison) -> str:
    """The verdict, as one sentence in plain words."""
    parts = [_main(comparison)]
    if not empty(comparison):
        parts += _more(comparison)
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}."


def empty(comparison: Comparison) -> bool:
    """Whether there is nothing to tell of: no account, and no alert on any day."""
    return not comparison.book and not any(one.base or one.candidate for one in comparison.alerts)


def compared(comparison: Comparison) -> str:
    """What is compared with what: `main (1a2b3c4) → working tree`."""
    candidate = one_line(comparison.candidate.called)
    return f"{one_line(comparison.base.called)} → {candidate}" if comparison.base is not None \
        and loaded(comparison.base) else candidate


def asked(comparison: Comparison) -> str:
    """The filters as words: `of segment enterprise and csm dana`; empty when all accounts were looked at."""
    said = listed([f"{one_line(name)} {one_line(value)}" for name, value in comparison.filters.items()])
    return f" of {said}" if said else ""


def same(comparison: Comparison) -> bool:
    """Whether the candidate makes no difference at all."""
    merge = comparison.on_merge
    return not (
        any(one.changes.get(change, 0) for one in comparison.alerts for change in Change if change is not Change.SAME)
        or any(one.opened.base != one.opened.candidate or one.deliveries.base != one.deliveries.candidate
               for one in comparison.days)
        or any(one.accounts and one.base != one.candidate for one in comparison.moves)
        or any(one.base != one.candidate for one in comparison.scores.values())
        or (merge is not None and (merge.accounts or merge.closes or merge.cancels or any(
            one.base != one.candidate for one in merge.deliveries.values()))))


def total(comparison: Comparison, change: Change) -> int:
    """How many openings there are of one kind."""
    return sum(one.changes.get(change, 0) for one in comparison.alerts)


def _main(comparison: Comparison) -> str:
    days = (comparison.last - comparison.first).days + 1
    where = f"in {amount(days, 'day', 'days')} for {accounts(comparison.book)}{asked(comparison)}"
    who = compared(comparison)
    if empty(comparison):
        return (f"{_unloaded(comparison.base)}no account{asked(comparison)} has a row in the "
                f"{amount(days, 'day', 'days')} through {day(comparison.last)}, so there is nothing to tell of {who}")
    if not loaded(comparison.base):
        opened = sum(one.candidate or 0 for one in comparison.alerts)
        named = "" if who == "rules" else f" ({who})"      # so is their folder called
        return (f"{_unloaded(comparison.base)}these rules{named} would open "
                f"{alerts(opened) if opened else 'no alert'} {where}{_load(comparison)}")
    new, gone = total(comparison, Change.NEW), total(comparison, Change.GONE)
    both = total(comparison, Change.SAME)
    if same(comparison):
        also = f": the same {alerts(both)}" if both else ": no alert on either side"
        return f"merging {who} would make no difference {where}{also}{_load(comparison).replace(':', ',', 1)}"
    more = listed([said for count, said in ((new, f"{alerts(new)} more"),
                                            (gone, f"{gone:,} fewer" if new else f"{alerts(gone)} fewer")) if count])
    fallback = f"the same {alerts(both)}" if both else "no alert"
    return f"merging {who} would open {more or fallback} {where}{_load(comparison)}"


def _unloaded(base: OneSide | None) -> str:
    """That the base could not be loaded, and where the first mistake stands."""
    if base is None or loaded(base):
        return ""
    count = len(base.problems)
    at = one_line(str(base.problems[0].location))
    found = f"a mistake at {at}" if count == 1 else f"{amount(count, 'mistake', 'mistakes')}, the first at {at}"
    return f"the base, {one_line(base.called)}, cannot be loaded ({found}), so the candidate is told alone: "


def _load(comparison: Comparison) -> str:
    """`: 2.1 → 2.8 messages and tasks a day (peak 12 → 19 on 3 December)`."""
    days = comparison.days
    if not days:
        return ""
    peak = max(one.deliveries.candidate for one in days)
    average = sum(one.deliveries.candidate for one in days) / len(days)
    on = next(one.day for one in days if one.deliveries.candidate == peak)
    before = [one.deliveries.base for one in days if one.deliveries.base is not None]
    if not peak and not any(before):
        return ": nothing would be sent"
    if not before:
        return f": {mean(average)} messages and tasks a day (peak {figure(peak)} on {_on(comparison, on)})"
    was = sum(before) / len(before)
    means = mean(average) if mean(was) == mean(average) else f"{mean(was)} → {mean(average)}"
    peaks = figure(peak) if max(before) == peak else f"{figure(max(before))} → {figure(peak)}"
    return f": {means} messages and tasks a day (peak {peaks} on {_on(comparison, on)})"


def _on(comparison: Comparison, value: date) -> str:
    return day_of_year(value) if comparison.first.year == comparison.last.year else day(value)


def _more(comparison: Comparison) -> Iterator[str]:
    """What else a reader must know before they merge."""
    moved = sum(one.accounts for one in comparison.moves if one.base != one.candidate)
    if moved and loaded(comparison.base):
        yield f"{accounts(moved)} would be in another tier"
    unjudged = total(comparison, Change.UNJUDGED)
    if unjudged:
        yield f"{alerts(unjudged)} cannot be judged"
    yield from _first_day(comparison)
    for gates, words in ((True, "over budget"), (False, "over a limit of the playbook")):
        broken = [one for one in comparison.budgets if one.broken and one.gates is gates]
        if broken:
            named = [f"{one_line(one.what)} {figure(one.measured)} (at most {figure(one.limit)})"
                     for one in broken[:MANY]]
            yield f"{words}: {listed(named + ([f'{len(broken) - MANY:,} more'] if len(broken) > MANY else []))}"
    gaps = comparison.completeness
    if gaps.judged < 1:
        yield f"history {complete(gaps.judged)} complete"
    elif gaps.days_without_data:
        yield f"no data on {amount(len(gaps.days_without_data), 'day', 'days')}"
    yield from _churn(comparison)


def _first_day(comparison: Comparison) -> Iterator[str]:
    merge = comparison.on_merge
    if merge is None:
        return
    if merge.accounts:
        yield f"on the first day {accounts(merge.accounts)} {'matches' if merge.accounts == 1 else 'match'} at once"
    held = [f"{one_line(name)} ({amount(count, 'start', 'starts')})" for name, count in merge.held.items() if count]
    if held:
        left = [f"{len(held) - MANY:,} more"] if len(held) > MANY else []
        yield f"the guard would hold {listed(held[:MANY] + left)}"


def _churn(comparison: Comparison) -> Iterator[str]:
    churn = comparison.churn
    if churn is None:
        return
    if not churn.enough:
        who = "account that churned is" if churn.churned == 1 else "accounts that churned are"
        yield f"{churn.churned:,} {who} too few to judge by ({churn.least:,} are needed)"
        return
    judged = [one.better_than_chance for one in churn.candidate if one.better_than_chance is not None]
    if judged and not any(judged):
        yield f"none of these alerts foretold the {churn.churned:,} churns better than chance"
