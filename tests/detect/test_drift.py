"""What is noticed when a source begins to say something else, and what is not."""

import random
from collections import Counter
from datetime import date, timedelta

import pyarrow as pa
import pytest

from forestall.engine.detect.collect import collect, import_all
from forestall.engine.detect.drift import drifts
from forestall.engine.detect.history import History
from forestall.engine.detect.stability import chance, index, jump
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.expression import Kind

from .conftest import HERE

FIRST = date(2026, 1, 1)
DAYS, ACCOUNTS = 40, 60
LAST = FIRST + timedelta(days=DAYS - 1)
CATALOGUE = Catalogue({metric.name: metric for metric in (
    Metric("logins", Kind.NUMBER, HERE), Metric("score", Kind.NUMBER, HERE), Metric("plan", Kind.TEXT, HERE),
    Metric("owner", Kind.TEXT, HERE), Metric("trial", Kind.FLAG, HERE), Metric("renewal", Kind.DATE, HERE),
    Metric("tickets", Kind.NUMBER, HERE, per_day=True), Metric("nps", Kind.NUMBER, HERE))}, Roles())


def facts(chance, account, day):
    """Some use with weekends, a plan that stays, a name of its own, an answer now and then."""
    weekend = (FIRST + timedelta(days=day)).weekday() > 4
    return {"logins": float(round(chance.gauss(20 if weekend else 90, 10) + account)), "score": 50.0 + account % 7,
            "plan": "gold" if account % 3 else "iron", "owner": f"person {account}", "trial": account % 4 == 0,
            "renewal": FIRST + timedelta(days=100 + account), "tickets": float(chance.random() < 0.3),
            "nps": 9.0 if chance.random() < 0.05 else None}


class Told:
    """A source with all rows, changed for its last day."""

    name = "usage"

    def __init__(self, change=lambda row: row, seed=1, last=DAYS):
        chance = random.Random(seed)
        self.rows = [(f"a{account:03}", FIRST + timedelta(days=day),
                      (change if day == last - 1 else dict)(facts(chance, account, day)))
                     for day in range(last) for account in range(ACCOUNTS)]

    def supplies(self):
        return tuple(CATALOGUE.metrics)

    def snapshots(self, since, until):
        rows = [row for row in self.rows if row[2] is not None and (since is None or row[1] >= since)
                and row[1] <= until]
        kinds = {Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.FLAG: pa.bool_(), Kind.DATE: pa.date32()}
        yield pa.table({"account": [row[0] for row in rows], "as_of": pa.array([row[1] for row in rows], pa.date32()),
                        **{name: pa.array([row[2].get(name) for row in rows], kinds[metric.kind])
                           for name, metric in CATALOGUE.metrics.items()}})


def noticed(tmp_path, source, until=LAST):
    done, = import_all(History(tmp_path / "history"), [source], CATALOGUE, until, 14)
    return done.noticed


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_noticed_of_days_like_others(tmp_path, seed):
    history = History(tmp_path / "history")
    import_all(history, [Told(seed=seed)], CATALOGUE, LAST, 14)
    for back in range(0, 8, 3):
        assert drifts(history, CATALOGUE, LAST - timedelta(days=back)) == {}


def cents(row):
    return row | {"logins": row["logins"] * 100}


@pytest.mark.parametrize(("change", "code", "says"), [
    (cents, "metric-jumped", "logins jumped on 2026-02-09: half of the values were up to 1"),
    (lambda row: row | {"plan": "3"}, "metric-jumped",
     "plan jumped on 2026-02-09: most often it was gold before, and 3 then"),
    (lambda row: row | {"trial": not row["trial"]}, "metric-jumped", "most often it was no before, and yes then"),
    (lambda row: row | {"renewal": row["renewal"] - timedelta(days=365)}, "metric-jumped", "renewal jumped"),
    (lambda row: row | {"logins": None}, "metric-vanished", "logins has not been said since 2026-02-08"),
    (lambda row: row | {"plan": None if row["owner"] > "person 2" else row["plan"]}, "metric-emptied",
     "only 22 percent of the rows of 2026-02-09 have plan; on no day before were there fewer than 100 percent"),
    (lambda row: row if row["owner"] < "person 2" else None, "rows-fewer", "2026-02-09 has 20 percent of the rows"),
    (lambda row: row | dict.fromkeys(("logins", "score", "plan", "owner"), None), "metric-vanished",
     "So it is with 3 other metrics: score, plan, owner."),
])
def test_a_change_is_noticed_on_the_day_it_comes(tmp_path, change, code, says):
    problems = noticed(tmp_path, Told(change))
    assert [problem.code for problem in problems] == [code]
    assert says in str(problems[0])


def test_a_pass_says_it_once_and_what_is_usual_is_learned_anew(tmp_path):
    history, source = History(tmp_path / "history"), Told(cents, last=DAYS)
    import_all(history, [Told(last=DAYS - 1)], CATALOGUE, LAST - timedelta(days=1), 14)
    told, = collect(history, [source], CATALOGUE, LAST, 14)
    assert [problem.code for problem in told.noticed] == ["metric-jumped"]
    again, = collect(history, [source], CATALOGUE, LAST, 14)
    assert again.noticed == ()
    source.rows += [(account, day + timedelta(days=1), row) for account, day, row in source.rows if day == LAST]
    after, = collect(history, [source], CATALOGUE, LAST + timedelta(days=1), 14)
    assert after.noticed == ()
    assert [problem.code for problem in drifts(history, CATALOGUE, LAST + timedelta(days=1))["usage"]] == [
        "metric-jumped"]      # the history tells of a week


def test_the_index_is_that_of_the_literature():
    before, after = Counter(a=400_000, b=350_000, c=250_000), Counter(a=300_000, b=350_000, c=350_000)
    # 0.1 × ln(0.4 / 0.3) + 0 + 0.1 × ln(0.35 / 0.25)
    assert index(after, before) == pytest.approx(0.0287682 + 0.0336472, abs=1e-5)
    assert index(before, before) == 0
    # (1/n + 1/m) × the 99.9 percent quantile of chi-squared with 2 degrees of freedom, 13.816
    assert chance(after, before) == pytest.approx(2e-6 * 13.816, rel=0.03)


def test_chance_alone_is_no_jump():
    chance = random.Random(7)
    days = [Counter(str(chance.randrange(10)) for _ in range(40)) for _ in range(400)]
    assert not any(jump(days[at], days[at - 20:at]) for at in range(20, 400))
    assert jump(Counter({"9": 40}), days[:20]) > 0.25
    assert jump(Counter({"9": 40}), days[:5]) is None      # nobody knows yet what is usual
