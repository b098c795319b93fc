"""The same as a document; its schema is schemas/output/explain.json."""

from __future__ import annotations

from datetime import date

from forestall.engine.cli.said import as_document
from forestall.engine.cli.told import Known, Told
from forestall.engine.intervene.explained import AlertExplained, PlayAnswer, RunExplained, without_addresses
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Truth
from forestall.engine.score.earned import Cause
from forestall.engine.score.explain import Earned, Fact, Saw, TriggerExplained
from forestall.engine.store import Kept

VERSION = 2
WORDS = {Truth.TRUE: "true", Truth.FALSE: "false", Truth.UNKNOWN: "unknown"}


def document(told: Told) -> dict[str, object]:
    """One account on one day, whole."""
    found, scored, done = told.found, told.found.scored, told.answered
    return {
        "version": VERSION, "account": found.account, "day": found.day.isoformat(),
        "named_on": found.named_on.isoformat(), "rulebook": told.rulebook.digest, "decided": _day(done.decided),
        "score": scored.score, "tier": scored.tier, "unscored_because": scored.unscored_because,
        "profile": scored.profile, "coverage": scored.coverage,
        "signals": [{**_earned(one), "parts": [_earned(part) for part in one.parts]} for one in found.signals],
        "since": _since(told),
        "metrics": [_fact(fact) for fact in found.facts],
        "by_hand": [{"what": one.metric, "by": one.by, "note": one.note, "since": one.since.isoformat(),
                     "until": one.until.isoformat()}
                    for one in told.rulebook.catalogue.said_of(found.account, found.day)],
        "triggers": [_trigger(told, one) for one in found.triggers],
        "alerts": [_alert(one) for one in done.alerts],
        "plays": [_run(one) for one in done.runs],
        "silences": [_silence(kept) for kept in done.silences],
        "said": [as_document(one) for one in done.said],
    }


def _earned(one: Earned) -> dict[str, object]:
    return {"name": one.name, "share": one.share, "effective_share": one.effect, "points": one.points,
            "earned": one.earned, "missed": one.missed, "from": one.text, "value": _json(one.value), "unit": one.unit,
            "age_days": one.age, "lacking": [fact.name for fact in one.lacking], "without_data": one.without_data}


def _since(told: Told) -> dict[str, object]:
    moved, then = told.found.movement, told.rules_then
    compared = moved.then is not None and moved.now is not None
    rules = moved.of(Cause.RULES) if then.known in (Known.SAME, Known.CHANGED) else None
    return {
        "day": moved.since.isoformat(), "days": told.since, "score": moved.then,
        "change": moved.now - moved.then if moved.now is not None and moved.then is not None else None,
        "behaviour": moved.of(Cause.BEHAVIOUR) if compared else None,
        "data": moved.of(Cause.DATA) if compared else None, "rules": rules if compared else None,
        "rounding": moved.rounding if compared else None, "rules_then": then.known.value, "commit": then.commit,
        "moved": [{"cause": one.cause.value, "change": one.change, "signal": one.signal, "part": one.part,
                   "points_then": one.before, "points_now": one.after, "what": one.what} for one in moved.moved],
    }


def _fact(fact: Fact) -> dict[str, object]:
    return {"what": fact.name, "value": _json(fact.value), "unit": fact.unit, "age_days": fact.age,
            "said_on": _day(fact.said.on) if fact.said else None, "source": fact.said.source if fact.said else ""}


def _trigger(told: Told, one: TriggerExplained) -> dict[str, object]:
    stood = next((alert for alert in told.answered.alerts if alert.alert.trigger == one.trigger.name), None)
    where = one.trigger.when.location
    return {
        "trigger": one.trigger.name, "truth": WORDS[one.truth], "because": one.because, "when": one.trigger.when.text,
        "clears": WORDS[one.clears] if one.clears is not None else None, "clears_because": one.clears_because,
        "file": where.file, "line": where.line, "column": where.column, "saw": [_seen(saw) for saw in one.saw],
        "alert": stood.alert.status.value if stood else None,
        "cooldown_until": _day(stood.cooldown_until) if stood else None,
    }


def _alert(one: AlertExplained) -> dict[str, object]:
    alert = one.alert
    return {
        "trigger": alert.trigger, "status": alert.status.value, "opened_on": alert.opened_on.isoformat(),
        "closed_on": _day(alert.closed_on), "severity": alert.severity, "recorded_only": alert.silent,
        "cooldown_until": _day(one.cooldown_until),
        "clearing": None if one.clearing is None else {
            "condition": one.clearing.condition, "expires_on": one.clearing.expires.isoformat(),
            "if_all_stays": _day(one.clearing.stays), "whole_search": one.clearing.searched,
            "ways": [[{"metric": change.metric, "now": _json(change.now), "to": _json(change.to),
                       "one_unit_less": _json(change.short)} for change in way] for way in one.clearing.ways]},
        "plays": [_answer(play) for play in one.plays],
    }


def _answer(play: PlayAnswer) -> dict[str, object]:
    return {"play": play.play, "started": play.run is not None, "why_not": play.why_not}


def _run(one: RunExplained) -> dict[str, object]:
    run = one.run
    return {
        "play": run.play, "because_of": run.group, "occurrence": run.occurrence.isoformat(),
        "status": run.status.value, "reason": run.reason, "outcome": run.outcome.value,
        "due_on": _day(run.due_on), "done_on": _day(run.done_on), "done_by": run.done_by,
        "escalated_on": _day(run.escalated_on),
        "next_step": one.next_step.id if one.next_step else "", "next_on": _day(run.next_on),
        "deliveries": [{"step": row.delivery.step, "kind": row.delivery.kind.value, "day": row.delivery.day.isoformat(),
                        "status": row.status.value, "attempts": row.attempts,
                        "sent_at": row.sent_at.isoformat() if row.sent_at else None,
                        "detail": without_addresses(row.detail)} for row in one.deliveries],
        "not_sent": [_silence(kept) for kept in one.silences],
    }


def _silence(kept: Kept) -> dict[str, object]:
    one = kept.silence
    return {"play": one.play, "because_of": one.group, "step": one.step, "reason": one.reason.value,
            "detail": one.detail, "first_day": one.day.isoformat(), "last_day": kept.last_day.isoformat()}


def _seen(saw: Saw) -> dict[str, object]:
    return {"what": saw.text, "value": _json(saw.value)}


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _json(value: Value) -> float | str | bool | None:
    return value.isoformat() if isinstance(value, date) else value
