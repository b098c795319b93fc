"""Stripe as a source: what the subscriptions and invoices of a customer say of its account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from forestall.adapters.sources.daily.declared import Daily
from forestall.adapters.sources.http.described import Auth, AuthKind, HttpSettings
from forestall.adapters.sources.http.ready import definition
from forestall.adapters.sources.http.source import HttpSource
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.ports import Secret

# How many of the smallest units make one; all others have a hundred. https://docs.stripe.com/currencies
SMALLEST = dict.fromkeys(("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf",
                          "xof", "xpf"), 1) | dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 1000)
IN_METADATA = "metadata."


@dataclass(frozen=True, slots=True)
class StripeSettings:
    """`key` is a restricted key that may read customers, subscriptions, invoices and events.

    `account` says what names the account: id (of the customer) or metadata.KEY. Amounts are in `currency`; `rates` says
    what one of another currency is worth in it. `start` leaves out invoices from before that day. `rate` is the most
    requests in a minute. `metrics` maps metrics to our columns where the names differ. `daily` declares more metrics,
    of the log of invoices: `billed` and `paid`. `url` replaces Stripe's address.
    """

    key: Secret
    account: str = "id"
    currency: str = "usd"
    rates: dict[str, float] = field(default_factory=dict)
    start: str = ""
    time_zone: str = ""
    rate: int = 1500
    metrics: dict[str, str] = field(default_factory=dict)
    daily: Daily | None = None
    url: str = ""

    def __post_init__(self) -> None:
        for code in (self.currency, *self.rates):
            if not (len(code) == 3 and code.isascii() and code.isalpha()):
                raise ValueError(f"{code} is no currency.", "Write three letters, like usd.")
        key = self.account.removeprefix(IN_METADATA)
        if self.account != "id" and (key == self.account or not key.replace("_", "").replace("-", "").isalnum()):
            raise ValueError(f"`account` is neither id nor metadata.KEY: {self.account}.",
                             "Write for example `account: metadata.crm_id`.")

    def described(self) -> HttpSettings:
        """The API that these settings mean."""
        ready = definition("stripe")
        customers = ready.resources["customers"]
        by_id = self.account == "id"
        if not by_id:
            path = f"$.metadata['{self.account.removeprefix(IN_METADATA)}']"
            customers = replace(customers, texts={**customers.texts, "account": path})
        # A customer that was deleted is not listed any more; its subscriptions are, and say when it left.
        put_in = {"ACCOUNT": "s.customer" if by_id else "c.account", "CURRENCY": self.currency.lower(),
                  "RATES": self._worth()}
        return replace(ready, url=self.url or ready.url, auth=Auth(AuthKind.BEARER, token=self.key),
                       resources={**ready.resources, "customers": customers}, start=self.start, rate=self.rate,
                       metrics=self.metrics, daily=self.daily, time_zone=self.time_zone,
                       query=_put(ready.query, put_in), problems=_put(ready.problems, put_in),
                       notices=_put(ready.notices, put_in))

    def _worth(self) -> str:
        """What one of the smallest units of each currency is worth, as rows of SQL."""
        rates = {self.currency: 1.0} | self.rates
        return ", ".join(f"('{code.lower()}', {float(rate)!r} / {SMALLEST.get(code.lower(), 100)})"
                         for code, rate in rates.items())


class StripeSource(HttpSource):
    """Customers, subscriptions and invoices, and the events that tell which of them changed."""

    Settings = StripeSettings      # type: ignore[assignment]

    def __init__(self, name: str, settings: StripeSettings, metrics: Mapping[str, Metric], folder: Path,
                 keep: Path | None = None) -> None:
        super().__init__(name, settings.described(), metrics, folder, keep)


def _put(query: str, words: Mapping[str, str]) -> str:
    for word, text in words.items():
        query = query.replace(word, text)
    return query
