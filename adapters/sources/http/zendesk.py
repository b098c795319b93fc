"""Zendesk Support as a source: what the tickets of an organization say of its account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from forestall.adapters.sources.daily.declared import Daily
from forestall.adapters.sources.http.described import NOTHING, Auth, AuthKind, HttpSettings
from forestall.adapters.sources.http.ready import definition
from forestall.adapters.sources.http.source import HttpSource
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Secret

OF_THE_LOG = {"channel": "$.via.channel", "subject": "$.subject", "description": "$.description"}
FIELDS = {"id": "$.id", "external_id": "$.external_id", "name": "$.name"}


@dataclass(frozen=True, slots=True)
class ZendeskSettings:
    """`subdomain` is that of https://SUBDOMAIN.zendesk.com. `token` is an API token of the agent with this `email`, or
    without `email` an OAuth access token.

    `account` says which field of an organization names the account: id, external_id, name, or the key of a field of
    your own. Without `users`, tickets that have no organization are nobody's. `start` leaves out tickets that changed
    last before that day. `rate` is the most requests in a minute. `metrics` maps metrics to our columns where the names
    differ. `daily` declares more metrics, of the log of tickets: `opened` and `solved`. `url` replaces the address of
    the subdomain.
    """

    token: Secret
    subdomain: str = ""
    email: str = ""
    account: str = "id"
    users: bool = True
    start: str = ""
    time_zone: str = ""
    rate: int = 10
    metrics: dict[str, str] = field(default_factory=dict)
    daily: Daily | None = None
    url: str = ""

    def __post_init__(self) -> None:
        if bool(self.subdomain) == bool(self.url):
            raise ValueError("it needs a `subdomain`.", "Write `subdomain: acme` for https://acme.zendesk.com.")
        if not self.url and not self.subdomain.replace("-", "").isalnum():
            raise ValueError(f"`subdomain` is no word: {self.subdomain}.",
                             "Write `subdomain: acme` for https://acme.zendesk.com.")
        if not self.account.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"`account` is no field of an organization: {self.account}.",
                             "Write id, external_id, name, or the key of a field of your own.")

    def described(self) -> HttpSettings:
        """The API that these settings mean."""
        ready = definition("zendesk")
        url = self.url or f"https://{self.subdomain}.zendesk.com"
        # Zendesk's own way: an API token takes the place of the password, and the user's name says so.
        auth = Auth(AuthKind.BASIC, user=f"{self.email}/token", password=self.token) if self.email else Auth(
            AuthKind.BEARER, token=self.token)
        organizations = ready.resources["organizations"]
        path = FIELDS.get(self.account, f"$.organization_fields['{self.account}']")
        resources = {**ready.resources, "organizations": replace(
            organizations, texts={**organizations.texts, "account": path})}
        if not self.users:
            resources["users"] = replace(resources["users"], path=NOTHING)
        if self.daily is not None:
            tickets = resources["tickets"]
            resources["tickets"] = replace(tickets, texts={**tickets.texts, **OF_THE_LOG})
        return replace(ready, url=url, auth=auth, resources=resources, start=self.start, rate=self.rate,
                       metrics=self.metrics, daily=self.daily, time_zone=self.time_zone)


class ZendeskSource(HttpSource):
    """Tickets, organizations and users by Zendesk's incremental exports."""

    Settings = ZendeskSettings      # type: ignore[assignment]

    def __init__(self, name: str, settings: ZendeskSettings, metrics: Mapping[str, Metric], folder: Path,
                 keep: Path | None = None) -> None:
        super().__init__(name, settings.described(), metrics, folder, keep)
