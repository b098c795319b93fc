"""Compacting the history: what is kept for the rules, what goes, as people read it and as a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from forestall.engine.cli.report import amount
from forestall.engine.detect.compact import Compaction, compact
from forestall.engine.detect.history import LOOK_AGAIN, Progress, quiet
from forestall.engine.runtime import Project, changing
from forestall.engine.simulate.as_was import reach


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became smaller. `retention` is what forestall.yaml says, `kept` how many days are kept for the rules."""

    done: Compaction
    retention: int | None
    kept: int


def compact_history(project: Project, *, write: bool, progress: Progress = quiet) -> Compacted:
    """Take away what need not be kept; without `write` only say what that would be. Whole or not at all."""
    rulebook, retention = project.rulebook, project.settings.retention
    kept = max(retention or 0, reach(project.evaluator) + LOOK_AGAIN)
    with changing(project, dry=not write) as history:
        done = compact(history, rulebook.catalogue, project.settings.gone_after,
                       None if retention is None else kept, progress)
        if write and not done.nothing:
            history.publish()
    return Compacted(done, retention, kept)


def lines(compacted: Compacted, *, written: bool) -> Iterator[str]:
    """What goes, what stays, and what can still be seen."""
    done = compacted.done
    verb = "went" if written else "would go"
    if compacted.retention is None:
        yield "Every day is kept: forestall.yaml says no `retention`."
    elif compacted.kept > compacted.retention:
        yield (f"`retention` is {amount(compacted.retention, 'day', 'days')}, and the rules look back further: "
               f"{amount(compacted.kept, 'day', 'days')} are kept.")
    if done.nothing:
        yield "There is nothing to do."
        return
    if done.days:
        yield f"Days      {_span(done.days)} {verb}: one row per account and day"
    if done.arrivals:
        yield f"Arrivals  {_span(done.arrivals)} {verb}: what sources said"
    if done.accounts:
        yield f"Accounts  {amount(done.accounts, 'account', 'accounts')} that nobody has named since {verb}"
    if done.replaced:
        yield (f"Replaced  {done.replaced:,} of {done.rows:,} rows {verb}: their source replaced them on the day on "
               "which they came")
    yield f"Size      {_megabytes(done.bytes_before)} before, {_megabytes(done.bytes_after)} after"
    if done.kept_from:
        yield (f"Simulations, stories of alerts and conditions that look back see the days from {done.kept_from} on; "
               "`simulate --as-was` as well.")


def _span(months: tuple[str, ...]) -> str:
    return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]} ({len(months)} months)"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def document(compacted: Compacted, *, written: bool) -> dict[str, object]:
    """The same as a document; its schema is schemas/output/history-compact.json."""
    done: Compaction = compacted.done
    return {"version": 1, "written": written, "retention": compacted.retention, "kept_days": compacted.kept,
            "kept_from": done.kept_from.isoformat() if done.kept_from else None, "days": list(done.days),
            "arrivals": list(done.arrivals), "accounts": done.accounts, "replaced": done.replaced, "rows": done.rows,
            "bytes_before": done.bytes_before, "bytes_after": done.bytes_after}
