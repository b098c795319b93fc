"""What hindsight knows of every account: how long it was in the history, and when it left."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from forestall.engine.detect.history import History
from forestall.engine.model.expression import Kind
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import from_epoch, to_epoch
from forestall.engine.simulate.churn import Record, Span

LONG_AGO = date(1970, 1, 1)
# max_by and not arg_max: every engine knows it. What is missing in its second argument does not count.
RECORDS = """
SELECT account, min(first_day) AS first, max(named_day) AS named, max(day) AS last,
  max_by({left}, CASE WHEN {left} IS NOT NULL THEN day END) AS churned_on
FROM history GROUP BY account ORDER BY account
"""


def knows_churn(evaluator: Evaluator) -> bool:
    """Whether any metric says when accounts left: without one nothing can be judged."""
    return _left(evaluator) != ""


def records(evaluator: Evaluator, history: History, only: Collection[str] | None = None) -> Mapping[str, Record]:
    """Account → what is known of it at the end of the history, of all accounts or of these.

    The day of leaving is the one last said. That it is read from days after the one that is judged is what hindsight
    means; nothing that decides sees it. Where the metric is computed (`is:`), it is not known before it is in the rows.
    """
    end = end_of(history)
    if end is None or not knows_churn(evaluator):
        return {}
    gone_after = evaluator.rulebook.gone_after
    with evaluator.engine.reading(history, evaluator.rulebook.catalogue, LONG_AGO, end) as reading:
        found = reading.rows(RECORDS.format(left='"' + _left(evaluator) + '"')).to_pydict()
    last_day = to_epoch(end)
    return {
        account: Record(from_epoch(first), end if named + gone_after > last_day else from_epoch(named),
                        None if left is None else from_epoch(left))
        for account, first, named, left in zip(
            found["account"], found["first"], found["named"], found["churned_on"], strict=True)
        if only is None or account in only}


def span(history: History, first: date, last: date) -> Span:
    """The days whose openings count, and the last day of which a source said anything."""
    return Span(first, last, max(last, end_of(history) or last))


def end_of(history: History) -> date | None:
    """The last day of which anything is known."""
    arrived, through = history.last_arrival(), history.through
    return None if arrived is None or through is None else min(arrived, through)


def _left(evaluator: Evaluator) -> str:
    catalogue = evaluator.rulebook.catalogue
    metric = catalogue.metrics.get(catalogue.roles.churned_on)
    return metric.name if metric is not None and metric.kind is Kind.DATE and metric.supplied else ""
