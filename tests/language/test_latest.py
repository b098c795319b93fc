"""The query about one day, which has no windows, says of every account what the account by itself says.

`test_agreement.py` asks it made-up expressions; here are those that are easy to get wrong, each day in a query of its
own, and whole rulebooks.
"""

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from engines.duckdb_engine import DuckDb
from engines.statements import ONE_DAY, one_day
from judge.batch import batch
from judge.histories import FIRST_DAY, SUPPLIED
from judge.rules import derived, expression, rulebook, scorecard, vocabulary
from judge.verdict import compared, told

from forestall.engine.detect.collect import import_all
from forestall.engine.detect.history import History
from forestall.engine.model.expression import Truth
from forestall.engine.rulebook.loader import load
from forestall.engine.sample.files import write_sample
from forestall.engine.score.columns import add_scorecard
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import DayOfEvaluations
from forestall.engine.settings import open_source, read_settings

ROOT = Path(__file__).parents[2]
DAYS = [FIRST_DAY + after for after in (0, 3, 11, 16, 20, 38)]      # accounts begin on the first twelve days

# What is easy to get wrong without windows: days before the first row, looks a week apart, other days' scores.
DELICATE = (
    "ago(missing(a), days=1)", "ago(missing(a), days=8)", "ago(known(s), days=20)", "not ago(missing(on), days=3)",
    "held(a < 3, days=10)", "held(missing(a), days=10)", "held(f, weeks=3)", "held(f, weeks=1)",
    "held(score < 50, days=10)",
    "times(f, weeks=3)", "times(score < 50, days=10)", "held(tier != \"healthy\", weeks=2)", "changed(tier, days=5)",
    "drop(score, days=7)", "drop_percent(score, days=2)", "rise(usage, days=3)", "ago(tier, days=7)",
    "ago(score, days=30)",
    "drop(score + 0, days=7)", "maximum(score, days=20) - score", "usual(score, days=4)", "known_for(days=20)",
    "ago(known_for(days=3) and a == a, days=2)", "ago(ago(a, days=2), days=3)", "drop(average(a, days=3), days=7)",
    "ago(held(f, days=3), days=5)", "ago(held(f, weeks=2), days=7)", "ago(usual(b, days=3), days=4)",
    "ago(days_since(on), days=6)", "drop(drop(score, days=1), days=1)", "changed(ratio, days=4)", "total(n, days=9)",
    "ago(total(n, days=3), days=3)", "a > 2 * usual(a, days=3)", "coalesce(ago(a, days=9), average(b, days=9), -1)",
    "held(held(f, days=2), weeks=2)",
)
NEEDS_WINDOWS = ("held(drop(score, days=7) > 5, days=3)", "average(ago(a, days=1), days=3)",
                 "times(changed(s, days=2), days=5)", "maximum(total(n, days=2), days=4)",
                 "ago(held(rise(a, days=1) > 0, days=2), days=1)")

# The same in the words of the shipped metrics, as triggers beside the shipped ones.
TRIGGERS = """
  has_reported: {when: "not ago(missing(logins_14d), days=5)", about: a}
  low_for_long: {when: "held(score < 50, days=10)", about: a}
  quiet_weeks: {when: "held(logins_14d < 12, weeks=3)", about: a}
  often_low: {when: "times(score < 60, days=20) >= 5", about: a}
  worse_tier: {when: "tier != ago(tier, days=7)", about: a}
  far_from_best: {when: "maximum(score, days=30) - score >= 10", about: a}
  not_as_usual: {when: "logins_14d < 0.8 * usual(logins_14d, days=28)", about: a}
  falls_faster: {when: "drop(drop(logins_14d, days=7), days=7) > 0", about: a}
  below_its_mean: {when: "drop(average(logins_14d, days=7), days=14) > 2", about: a}
  long_known: {when: "known_for(days=45)", clear_when: "not known_for(days=45)", about: a}
"""
NESTED = """
  keeps_falling: {when: "held(drop(score, days=7) > 1, days=3)", about: a}
"""
FIRST, LENGTH, ACCOUNTS = date(2026, 7, 1), 75, 40


@pytest.fixture(scope="module")
def duckdb_engine():
    engine = DuckDb()
    yield engine
    engine.close()


def of_today(card):
    """The scorecard with a part that looks at today alone, where it looked at other days."""
    words = vocabulary(scored=False)

    def signal(one):
        return replace(one, parts=tuple(
            replace(part, measure=replace(part.measure, value=expression("n", words)))
            if part.measure.value.text.startswith("total(") else part for part in one.parts))

    return replace(card, profiles=tuple(
        replace(profile, signals=tuple(map(signal, profile.signals))) for profile in card.profiles))


def prepared(card):
    return lambda values: add_scorecard(values, card, "")


@pytest.mark.parametrize(("seed", "profiles"), [(1, 1), (7, 2)])
def test_delicate_expressions_mean_the_same_on_one_day(duckdb_engine, seed, profiles):
    card = of_today(scorecard(seed))
    assert len(card.profiles) == profiles
    expressions = tuple(expression(text, vocabulary(scored=True)) for text in DELICATE)
    one = replace(batch(seed, 0, 0), book=rulebook(card, ""))
    duckdb_engine.load(one.stored())
    alone = one.alone()
    for day in DAYS:
        rows, answered = ONE_DAY.ask(duckdb_engine, expressions, [day], SUPPLIED, derived(), prepared(card))
        assert set(rows) == {(account, when) for account, when in one.rows() if when == day}
        assert len(answered) == len(DELICATE), [text for at, text in enumerate(DELICATE) if at not in answered]
        wrong = list(compared(one, ONE_DAY, alone, expressions, rows, answered))
        assert not wrong, told(wrong)


@pytest.mark.parametrize("text", NEEDS_WINDOWS)
def test_many_days_of_what_looks_at_other_days_are_left_to_windows(text):
    _, answered = one_day([expression(text, vocabulary(scored=True))], SUPPLIED, derived(),
                          prepare=prepared(scorecard(1)))
    assert answered == []


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A made-up book of business under the shipped rules, and a folder for rules."""
    folder = tmp_path_factory.mktemp("latest")
    write_sample(folder, 5, ACCOUNTS, FIRST, LENGTH)
    (folder / "forestall.yaml").write_text(
        "sources:\n  accounts: {adapter: csv, path: data/accounts.csv}\n  usage: {adapter: csv, path: data/usage}\n"
        "time_zone: Europe/Berlin\ndelivery: rehearsal\n")
    settings, rulebook = read_settings(folder), load(ROOT / "rules", None)
    metrics = {metric.name: metric for metric in rulebook.catalogue.supplied()}
    history = History(folder / "history")
    sources = [open_source(settings, described, metrics) for described in settings.sources]
    import_all(history, sources, rulebook.catalogue, FIRST + timedelta(days=LENGTH - 1), rulebook.gone_after)
    history.publish()
    return history


def with_triggers(folder, more):
    shutil.copytree(ROOT / "rules", folder / "rules")
    triggers = folder / "rules" / "triggers.yaml"
    triggers.write_text(triggers.read_text() + more)
    return Evaluator(load(folder / "rules", None))


def test_the_shipped_rules_and_more_decide_the_same_without_windows(sample, tmp_path):
    evaluator = with_triggers(tmp_path, TRIGGERS)
    assert evaluator._latest is not None
    triggers, seen = yaml.safe_load(TRIGGERS), set()
    for after in (0, 2, 5, 9, 20, 44, 60, LENGTH - 1):
        day = FIRST + timedelta(days=after)
        windows = evaluator._decided(sample, day, day)
        alone = evaluator._run(sample, evaluator._latest, day, day, None)
        assert alone.num_rows > ACCOUNTS / 3
        assert alone.schema == windows.schema
        for name in windows.column_names:
            assert alone[name].to_pylist() == windows[name].to_pylist(), (day, name)
        found = DayOfEvaluations(day, alone, evaluator.conditions)
        seen |= {(trigger, one.truth(evaluator.conditions.when(trigger)))
                 for one in found.take(list(range(len(found)))) for trigger in triggers}
    for trigger in triggers:
        truths = {truth for one, truth in seen if one == trigger}
        assert Truth.TRUE in truths, trigger
        assert len(truths) > 1, trigger


def test_rules_that_need_windows_are_decided_with_them_on_one_day_too(sample, tmp_path):
    evaluator = with_triggers(tmp_path, TRIGGERS + NESTED)
    assert evaluator._latest is None
    day = FIRST + timedelta(days=40)
    several = evaluator.evaluate(sample, day - timedelta(days=3), day).on(day)
    single = evaluator.evaluate(sample, day, day).on(day)
    rows = range(len(several))
    assert list(single.take(list(rows))) == list(several.take(list(rows)))
    assert single.counts()[evaluator.conditions.when("keeps_falling")][0]
