"""The sections of the answer, in the order in which people ask."""

from __future__ import annotations

from collections.abc import Iterator

from forestall.engine.simulate.comparison import (
    AccountAlert,
    AlertCompared,
    Change,
    Comparison,
    Completeness,
    OnMerge,
)
from forestall.engine.verdict.book import groups, per_day, revenue, shift, tiers
from forestall.engine.verdict.foretold import churn, sweep
from forestall.engine.verdict.outline import Cell, Column, Section, Shift, Table
from forestall.engine.verdict.sentence import asked, compared, empty, sentence, total
from forestall.engine.verdict.words import (
    NOTHING,
    accounts,
    alerts,
    amount,
    called,
    complete,
    cut,
    day,
    figure,
    kind,
    loaded,
    one_line,
    period,
    short_day,
    tier,
)

TITLE = "What these rules would have done"
NAMED = 12      # so many days without data are named
_LISTED = {Change.NEW: "Newly opened", Change.GONE: "No longer opened", Change.UNJUDGED: "Cannot be judged"}
_LONG = 40      # a list of more rows is folded


def sections(comparison: Comparison) -> Iterator[Section]:
    """All that there is to say, in order; what does not apply is left out."""
    yield _verdict(comparison)
    if empty(comparison):
        return
    if comparison.on_merge is not None:
        yield _on_merge(comparison, comparison.on_merge)
    yield _alerts(comparison)
    yield per_day(comparison)
    yield tiers(comparison)
    yield from groups(comparison)
    yield revenue(comparison)
    if comparison.churn is not None:
        yield churn(comparison.churn)
        if comparison.churn.sweep:
            yield sweep(comparison.churn)
    yield _accounts(comparison)


# -- the verdict -------------------------------------------------------------------------------------------------------


def _verdict(comparison: Comparison) -> Section:
    base = comparison.base
    problems: tuple[Table, ...] = ()
    if base is not None and not loaded(base):
        rows = tuple((str(one.location), one_line(one.message), one_line(one.hint)) for one in base.problems)
        problems = (Table(f"Why {one_line(base.called)} cannot be loaded", (
            Column("place"), Column("mistake", wide=200), Column("cure", below=True, wide=200)), rows),)
    return Section("verdict", "Verdict", (sentence(comparison), *_frame(comparison)),
                   (*problems, *_budgets(comparison)))


def _frame(comparison: Comparison) -> Iterator[str]:
    """What was looked at, and how: the days, the warm-up, the gaps."""
    days = (comparison.last - comparison.first).days + 1
    warm = f", after {amount(comparison.warm_up, 'day', 'days')} of warm-up that do not count" \
        if comparison.warm_up else ""
    when = f"{period(comparison.first, comparison.last)} ({amount(days, 'day', 'days')})"
    yield (f"{compared(comparison)}: {when}{warm}, {accounts(comparison.book)}{asked(comparison)}. "
           "Nothing was written and nothing was sent."
           + (" Where one figure stands, it is that of both sides." if loaded(comparison.base) else ""))
    yield from _gaps(comparison.completeness)


def _gaps(gaps: Completeness) -> Iterator[str]:
    if gaps.judged < 1:
        yield (f"{complete(gaps.judged)} of what the triggers ask was known; where it was not, nothing opens and "
               "nothing closes.")
    if gaps.days_without_data:
        named = ", ".join(day(one) for one in gaps.days_without_data[:NAMED])
        left = len(gaps.days_without_data) - NAMED
        yield f"No data arrived on {named}{f' and {left:,} more days' if left > 0 else ''}."


def _budgets(comparison: Comparison) -> Iterator[Table]:
    if comparison.budgets:
        rows = tuple((one_line(one.what), figure(one.limit), figure(one.measured), "kept" if not one.broken
                      else "over budget" if one.gates else "over the limit") for one in comparison.budgets)
        yield Table("Limits", (Column("limit"), Column("at most", right=True), Column("would be", right=True),
                                Column("")), rows,
                    marked=frozenset(row for row, one in enumerate(comparison.budgets) if one.broken))


# -- on merge ----------------------------------------------------------------------------------------------------------


def _on_merge(comparison: Comparison, merge: OnMerge) -> Section:
    base = " that would not with the base" if loaded(comparison.base) else ""
    at_once = f"{accounts(merge.accounts)} {'matches' if merge.accounts == 1 else 'match'} at once{base}" \
        if merge.accounts else f"nobody matches at once{base}"
    said = [f"On the first day, {day(merge.day)}, {at_once}."]
    ends = [f"{alerts(merge.closes)} would close"] if merge.closes else []
    ends += [f"{amount(merge.cancels, 'running play', 'running plays')} would be stopped"] if merge.cancels else []
    if ends:
        said.append(f"{' and '.join(ends)}.")
    held = [(one_line(name), figure(count)) for name, count in merge.held.items() if count]
    said.append("The guard would hold what follows until somebody approves it; until then none of it happens."
                if held else "The guard would hold nothing.")
    tables = []
    if held:
        tables.append(Table("Held by the guard", (Column("play"), Column("starts", right=True)), tuple(held)))
    matches = tuple((one_line(name), figure(count)) for name, count in merge.matches.items() if count)
    if matches:
        tables.append(Table("Who matches at once", (Column("alert"), Column("accounts", right=True)), matches,
                            folded=len(matches) > _LONG))
    sent = tuple((kind(name), shift(one)) for name, one in merge.deliveries.items() if one.candidate or one.base)
    if sent:
        tables.append(Table("What would be sent on that day", (Column(""), _counted(comparison)), sent))
    else:
        said.append("Nothing would be sent on that day.")
    return Section("on-merge", "On merge", tuple(said), tuple(tables))


def _counted(comparison: Comparison) -> Column:
    return Column("base → candidate" if loaded(comparison.base) else "count", right=True)


# -- alerts ------------------------------------------------------------------------------------------------------------


def _alerts(comparison: Comparison) -> Section:
    tables: list[Table] = []
    shown = [one for one in comparison.alerts if one.base or one.candidate or any(one.changes.values())]
    silent = len(comparison.alerts) - len(shown)
    if not loaded(comparison.base):
        opened = sum(one.candidate or 0 for one in shown)
        said = [f"{alerts(opened)} would open." if opened else "No alert would open."]
        rows = tuple((one_line(one.alert), _count(one.candidate)) for one in shown)
        tables.append(Table("Alert by alert", (Column("alert"), Column("opened", right=True)), rows))
    else:
        said = [", ".join(f"{total(comparison, change):,} {change}" for change in Change) + "."]
        columns = (Column("alert"), Column("opened", right=True),
                   *(Column(str(change), right=True) for change in Change))
        changed = [one for one in shown if one.base != one.candidate or any(
            count for change, count in one.changes.items() if change is not Change.SAME)]
        stay = [one for one in shown if one not in changed]
        tables.append(Table("Alert by alert", columns, tuple(map(_compared, changed))))
        tables.append(Table("The same on both sides", (columns[0], columns[1]), tuple(
            (one_line(one.alert), _count(one.candidate)) for one in stay), folded=True))
        if total(comparison, Change.UNJUDGED):
            said.append("Cannot be judged: one side opens it, and what the other looks at is not known on that day.")
        said += _only(shown)
    if silent:
        said.append(f"{alerts(silent)} would open for nobody{' on either side' if loaded(comparison.base) else ''}.")
    return Section("alerts", "Alerts", tuple(said), (*(one for one in tables if one.rows), *_plays(comparison)))


def _plays(comparison: Comparison) -> Iterator[Table]:
    """What the alerts set in motion."""
    busy = [one for one in comparison.plays if any(
        count.base or count.candidate for count in (one.started, one.held_out, one.deliveries)) or one.held]
    held = any(one.held for one in busy)
    if busy:
        yield Table("Plays", (
            Column("play"), *(Column(name, right=True) for name in (
                "started", "held out to compare", "messages and tasks")),
            *([Column("held by the guard", right=True)] if held else [])), tuple(
            (one_line(one.play), shift(one.started), shift(one.held_out), shift(one.deliveries),
             *([figure(one.held)] if held else [])) for one in busy), folded=True,
            more="What a guard would hold counts as approved in these days." if held else "")


def _compared(one: AlertCompared) -> tuple[Cell, ...]:
    return (one_line(one.alert), Shift(_count(one.base), _count(one.candidate)),
            *(figure(one.changes.get(change, 0)) for change in Change))


def _only(shown: list[AlertCompared]) -> Iterator[str]:
    """Alerts that only one of the two has at all."""
    for side, names in (("candidate", [one.alert for one in shown if one.base is None]),
                        ("base", [one.alert for one in shown if one.candidate is None])):
        if names:
            left = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
            yield f"Only the {side} has {', '.join(map(one_line, names[:NAMED]))}{left}."


def _count(value: int | None) -> str:
    return NOTHING if value is None else figure(value)


# -- account by account ------------------------------------------------------------------------------------------------


def _accounts(comparison: Comparison) -> Section:
    tables = []
    for change, title in _LISTED.items():
        rows = [one for one in comparison.accounts if one.change is change]
        if rows:
            tables.append(Table(title, (
                Column("account", wide=48), Column("alert", wide=48), Column("on", wide=30), Column("tier", wide=40),
                Column("revenue", right=True), Column("segment", wide=24), Column("CSM", wide=24),
                Column("why", below=True, wide=300)), tuple(map(_account, rows)),
                folded=len(rows) > _LONG))
    differ = sum(total(comparison, change) for change in _LISTED)
    said = ""
    if not loaded(comparison.base):
        said = "Without a base there is no difference to list. What one account has is told by forestall explain."
    elif len(comparison.accounts) < differ:
        said = f"Listed are the {len(comparison.accounts):,} worst of {differ:,} that differ."
    elif not tables:
        said = "Every alert that opens on one side opens on the other, for the same account."
    return Section("accounts", "Account by account", (said,) if said else (), tuple(tables))


def _account(one: AccountAlert) -> tuple[Cell, ...]:
    before, after = (tier(name) if name else "" for name in one.tiers)
    moved = f"{before} → {after}" if before and after and before != after else after or before
    return (called(one.name, one.account), one_line(one.alert), _days(one), one_line(moved),
            NOTHING if one.revenue is None else figure(one.revenue), one_line(one.segment), one_line(one.csm),
            cut(one_line(one.reason), 1000))


def _days(one: AccountAlert) -> str:
    """The day of the opening, with that of the base where both open and differ."""
    if one.base_on and one.candidate_on and one.base_on != one.candidate_on:
        return f"{short_day(one.base_on)} → {short_day(one.candidate_on)}"
    on = one.candidate_on or one.base_on
    return short_day(on) if on else NOTHING
