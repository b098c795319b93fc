"""What hindsight knows of every account: how long it was in the history, and when it left."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from forestall.engine.detect.history import History
from forestall.engine.detect.sql_words import DUCKDB, SPARK
from forestall.engine.foretell.churn import Record, Span
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import from_epoch, to_epoch

LONG_AGO = date(1970, 1, 1)
# max_by and not arg_max: every engine knows it. What is missing in its second argument does not count.
RECORDS = """
SELECT account, min(first_day) AS since, max(named_day) AS named,
  max_by({left}, CASE WHEN {left} IS NOT NULL THEN day END) AS left_on
FROM history GROUP BY account ORDER BY account
"""


def knows_churn(evaluator: Evaluator) -> bool:
    """Whether any metric says when accounts left: without one nothing can be judged."""
    return evaluator.rulebook.catalogue.roles.churned_on != ""


def records(evaluator: Evaluator, history: History, only: Collection[str] | None = None) -> Mapping[str, Record]:
    """Account → what is known of it at the end of the history, of all accounts or of these.

    The day of leaving is the one last said. That it is read from days after the one that is judged is what hindsight
    means; nothing that decides sees it.
    """
    end = end_of(history)
    if end is None or not knows_churn(evaluator):
        return {}
    catalogue, gone_after = evaluator.rulebook.catalogue, evaluator.rulebook.gone_after
    metric = catalogue.metrics[catalogue.roles.churned_on]
    words = DUCKDB if evaluator.engine.dialect == "duckdb" else SPARK
    left = words.name(metric.name) if metric.supplied else "CAST(NULL AS BIGINT)"
    with evaluator.engine.reading(history, catalogue, LONG_AGO, end) as reading:
        found = reading.rows(RECORDS.format(left=left)).to_pydict()
    computed = {} if metric.supplied else _computed(evaluator, history, end)
    last_day = to_epoch(end)
    known: dict[str, Record] = {}
    for account, since, named, on in zip(
            found["account"], found["since"], found["named"], found["left_on"], strict=True):
        if only is None or account in only:
            left_on = computed.get(account, on)
            known[account] = Record(from_epoch(since), end if named + gone_after > last_day else from_epoch(named),
                                    None if left_on is None else from_epoch(left_on))
    return known


def _computed(evaluator: Evaluator, history: History, end: date) -> dict[str, int]:
    """Account → the day of leaving, where the metric is computed from others (`is:`): then it must be evaluated."""
    rows = evaluator.changed(history, history.first or LONG_AGO, end).sort_by("day")
    return {account: on for account, on in zip(
        rows["account"].to_pylist(), rows["churned_on"].to_pylist(), strict=True) if on is not None}


def span(history: History, first: date, last: date) -> Span:
    """The days whose openings count, and the last day of which a source said anything."""
    return Span(first, last, max(last, end_of(history) or last))


def end_of(history: History) -> date | None:
    """The last day of which anything is known."""
    arrived, through = history.last_arrival(), history.through
    return None if arrived is None or through is None else min(arrived, through)

