"""The shipped rules on made-up histories: every evaluator gives every account the same score, tier and truths."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from forestall.engine.detect.collect import import_all
from forestall.engine.detect.history import History
from forestall.engine.model.expression import Truth
from forestall.engine.rulebook.loader import load
from forestall.engine.sample.files import write_sample
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.settings import open_source, read_settings

ROOT = Path(__file__).parents[2]
FIRST, DAYS, ACCOUNTS = date(2026, 7, 1), 90, 60
LAST = FIRST + timedelta(days=DAYS - 1)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The shipped rules, and the history of a made-up book of business."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, 11, ACCOUNTS, FIRST, DAYS)
    (folder / "forestall.yaml").write_text("""
sources:
  accounts: {adapter: csv, path: data/accounts.csv}
  usage: {adapter: csv, path: data/usage}
time_zone: Europe/Berlin
delivery: rehearsal
""")
    settings = read_settings(folder)
    rulebook = load(ROOT / "rules", None)
    metrics = {metric.name: metric for metric in rulebook.catalogue.supplied()}
    history = History(folder / "history")
    sources = [open_source(settings, described, metrics) for described in settings.sources]
    import_all(history, sources, rulebook.catalogue, LAST, rulebook.gone_after)
    history.publish()
    return rulebook, history


@pytest.mark.parametrize("day", [FIRST, FIRST + timedelta(days=6), FIRST + timedelta(days=40),
    LAST - timedelta(days=2)])
def test_all_evaluators_agree_on_the_shipped_rules(sample, judged, day):
    rulebook, history = sample
    found = judged(rulebook, history, day, day + timedelta(days=2))
    assert len(found) > 2 * ACCOUNTS
    if day > FIRST + timedelta(days=30):
        assert {row.tier for row in found.values()} >= {"healthy", "monitor", "at_risk"}
        assert any(one.truth(index) is Truth.TRUE for one in found.values() for index in range(8))


def test_evaluations_of_days_without_rows_are_empty(sample):
    rulebook, history = sample
    for day in (FIRST - timedelta(days=1), LAST + timedelta(days=40)):
        rows = Evaluator(rulebook).evaluate(history, day, day).on(day)
        assert (len(rows), rows.accounts, rows.tiers, rows.alarmed) == (0, [], [], [])


def test_facts_say_what_the_evaluation_says(sample):
    rulebook, history = sample
    evaluator = Evaluator(rulebook)
    rows = evaluator.evaluate(history, LAST, LAST).on(LAST)
    chosen = [0, len(rows) // 2, len(rows) - 1]
    some = list(rows.take(chosen))
    facts = evaluator.facts(history, {LAST: [row.account for row in some], LAST - timedelta(days=7): ["nobody"]})
    assert {(one.account, one.score, one.tier) for one in facts.values()} == {
        (row.account, rows.scores[index], row.tier) for index, row in zip(chosen, some, strict=True)}
    for row in some:
        values = facts[row.account, LAST].values
        assert values["account_name"] == row.name
        assert set(values) >= set(rulebook.catalogue.metrics)
        assert values["renewal_date"] == row.renewal
