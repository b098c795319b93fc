"""Why an opening is on one side only, with the values: `score 74 → 61 in 7 days, 13 ≥ 12 (base: 13 not ≥ 15)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import pyarrow

from forestall.engine.detect.history import History
from forestall.engine.model.alert import AlertStatus
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Truth
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.account import Account
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluations import from_epoch, to_epoch
from forestall.engine.score.look_back import look_back
from forestall.engine.score.reason import briefly, said
from forestall.engine.simulate.comparison import AccountAlert
from forestall.engine.simulate.course import Half
from forestall.engine.simulate.matching import Changed
from forestall.engine.simulate.sides import Book, Who


def told(changed: Sequence[Changed], base: Half, candidate: Half, book: Book, history: History,
         engine: Engine) -> tuple[AccountAlert, ...]:
    """These openings with their reasons, in their order. The accounts are read once for each side."""
    if not changed:
        return ()
    known = tuple(accounts(half.rulebook, history, engine, changed) for half in (base, candidate))
    return tuple(_told(one, (base, candidate), known, book) for one in changed)


def _told(one: Changed, halves: tuple[Half, Half], known: tuple[Mapping[str, Account], ...],
          book: Book) -> AccountAlert:
    who = book.everybody.get(one.account) or Who(one.account, one.account)
    mine = 0 if one.by_base else 1
    own = _why(one, halves[mine], known[mine].get(one.account))
    other = _why_not(one, halves[1 - mine], known[1 - mine].get(one.account), own)
    label = "candidate" if one.by_base else "base"
    return AccountAlert(
        account=one.account, name=who.name, segment=who.segment, csm=who.csm, revenue=who.revenue, alert=one.alert,
        change=one.change, base_on=one.day if one.by_base else None, candidate_on=None if one.by_base else one.day,
        reason=f"{'; '.join(own)} ({label}: {other})" if own else f"{label}: {other}", tiers=one.tiers)


def _why(one: Changed, half: Half, account: Account | None) -> tuple[str, ...]:
    """Why it opened."""
    if account is None:
        return ()
    trigger = half.rulebook.triggers.get(half.own[one.alert])
    if trigger is not None:
        return briefly(trigger.when, account, one.day)
    today, before = account.scored(to_epoch(one.day)), account.scored(to_epoch(one.day) - 1)
    moved = said(today.score, 1) if before.score is None else f"{said(before.score, 1)} → {said(today.score, 1)}"
    return (f"score {moved}, {before.tier or 'unscored'} → {today.tier or 'unscored'}",)


def _why_not(one: Changed, half: Half, account: Account | None, own: tuple[str, ...]) -> str:
    """Why the other side does not open it on that day."""
    name = half.own.get(one.alert)
    if name is None:
        return "has no such alert"
    if account is None:
        return "the account is unknown"
    trigger, alert = half.rulebook.triggers.get(name), one.other
    if alert is not None and one.truth is not Truth.FALSE and one.truth is not Truth.UNKNOWN:
        if alert.status is AlertStatus.OPEN:
            return f"open since {alert.opened_on}"
        if alert.status is AlertStatus.SPENT:
            return f"open from {alert.opened_on} until it expired"
        cooldown = trigger.cooldown if trigger is not None else half.rulebook.tier_cooldown
        if one.day < alert.opened_on + timedelta(days=cooldown):
            return f"opened on {alert.opened_on}, rests for {cooldown} days"
    if trigger is None:
        scored = account.scored(to_epoch(one.day))
        return f"score {said(scored.score, 1)}, {scored.tier or 'unscored'}"
    found = briefly(trigger.when, account, one.day)
    return "; ".join(_shorter(part, own) for part in found)


def _shorter(part: str, own: Iterable[str]) -> str:
    """Without what was said before: `13, not ≥ 15` after `score 74 → 61 in 7 days, 13 ≥ 12`."""
    start, arrow, rest = part.partition(" days, ")
    return rest if arrow and any(one.startswith(start + arrow) for one in own) else part


def accounts(rulebook: Rulebook, history: History, engine: Engine, changed: Iterable[Changed]) -> Mapping[str, Account]:
    """The accounts of these openings, each with the days that its conditions look at."""
    back = look_back(rulebook, [one.term for one in Conditions.of(rulebook).expressions]) + 1
    spans: dict[str, list[tuple[date, date]]] = {}
    for one in changed:
        spans.setdefault(one.account, []).append((one.day - timedelta(days=back), one.day))
    wanted = [(account, to_epoch(since), to_epoch(until)) for account, days in spans.items() for since, until in days]
    first, last = min(one for _, one, _ in wanted), max(one for _, _, one in wanted)
    with engine.reading(history, rulebook.catalogue, from_epoch(first), from_epoch(last), sorted(spans)) as reading:
        reading.lend("spans", pyarrow.table({
            "whose": pyarrow.array([one[0] for one in wanted], pyarrow.string()),
            "low": pyarrow.array([one[1] for one in wanted], pyarrow.int64()),
            "high": pyarrow.array([one[2] for one in wanted], pyarrow.int64())}))
        table = reading.rows("SELECT * FROM history WHERE EXISTS (SELECT 1 FROM spans WHERE whose = account "
                             "AND day BETWEEN low AND high)")
    rows: dict[str, dict[int, Mapping[str, Value]]] = {}
    begins: dict[str, int] = {}
    for row in table.to_pylist():
        rows.setdefault(row["account"], {})[row["day"]] = row
        begins[row["account"]] = row["first_day"]
    return {account: Account(rulebook, days, begins[account]) for account, days in rows.items()}
