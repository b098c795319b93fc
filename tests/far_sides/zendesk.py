"""Zendesk's incremental exports as its API reference describes them, over a few records."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from far_sides.server import Asked, Said

PAGE = 2


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def organization(number: int, name: str, **more: Any) -> dict[str, Any]:
    return {"url": f"https://acme.zendesk.com/api/v2/organizations/{number}.json", "id": number, "name": name,
            "shared_tickets": False, "shared_comments": False, "external_id": f"crm-{number}",
            "created_at": "2026-01-01T08:00:00Z", "updated_at": "2026-01-01T08:00:00Z", "domain_names": [],
            "details": "", "notes": "", "group_id": None, "tags": [], "organization_fields": {"crm_key": f"k{number}"},
            "deleted_at": None} | more


def user(number: int, organization_id: int | None, **more: Any) -> dict[str, Any]:
    return {"id": number, "name": f"User {number}", "email": f"user{number}@example.com", "role": "end-user",
            "active": True, "suspended": False, "organization_id": organization_id,
            "created_at": "2026-01-01T08:00:00Z", "updated_at": "2026-01-01T08:00:00Z"} | more


def ticket(number: int, created: str, organization_id: int | None = 1, status: str = "open", solved: str | None = None,
           updated: str = "", reopens: int = 0, reply: int | None = None, rating: str = "unoffered",
           **more: Any) -> dict[str, Any]:
    return {
        "url": f"https://acme.zendesk.com/api/v2/tickets/{number}.json", "id": number, "external_id": None,
        "via": {"channel": "email", "source": {"from": {}, "to": {}, "rel": None}}, "created_at": created,
        "updated_at": updated or solved or created, "generated_timestamp": unix((updated or solved or created)[:19]),
        "type": "incident", "subject": "Help", "raw_subject": "Help", "description": "The fire is very colorful.",
        "priority": "normal", "status": status, "recipient": None, "requester_id": 20, "submitter_id": 20,
        "assignee_id": 7, "organization_id": organization_id, "group_id": 9, "collaborator_ids": [],
        "has_incidents": False, "is_public": True, "due_at": None, "tags": [], "custom_fields": [],
        "satisfaction_rating": {"score": rating}, "brand_id": 1, "allow_channelback": False,
        "metric_set": {
            "id": 1000 + number, "ticket_id": number, "created_at": created, "updated_at": updated or created,
            "group_stations": 1, "assignee_stations": 1, "reopens": reopens, "replies": 0 if reply is None else 1,
            "solved_at": solved, "latest_comment_added_at": created,
            "reply_time_in_minutes": {"calendar": reply, "business": reply},
            "full_resolution_time_in_minutes": {"calendar": None, "business": None}}} | more


class Zendesk:
    """`records` may be changed between two exports; `expired` cursors are refused."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.records: dict[str, list[dict[str, Any]]] = {"organizations": [], "users": [], "tickets": []}
        self.expired: set[str] = set()
        self.now: datetime | None = None              # the far side's clock, None: ours
        self.credentials = "Basic " + base64.b64encode(b"me@acme.example/token:s3cret-42").decode()

    def __call__(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != self.credentials:
            return Said({"error": "Couldn't authenticate you"}, 401)
        kind = asked.path.split("/")[4].removesuffix(".json")
        if not asked.path.startswith("/api/v2/incremental/") or kind not in self.records:
            return Said({"error": "InvalidEndpoint", "description": "Not found"}, 404)
        there = sorted(self.records[kind], key=lambda one: (one["updated_at"], one["id"]))
        said = self._by_time(asked, kind, there) if kind == "organizations" else self._by_cursor(asked, kind, there)
        if self.now is not None:
            said.headers["Date"] = format_datetime(self.now, usegmt=True)
        return said

    def _by_cursor(self, asked: Asked, kind: str, there: list[dict[str, Any]]) -> Said:
        if "cursor" in asked.params:
            cursor = asked.params["cursor"]
            if cursor in self.expired:
                return Said({"error": "InvalidPaginationParameter", "description": "cursor is not valid"}, 400)
            moment, _, last = base64.b64decode(cursor).decode().partition("|")
            there = [one for one in there if (one["updated_at"], one["id"]) > (moment, int(last or 0))]
        elif "start_time" in asked.params:
            there = [one for one in there if unix(one["updated_at"][:19]) >= int(asked.params["start_time"])]
        else:
            return Said({"error": "InvalidValue", "description": "start_time is required"}, 400)
        page = [one if "include" in asked.params or kind != "tickets" else one | {"metric_set": None}
                for one in there[:PAGE]]
        after = asked.params.get("cursor")
        if page:
            after = base64.b64encode(f"{page[-1]['updated_at']}|{page[-1]['id']}".encode()).decode()
        return Said({kind: page, "after_cursor": after, "before_cursor": None, "before_url": None,
                     "after_url": f"{self.url}{asked.path}?cursor={after}", "end_of_stream": len(there) <= PAGE})

    def _by_time(self, asked: Asked, kind: str, there: list[dict[str, Any]]) -> Said:
        start = int(asked.params["start_time"])
        there = [one for one in there if unix(one["updated_at"][:19]) >= start]
        moments = sorted({one["updated_at"] for one in there})
        page = [one for one in there if one["updated_at"] in moments[:PAGE]]
        end = unix(page[-1]["updated_at"][:19]) if page else None
        return Said({kind: page, "count": len(page), "end_of_stream": len(moments) <= PAGE, "end_time": end,
                     "next_page": f"{self.url}{asked.path}?start_time={end}" if page else None})
