"""How the history stands, as people read it and as a document."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from forestall.engine.cli.report import amount, table
from forestall.engine.detect.standing import MetricStanding, SourceStanding, Standing

WIDTH = 10      # of a bar
INDENT = 2


def lines(standing: Standing, today: date) -> Iterator[str]:
    """The tables of sources and metrics, and what deserves a look."""
    since = standing.first or standing.through
    yield f"The history holds {since} to {standing.through}; {amount(standing.accounts, 'account', 'accounts')} " \
          f"on {standing.day}."
    if standing.through < today and standing.day == standing.through:
        days = (today - standing.through).days
        yield f"Nothing has been read into it since: {amount(days, 'day', 'days')}."
    yield ""
    yield "Sources"
    yield from table([("", "rows", "accounts", "only here", "first day", "last day", "silent", "left out")] + [
        (one.source, f"{one.rows:,}", f"{one.accounts:,}", f"{one.only_here:,}", str(one.first), str(one.last),
         amount((standing.day - one.last).days, "day", "days"), _left_out(one)) for one in standing.sources], INDENT)
    yield ""
    yield "Metrics"
    yield from table([("", "known of", "", "age", "holds for", "by"), *(
        row for metric in standing.metrics for row in _metric(metric, standing.accounts))], INDENT)
    heard = [sentence for one in standing.sources if one.heard for sentence in one.heard.noticed]
    if heard or standing.noticed:
        yield ""
        yield "Noticed"
        yield from (f"  {one}" for one in (*standing.noticed, *heard))


def bar(share: float) -> str:
    """`████░░░░░░`: full only for all of it, and empty only for nothing."""
    full = round(share * WIDTH)
    full = min(full, WIDTH - 1) if share < 1 else full
    full = max(full, 1) if share > 0 else full
    return "█" * full + "░" * (WIDTH - full)


def _share(part: int, whole: int) -> str:
    if not part or not whole:
        return "nobody"
    percent = 100 * part / whole
    return "all" if part >= whole else f"{max(percent, 1):.0f} %" if percent < 99 else f"{min(percent, 99.9):.1f} %"


def _left_out(one: SourceStanding) -> str:
    if one.heard is None:
        return "–"
    unknown = f"{amount(one.heard.unknown, 'row', 'rows')} of {one.heard.strangers:,} unknown"
    said = ([unknown] if one.heard.unknown else []) + (["rows of days to come"] if one.heard.late else [])
    return ", ".join(said) or "nothing"


def _metric(one: MetricStanding, accounts: int) -> Iterator[tuple[str, ...]]:
    """A line for the metric, with its source; more lines where there are several."""
    holds = "its day" if one.metric.per_day else amount(one.metric.stale_after, "day", "days")
    share = one.known / accounts if accounts else 0.0
    head = (one.metric.name, bar(share), _share(one.known, accounts))
    several = len(one.supplied) > 1
    by = [(_age(each.age), holds, f"{each.source}{_part(each.counts, one.known) if several else ''}")
          for each in one.supplied]
    if one.by_hand:
        by.append(("–", "", f"by hand ({one.by_hand:,})"))
    for number, each in enumerate(by or [("–", holds, "nobody")]):
        yield (*(head if number == 0 else ("", "", "")), *each)


def _part(counts: int, known: int) -> str:
    return f" ({100 * counts / known:.0f} %)" if known else ""


def _age(days: float) -> str:
    return amount(round(days), "day", "days")


def document(standing: Standing, today: date) -> dict[str, object]:
    """The same as a document; its schema is schemas/output/history-status.json."""
    return {
        "version": 1, "day": standing.day.isoformat(), "today": today.isoformat(),
        "first": standing.first.isoformat() if standing.first else None, "through": standing.through.isoformat(),
        "accounts": standing.accounts,
        "sources": [{
            "source": one.source, "rows": one.rows, "accounts": one.accounts, "only_here": one.only_here,
            "first": one.first.isoformat(), "last": one.last.isoformat(), "silent": (standing.day - one.last).days,
            "unknown_rows": one.heard.unknown if one.heard else None,
            "unknown_keys": one.heard.strangers if one.heard else None,
            "future_rows": one.heard.late if one.heard else None,
            "noticed": list(one.heard.noticed) if one.heard else []} for one in standing.sources],
        "metrics": [{
            "metric": one.metric.name, "kind": one.metric.kind.value, "known": one.known,
            "share": round(one.known / standing.accounts, 4) if standing.accounts else 0.0,
            "stale_after": None if one.metric.per_day else one.metric.stale_after, "by_hand": one.by_hand,
            "sources": [{"source": each.source, "accounts": each.accounts, "counts": each.counts, "age": each.age,
                         "oldest": each.oldest} for each in one.supplied]} for one in standing.metrics],
        "noticed": [{"code": one.code, "where": str(one.location), "metric": one.word, "message": one.message,
                     "hint": one.hint} for one in standing.noticed],
    }
