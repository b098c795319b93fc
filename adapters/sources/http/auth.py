"""Who asks: what a request carries so that the far side knows us. Secrets are looked up when first needed."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forestall.adapters.sources.http.described import Auth, AuthKind
from forestall.adapters.sources.http.troubles import setting_error
from forestall.engine.model.ports import Secret

EARLY = 60.0          # seconds before its end in which a token is no longer used
# asks for a token: address, form, headers; gives the answer's document
Fetch = Callable[[str, Mapping[str, str], Mapping[str, str]], object]


@dataclass(frozen=True, slots=True)
class Carried:
    """What goes with a request."""

    headers: Mapping[str, str]
    params: Mapping[str, str]


class Credentials:
    """Makes what a request carries, and knows every secret in it, so that none reaches a sentence."""

    def __init__(self, source: str, auth: Auth | None, fetch: Fetch) -> None:
        self._source, self._auth, self._fetch = source, auth, fetch
        self._secrets: set[str] = set()
        self._token, self._until = "", 0.0

    def carried(self) -> Carried:
        """Headers and parameters for one request. SourceError or SettingsError when there can be none."""
        auth = self._auth
        if auth is None:
            return Carried({}, {})
        if auth.kind is AuthKind.BASIC:
            return Carried({"Authorization": self._basic(auth.user, auth.password)}, {})
        if auth.kind is AuthKind.OAUTH:
            return Carried({"Authorization": f"Bearer {self._oauth_token(auth)}"}, {})
        token = self._revealed(auth.token)
        if auth.kind is AuthKind.BEARER:
            return Carried({"Authorization": f"Bearer {token}"}, {})
        return Carried({}, {auth.name: token}) if auth.sent_as == "parameter" else Carried({auth.name: token}, {})

    def renew(self) -> bool:
        """Forget a token that was refused; whether another one can be had."""
        had, self._token = bool(self._token), ""
        return had

    def scrubbed(self, text: str) -> str:
        """`text` without any secret of ours."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _basic(self, user: str, password: Secret | None) -> str:
        pair = f"{user}:{self._revealed(password)}"
        coded = base64.b64encode(pair.encode()).decode()
        self._secrets.add(coded)
        return f"Basic {coded}"

    def _revealed(self, secret: Secret | None) -> str:
        value = secret.reveal() if secret else ""
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise setting_error("http-settings", f"the secret {secret.name if secret else ''} of the source "
                                f"{self._source} has blanks or signs that cannot travel in a header.",
                                "Copy it again, without line breaks.")
        self._secrets.add(value)
        return value

    def _oauth_token(self, auth: Auth) -> str:
        if not self._token or time.monotonic() > self._until:
            form = {"grant_type": "client_credentials", **({"scope": auth.scope} if auth.scope else {})}
            headers = {}
            if auth.sent_as == "parameter":
                form |= {"client_id": auth.client_id, "client_secret": self._revealed(auth.client_secret)}
            else:                    # RFC 6749, 2.3.1: every server must take the client's name and secret this way
                headers = {"Authorization": self._basic(auth.client_id, auth.client_secret)}
            said = self._fetch(auth.token_url, form, headers)
            token = said.get("access_token") if isinstance(said, dict) else None
            if not isinstance(token, str) or not token:
                raise setting_error("http-refused", f"`auth` of the source {self._source}: the answer of token_url "
                                    "holds no access_token.", "Correct token_url, client_id and scope.")
            lasts = said.get("expires_in") if isinstance(said, dict) else None
            seconds = float(lasts) if isinstance(lasts, int | float) else 300.0
            self._secrets.add(token)
            self._token, self._until = token, time.monotonic() + max(seconds - EARLY, 0.0)
        return self._token
