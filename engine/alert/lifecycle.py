"""Open alerts and evaluations to transitions: a pure function of (alerts, evaluations, day).

Per account and trigger: clear → open → clear. An alert opens only on true and closes only on a true clearing condition;
unknown values change nothing. While it is open nothing fires again; the cooldown runs from its last opening, whatever
closed it. Its severity follows the account into worse tiers and never back, where the trigger names none. State belongs
to the trigger's name and to the account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from forestall.engine.alert.attention import reminder_due, worsened
from forestall.engine.model.alert import Alert, AlertStatus, Transition, TransitionKind
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.expression import Truth
from forestall.engine.model.play import recovery_alert, tier_alert
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.scorecard import Tier
from forestall.engine.model.state import State
from forestall.engine.model.trigger import Existing, Trigger
from forestall.engine.score.conditions import Conditions

TIER_CLEARS_AFTER = 3       # days out of the band

Moved = tuple[Alert | None, TransitionKind | None]


@dataclass(frozen=True, slots=True)
class Alerts:
    """What became of the alerts on one day. `alerts` changed without a transition; `tiers` are those that changed."""

    transitions: tuple[Transition, ...]
    alerts: tuple[Alert, ...]
    tiers: Mapping[str, str]

    @property
    def reminders(self) -> tuple[Alert, ...]:
        """The open alerts of which the owner is to hear once more today."""
        return tuple(one.alert for one in self.transitions if one.kind is TransitionKind.REMINDED)


def decide_alerts(rulebook: Rulebook, conditions: Conditions, state: State, rows: Iterable[AccountDay],
                  gone: Iterable[str], day: date) -> Alerts:
    """Every alert that opens, closes or changes on `day`.

    `rows` must hold every account with a true trigger, a changed tier or an alert that is not closed; `gone` names the
    accounts of the state that no source names any more.
    """
    fold = _Day(rulebook, conditions, state, day)
    for row in rows:
        fold.account(row)
    for account in sorted(gone):
        fold.leave(account)
    fold.remove_unknown()
    return Alerts(tuple(fold.transitions), tuple(fold.alerts), fold.tiers)


class _Day:
    def __init__(self, rulebook: Rulebook, conditions: Conditions, state: State, day: date) -> None:
        self._rulebook, self._conditions, self._state, self._day = rulebook, conditions, state, day
        self._tier_alerts = frozenset(rulebook.tier_alerts())
        self._rules_moved = state.previous_pass is not None and state.scoring_digest != rulebook.scoring_digest
        self._rank = severity_rank(rulebook)
        self._new = frozenset(name for name, trigger in rulebook.triggers.items()
                              if state.known_triggers.isdisjoint({name, *trigger.renamed_from}))
        self._watched = [(trigger, conditions.when(trigger.name)) for trigger in rulebook.triggers.values()]
        self._places = {trigger.name: place for place, (trigger, _) in enumerate(self._watched)}
        self._by_bit: dict[int, list[int]] = {}
        for place, (_, index) in enumerate(self._watched):
            self._by_bit.setdefault(Truth.TRUE << 2 * index, []).append(place)
        self._whens = sum(self._by_bit)
        tiers = ((tier, tier_alert(tier.name)) for tier in rulebook.scorecard.tiers)
        self._watched_tiers = [(tier, name) for tier, name in tiers if name in self._tier_alerts]
        recovered = ((tier, recovery_alert(tier.name)) for tier in rulebook.scorecard.tiers)
        self._recoveries = [(tier, name) for tier, name in recovered if name in rulebook.recovery_alerts()]
        self._by_account: dict[str, list[Alert]] = {}
        for alert in state.alerts.values():
            self._by_account.setdefault(alert.account, []).append(alert)
        self.transitions: list[Transition] = []
        self.alerts: list[Alert] = []
        self.tiers: dict[str, str] = {}

    def account(self, row: AccountDay) -> None:
        """Every alert of one account."""
        alerts = {alert.trigger: alert for alert in self._by_account.get(row.account, ())}
        for place in self._concerned(row.truths & self._whens, alerts.values()):
            trigger, condition = self._watched[place]
            before, when = alerts.get(trigger.name), row.truth(condition)
            moved = step(trigger, before, row, self._day, when=when,
                         clear=self._clear(trigger, row), is_new=trigger.name in self._new)
            self._note(before, moved)
            self._attend(moved, trigger.severity or row.tier or "", trigger.repeat)
        self._tier_of(row, alerts)

    def _concerned(self, true: int, alerts: Iterable[Alert]) -> Iterable[int]:
        """The places of the triggers that are true or have an alert that is not closed: few of the many, in the order
        of the rules."""
        closed = AlertStatus.CLEAR
        found = [self._places[alert.trigger] for alert in alerts
                 if alert.status is not closed and alert.trigger in self._places]
        while true:
            bit = true & -true
            found.extend(self._by_bit[bit])
            true ^= bit
        return sorted(set(found)) if len(found) > 1 else found

    def _attend(self, moved: Moved, severity: str, repeat: int | None) -> None:
        """An alert that stays open may have become more serious, and its owner may be due to hear of it again."""
        alert, kind = moved
        if alert is None or kind is not None or alert.status is not AlertStatus.OPEN:
            return
        if severity != alert.severity and self._rank(severity) > self._rank(alert.severity):
            alert = worsened(alert, severity)
            self.transitions.append(Transition(TransitionKind.WORSENED, alert, self._day))
        if repeat is not None and reminder_due(alert, repeat, self._day):
            told = replace(alert, reminded_on=self._day)
            self.transitions.append(Transition(TransitionKind.REMINDED, told, self._day))

    def _clear(self, trigger: Trigger, row: AccountDay) -> Truth | None:
        index = self._conditions.clear_when(trigger.name)
        return row.truth(index) if index is not None else None

    def _tier_of(self, row: AccountDay, alerts: Mapping[str, Alert]) -> None:
        before = self._state.tiers.get(row.account)
        if row.tier is not None and row.tier != before:
            self.tiers[row.account] = row.tier
        for tier, name in self._watched_tiers:
            alert = alerts.get(name)
            if alert is not None or row.tier == tier.name:
                moved = step_tier(self._rulebook, tier, alert, row, self._day, before=before,
                                  is_new=name not in self._state.known_triggers, rules_moved=self._rules_moved)
                self._note(alert, moved)
                self._attend(moved, tier.name, self._rulebook.tier_repeat)
        for tier, name in self._recoveries:
            alert = alerts.get(name)
            if alert is not None or row.tier == tier.name:
                moved = step_recovery(self._rulebook, tier, alert, row, self._day, before=before,
                                      is_new=name not in self._state.known_triggers, rules_moved=self._rules_moved)
                self._note(alert, moved)
                self._attend(moved, tier.name, self._rulebook.tier_repeat)

    def leave(self, account: str) -> None:
        """The account is gone: whatever is open closes, and it leaves the book of business."""
        if account in self._state.tiers:
            self.tiers[account] = ""
        for alert in self._by_account.get(account, []):
            self._note(alert, _closed(alert, TransitionKind.GONE, self._day))

    def remove_unknown(self) -> None:
        """A trigger that was taken out of the rules closes its alerts."""
        known = self._rulebook.triggers.keys() | self._tier_alerts | {name for _, name in self._recoveries}
        touched = {(one.alert.account, one.alert.trigger) for one in self.transitions}
        for key, alert in self._state.alerts.items():
            if alert.trigger not in known and key not in touched:
                self._note(alert, _closed(alert, TransitionKind.REMOVED, self._day))

    def _note(self, before: Alert | None, moved: Moved) -> None:
        after, kind = moved
        if after is None or after is before or after == before:
            return
        if kind is None:
            self.alerts.append(after)
        else:
            self.transitions.append(Transition(kind, after, self._day))


def step(trigger: Trigger, alert: Alert | None, row: AccountDay, day: date, *, when: Truth, clear: Truth | None,
         is_new: bool) -> Moved:
    """One trigger for one account on one day: its state afterwards, and what happened to it.

    `clear` None: it clears when `when` is false. If both are true, `when` wins.
    """
    if alert is not None and alert.status is AlertStatus.OPEN:
        cleared = when is Truth.FALSE if clear is None else clear is Truth.TRUE and when is not Truth.TRUE
        if cleared:
            return _closed(alert, TransitionKind.CLEARED, day)
        return _expired(alert, day, trigger.lasts, over=when is Truth.FALSE)
    if alert is not None and alert.status is AlertStatus.SPENT:
        return (replace(alert, status=AlertStatus.CLEAR), None) if when is Truth.FALSE else (alert, None)
    if when is not Truth.TRUE or _cooling(alert, day, trigger.cooldown):
        return alert, None
    recorded = is_new and trigger.existing is Existing.RECORD
    return _opened(row, trigger.name, trigger.severity or row.tier or "", day, recorded)


def step_tier(rulebook: Rulebook, tier: Tier, alert: Alert | None, row: AccountDay, day: date, *, before: str | None,
              is_new: bool, rules_moved: bool) -> Moved:
    """The alert of one tier: it opens on falling into the tier from a better one.

    `before` is the tier last decided. At the first sight of an account, where no play was for this tier before
    (`is_new`), and where the rules of the score changed, it is not the account that moved: `existing` of the tier's
    plays decides. So it does where the tier last decided has no place in the rules any more.
    """
    if alert is not None and alert.status is AlertStatus.OPEN:
        return _open_tier(rulebook, tier, alert, row, day)
    if row.tier is None:
        return alert, None
    if row.tier != tier.name:
        return (replace(alert, status=AlertStatus.CLEAR), None) if alert is not None else (None, None)
    if alert is not None and alert.status is AlertStatus.SPENT:
        return alert, None
    cooling = _cooling(alert, day, rulebook.tier_cooldown)
    if alert is not None and alert.status is AlertStatus.PENDING:
        return (alert, None) if cooling else _opened(row, alert.trigger, tier.name, day, alert.silent)
    fell = _is_better(rulebook, before, tier)
    if not fell and not is_new and before in _names(rulebook):
        return alert, None
    recorded = (not fell or rules_moved) and _recorded(rulebook, tier_alert(tier.name))
    if cooling and alert is not None:
        return replace(alert, status=AlertStatus.PENDING, silent=recorded), None
    return _opened(row, tier_alert(tier.name), tier.name, day, recorded)


def step_recovery(rulebook: Rulebook, tier: Tier, alert: Alert | None, row: AccountDay, day: date, *,
                  before: str | None, is_new: bool, rules_moved: bool) -> Moved:
    """The alert of one tier that accounts recover into: it opens on coming from a worse one, never on falling.

    Where it is not the account that moved (see `step_tier`), it opens only if one of its plays says `existing: open`.
    It closes when the account falls below the tier.
    """
    rank = rulebook.scorecard.rank
    if alert is not None and alert.status is AlertStatus.OPEN:
        if row.tier is not None and rank(row.tier) > rank(tier.name):
            return _closed(alert, TransitionKind.CLEARED, day)
        return _expired(alert, day, rulebook.tier_lasts, over=row.tier != tier.name)
    if row.tier != tier.name:
        return (replace(alert, status=AlertStatus.CLEAR) if alert is not None and row.tier is not None else alert), None
    if alert is not None and alert.status is AlertStatus.SPENT:
        return alert, None
    cooling = _cooling(alert, day, rulebook.tier_cooldown)
    if alert is not None and alert.status is AlertStatus.PENDING:
        return (alert, None) if cooling else _opened(row, alert.trigger, tier.name, day, recorded=False)
    rose = before is not None and before in _names(rulebook) and rank(before) > rank(tier.name)
    if not rose and not is_new and before in _names(rulebook):
        return alert, None
    if (not rose or rules_moved) and _recorded(rulebook, recovery_alert(tier.name)):
        return alert, None
    if cooling and alert is not None:
        return replace(alert, status=AlertStatus.PENDING), None
    return _opened(row, recovery_alert(tier.name), tier.name, day, recorded=False)


def _names(rulebook: Rulebook) -> frozenset[str]:
    return frozenset(tier.name for tier in rulebook.scorecard.tiers)


def _is_better(rulebook: Rulebook, before: str | None, tier: Tier) -> bool:
    rank = rulebook.scorecard.rank
    return before is not None and before in _names(rulebook) and rank(before) < rank(tier.name)


def _recorded(rulebook: Rulebook, alert: str) -> bool:
    """Whether accounts that are already in the tier are only recorded: when every play of its alert says so."""
    plays = rulebook.plays_for(alert)
    return all(play.existing is Existing.RECORD for play in plays)


def _open_tier(rulebook: Rulebook, tier: Tier, alert: Alert, row: AccountDay, day: date) -> Moved:
    """An open one: replaced in a worse tier; over once clearly above the band, or after a few days better."""
    rank = rulebook.scorecard.rank
    if row.tier is None:
        return _expired(alert, day, rulebook.tier_lasts, over=False)
    if row.tier == tier.name:
        inside = alert if alert.out_since is None else replace(alert, out_since=None)
        return _expired(inside, day, rulebook.tier_lasts, over=False)
    if rank(row.tier) > rank(tier.name):
        return _closed(alert, TransitionKind.REPLACED, day)
    since = alert.out_since or day
    outside = alert if alert.out_since == since else replace(alert, out_since=since)
    above = row.clear_of >= len(rulebook.scorecard.tiers) - rank(tier.name)
    if above or (day - since).days >= TIER_CLEARS_AFTER:
        return _closed(alert, TransitionKind.CLEARED, day)
    return _expired(outside, day, rulebook.tier_lasts, over=True)


def _cooling(alert: Alert | None, day: date, cooldown: int) -> bool:
    return alert is not None and day < alert.opened_on + timedelta(days=cooldown)


def _opened(row: AccountDay, trigger: str, severity: str, day: date, recorded: bool) -> Moved:
    alert = Alert(row.account, trigger, AlertStatus.OPEN, opened_on=day, severity=severity, silent=recorded)
    return alert, TransitionKind.RECORDED if recorded else TransitionKind.OPENED


def _closed(alert: Alert, kind: TransitionKind, day: date) -> Moved:
    if alert.status is AlertStatus.OPEN:
        return replace(alert, status=AlertStatus.CLEAR, closed_on=day, out_since=None), kind
    if alert.status is AlertStatus.CLEAR:
        return alert, None
    return replace(alert, status=AlertStatus.CLEAR, closed_on=alert.closed_on or day, out_since=None), None


def _expired(alert: Alert, day: date, lasts: int, *, over: bool) -> Moved:
    """Past `lasts` an alert closes as expired. It is armed again at once where its condition is false already."""
    if day < alert.opened_on + timedelta(days=lasts):
        return alert, None
    status = AlertStatus.CLEAR if over else AlertStatus.SPENT
    return replace(alert, status=status, closed_on=day, out_since=None), TransitionKind.EXPIRED


def needs_a_look(alert: Alert) -> bool:
    """Whether an alert can change although nothing about its account is alarming today."""
    return alert.status is not AlertStatus.CLEAR


SeverityRank = Callable[[str], int]


def severity_rank(rulebook: Rulebook) -> SeverityRank:
    """Severity as a number that grows with urgency; an alert of an unscored account is the mildest (-1)."""
    ranks = {tier.name: index for index, tier in enumerate(rulebook.scorecard.tiers)}
    return lambda severity: ranks.get(severity, -1)
