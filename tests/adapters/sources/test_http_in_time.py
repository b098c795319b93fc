"""Weeks of changes and failures: whatever happens meanwhile, what was kept and what is fetched anew say the same."""

import random
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from far_sides.server import Said
from far_sides.stripe import Stripe, customer, invoice, item, line, subscription
from far_sides.zendesk import Zendesk, organization, ticket, user

from forestall.adapters.sources.http import source as http_source
from forestall.adapters.sources.http.stripe import StripeSettings, StripeSource
from forestall.adapters.sources.http.zendesk import ZendeskSettings, ZendeskSource
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Secret, SourceError

BEGIN = datetime(2026, 1, 1, 8, tzinfo=UTC)
ROUNDS = 4


def catalogue(*names):
    return {name: Metric(name, Kind.DATE if name.endswith(("_on", "_date")) else Kind.FLAG if "past_due" in name
                         else Kind.NUMBER, Location("rules/metrics.yaml", 1, 1)) for name in names}


def stamp(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def clock(monkeypatch):
    """Our clock, and that of the far side."""
    class Clock(datetime):
        at = BEGIN

        @classmethod
        def now(cls, zone=None):
            return cls.at if zone is None else cls.at.astimezone(zone)

    monkeypatch.setattr(http_source, "datetime", Clock)
    return Clock


def said(made):
    return sorted((row for table in made.snapshots(date(2026, 1, 1), date(2026, 2, 15)) for row in table.to_pylist()),
                  key=lambda row: (row["account"], row["as_of"]))


def sometimes_broken(chance, far_side, answers):
    """Some answers fail: in the middle of a walk, at its beginning, or not at all."""
    def broken(asked):
        if chance.random() < 0.15:
            return chance.choice([Said({"error": "boom"}, 500), Said("<html>", 200, {"Content-Type": "text/html"}),
                                  Said('{"tickets": [', 200), Said({"error": "no"}, 403)])
        return answers(asked)
    far_side.answers = broken


def in_the_end(make, far_side, answers, chance):
    """What comes when the far side has recovered, after some failures; and what comes without anything kept."""
    made = make(True)
    sometimes_broken(chance, far_side, answers)
    for _ in range(2):
        with suppress(SourceError):
            said(made)
    far_side.answers = answers
    assert said(made) == said(make(False))


@pytest.mark.parametrize("seed", range(1))
def test_zendesk_over_weeks(far_side, tmp_path, monkeypatch, clock, seed):
    monkeypatch.setenv("ZENDESK_TOKEN", "s3cret-42")
    chance, there = random.Random(seed), Zendesk(far_side.url)
    there.records = {"organizations": [organization(1, "Acme"), organization(2, "Bolt")], "users": [user(20, 1)],
                     "tickets": []}
    metrics = catalogue("open_tickets", "tickets_30d", "satisfaction_90d", "last_ticket_on")

    def make(keeps):
        settings = ZendeskSettings(Secret("ZENDESK_TOKEN"), url=far_side.url, email="me@acme.example", rate=0)
        made = ZendeskSource("support", settings, metrics, None, tmp_path if keeps else None)
        object.__setattr__(made._settings, "retries", 0)
        return made

    for number in range(ROUNDS):
        clock.at += timedelta(hours=chance.choice([5, 24, 24, 80, 24 * 9]))
        there.now = clock.at
        moment = stamp(clock.at - timedelta(minutes=2))
        for one in chance.sample(there.records["tickets"], min(2, len(there.records["tickets"]))):
            end = chance.choice(["solved", "deleted", "open"])
            rating = {"score": chance.choice(["good", "bad"])}
            one |= {"status": end, "updated_at": moment, "satisfaction_rating": rating}
            one["metric_set"]["solved_at"] = moment if end == "solved" else None
        for more in range(chance.randrange(4)):
            there.records["tickets"].append(ticket(10 * number + more, moment, chance.choice([1, 2, None])))
        there.records["users"][0] |= {"organization_id": chance.choice([1, 2, None]), "updated_at": moment}
        if chance.random() < 0.3:
            there.records["organizations"].append(organization(10 + number, f"New {number}", updated_at=moment))
        if chance.random() < 0.2:
            there.records["organizations"][-1] |= {"deleted_at": moment, "updated_at": moment}
        in_the_end(make, far_side, there, chance)


@pytest.mark.parametrize("seed", range(1))
def test_stripe_over_weeks(far_side, tmp_path, monkeypatch, clock, seed):
    monkeypatch.setenv("STRIPE_KEY", "rk_s3cret-42")
    chance, there = random.Random(seed), Stripe()
    there.records["customers"] = [customer("c0"), customer("c1")]
    metrics = catalogue("mrr", "seats_total", "renewal_date", "churned_on", "overdue_amount", "payment_past_due")

    def make(keeps):
        settings = StripeSettings(Secret("STRIPE_KEY"), url=far_side.url, rate=0)
        made = StripeSource("billing", settings, metrics, None, tmp_path if keeps else None)
        object.__setattr__(made._settings, "retries", 0)
        return made

    def happened(kind, of):
        there.happened(kind, of, int(clock.at.timestamp()) - chance.randrange(60))

    for number in range(ROUNDS):
        clock.at += timedelta(hours=chance.choice([5, 24, 24, 80, 24 * 29]))
        there.now = clock.at
        day = (clock.at - timedelta(days=1)).date().isoformat()
        for one in chance.sample(there.records["subscriptions"], min(1, len(there.records["subscriptions"]))):
            if chance.random() < 0.3:
                one |= {"status": "canceled", "ended_at": int(clock.at.timestamp())}
            one["items"]["data"][0]["quantity"] = chance.randrange(1, 9)
            happened("customer.subscription.updated", one)
        for one in chance.sample(there.records["invoices"], min(1, len(there.records["invoices"]))):
            one |= {"attempt_count": 2} if chance.random() < 0.5 else {"status": "void"}
            happened("invoice.updated", one)
        made = subscription(f"s{number}", chance.choice(["c0", "c1"]), item(f"s{number}"), start=day)
        bill = invoice(f"i{number}", made["customer"][4:], day, line(f"s{number}", 1000, day, "2026-06-01"))
        there.records["subscriptions"].append(made)
        there.records["invoices"].append(bill)
        happened("customer.subscription.created", made)
        happened("invoice.created", bill)
        if chance.random() < 0.2:
            happened("invoice.deleted", there.records["invoices"].pop())
        in_the_end(make, far_side, there, chance)
