"""Webhooks: a JSON document by HTTP POST, signed as in Standard Webhooks."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from forestall.adapters.channels.hosts import matches, public
from forestall.adapters.channels.receipts import answered, refused, retry, retry_after, sent, settings_error
from forestall.engine.model.delivery import Message, Receipt
from forestall.engine.model.ports import Secret

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx

READ_BYTES = 2_000                        # as much of an answer as a receipt can use

SIGNING = re.compile(r"(whsec_)?(?=[A-Za-z0-9])([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2,3}={0,2})?")


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`secret` signs (base64, with or without whsec_); `timeout` is in seconds.

    `hosts` are the only ones that may be reached (`*.example.com` stands for all below it; none named: any).
    `allow_private` also lets addresses of the own network be reached, and http instead of https.
    """

    secret: Secret | None = None
    hosts: tuple[str, ...] = ()
    allow_private: bool = False
    timeout: float = 20.0


class WebhookChannel:
    """Posts to the address that each message names. Follows no redirect and uses no proxy."""

    Settings = WebhookSettings

    def __init__(self, name: str, settings: WebhookSettings, folder: Path) -> None:
        del folder
        self.name = name
        self._settings = settings

    @cached_property
    def _trust(self) -> SSLContext:
        import httpx

        return httpx.create_ssl_context()

    def send(self, message: Message) -> Receipt:
        """Post the message once. ForestallError when the secret is not set or cannot be one."""
        import httpx

        signed = self._headers(message)
        try:
            url = httpx.URL(message.to)
            port = url.port or (443 if url.scheme == "https" else 80)
        except (httpx.InvalidURL, ValueError, TypeError):
            return refused("the destination is not a web address")
        if reason := self._forbidden(url):
            return refused(reason)
        if not message.body:
            return refused("the message has no JSON body")
        try:
            found = socket.getaddrinfo(url.raw_host.decode(), port, type=socket.SOCK_STREAM)
        except UnicodeError:
            return refused("the destination is not a web address")
        except OSError as error:
            return retry(f"{url.host} has no address: {error.strerror}")
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self._settings.allow_private and not all(map(public, addresses)):
            return refused(f"{url.host} lies in a private network: set `allow_private` if it is meant")
        receipt = retry(f"{url.host} has no address")
        # to the addresses just looked at, so that the name cannot mean another one a moment later
        with httpx.Client(verify=self._trust, trust_env=False, timeout=self._settings.timeout) as client:
            for address in addresses:
                try:
                    return self._post(client, url, address, signed, message.body)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    receipt = retry(f"{url.host} cannot be reached: {error}")
                except httpx.HTTPError as error:
                    return retry(f"{url.host} gave no answer: {type(error).__name__} {error}")
        return receipt

    def _post(
        self, client: httpx.Client, url: httpx.URL, address: str, headers: dict[str, str], body: str
    ) -> Receipt:
        import httpx

        request = client.build_request(
            "POST", url.copy_with(host=address), content=body.encode(),
            headers={**headers, "Host": url.netloc.decode()}, extensions={"sni_hostname": url.raw_host.decode()})
        answer = client.send(request, stream=True, follow_redirects=False)
        try:
            if 200 <= answer.status_code < 300:
                return sent(headers["webhook-id"])
            # an error page may be endless
            start = b""
            with contextlib.suppress(httpx.HTTPError):       # the status alone tells enough
                start = next(answer.iter_raw(READ_BYTES), b"")
        finally:
            answer.close()
        wait = retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
        detail = f"{url.host} answered {answer.status_code} {start.decode(errors='replace')}"
        return answered(answer.status_code, detail, wait=wait)

    def _headers(self, message: Message) -> dict[str, str]:
        now = datetime.now(UTC)
        headers = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "forestall",
                   "webhook-id": _identifier(message.key), "webhook-timestamp": str(int(now.timestamp()))}
        if self._settings.secret:
            from standardwebhooks import Webhook

            secret = self._settings.secret.reveal().strip()
            # the library leaves out whatever is no base64 and signs with the rest
            if not SIGNING.fullmatch(secret):
                raise settings_error("secret", f"`secret` of the channel {self.name} is no base64.",
                                     "Use the whsec_… text that the receiver shows.")
            headers["webhook-signature"] = Webhook(secret).sign(headers["webhook-id"], now, message.body)
        return headers

    def _forbidden(self, url: httpx.URL) -> str:
        if url.scheme not in ("https", "http") or not url.host:
            return "the destination is not a web address"
        if url.scheme == "http" and not self._settings.allow_private:
            return f"{url.host} would be reached unencrypted: use https"
        if self._settings.hosts and not any(matches(url.host, host.lower()) for host in self._settings.hosts):
            return f"{url.host} is not among `hosts` of the channel {self.name}"
        return ""


def _identifier(key: str) -> str:
    """`key` where a header can carry it, else a hash: the same for the same key either way."""
    fits = key.isascii() and key.isprintable() and " " not in key
    return key if fits else hashlib.sha256(key.encode()).hexdigest()
