"""A day decided again, as people read it and as a document (schemas/output/as-was.json)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

from forestall.engine.cli.report import KIND_WORDS, MARGIN, amount, long_day
from forestall.engine.detect.as_it_was import Corrected
from forestall.engine.model.alert import CLOSING, Transition, TransitionKind
from forestall.engine.model.delivery import Delivery
from forestall.engine.model.evaluation import Value
from forestall.engine.simulate.as_was import Again, Cause, Difference

VERSION = 1
LISTED = 20
CAUSES = {
    Cause.ENGINE: "another version of Forestall", Cause.HISTORY: "the history was rewritten",
    Cause.SETTINGS: "forestall.yaml has changed", Cause.RULES: "the rules in the log are not those of the pass",
    Cause.UNEXPLAINED: "nothing known has changed: somebody has changed the log, or Forestall is wrong"}


def lines(one: Again, account: str) -> Iterator[str]:
    """One pass of the day; with `account` only what concerns it."""
    logged, basis = one.logged, one.logged.basis
    yield (f"{long_day(logged.day)} as it was · {basis.settings.get('delivery', '')} · pass {logged.number}, made at "
           f"{logged.ran_at:%Y-%m-%d %H:%M} UTC")
    yield ""
    where = f"in git: {one.commit[:12]}" if one.commit else "no commit in git has them; the decision log does"
    yield _line("Rules", f"{logged.decided.digest[:12]} ({where})")
    yield _line("Forestall", f"{basis.version} then{' and now' if one.version == basis.version else ''}"
                f"{'' if one.version == basis.version else f', {one.version} now'}")
    yield _line("Accounts", f"{basis.read.accounts:,} then, {one.read.accounts:,} in the history of that day now")
    if basis.existing is not None:
        yield _line("First pass", f"--existing {basis.existing.value}")
    if logged.said:
        yield _line("Answers", f"{amount(logged.said, 'answer', 'answers')} since the pass before are in its state")
    yield from _decided(one, account)
    yield ""
    yield from _compared(one)
    yield from _corrected(one)


def _decided(one: Again, account: str) -> Iterator[str]:
    transitions, deliveries = _mine(one, account)
    kinds = Counter(found.kind for found in transitions)
    counts = Counter(found.kind for found in deliveries)
    opened, closed = kinds[TransitionKind.OPENED], sum(kinds[kind] for kind in CLOSING)
    sent = ", ".join(amount(counts[kind], *said) for kind, said in KIND_WORDS.items() if counts[kind])
    yield _line("Decided", f"{amount(opened, 'alert', 'alerts')} opened, {closed:,} closed; {sent or 'no deliveries'}")
    told = [f"{found.alert.account}  {found.alert.trigger} {found.kind.value} ({found.alert.severity})"
            for found in transitions]
    told += [f"{found.account}  {found.play} · {found.step} · {KIND_WORDS[found.kind][0]}" for found in deliveries]
    yield from _listed(told)


def _compared(one: Again) -> Iterator[str]:
    if one.same:
        yield _line("The same", "decided again, everything comes out as it was decided then")
    else:
        yield _line("Different", f"{amount(len(one.differences), 'thing comes', 'things come')} out otherwise")
        yield from _listed([_difference(found) for found in one.differences])
    for number, reason in enumerate(one.reasons):
        yield _line("" if number else "Changed", reason.sentence)


def _difference(one: Difference) -> str:
    about = "  ".join(part for part in (one.account, f"{one.what} {one.name}".strip()) if part)
    causes = ", or ".join(CAUSES[cause] for cause in one.likely)
    return f"{about}: {one.then or 'nothing'} then, {one.now or 'nothing'} now ({causes})"


def _corrected(one: Again) -> Iterator[str]:
    if not one.arrived_since:
        return
    yield _line("Since then", f"{amount(one.arrived_since, 'row has', 'rows have')} arrived about that day or the days "
                "before; the pass could not know")
    yield from _listed([_correction(found) for found in one.corrected])


def _correction(one: Corrected) -> str:
    when = f"arrived on {one.arrived_on}" if one.arrived_on else "imported later"
    return (f"{one.account}  {one.metric} on {one.day}: {_shown(one.before)} → {_shown(one.after)}, {when} "
            f"from {one.source}")


def _shown(value: Value) -> str:
    return "nothing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _line(what: str, said: str) -> str:
    return f"{what:<{MARGIN}}  {said}"


def _listed(found: list[str]) -> Iterator[str]:
    for line in found[:LISTED]:
        yield " " * (MARGIN + 2) + line
    if len(found) > LISTED:
        yield " " * (MARGIN + 2) + f"… and {len(found) - LISTED:,} more (--format json, or --account)"


def _mine(one: Again, account: str) -> tuple[list[Transition], list[Delivery]]:
    decided = one.logged.decided
    return ([found for found in decided.transitions if account in ("", found.alert.account)],
            [found for found in decided.deliveries if account in ("", found.account)])


# -- as a document -----------------------------------------------------------------------------------------------------

def document(found: tuple[Again, ...], day: date, account: str) -> dict[str, object]:
    """All passes of the day."""
    return {"version": VERSION, "day": day.isoformat(), "account": account or None,
            "same": all(one.same for one in found), "passes": [_pass(one, account) for one in found]}


def _pass(one: Again, account: str) -> dict[str, object]:
    logged, basis = one.logged, one.logged.basis
    transitions, deliveries = _mine(one, account)
    return {
        "number": logged.number, "made_at": logged.ran_at.isoformat(), "delivery": basis.settings.get("delivery", ""),
        "existing": basis.existing.value if basis.existing else None, "answers_since_the_pass_before": logged.said,
        "rules": {"digest": logged.decided.digest, "commit": one.commit or None, "files": sorted(basis.files)},
        "forestall": {"then": basis.version, "now": one.version},
        "accounts": {"then": basis.read.accounts, "now": one.read.accounts},
        "tiers": {tier or "unscored": count for tier, count in basis.tiers.items()},
        "opened": [_opened(found) for found in transitions if found.kind is TransitionKind.OPENED],
        "closed": [_opened(found) for found in transitions if found.kind in CLOSING],
        "other_changes": [_opened(found) for found in transitions
                          if found.kind not in CLOSING and found.kind is not TransitionKind.OPENED],
        "deliveries": [{"account": found.account, "play": found.play, "step": found.step, "kind": found.kind.value,
                        "to_customer": found.to_customer} for found in deliveries],
        "silences": dict(logged.silences), "same": one.same,
        "differences": [{"what": found.what, "account": found.account or None, "name": found.name, "then": found.then,
                         "now": found.now, "likely": [cause.value for cause in found.likely]}
                        for found in one.differences],
        "changed": [{"cause": reason.cause.value, "text": reason.sentence} for reason in one.reasons],
        "arrived_since": one.arrived_since,
        "corrected": [{"account": found.account, "metric": found.metric, "day": found.day.isoformat(),
                       "source": found.source, "before": _json(found.before), "after": _json(found.after),
                       "arrived_on": found.arrived_on.isoformat() if found.arrived_on else None}
                      for found in one.corrected],
    }


def _opened(one: Transition) -> dict[str, object]:
    return {"account": one.alert.account, "alert": one.alert.trigger, "what": one.kind.value,
            "severity": one.alert.severity, "opened_on": one.alert.opened_on.isoformat()}


def _json(value: Value) -> float | str | bool | None:
    return value.isoformat() if isinstance(value, date) else value
