"""From a log to daily metrics: every measure beside the plainest reckoning of it, and what a day is."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from forestall.adapters.sources.daily import metrics
from forestall.adapters.sources.daily.declared import KINDS, Daily, DailyMetric, Measure, look_back
from forestall.adapters.sources.daily.log import Wanted
from forestall.adapters.sources.daily.metrics import DailyMetrics
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, SourceError

NOWHERE = Location("rules/metrics.yaml", 1, 1)
DECLARED = {
    "logins_5d": DailyMetric(Measure.COUNT, ("login",), days=5),
    "all_today": DailyMetric(Measure.COUNT),
    "urgent_9d": DailyMetric(Measure.COUNT, where={"level": ("urgent", "high")}, days=9),
    "users_6d": DailyMetric(Measure.DISTINCT, of="user", days=6),
    "users_today": DailyMetric(Measure.DISTINCT, of="user"),
    "features_12d": DailyMetric(Measure.DISTINCT, ("report", "login"), of="name", days=12),
    "active_7d": DailyMetric(Measure.ACTIVE_DAYS, days=7),
    "paid_4d": DailyMetric(Measure.SUM, of="props.amount", days=4),
    "mean_4d": DailyMetric(Measure.AVERAGE, of="props.amount", days=4),
    "least_3d": DailyMetric(Measure.SMALLEST, of="props.amount", days=3),
    "most_3d": DailyMetric(Measure.LARGEST, of="props.amount", days=3),
    "level": DailyMetric(Measure.LATEST, of="level", days=3),
    "repeats_8d": DailyMetric(Measure.REPEATS, of="level", days=8),
    "trend": DailyMetric(Measure.RATIO, days=3, before=6),
    "total": DailyMetric(Measure.TOTAL, ("login",)),
    "since_login": DailyMetric(Measure.DAYS_SINCE, ("login",)),
    "since_login_4d": DailyMetric(Measure.DAYS_SINCE, ("login",), days=4),
    "first": DailyMetric(Measure.FIRST_DAY),
    "last": DailyMetric(Measure.LAST_DAY, ("report",)),
    "stage": DailyMetric(Measure.STAGE, ("login", "report", "opened")),
    "in_stage": DailyMetric(Measure.DAYS_IN_STAGE, ("login", "report", "opened")),
    "stage_since": DailyMetric(Measure.STAGE_SINCE, ("login", "report", "opened")),
    "open": DailyMetric(Measure.OPEN, ("opened",), of="ticket", until=("solved", "closed")),
    "days_open": DailyMetric(Measure.DAYS_OPEN, ("opened",), of="ticket", until=("solved", "closed")),
}
BOUNDED = {name: one for name, one in DECLARED.items() if look_back(Daily({"x": one})) is not None}
FORGET = 10
FIRST = date(2026, 1, 1)


def catalogue(declared: dict[str, DailyMetric]) -> dict[str, Metric]:
    return {name: Metric(name, Kind.TEXT if one.measure is Measure.LATEST else KINDS[one.measure][0], NOWHERE)
            for name, one in declared.items()}


def at(day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, 1, 1, hour, minute, tzinfo=UTC) + timedelta(days=day)


def made_up(seed: int, rows: int = 260) -> list[dict]:
    """Three accounts over 60 days, with gaps longer than an account is remembered."""
    chance = random.Random(seed)
    found = []
    for _ in range(rows):
        account = chance.choice(["a", "a", "b", "c"])
        day = chance.choice([*range(20), *range(33, 60)] if account != "c" else [3, 4, 58])
        name = chance.choice(["login", "login", "report", "opened", "solved", "closed"])
        found.append({
            "account": account, "at": at(day, chance.randrange(24), chance.randrange(60)), "name": name,
            "user": chance.choice(["u1", "u2", "u3", None]), "level": chance.choice(["urgent", "high", "low", None]),
            "ticket": chance.choice(["t1", "t2", "t3"]) if name in ("opened", "solved", "closed") else None,
            "props": chance.choice([None, json.dumps({"amount": round(chance.random() * 100, 2)}),
                                    json.dumps({"amount": str(chance.randrange(9))}), "{}"])})
    return found


def log_of(rows: list[dict], asked: list[Wanted] | None = None):
    def log(wanted: Wanted) -> Iterator[pa.Table]:
        if asked is not None:
            asked.append(wanted)
        for start in range(0, len(rows), 50):
            yield pa.Table.from_pylist(rows[start:start + 50])
    return log


def told(declared: dict[str, DailyMetric], rows: list[dict], since: date | None = None, until: date | None = None,
         **daily: object) -> dict[tuple[str, date], dict]:
    made = DailyMetrics("product", Daily(declared, **{"forget_after": FORGET, **daily}), catalogue(declared))
    found = [row for table in made.snapshots(log_of(rows), since, until) for row in table.to_pylist()]
    keyed = {(row.pop("account"), row.pop("as_of")): row for row in found}
    assert len(keyed) == len(found)
    return keyed


def reckoned(rows: list[dict], last: date) -> dict[tuple[str, date], dict]:
    """The same without any cleverness: for each account and day, look at all of its events."""
    found = {}
    for account in {row["account"] for row in rows}:
        mine = sorted((row for row in rows if row["account"] == account), key=lambda row: row["at"])
        for index in range((last - FIRST).days + 1):
            day = FIRST + timedelta(days=index)
            before = [row for row in mine if row["at"].date() <= day]
            if before and (day - before[-1]["at"].date()).days <= FORGET:
                found[account, day] = {name: one_of(metric, before, day) for name, metric in DECLARED.items()}
    return found


def one_of(metric: DailyMetric, before: list[dict], day: date) -> object:
    def age(row: dict) -> int:
        return (day - row["at"].date()).days

    def value(row: dict) -> object:
        if metric.of != "props.amount":
            return row.get(metric.of)
        found = json.loads(row["props"] or "{}").get("amount")
        return None if found is None else float(found)

    events = [row for row in before if (not metric.events or row["name"] in metric.events)
              and all(row[column] in wanted for column, wanted in metric.where.items())]
    window = [row for row in events if age(row) < (metric.days or 1)]
    values = [value(row) for row in window if value(row) is not None] if metric.of else []
    reached = {name: min(row["at"].date() for row in events if row["name"] == name)
               for name in metric.events if any(row["name"] == name for row in events)}
    furthest = next((name for name in reversed(metric.events) if name in reached), None)
    match metric.measure:
        case Measure.COUNT:
            return len(window)
        case Measure.DISTINCT:
            return len(set(values))
        case Measure.ACTIVE_DAYS:
            return len({row["at"].date() for row in window})
        case Measure.SUM:
            return pytest.approx(sum(values))
        case Measure.AVERAGE:
            return pytest.approx(sum(values) / len(values)) if values else None
        case Measure.SMALLEST:
            return min(values, default=None)
        case Measure.LARGEST:
            return max(values, default=None)
        case Measure.LATEST:
            return max(((row["at"], value(row)) for row in window if value(row)), default=(None, None))[1]
        case Measure.REPEATS:
            return max(Counter(values).values(), default=0)
        case Measure.RATIO:
            base = sum(3 <= age(row) < 9 for row in events)
            if not any(9 <= age(row) <= 9 + FORGET for row in before) or not base:
                return None
            return pytest.approx((len(window) / 3) / (base / 6))
        case Measure.TOTAL:
            return len(events)
        case Measure.DAYS_SINCE:
            since = [age(row) for row in (window if metric.days else events)]
            return min(since, default=None)
        case Measure.FIRST_DAY:
            return events[0]["at"].date() if events else None
        case Measure.LAST_DAY:
            return events[-1]["at"].date() if events else None
        case Measure.STAGE:
            return furthest
        case Measure.DAYS_IN_STAGE:
            return (day - reached[furthest]).days if furthest else None
        case Measure.STAGE_SINCE:
            return reached[furthest] if furthest else None
    opened: dict[str, date] = {}
    for row in before:
        if row["name"] == "opened":
            opened.setdefault(row["ticket"], row["at"].date())
        elif row["name"] in metric.until:
            opened.pop(row["ticket"], None)
    if metric.measure is Measure.OPEN:
        return len(opened)
    return max(((day - one).days for one in opened.values()), default=None)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_measure_is_what_the_plainest_reckoning_says(seed):
    rows = made_up(seed)
    last = max(row["at"].date() for row in rows)
    expected = reckoned(rows, last)
    found = told(DECLARED, rows)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        for name, value in values.items():
            assert found[key][name] == value, (key, name)


@pytest.mark.parametrize("declared", [DECLARED, BOUNDED], ids=["from the beginning", "bounded"])
def test_what_is_said_of_a_day_does_not_depend_on_the_days_asked_for(declared):
    rows = made_up(3)
    everything = told(declared, rows)
    since, until = FIRST + timedelta(days=36), FIRST + timedelta(days=50)
    reach = look_back(Daily(declared, forget_after=FORGET))
    needed = [row for row in rows if reach is None or row["at"].date() >= since - timedelta(days=reach)]
    part = told(declared, needed, since, until)
    assert part == {key: row for key, row in everything.items() if since <= key[1] <= until}


def test_a_log_is_asked_once_and_only_for_what_is_needed():
    asked: list[Wanted] = []
    made = DailyMetrics("product", Daily({"users_6d": BOUNDED["users_6d"]}, time_zone="Europe/Berlin", forget_after=5),
                        catalogue(DECLARED))
    list(made.snapshots(log_of(made_up(1), asked), date(2026, 1, 20), date(2026, 1, 25)))
    assert asked == [Wanted(("user",), datetime(2026, 1, 13, 23, tzinfo=UTC), datetime(2026, 1, 25, 23, tzinfo=UTC))]


def rows_of(*events: tuple, names: tuple[str, ...] = ("account", "at", "name")) -> list[dict]:
    return [dict(zip(names, event, strict=True)) for event in events]


LOGINS = {"logins": DailyMetric(Measure.COUNT, ("login",))}


def counts(found: dict[tuple[str, date], dict], account: str = "a") -> dict[int, float]:
    return {(day - FIRST).days: row["logins"] for (one, day), row in found.items() if one == account}


def test_a_count_is_zero_from_the_first_event_until_the_account_is_forgotten_or_the_log_ends():
    found = told(LOGINS, rows_of(("a", at(1), "login"), ("b", at(0), "login"), ("b", at(30), "login")), forget_after=3)
    assert counts(found) == {1: 1, 2: 0, 3: 0, 4: 0}
    assert counts(found, "b") == {0: 1, 1: 0, 2: 0, 3: 0, 30: 1}


def test_days_end_where_the_time_zone_says_also_when_clocks_change():
    berlin = ZoneInfo("Europe/Berlin")
    local = [(28, 23, 59), (29, 0, 0), (29, 23, 59), (30, 0, 0)]
    rows = [{"account": "a", "name": "login", "at": datetime(2026, 3, *when, tzinfo=berlin).astimezone(UTC)}
            for when in local]
    found = told(LOGINS, rows, time_zone="Europe/Berlin")
    assert [(day.day, row["logins"]) for (_, day), row in sorted(found.items())] == [(28, 1), (29, 2), (30, 1)]


def test_the_day_that_is_not_over_waits_unless_it_is_asked_for():
    now = datetime.now(UTC)
    rows = rows_of(("a", now - timedelta(days=1), "login"), ("a", now, "login"))
    days = {day for _, day in told(LOGINS, rows, until=now.date())}
    assert days <= {now.date() - timedelta(days=1)}
    assert max(day for _, day in told(LOGINS, rows, until=now.date(), today=True)) == now.date()


def test_of_the_events_with_one_id_the_last_that_was_given_counts():
    rows = rows_of(("a", at(0), "login", "1"), ("a", at(0), "login", "1"), ("a", at(1), "login", "2"),
                   ("a", at(2), "login", "2"), ("a", at(2), "login", None), ("a", at(2), "login", None),
                   names=("account", "at", "name", "id"))
    assert counts(told(LOGINS, rows)) == {0: 1, 1: 0, 2: 3}


def noticed(rows: list[dict], until: date | None = None, declared: dict[str, DailyMetric] = LOGINS) -> list[str]:
    made = DailyMetrics("product", Daily(declared), catalogue(declared))
    list(made.snapshots(log_of(rows), None, until))
    return [str(problem) for problem in made.noticed]


def test_what_is_left_out_is_told():
    now = datetime.now(UTC)
    rows = rows_of(("a", now + timedelta(days=40), "login"), ("a", datetime(1970, 1, 1, tzinfo=UTC), "login"),
                   ("a", at(0), "login"))
    said = noticed(rows, until=now.date())
    assert ["leaves out 1 of its rows: they are of days to come" in said[0],
            "leaves out 1 of its rows: they are of days before 2000-01-01" in said[1]] == [True, True]
    assert noticed(rows_of(("a", at(0), "login"), ("a", at(5), "login")), until=date(2026, 1, 2)) == []


def test_a_name_that_never_came_is_told_with_the_one_that_was_meant():
    (said,) = noticed(rows_of(("a", at(0), "login")), declared={"x": DailyMetric(Measure.COUNT, ("logn",))})
    assert "the log of the source product has no event called logn, which `metrics` names for x." in said
    assert "Did you mean login?" in said


def test_a_value_that_never_came_is_told_with_the_one_that_was_meant():
    rows = rows_of(("a", at(0), "login", "pro"), ("a", at(1), "login", "free"), names=("account", "at", "name", "plan"))
    declared = {"x": DailyMetric(Measure.COUNT, ("login",), where={"plan": ("prp", "free")})}
    (said,) = noticed(rows, declared=declared)
    assert "the log of the source product never has plan: prp, which `metrics` names for x." in said
    assert "Did you mean pro?" in said
    (said,) = noticed(rows, declared={"x": DailyMetric(Measure.COUNT, where={"plan": ("business",)})})
    assert "It has: free, pro." in said
    assert noticed(rows, declared={"x": DailyMetric(Measure.COUNT, where={"plan": ("pro", "free")})}) == []


def test_a_text_where_a_number_is_needed_is_an_error():
    declared = {"paid": DailyMetric(Measure.SUM, of="amount")}
    made = DailyMetrics("product", Daily(declared), catalogue(declared))
    rows = rows_of(("a", at(0), "12.50"), ("a", at(1), "a lot"), names=("account", "at", "amount"))
    with pytest.raises(SourceError, match="an event of a at 2026-01-02 12:00 has `a lot` there, which is no number"):
        list(made.snapshots(log_of(rows), None, None))


@pytest.mark.parametrize("column", [
    pa.array([{"plan": "pro", "size": {"seats": 3}}], pa.struct([("plan", pa.string()),
                                                                ("size", pa.struct([("seats", pa.int64())]))])),
    pa.array([[("plan", "pro"), ("size", "-")]], pa.map_(pa.string(), pa.string())),
    pa.array(['{"plan": "pro", "size": {"seats": 3}}']),
    pa.array(['{"plan": "pro"}']).dictionary_encode(),
], ids=["struct", "map", "json", "dictionary"])
def test_properties_come_in_many_forms(column):
    declared = {"plan": DailyMetric(Measure.LATEST, of="properties.plan")}
    table = pa.table({"account": ["a"], "at": pa.array([at(0)]), "properties": column})
    made = DailyMetrics("product", Daily(declared), catalogue(declared))
    (answer,) = made.snapshots(lambda wanted: iter([table]), None, None)
    assert answer.to_pylist() == [{"account": "a", "as_of": FIRST, "plan": "pro"}]


@pytest.mark.parametrize(("metric", "said"), [
    ({"measure": Measure.DISTINCT}, "`measure: distinct` needs `of`."),
    ({"measure": Measure.COUNT, "of": "user"}, "`measure: count` has no use for `of`."),
    ({"measure": Measure.STAGE, "events": ("a",)}, "`measure: stage` needs `events`, two or more different ones."),
    ({"measure": Measure.OPEN, "of": "id", "events": ("a",)}, "`measure: open` needs `events` and `until`."),
    ({"measure": Measure.COUNT, "until": ("a",)}, "`measure: count` has no use for `until`."),
    ({"measure": Measure.COUNT, "before": 3}, "`measure: count` has no use for `before`."),
    ({"measure": Measure.TOTAL, "days": 3}, "looks back to the beginning of the log, whatever `days` says."),
    ({"measure": Measure.COUNT, "days": 0}, "`days` must be 1 to 1830, not 0."),
])
def test_a_declaration_whose_parts_do_not_go_together_is_refused(metric, said):
    with pytest.raises(ValueError) as refused:
        DailyMetric(**metric)
    assert said in refused.value.args[0]


def test_a_declaration_that_the_catalogue_contradicts_is_refused():
    metrics = {"kind": Metric("kind", Kind.TEXT, NOWHERE), "daily": Metric("daily", Kind.NUMBER, NOWHERE, per_day=True)}
    declared = {"kind": DailyMetric(Measure.COUNT), "daily": DailyMetric(Measure.COUNT, days=7),
                "dayly": DailyMetric(Measure.COUNT)}
    with pytest.raises(SourceError) as refused:
        DailyMetrics("product", Daily(declared, time_zone="Mars", forget_after=0), metrics)
    said = str(refused.value)
    for sentence in ("`time_zone` of the source product is no time zone: `Mars`.",
                     "`forget_after` of the source product must be 1 to 1830 days.",
                     "`metrics.kind` of the source product: it is a text in rules/metrics.yaml, and `measure: count` ",
                     "it counts one day (`per: day` in rules/metrics.yaml), and `days: 7` counts several.",
                     "`metrics.dayly` of the source product is no metric that a source supplies.",
                     "Did you mean daily?"):
        assert sentence in said


def test_a_column_that_is_always_empty_is_told():
    said = noticed(rows_of(("a", at(0), "login")), declared={"x": DailyMetric(Measure.LATEST, of="props.paln")})
    # the catalogue of this test has `x` as a text
    assert ["has nothing in props.paln, which `metrics` names." in one for one in said] == [True]


def test_a_full_disk_is_a_sentence(monkeypatch):
    monkeypatch.setattr(metrics, "MEMORY", "1MB")
    with pytest.raises(SourceError, match=r"the log of the source product cannot be counted .* Make room on the disk"):
        noticed(made_up(1) * 20)
