"""Webhooks: a JSON document by HTTP POST, signed as in Standard Webhooks."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from forestall.adapters.channels.hosts import matches
from forestall.adapters.channels.receipts import answered, refused, retry, retry_after, sent, uncertain
from forestall.adapters.channels.signing import Signature
from forestall.engine.model.delivery import Message, Receipt
from forestall.engine.model.people import Destination
from forestall.engine.model.ports import Secret

if TYPE_CHECKING:
    import httpx

    from forestall.adapters.channels.pinned import Transport


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`secret` signs (base64, with or without whsec_); `timeout` is the seconds that one attempt may take.

    `hosts` are the only ones that may be reached (`*.example.com` stands for all below it; none named: those of the
    destinations). `allow_private` also lets addresses of the own network be reached, and http instead of https.
    `redirects` are followed at most (307 and 308), to hosts that may be reached.
    """

    secret: Secret | None = None
    hosts: tuple[str, ...] = ()
    allow_private: bool = False
    redirects: int = 0
    timeout: float = 20.0
    destinations: tuple[Destination, ...] = ()


class WebhookChannel:
    """Posts to the address that each message names. Uses no proxy."""

    Settings = WebhookSettings
    recognises_repeats = True

    def __init__(self, name: str, settings: WebhookSettings, folder: Path) -> None:
        del folder
        self.name = name
        self._settings = settings
        self._hosts = tuple(map(_ascii, settings.hosts or (urlsplit(one.address).hostname or ""
                                                           for one in settings.destinations)))
        self._signature = Signature(settings.secret, f"channel {name}")
        self._secrets = {one.address: Signature(one.secret, f"destination {one.name}")
                         for one in settings.destinations if one.secret}
        self._lock = threading.Lock()
        self._transport: Transport | None = None

    def send(self, message: Message) -> Receipt:
        """Post the message once. ForestallError when the secret is not set or cannot be one."""
        import httpx

        own = self._secrets.get(message.to)
        headers = own.signed(message) if own else self._signature.signed(message)
        try:
            url = httpx.URL(message.to)
            valid = url.scheme in ("https", "http") and url.host and url.raw_host.decode().encode("idna")
        except (httpx.InvalidURL, ValueError, TypeError):
            valid = False
        if not valid:
            return refused("the destination is not a web address")
        if not message.body:
            return refused("the message has no JSON body")
        return self._post(url, headers, message.body.encode(), self._settings.redirects)

    def _post(self, url: httpx.URL, headers: dict[str, str], body: bytes, redirects: int) -> Receipt:
        import httpx

        from forestall.adapters.channels.pinned import OwnNetwork

        if reason := self._forbidden(url):
            return refused(reason)
        request = httpx.Request("POST", url, headers=headers, content=body)
        try:
            answer = self._way_out().handle_request(request)
        except OwnNetwork:
            return refused(f"{url.host} lies in a private network: set `allow_private` if it is meant")
        except httpx.ConnectError as error:
            return retry(f"{url.host} cannot be reached: {error}")
        except httpx.TransportError as error:
            return uncertain(f"{url.host} gave no answer: {error}")
        if answer.is_success:
            return sent(headers["webhook-id"])
        if redirects and answer.status_code in (307, 308) and "location" in answer.headers:
            try:
                return self._post(url.join(answer.headers["location"]), headers, body, redirects - 1)
            except (httpx.InvalidURL, ValueError):
                return refused(f"{url.host} redirects to what is not a web address")
        wait = retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
        detail = f"{url.host} answered {answer.status_code} {answer.content[:2000].decode(errors='replace')}"
        return answered(answer.status_code, detail, wait=wait)

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            if self._transport is not None:
                self._transport.close()
                self._transport = None

    def _way_out(self) -> Transport:
        from forestall.adapters.channels.pinned import Transport

        with self._lock:
            if self._transport is None:
                self._transport = Transport(self._settings.allow_private, self._settings.timeout)
            return self._transport

    def _forbidden(self, url: httpx.URL) -> str:
        if url.scheme not in ("https", "http"):
            return "a redirect leads to what is not a web address"
        if url.scheme == "http" and not self._settings.allow_private:
            return f"{url.host} would be reached unencrypted: use https"
        if not any(matches(url.raw_host.decode(), host) for host in self._hosts):
            named = "`hosts`" if self._settings.hosts else "the destinations"
            return f"{url.host} is not among {named} of the channel {self.name}"
        return ""


def _ascii(host: str) -> str:
    try:
        return host.lower().encode("idna").decode()
    except UnicodeError:                      # no host has this name, so none matches
        return host
