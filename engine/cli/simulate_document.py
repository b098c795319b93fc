"""A comparison as one document; its schema is schemas/output/simulate.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from forestall.engine.cli import simulate_days
from forestall.engine.simulate.comparison import (
    AccountAlert,
    AlertCompared,
    Caught,
    Change,
    Churn,
    Comparison,
    Load,
    OneSide,
    OnMerge,
    Pair,
    Rate,
    Spread,
)
from forestall.engine.simulate.summary import Replayed

VERSION = 2
CHANGES: Mapping[Change, str] = {Change.NEW: "new", Change.GONE: "gone", Change.SAME: "same",
                                 Change.UNJUDGED: "cannot_be_judged"}


def document(comparison: Comparison, base: Replayed | None, candidate: Replayed) -> dict[str, object]:
    """Everything that the text, the Markdown and the page say, and each day of both sides."""
    one = comparison
    return {
        "version": VERSION, "from": one.first.isoformat(), "to": one.last.isoformat(), "warm_up_days": one.warm_up,
        "filters": dict(one.filters), "base": _side(one.base), "candidate": _side(one.candidate), "accounts": one.book,
        "complete": one.completeness.judged,
        "days_without_data": [day.isoformat() for day in one.completeness.days_without_data],
        "on_merge": _on_merge(one.on_merge), "alerts": [_alert(alert) for alert in one.alerts],
        "changed": [_changed(account) for account in one.accounts],
        "changed_in_all": sum(count for alert in one.alerts for change, count in alert.changes.items()
                              if change is not Change.SAME),
        "plays": [{"play": play.play, "started": _pair(play.started), "held_out": _pair(play.held_out),
                   "deliveries": _pair(play.deliveries), "held_by_guard": play.held} for play in one.plays],
        "loads": [_load(load) for load in one.loads], "tiers": list(one.tiers),
        "tier_moves": [{"base": move.base or None, "candidate": move.candidate or None, "accounts": move.accounts}
                       for move in one.moves],
        "scores": [{"from": band, "accounts": _pair(pair)} for band, pair in one.scores.items()],
        "groups": [{"by": group.by, "name": group.name or None, "accounts": group.accounts,
                    "alerts": _pair(group.alerts), "deliveries": _pair(group.deliveries),
                    "revenue": _pair(group.revenue)} for group in one.groups],
        "revenue": _pair(one.revenue), "budgets": [asdict(budget) for budget in one.budgets],
        "churn": _churn(one.churn), "days": _days(base, candidate),
    }


def _side(side: OneSide | None) -> dict[str, object] | None:
    if side is None:
        return None
    return {"called": side.called, "rulebook": side.digest or None, "problems": [
        {"file": problem.location.file, "line": problem.location.line, "column": problem.location.column,
         "code": problem.code, "message": problem.message, "hint": problem.hint} for problem in side.problems]}


def _pair(pair: Pair) -> dict[str, float | None]:
    return {"base": pair.base, "candidate": pair.candidate}


def _alert(alert: AlertCompared) -> dict[str, object]:
    return {"alert": alert.alert, "base": alert.base, "candidate": alert.candidate,
            "changes": {CHANGES[change]: count for change, count in alert.changes.items()},
            "only_base": list(alert.only_base), "only_candidate": list(alert.only_candidate)}


def _changed(one: AccountAlert) -> dict[str, object]:
    return {"account": one.account, "name": one.name, "segment": one.segment or None, "csm": one.csm or None,
            "revenue": one.revenue, "alert": one.alert, "change": CHANGES[one.change],
            "base_on": one.base_on.isoformat() if one.base_on else None,
            "candidate_on": one.candidate_on.isoformat() if one.candidate_on else None,
            "base_tier": one.tiers[0] or None, "candidate_tier": one.tiers[1] or None, "reason": one.reason}


def _load(load: Load) -> dict[str, object]:
    return {"what": str(load.what), "person": load.person or None, "limit": load.limit,
            "base": _spread(load.base) if load.base else None, "candidate": _spread(load.candidate)}


def _spread(spread: Spread) -> dict[str, object]:
    return {"mean": spread.mean, "p95": spread.p95, "peak": spread.peak, "peak_on": spread.peak_on.isoformat()}


def _on_merge(merge: OnMerge | None) -> dict[str, object] | None:
    if merge is None:
        return None
    return {"day": merge.day.isoformat(), "accounts": merge.accounts, "matches": dict(merge.matches),
            "deliveries": {kind.value: _pair(pair) for kind, pair in merge.deliveries.items()},
            "held_by_guard": dict(merge.held), "closes": merge.closes, "cancels": merge.cancels}


def _days(base: Replayed | None, candidate: Replayed) -> list[dict[str, object]]:
    theirs = base.days if base else [None] * len(candidate.days)
    return [{"day": mine.day.isoformat(), "base": simulate_days.document(other) if other else None,
             "candidate": simulate_days.document(mine)} for other, mine in zip(theirs, candidate.days, strict=True)]


def _churn(churn: Churn | None) -> dict[str, object] | None:
    if churn is None:
        return None
    return {
        "horizon": churn.horizon, "churned": churn.churned, "least": churn.least, "enough": churn.enough,
        "through": churn.through.isoformat() if churn.through else None,
        "base": None if churn.base is None else [_caught(one) for one in churn.base],
        "candidate": [_caught(one) for one in churn.candidate], "swept": churn.swept or None,
        "sweep": [{"value": one.value, "alerts_per_csm": one.alerts_per_csm, "in_force": one.in_force,
                   "caught": _caught(one.caught)} for one in churn.sweep]}


def _caught(one: Caught) -> dict[str, object]:
    return {"alert": one.alert, "caught": one.caught, "missed": one.missed, "false_alarms": one.false_alarms,
            "left_out": one.left_out, "precision": _rate(one.precision), "recall": _rate(one.recall), "lead": one.lead,
            "lead_range": list(one.lead_range) if one.lead_range else None,
            "ahead": {str(days): _rate(rate) for days, rate in one.ahead.items()}, "chance": one.chance,
            "better_than_chance": one.better_than_chance}


def _rate(rate: Rate) -> dict[str, object]:
    return {"share": rate.share, "low": rate.low, "high": rate.high, "of": rate.of}
