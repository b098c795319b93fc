"""What a pass did, as people read it and as a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from forestall.engine.intervene.worker import DeliveryReport
from forestall.engine.model.alert import CLOSING, Transition, TransitionKind
from forestall.engine.model.delivery import NOT_STARTED, MessageKind, OutboxRow, RunStatus, SilenceReason
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.runtime import PassReport

VERSION = 1
KIND_WORDS: Mapping[MessageKind, tuple[str, str]] = {
    MessageKind.EMAIL: ("email", "emails"), MessageKind.SLACK: ("Slack message", "Slack messages"),
    MessageKind.WEBHOOK: ("webhook", "webhooks"), MessageKind.TASK: ("task", "tasks")}
WAITING = frozenset({RunStatus.HELD, RunStatus.SILENCED})      # these may start later
MARGIN = 12


def long_day(day: date) -> str:
    """`Wednesday, 3 December 2014`."""
    return f"{day:%A}, {day.day} {day:%B %Y}"


def amount(count: int, one: str, many: str) -> str:
    """`1 email`, `1,200 emails`."""
    return f"{count:,} {one if count == 1 else many}"


def kinds(rows: Iterable[OutboxRow]) -> str:
    """`12 emails, 3 tasks`."""
    counts = Counter(row.delivery.kind for row in rows)
    return ", ".join(amount(counts[kind], *words) for kind, words in KIND_WORDS.items() if counts[kind])


def table(rows: Sequence[tuple[str, ...]], indent: int = MARGIN + 2) -> Iterator[str]:
    """Rows as aligned columns; a column in which every cell but the first is a number stands flush right."""
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numeric = [all(_is_number(row[column]) for row in rows[1:]) and len(rows) > 1 for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(width) if right else cell.ljust(width)
                 for cell, width, right in zip(row, widths, numeric, strict=True)]
        yield (" " * indent + "  ".join(cells)).rstrip()


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").lstrip("+-").isdigit() or cell in ("", "–")


def pass_lines(rulebook: Rulebook, report: PassReport, mode: str, most: int) -> Iterator[str]:
    """The report of one pass; at most `most` deliveries are listed."""
    yield f"{long_day(report.day)} · {mode} · {amount(sum(report.decided.tiers.values()), 'account', 'accounts')}"
    yield ""
    yield from _sources(report)
    if not report.accounts:
        yield _head("Accounts", "none: no source says anything of this day or of one before it")
    yield from _by_hand(rulebook, report)
    yield from _tiers(rulebook, report)
    yield from _alerts(rulebook, report)
    yield from _plays(rulebook, report)
    yield from _silences(report)
    yield from _deliveries(report, most)


def _head(name: str, text: str) -> str:
    return f"{name:<{MARGIN}}  {text}"


def _sources(report: PassReport) -> Iterator[str]:
    for index, one in enumerate(report.collected):
        arrived = one.arrived
        if one.in_place:
            yield _head("Sources", f"the table {one.source}, read where it is ({arrived.first} to {arrived.last})")
            continue
        new = f"{arrived.new:,} new" if arrived.new else "nothing new"
        yield _head("Sources" if index == 0 else "", f"{one.source}: {amount(arrived.rows, 'row', 'rows')}, {new}")
        for problem in one.noticed:
            yield _head("", str(problem))


def _by_hand(rulebook: Rulebook, report: PassReport) -> Iterator[str]:
    said = rulebook.catalogue.by_hand
    if said:
        holds = sum(one.holds_on(report.day) for one in said)
        over = sum(one.until < report.day for one in said)
        yield _head("By hand", f"{amount(holds, 'value holds', 'values hold')}" + (f", {over:,} over" if over else ""))


def _tiers(rulebook: Rulebook, report: PassReport) -> Iterator[str]:
    before = Counter(report.before.tiers.values())
    parts = []
    for tier in rulebook.scorecard.tiers:
        count = report.decided.tiers.get(tier.name, 0)
        change = count - before[tier.name] if before else 0
        parts.append(f"{tier.label} {count:,}" + (f" ({change:+,})" if change else ""))
    if report.decided.tiers.get(""):
        parts.append(f"unscored {report.decided.tiers['']:,}")
    yield _head("Tiers", ", ".join(parts))
    if report.decided.outage:
        yield _head("Guard", f"{report.decided.outage:,} accounts are missing at once: their source is taken to be "
                    "gone, so nobody leaves the book of business and nothing closes for them")


def _alerts(rulebook: Rulebook, report: PassReport) -> Iterator[str]:
    transitions = report.decided.decisions.transitions
    opened, closed = _by_name(transitions, {TransitionKind.OPENED}), _by_name(transitions, CLOSING)
    recorded = _by_name(transitions, {TransitionKind.RECORDED})
    said = f"{sum(opened.values()):,} opened, {sum(closed.values()):,} closed"
    if recorded:
        said += f", {sum(recorded.values()):,} only recorded (they were so when the rules came)"
    worse = _by_name(transitions, {TransitionKind.WORSENED})
    if worse:
        said += f", {sum(worse.values()):,} more serious than before"
    yield _head("Alerts", said)
    names = [name for name in (*rulebook.triggers, *rulebook.tier_alerts(), *rulebook.recovery_alerts())
             if opened[name] or closed[name] or recorded[name]]
    names += [name for name in closed if name not in names]
    if names:
        yield from table([("", "opened", "closed", "recorded", "true now", "cannot be judged")] + [
            (name, f"{opened[name]:,}", f"{closed[name]:,}", f"{recorded[name]:,}",
             f"{report.decided.true.get(name, 0):,}" if name in report.decided.true else "–",
             f"{report.decided.unknown.get(name, 0):,}" if name in report.decided.unknown else "–")
            for name in names])


def _by_name(transitions: Iterable[Transition], wanted: Iterable[TransitionKind]) -> Counter[str]:
    chosen = frozenset(wanted)
    return Counter(one.alert.trigger for one in transitions if one.kind in chosen)


def _plays(rulebook: Rulebook, report: PassReport) -> Iterator[str]:
    known = {(run.account, run.play, run.group, run.occurrence) for run in report.before.runs
             if run.status not in WAITING}
    fresh = [run for run in report.decided.decisions.runs
             if (run.account, run.play, run.group, run.occurrence) not in known]
    started = Counter(run.play for run in fresh if run.status not in NOT_STARTED)
    held_out = Counter(run.play for run in fresh if run.status is RunStatus.HELD_OUT)
    held = report.decided.held
    said = f"{sum(started.values()):,} started, {sum(held_out.values()):,} held out for comparison"
    yield _head("Plays", said)
    names = [name for name in rulebook.plays if started[name] or held_out[name] or name in held]
    if names:
        yield from table([("", "started", "held out")] + [
            (name, f"{started[name]:,}", f"{held_out[name]:,}") for name in names])
    yield from _guards(report, held)


def _guards(report: PassReport, held: Mapping[str, int]) -> Iterator[str]:
    """What a guard holds since today, with the reason and the cure, and what it holds since earlier."""
    decisions = report.decided.decisions
    why = {one.play: one.detail for one in decisions.silences if one.reason is SilenceReason.GUARD and one.play in held}
    for name, count in held.items():
        yield _head("Guard", f"{name} would start for {amount(count, 'account', 'accounts')}, and none of it happens: "
                    f"{why.get(name, '')}. `forestall outbox approve {name}` has the next pass start them.")
    ended = {(run.account, run.play, run.group, run.occurrence) for run in decisions.runs
             if run.status is not RunStatus.HELD}
    waiting = Counter(run.play for run in report.before.runs if run.status is RunStatus.HELD
                      and (run.account, run.play, run.group, run.occurrence) not in ended)
    for name, count in waiting.items():
        yield _head("Guard", f"{name} is held for {amount(count, 'account', 'accounts')} since an earlier day. "
                    f"`forestall outbox approve {name}` or `cancel {name}` says what becomes of it.")


def _silences(report: PassReport) -> Iterator[str]:
    counts = Counter(silence.reason.value for silence in report.decided.decisions.silences)
    said = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())
    yield _head("Silences", said or "none")


def _deliveries(report: PassReport, most: int) -> Iterator[str]:
    rows = report.rows
    verb = "would be sent" if report.dry else "planned"
    yield _head("Deliveries", f"{kinds(rows)} {verb}" if rows else f"nothing {verb}")
    listed = sorted(rows, key=lambda row: (row.delivery.kind.value, row.delivery.account))[:most]
    yield from table([(row.delivery.kind.value, row.delivery.account or "–", row.delivery.play or row.delivery.group,
                       _to(row), _short(row))
                      for row in listed])
    if most and len(rows) > most:
        yield " " * (MARGIN + 2) + f"… and {len(rows) - most:,} more; --format json has them all"
    if report.delivery is not None:
        sent = report.delivery
        yield _head("Outbox", outbox_said(sent))
        for problem in sent.problems:
            yield _head("", str(problem))


def outbox_said(sent: DeliveryReport) -> str:
    """`12 sent, 2 to be tried again, 1 waiting`."""
    return (f"{sent.sent:,} sent" + (f", {sent.retried:,} to be tried again" if sent.retried else "")
            + (f", {sent.dead:,} undeliverable" if sent.dead else "")
            + (f", {sent.uncertain:,} uncertain" if sent.uncertain else "")
            + (f", {sent.waiting:,} waiting" if sent.waiting else ""))


def _to(row: OutboxRow) -> str:
    address = row.delivery.recipient
    return address if len(address) <= 40 else address[:39] + "…"


def _short(row: OutboxRow) -> str:
    return row.message.subject if len(row.message.subject) <= 70 else row.message.subject[:69] + "…"


def pass_document(rulebook: Rulebook, report: PassReport, mode: str) -> dict[str, object]:
    """The same as a document; its schema is schemas/output/run.json."""
    decisions = report.decided.decisions
    return {
        "version": VERSION, "day": report.day.isoformat(), "mode": mode, "dry_run": report.dry,
        "rulebook": rulebook.digest, "accounts": sum(report.decided.tiers.values()),
        "sources": [{"source": one.source, "rows": one.arrived.rows, "new": one.arrived.new,
                     "noticed": [str(problem) for problem in one.noticed]} for one in report.collected],
        "by_hand": {"in_force": sum(one.holds_on(report.day) for one in rulebook.catalogue.by_hand),
                    "over": sum(one.until < report.day for one in rulebook.catalogue.by_hand)},
        "tiers": {tier.name: report.decided.tiers.get(tier.name, 0) for tier in rulebook.scorecard.tiers},
        "unscored": report.decided.tiers.get("", 0),
        "triggers": [{"trigger": name, "true": report.decided.true[name], "unknown": report.decided.unknown[name]}
                     for name in rulebook.triggers],
        "transitions": [{"account": one.alert.account, "trigger": one.alert.trigger, "kind": one.kind.value,
                         "severity": one.alert.severity, "opened_on": one.alert.opened_on.isoformat()}
                        for one in decisions.transitions],
        "plays": [{"account": run.account, "play": run.play, "because_of": run.group, "status": run.status.value,
                   "occurrence": run.occurrence.isoformat(), "reason": run.reason, "outcome": run.outcome.value}
                  for run in decisions.runs],
        "held_by_guard": dict(report.decided.held),
        "missing_at_once": report.decided.outage,
        "silences": [{"account": one.account, "play": one.play, "because_of": one.group, "step": one.step,
                      "reason": one.reason.value, "detail": one.detail} for one in decisions.silences],
        "deliveries": [_delivery(row) for row in report.rows],
        "outbox": None if report.delivery is None else {
            "sent": report.delivery.sent, "retried": report.delivery.retried, "dead": report.delivery.dead,
            "uncertain": report.delivery.uncertain, "waiting": report.delivery.waiting},
    }


def _delivery(row: OutboxRow) -> dict[str, object]:
    one = row.delivery
    return {"key": one.key, "account": one.account, "play": one.play, "step": one.step, "kind": one.kind.value,
            "channel": one.channel, "to": one.recipient, "template": one.template, "to_customer": one.to_customer,
            "severity": one.severity, "subject": row.message.subject, "text": row.message.text}
