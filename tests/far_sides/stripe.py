"""Stripe's lists as its API reference describes them, over a few records: newest first, starting_after, has_more."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from far_sides.server import Asked, Said

PAGE = 2


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def customer(name: str, created: str = "2025-01-01", **more: Any) -> dict[str, Any]:
    return {"id": f"cus_{name}", "object": "customer", "address": None, "balance": 0, "created": unix(created),
            "currency": "usd", "default_source": None, "delinquent": False, "description": None, "discount": None,
            "email": f"{name}@example.com", "invoice_prefix": "0759376C", "livemode": False,
            "metadata": {"crm_id": f"crm-{name}"}, "name": name.title(), "phone": None, "preferred_locales": [],
            "shipping": None, "tax_exempt": "none", "test_clock": None} | more


def item(name: str, quantity: int = 1, unit: int | None = 1000, start: str = "2026-01-01", end: str = "2026-02-01",
         interval: str = "month", interval_count: int = 1, usage: str = "licensed") -> dict[str, Any]:
    recurring = {"interval": interval, "interval_count": interval_count, "meter": None, "trial_period_days": None,
                 "usage_type": usage}
    return {"id": f"si_{name}", "object": "subscription_item", "billing_thresholds": None, "created": unix(start),
            "current_period_start": unix(start), "current_period_end": unix(end), "discounts": [], "metadata": {},
            "price": {"id": f"price_{name}", "object": "price", "active": True, "billing_scheme": "per_unit",
                      "currency": "usd", "product": "prod_1", "recurring": recurring, "tiers_mode": None,
                      "type": "recurring", "unit_amount": unit,
                      "unit_amount_decimal": None if unit is None else str(unit)},
            "quantity": quantity, "subscription": f"sub_{name}", "tax_rates": []}


def subscription(name: str, of: str, *items: dict[str, Any], start: str = "2025-11-01", status: str = "active",
                 **more: Any) -> dict[str, Any]:
    return {"id": f"sub_{name}", "object": "subscription", "cancel_at": None, "cancel_at_period_end": False,
            "canceled_at": None, "collection_method": "charge_automatically", "created": unix(start),
            "currency": "usd", "customer": f"cus_{of}", "discounts": [], "ended_at": None,
            "items": {"object": "list", "data": list(items), "has_more": False, "total_count": len(items),
                      "url": f"/v1/subscription_items?subscription=sub_{name}"},
            "latest_invoice": None, "livemode": False, "metadata": {}, "pause_collection": None,
            "start_date": unix(start), "status": status, "trial_end": None, "trial_start": None} | more


def line(name: str, amount: int, start: str, end: str, quantity: int = 1, proration: bool = False,
         discount: int = 0) -> dict[str, Any]:
    return {"id": f"il_{name}_{start}", "object": "line_item", "amount": amount, "currency": "usd",
            "discount_amounts": [{"amount": discount, "discount": "di_1"}] if discount else [], "discounts": [],
            "parent": {"invoice_item_details": None, "subscription_item_details": {
                "invoice_item": None, "proration": proration, "proration_details": {"credited_items": None},
                "subscription": f"sub_{name}", "subscription_item": f"si_{name}"}, "type": "subscription_item_details"},
            "period": {"start": unix(start), "end": unix(end)},
            "pricing": {"price_details": {"price": f"price_{name}", "product": "prod_1"}, "type": "price_details",
                        "unit_amount_decimal": str(amount)},
            "quantity": quantity, "taxes": []}


def invoice(name: str, of: str, created: str, *lines: dict[str, Any], status: str = "paid", paid: str | None = None,
            attempts: int = 1, **more: Any) -> dict[str, Any]:
    total = sum(one["amount"] for one in lines)
    return {"id": f"in_{name}", "object": "invoice", "amount_due": total, "amount_paid": total if paid else 0,
            "amount_remaining": 0 if paid else total, "attempt_count": attempts, "attempted": attempts > 0,
            "billing_reason": "subscription_cycle", "collection_method": "charge_automatically",
            "created": unix(created), "currency": "usd", "customer": f"cus_{of}", "due_date": None,
            "lines": {"object": "list", "data": list(lines), "has_more": False, "url": f"/v1/invoices/in_{name}/lines"},
            "metadata": {}, "parent": {"quote_details": None, "type": "subscription_details"},
            "status": status, "total": total,
            "status_transitions": {"finalized_at": unix(created), "marked_uncollectible_at": None,
                                   "paid_at": unix(paid) if paid else None, "voided_at": None}} | more


def missing(kind: str, identity: str) -> Said:
    return Said({"error": {"code": "resource_missing", "message": f"No such {kind}: '{identity}'", "param": "id",
                           "type": "invalid_request_error"}}, 404)


class Stripe:
    """`records` may be changed, and `happened` says so in the list of events."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = {"customers": [], "subscriptions": [], "invoices": []}
        self.events: list[dict[str, Any]] = []
        self.now: datetime | None = None              # the far side's clock, None: ours

    def happened(self, kind: str, of: dict[str, Any], when: int) -> None:
        # An event holds what it is about in the version of the account, not in that of whoever asks.
        said = {"id": of["id"], "object": of["object"], "current_period_end": 1}
        self.events.append({"id": f"evt_{len(self.events) + 1}", "object": "event", "api_version": "2022-11-15",
                            "created": when, "data": {"object": said, "previous_attributes": {}}, "livemode": False,
                            "pending_webhooks": 0, "request": {"id": None, "idempotency_key": None}, "type": kind})

    def __call__(self, asked: Asked) -> Said:
        said = self._said(asked)
        if self.now is not None:
            said.headers["Date"] = format_datetime(self.now, usegmt=True)
        return said

    def _said(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Bearer rk_s3cret-42":
            return Said({"error": {"message": "Invalid API Key provided: rk_s3c*****-42",
                                   "type": "invalid_request_error"}}, 401)
        assert asked.headers["stripe-version"] == "2025-08-27.basil"
        kind, _, identity = asked.path.removeprefix("/v1/").partition("/")
        if kind == "events":
            since = int(asked.params["created[gte]"])
            return self._list(asked, [one for one in self.events if one["created"] >= since])
        there = self.records[kind]
        if identity:
            found = [one for one in there if one["id"] == identity]
            if not found and kind == "customers":
                return Said({"id": identity, "object": "customer", "deleted": True})
            return Said(found[0]) if found else missing(kind[:-1], identity)
        if kind == "subscriptions" and asked.params.get("status") != "all":
            there = [one for one in there if one["status"] != "canceled"]
        if kind == "invoices":
            there = [one for one in there if one["created"] >= int(asked.params.get("created[gte]", 0))]
        return self._list(asked, there)

    def _list(self, asked: Asked, there: list[dict[str, Any]]) -> Said:
        there = sorted(there, key=lambda one: (-one["created"], one["id"]))
        start = 0
        if after := asked.params.get("starting_after"):
            ids = [one["id"] for one in there]
            if after not in ids:
                return missing(asked.path.removeprefix("/v1/"), after)
            start = ids.index(after) + 1
        page = there[start:start + PAGE]
        return Said({"object": "list", "url": asked.path, "has_more": start + PAGE < len(there), "data": page})
