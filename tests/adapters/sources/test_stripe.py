"""The ready definition for Stripe, against a server that answers as Stripe's API reference says."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from far_sides.server import Said
from far_sides.stripe import Stripe, customer, invoice, item, line, subscription, unix

from forestall.adapters.sources.http import source as http_source
from forestall.adapters.sources.http.stripe import StripeSettings, StripeSource
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Secret, SourceError

KINDS = {
    "mrr": Kind.NUMBER, "seats_total": Kind.NUMBER, "subscriptions": Kind.NUMBER, "renewal_date": Kind.DATE,
    "payment_past_due": Kind.FLAG, "overdue_amount": Kind.NUMBER, "failed_payments_90d": Kind.NUMBER,
    "cancel_at_period_end": Kind.FLAG, "churned_on": Kind.DATE, "customer_since": Kind.DATE, "account_name": Kind.TEXT,
    "contact_email": Kind.TEXT}
CATALOGUE = {name: Metric(name, kind, Location("rules/metrics.yaml", 1, 1)) for name, kind in KINDS.items()}
UNTIL = date(2026, 1, 31)


def source(far_side, keep=None, **more):
    settings = StripeSettings(key=Secret("STRIPE_KEY"), url=far_side.url, rate=0, metrics={
        "account_name": "customer_name", "contact_email": "customer_email"}, **more)
    return StripeSource("billing", settings, CATALOGUE, None, keep)


def said(made, since=None, until=UNTIL):
    return sorted((row for table in made.snapshots(since, until) for row in table.to_pylist()),
                  key=lambda row: (row["account"], row["as_of"]))


def on(rows, account, day):
    (row,) = [row for row in rows if row["account"] == f"cus_{account}" and row["as_of"] == date.fromisoformat(day)]
    return row


@pytest.fixture
def stripe(far_side, monkeypatch):
    monkeypatch.setenv("STRIPE_KEY", "rk_s3cret-42")
    there = Stripe()
    there.records = {
        "customers": [customer("acme"), customer("bolt", "2025-02-01"), customer("free", "2025-03-01")],
        "subscriptions": [
            # grew from 5 to 8 seats in December, and pays by the month
            subscription("a", "acme", item("a", 8)),
            # a year for 1,200 dollars, ended by the end of its period
            subscription("b", "bolt", item("b", 10, 12000, "2025-01-20", "2026-01-20", "year"), start="2025-01-20",
                         status="canceled", cancel_at=unix("2026-01-20"), canceled_at=unix("2026-01-05"),
                         cancel_at_period_end=False, ended_at=unix("2026-01-20")),
            subscription("never", "free", item("never"), status="incomplete_expired"),
        ],
        "invoices": [
            invoice("a1", "acme", "2025-11-01", line("a", 5000, "2025-11-01", "2025-12-01", 5), paid="2025-11-01"),
            invoice("a2", "acme", "2025-12-01", line("a", 8000, "2025-12-01", "2026-01-01", 8),
                    line("a", 700, "2025-11-20", "2025-12-01", 3, proration=True), attempts=2, paid="2025-12-04"),
            invoice("a3", "acme", "2026-01-01", line("a", 8000, "2026-01-01", "2026-02-01", 8), status="open"),
            invoice("b1", "bolt", "2025-01-20", line("b", 120000, "2025-01-20", "2026-01-20", 10), paid="2025-01-20"),
        ],
    }
    far_side.answers = there
    return there


def test_the_history_of_a_customer(far_side, stripe):
    made = source(far_side)
    assert made.supplies() == tuple(CATALOGUE)
    rows = said(made)
    assert {row["account"] for row in rows} == {"cus_acme", "cus_bolt"}
    assert on(rows, "acme", "2026-01-31") == {
        "account": "cus_acme", "as_of": date(2026, 1, 31), "mrr": 80, "seats_total": 8, "subscriptions": 1,
        "renewal_date": date(2026, 2, 1), "payment_past_due": True, "overdue_amount": 80, "failed_payments_90d": 2,
        "cancel_at_period_end": False, "churned_on": None, "customer_since": date(2025, 11, 1),
        "account_name": "Acme", "contact_email": "acme@example.com"}
    november = on(rows, "acme", "2025-11-30")
    assert (november["mrr"], november["seats_total"], november["renewal_date"]) == (50, 5, date(2025, 12, 1))
    assert on(rows, "acme", "2025-12-01")["mrr"] == 80                # what was adjusted in the middle counts nowhere
    assert [on(rows, "acme", f"2025-12-0{day}")["payment_past_due"] for day in (1, 3, 4)] == [True, True, False]
    assert min(row["as_of"] for row in rows if row["account"] == "cus_acme") == date(2025, 11, 1)


def test_a_customer_who_leaves(far_side, stripe):
    rows = said(source(far_side), until=date(2026, 3, 31))
    before, told = on(rows, "bolt", "2026-01-04"), on(rows, "bolt", "2026-01-05")
    assert (before["mrr"], before["seats_total"], before["cancel_at_period_end"]) == (100, 10, False)
    assert (told["cancel_at_period_end"], told["renewal_date"], told["churned_on"]) == (True, date(2026, 1, 20), None)
    last = on(rows, "bolt", "2026-01-20")
    assert (last["mrr"], last["subscriptions"], last["churned_on"]) == (0, 0, date(2026, 1, 20))
    assert max(row["as_of"] for row in rows if row["account"] == "cus_bolt") == date(2026, 2, 19)


def test_kinds_of_prices(far_side, stripe):
    stripe.records["subscriptions"] = [
        subscription("quarter", "acme", item("quarter", 2, 9000, interval="month", interval_count=3)),
        subscription("week", "acme", item("week", 1, 1200, interval="week"), discounts=[
            {"id": "di_0", "object": "discount", "end": None,
             "coupon": {"id": "first", "percent_off": 90.0, "amount_off": None, "duration": "once"}},
            {"id": "di_9", "object": "discount", "end": unix("2026-01-31"),
             "coupon": {"id": "over", "percent_off": 90.0, "amount_off": None, "duration": "repeating"}}]),
        subscription("metered", "acme", item("metered", 0, 5, usage="metered")),
        subscription("trial", "acme", item("trial", 1, 99900), status="trialing", trial_end=unix("2026-02-10")),
        subscription("half", "acme", item("half", 1, 4000), discounts=[
            {"id": "di_1", "object": "discount", "coupon": {"id": "co", "percent_off": 50.0, "amount_off": None}}]),
        subscription("off", "acme", item("off", 1, 12000, interval="year"), discounts=[
            {"id": "di_2", "object": "discount", "coupon": {"id": "co", "percent_off": None, "amount_off": 2400}}]),
        subscription("tiers", "acme", item("tiers", 7, None)),
    ]
    stripe.records["invoices"] = [invoice("t", "acme", "2026-01-01", line(
        "tiers", 3300, "2026-01-01", "2026-02-01", 7, discount=300), paid="2026-01-01")]
    row = on(said(source(far_side)), "acme", "2026-01-31")
    assert row["mrr"] == 60 + 52 + 0 + 0 + 20 + 8 + 30
    assert row["seats_total"] == 2 + 1 + 1 + 1 + 1 + 7
    assert row["subscriptions"] == 7


def test_currencies(far_side, stripe):
    stripe.records["subscriptions"] = [
        subscription("yen", "acme", item("yen", 1, 1500), currency="jpy"),
        subscription("dinar", "acme", item("dinar", 1, 2000), currency="kwd")]
    stripe.records["invoices"] = [invoice("e", "acme", "2026-01-01", line("yen", 1, "2026-01-01", "2026-02-01"),
                                          currency="eur", paid="2026-01-01")]
    made = source(far_side, rates={"jpy": 0.01, "kwd": 3})
    assert on(said(made), "acme", "2026-01-31")["mrr"] == 15 + 6
    assert [str(one) for one in made.noticed] == [
        "billing: 1 invoices are in eur, whose worth in usd is not known, and are left out."]
    with pytest.raises(SourceError) as caught:
        said(source(far_side, rates={"jpy": 0.01}))
    assert str(caught.value) == (
        "billing: record sub_dinar: the subscription is in kwd, and its worth in usd is not known. "
        "Add `rates: {kwd: …}`, what one kwd is worth in usd.")


def test_an_invoice_that_is_sent_is_overdue_after_its_day(far_side, stripe):
    stripe.records["invoices"] = [invoice("s", "acme", "2026-01-01", line("a", 8000, "2026-01-01", "2026-02-01"),
                                          status="open", attempts=0, collection_method="send_invoice",
                                          due_date=unix("2026-01-15"))]
    rows = said(source(far_side))
    assert [on(rows, "acme", f"2026-01-{day}")["payment_past_due"] for day in (14, 15, 16)] == [False, False, True]
    assert on(rows, "acme", "2026-01-31")["failed_payments_90d"] == 0


def test_the_account_may_stand_in_the_metadata(far_side, stripe):
    stripe.records["customers"][1]["metadata"] = {}
    made = source(far_side, account="metadata.crm_id")
    assert {row["account"] for row in said(made)} == {"crm-acme"}
    assert [str(one) for one in made.noticed] == [
        "billing: 1 of 3 customers with a subscription name no account and are left out."]


def test_only_what_events_name_is_fetched_and_the_answer_is_the_same(far_side, stripe, tmp_path):
    made = source(far_side, tmp_path)
    said(made)
    assert "/v1/events" not in far_side.paths()
    far_side.asked.clear()
    now = int(time.time())
    stripe.records["subscriptions"][0]["items"]["data"][0]["quantity"] = 9
    stripe.happened("customer.subscription.updated", stripe.records["subscriptions"][0], now)
    stripe.records["customers"].append(customer("late"))
    stripe.records["subscriptions"].append(subscription("late", "late", item("late"), start="2026-01-10"))
    stripe.happened("customer.created", stripe.records["customers"][-1], now)
    stripe.happened("customer.subscription.created", stripe.records["subscriptions"][-1], now)
    stripe.happened("customer.deleted", stripe.records["customers"].pop(1), now)
    stripe.happened("invoice.deleted", stripe.records["invoices"].pop(2), now)
    stripe.happened("charge.succeeded", {"id": "ch_1", "object": "charge"}, now)
    rows = said(made)
    assert sorted(far_side.paths()) == [
        "/v1/customers/cus_bolt", "/v1/customers/cus_late", "/v1/events", "/v1/events", "/v1/events",
        "/v1/invoices/in_a3", "/v1/subscriptions/sub_a", "/v1/subscriptions/sub_late"]
    assert on(rows, "acme", "2026-01-31")["mrr"] == 90
    assert on(rows, "acme", "2026-01-31")["payment_past_due"] is False
    assert on(rows, "late", "2026-01-31")["mrr"] == 10
    assert on(rows, "bolt", "2026-01-20")["churned_on"] == date(2026, 1, 20)      # deleted, and known to have left
    assert rows == said(source(far_side))


def test_after_a_break_longer_than_events_last_everything_is_read_again(far_side, stripe, tmp_path, monkeypatch):
    made = source(far_side, tmp_path)
    said(made)
    far_side.asked.clear()

    class Later(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(UTC) + timedelta(days=26)

    monkeypatch.setattr(http_source, "datetime", Later)
    stripe.records["subscriptions"] = stripe.records["subscriptions"][:1]
    assert {row["account"] for row in said(made)} == {"cus_acme"}
    assert "/v1/events" not in far_side.paths()


def test_what_goes_wrong_half_way_leaves_nothing_and_goes_on_later(far_side, stripe, tmp_path, pauses):
    def answers(asked):
        if asked.path == "/v1/invoices" and "starting_after" in asked.params:
            return Said({"error": {"message": "Request rate limit exceeded.", "type": "rate_limit_error"}}, 429,
                        {"Stripe-Should-Retry": "true"})
        return stripe(asked)

    far_side.answers = answers
    made = source(far_side, tmp_path)
    with pytest.raises(SourceError) as caught:
        said(made)
    assert str(caught.value) == ("billing /v1/invoices page 2: the answer is 429 (Request rate limit exceeded). "
                                 "A later run goes on where this one stopped.")
    assert len(pauses) == 5
    far_side.answers = stripe
    far_side.asked.clear()
    rows = said(made)
    assert far_side.paths() == ["/v1/invoices"]
    assert rows == said(source(far_side))


def test_a_wrong_key_is_in_no_sentence(far_side, stripe, monkeypatch):
    monkeypatch.setenv("STRIPE_KEY", "rk_wrong")
    with pytest.raises(SourceError) as caught:
        said(source(far_side))
    assert "rk_wrong" not in str(caught.value)
    assert "the answer is 401 (Invalid API Key provided" in str(caught.value)


def test_a_start_leaves_out_older_invoices(far_side, stripe):
    rows = said(source(far_side, start="2026-01-01"))
    assert [asked.params.get("created[gte]") for asked in far_side.asked if "invoices" in asked.path] == ["1767225600"]
    assert on(rows, "acme", "2025-11-30")["mrr"] == 80                # nothing tells any more that it was less


@pytest.mark.parametrize("settings", [{"account": "crm_id"}, {"account": "metadata."}, {"currency": "dollars"},
                                      {"rates": {"x": 1.0}}])
def test_settings_that_cannot_be(settings):
    with pytest.raises(ValueError) as caught:
        StripeSettings(key=Secret("K"), **settings)
    assert len(caught.value.args) == 2
