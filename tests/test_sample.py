"""The made-up histories: repeatable, openly invented, and with something to see for every tier and trigger.

The scores here are computed a second time, in plain Python from rules/weights.yaml, and not by the engine.
"""

import csv
import itertools
import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from forestall.engine.sample.courses import Archetype, archetypes, at
from forestall.engine.sample.files import ACCOUNT_COLUMNS, USAGE_COLUMNS, write_sample
from forestall.engine.sample.names import PEOPLE, company

RULES = Path(__file__).parents[1] / "rules"
FIRST, DAYS = date(2026, 7, 27), 120
LAST = FIRST + timedelta(days=DAYS - 1)
SEEDS = (1, 7, 2026)


def read(file):
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


class Sample:
    """What the files say, by account and day; the slow facts are carried from their last row."""

    def __init__(self, folder):
        self.slow, self.usage = {}, {}
        for row in read(folder / "data" / "accounts.csv"):
            self.slow.setdefault(row["account"], {})[date.fromisoformat(row["as_of"])] = row
        for file in sorted((folder / "data" / "usage").iterdir()):
            for row in read(file):
                self.usage[row["account"], date.fromisoformat(row["as_of"])] = row
        self.churned = {row["account"]: row["churned_on"] for row in read(folder / "data" / "churn.csv")}
        self.weights = yaml.safe_load((RULES / "weights.yaml").read_text(encoding="utf-8"))

    def facts(self, account, day):
        usage = self.usage.get((account, day))
        said = [when for when in self.slow[account] if when <= day]
        return {**self.slow[account][max(said)], **usage} if usage and said else None

    def accounts(self, day):
        return [account for account in self.slow if self.facts(account, day)]

    def score(self, account, day):
        facts = self.facts(account, day)
        if not facts or (day - date.fromisoformat(facts["customer_since"])).days < 14:
            return None
        activity = self.weights["signals"]["activity"]["of"]
        for profile in self.weights["profiles"]:
            if profile["applies_to"] == f'segment == "{facts["segment"]}"':
                activity = profile["signals"]["activity"]["of"]
        engagement = self.weights["signals"]["engagement"]["of"]
        silent = (day - date.fromisoformat(facts["last_activity_on"])).days
        stairs = self.weights["signals"]["recency"]["steps"]
        points = {
            "activity": parts(facts, activity),
            "engagement": parts(facts, engagement),
            "milestones": 100 * float(facts["milestones_completed"]) / float(facts["milestones_total"]),
            "recency": next(value for low, value in sorted(stairs.items(), reverse=True) if silent >= low),
        }
        total = sum(self.weights["signals"][name]["weight"] * value for name, value in points.items())
        return round(total / 100, 1)


def parts(facts, of):
    """The points of a signal made of parts; a part without data is left out."""
    known = [(part["weight"], line(float(facts[part["metric"]]), part["points"])) for part in of.values() if
             facts[part["metric"]] != ""]
    return sum(weight * points for weight, points in known) / sum(weight for weight, _ in known)


def line(value, points):
    corners = sorted(points.items())
    if value <= corners[0][0]:
        return corners[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(corners):
        if value <= x1:
            return y0 + (y1 - y0) * (value - x0) / (x1 - x0)
    return corners[-1][1]


def tier(score):
    names = ((80, "healthy"), (60, "monitor"), (40, "at_risk"), (20, "critical"), (0, "churning"))
    return "unscored" if score is None else next(name for low, name in names if score >= low)


def raw_conditions(sample, account, day):
    """The triggers whose `when` holds, written a second time in Python."""
    facts = sample.facts(account, day)
    score, week_ago = sample.score(account, day), sample.score(account, day - timedelta(days=7))
    two_weeks_ago = sample.facts(account, day - timedelta(days=14))
    silent = (day - date.fromisoformat(facts["last_activity_on"])).days
    found = set()
    if score is not None and week_ago is not None and week_ago - score >= 15 - 1e-9:
        found.add("health_score_drop" if score < 70 else "sharp_fall")
    if 14 <= silent <= 60:
        found.add("inactivity")
    if silent > 60:
        found.add("gone_silent")
    before = int(two_weeks_ago["logins_14d"]) if two_weeks_ago else 0
    if before >= 20 and 100 * (before - int(facts["logins_14d"])) / before >= 30:
        found.add("logins_down")
    if int(facts["seats_total"]) >= 5 and int(facts["seats_active_14d"]) / int(facts["seats_total"]) <= 0.2:
        found.add("seats_gone_quiet")
    earlier = [sample.facts(account, day - timedelta(days=back)) for back in range(1, 8)]
    if any(past and past["sponsor"] != facts["sponsor"] for past in earlier):
        found.add("sponsor_changed")
    if facts["journey"] != "none":
        in_step = (day - date.fromisoformat(facts["journey_step_started_on"])).days
        if in_step > int(facts["journey_step_expected_days"]):
            found.add(f"{facts['journey']}_stuck")
    done = facts["onboarding_completed_on"]
    if done and (day - date.fromisoformat(done)).days >= 14 and facts["core_feature_uses_total"] == "0":
        found.add("core_feature_unused")
    return found


@pytest.fixture(scope="module", params=SEEDS)
def sample(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, request.param, 120, FIRST, DAYS)
    return Sample(folder)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    contents = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        files = write_sample(tmp_path / name, seed, 30, FIRST, 40)
        contents.append({file.relative_to(tmp_path / name): file.read_bytes() for file in files})
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]
    assert contents[0].keys() == contents[2].keys()


def test_it_writes_one_usage_file_per_month(tmp_path):
    files = write_sample(tmp_path, 7, 5, date(2026, 1, 30), 5)
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "data/accounts.csv", "data/usage/2026-01.csv", "data/usage/2026-02.csv", "data/churn.csv"]


@pytest.mark.parametrize(("accounts", "days"), [(0, 10), (10, 0)])
def test_an_empty_sample_is_refused(tmp_path, accounts, days):
    with pytest.raises(ValueError, match="at least one account and one day"):
        write_sample(tmp_path, 7, accounts, FIRST, days)


@pytest.mark.parametrize(("accounts", "days"), [(1, 1), (3, 400), (200, 20)])
def test_unusual_sizes_work(tmp_path, accounts, days):
    write_sample(tmp_path, 7, accounts, FIRST, days)
    assert len(read(tmp_path / "data" / "churn.csv")) == accounts


def test_every_column_is_a_supplied_metric_and_every_supplied_metric_a_column():
    metrics = yaml.safe_load((RULES / "metrics.yaml").read_text(encoding="utf-8"))["metrics"]
    supplied = {name for name, metric in metrics.items() if "is" not in metric}
    assert set(ACCOUNT_COLUMNS[2:]) | set(USAGE_COLUMNS[2:]) == supplied
    assert not set(ACCOUNT_COLUMNS[2:]) & set(USAGE_COLUMNS[2:])


def test_values_are_of_their_kind_and_among_the_allowed(sample):
    metrics = yaml.safe_load((RULES / "metrics.yaml").read_text(encoding="utf-8"))["metrics"]
    reads = {"number": float, "date": date.fromisoformat, "text": str,
             "flag": {"true": True, "false": False}.__getitem__}
    rows = itertools.chain(sample.usage.values(), *(rows.values() for rows in sample.slow.values()))
    for row in rows:
        for name, text in list(row.items())[2:]:
            if text:
                value = reads[metrics[name]["kind"]](text)
                assert value in metrics[name].get("one_of", [value]), (name, text)
                assert not isinstance(value, float) or value >= 0


def test_everything_is_openly_made_up(sample):
    for account, rows in sample.slow.items():
        assert account.startswith("made-up-")
        for row in rows.values():
            assert row["contact_email"].endswith(".example")
            assert {row["csm"], row["executive_owner"]} <= {person.key for person in PEOPLE}
    assert all(person.email.endswith("@example.com") for person in PEOPLE)
    assert len({company(number) for number in range(6000)}) == 6000


def test_slow_facts_come_at_least_once_a_week_and_usage_every_day(sample):
    for account, rows in sample.slow.items():
        days = sorted(day for name, day in sample.usage if name == account)
        assert days == [days[0] + timedelta(days=offset) for offset in range(len(days))]
        for earlier, later in itertools.pairwise([*sorted(rows), days[-1] + timedelta(days=1)]):
            assert (later - earlier).days <= 7
        assert min(rows) == days[0]


def test_who_churned_is_not_heard_of_again(sample):
    gone = {account: date.fromisoformat(day) for account, day in sample.churned.items() if day}
    assert 2 <= len(gone) <= 12
    assert sample.churned.keys() == sample.slow.keys()
    for account, day in gone.items():
        assert max(when for name, when in sample.usage if name == account) == day - timedelta(days=1)
        assert tier(sample.score(account, day - timedelta(days=1))) in ("churning", "critical")


def test_figures_agree_with_each_other(sample):
    for row in sample.usage.values():
        logins, seats = int(row["logins_14d"]), int(row["seats_active_14d"])
        silent = (date.fromisoformat(row["as_of"]) - date.fromisoformat(row["last_activity_on"])).days
        assert seats <= logins
        assert silent >= 0
        assert (logins == 0) == (seats == 0)
        assert logins == 0 or silent < 14
        assert int(row["milestones_completed"]) <= int(row["milestones_total"])
        if row["session_minutes"]:
            assert (float(row["session_minutes"]) == 0) == (float(row["features_per_session"]) == 0)


def test_every_tier_is_inhabited_on_the_last_day(sample):
    counts = Counter(tier(sample.score(account, LAST)) for account in sample.accounts(LAST))
    assert all(counts[name] >= 2 for name in ("healthy", "monitor", "at_risk", "critical", "churning")), counts
    assert counts["healthy"] >= 0.3 * sum(counts.values()), counts
    assert counts["churning"] <= 0.15 * sum(counts.values()), counts


def test_every_trigger_holds_for_somebody_and_none_for_over_30_percent(sample):
    triggers = yaml.safe_load((RULES / "triggers.yaml").read_text(encoding="utf-8"))["triggers"]
    accounts = sample.accounts(LAST)
    counts = Counter(name for account in accounts for name in raw_conditions(sample, account, LAST))
    assert counts.keys() == triggers.keys()
    assert max(counts.values()) <= 0.3 * len(accounts), counts


def test_weekends_are_quieter_and_figures_vary(sample):
    changes = Counter()
    for (account, day), row in sample.usage.items():
        tomorrow = sample.usage.get((account, day + timedelta(days=1)))
        if tomorrow and row["last_activity_on"] == day.isoformat():
            changes[day.weekday() >= 5] += 1
    assert changes[True] < 0.35 * changes[False]
    steady = [int(row["logins_14d"]) for (account, _), row in sample.usage.items() if account == "made-up-0001"]
    assert len(set(steady)) > 5


def test_archetypes_each_come_first_once_and_a_path_is_flat_outside():
    assert archetypes(len(Archetype)) == list(Archetype)
    assert len(archetypes(5)) == 5
    assert set(archetypes(500)) == set(Archetype)
    assert [at(((0, 1.0), (10, 2.0), (10, 5.0)), day) for day in (-3, 0, 5, 9, 10, 99)] == [1, 1, 1.5, 1.9, 5, 5]


def test_templates_have_no_address_outside_the_example_domains():
    for file in (RULES / "templates").iterdir():
        for host in re.findall(r"https?://([^/\s\"')]+)", file.read_text(encoding="utf-8")):
            assert host.endswith("example.com"), (file.name, host)
