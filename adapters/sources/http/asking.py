"""One question over HTTP and its answer: only named hosts, in time, asked again when that can help."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from forestall.adapters.sources.http.auth import Credentials
from forestall.adapters.sources.http.described import Api, AuthKind
from forestall.adapters.sources.http.troubles import Later, Place, Refusal, setting_error

if TYPE_CHECKING:
    import ssl

    import httpx

PASSING = {408, 409, 423, 425, 429, 500, 502, 503, 504, *range(520, 531)}      # what may pass by itself
REDIRECTS = 3
MOST_BYTES = 200 << 20                       # one page; a page without end must not fill the memory
LONGEST_PAUSE = 60.0                         # between two attempts, when the far side names no time
AGENT = "forestall"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def pause(seconds: float) -> None:
    """Wait; a function of its own so that tests need not."""
    time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Answer:
    """A page: its address, what it says, the next address of its Link header, and when it was said."""

    url: str
    document: Any
    link: str
    said_at: datetime


class Asker:
    """Asks one API. Not for several threads at once."""

    def __init__(self, source: str, api: Api) -> None:
        self._source, self._api = source, api
        self._base = _checked(source, api)
        self._credentials = Credentials(source, api.auth, self._token)
        self._asked: deque[float] = deque()
        self._transport: httpx.HTTPTransport | None = None

    def address(self, path: str) -> str:
        """A path of the API as an address; one that already is an address stays."""
        if path.startswith(("https://", "http://")):
            return path
        return self._base + path.lstrip("/")

    def bare(self, url: str) -> str:
        """An address without our key: some APIs put it into the links that they give, and links are kept."""
        import httpx

        auth = self._api.auth
        if auth is None or auth.kind is not AuthKind.KEY or auth.sent_as != "parameter":
            return url
        try:
            return str(httpx.URL(url).copy_remove_param(auth.name))
        except (httpx.InvalidURL, ValueError):
            return self._credentials.scrubbed(url)

    def close(self) -> None:
        """Let go of the connections."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def get(self, url: str, params: Mapping[str, str], place: Place) -> Answer:
        """The answer to one question. Refusal when the far side refuses it, SourceError when there is none."""
        import tenacity

        patient = tenacity.Retrying(
            stop=tenacity.stop_any(tenacity.stop_after_attempt(self._api.retries + 1),
                                   tenacity.stop_before_delay(self._api.patience)),
            wait=_wait, retry=tenacity.retry_if_exception_type(Later), sleep=pause, reraise=True)
        try:
            return patient(self._once, url, params, place)
        except Later as later:
            raise place.fault(later.code, f"{self._credentials.scrubbed(later.said)}.", later.hint) from None

    def _once(self, url: str, params: Mapping[str, str], place: Place) -> Answer:
        import httpx

        carried = self._credentials.carried()
        try:
            # Parameters of the address stay: a link to the next page has all that it needs.
            asked = httpx.URL(url).copy_merge_params({**params, **carried.params})
        except (httpx.InvalidURL, ValueError):
            raise place.fault("http-page", "the link to this page is no address.",
                              "Correct `next` of `paging`: it must lead to the next address.") from None
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": AGENT,
                   **self._api.headers, **carried.headers}
        response, body = self._through(httpx.Request("GET", asked, headers=headers), place)
        if response.status_code == 401 and self._credentials.renew():
            raise Later("http-refused", "the answer is 401, also with a new token",
                        "Check the client and its scope.", wait=0.0)
        if response.status_code >= 300:
            self._not_well(response, body)
        document = _document(response, body)
        said_at = _http_date(response.headers.get("date")) or datetime.now(UTC)
        return Answer(str(response.request.url), document, response.links.get("next", {}).get("url", ""), said_at)

    def _through(self, request: httpx.Request, place: Place) -> tuple[httpx.Response, bytes]:
        """The answer behind at most some redirects, all of them to hosts that the settings name."""
        import httpx

        first = request.url
        for _ in range(REDIRECTS + 1):
            self._check_host(request.url, place, "a redirect" if request.url != first else "the next page")
            response, body = self._sent(request)
            if response.status_code not in (301, 302, 303, 307, 308) or "location" not in response.headers:
                return response, body
            try:
                target = request.url.join(response.headers["location"])
            except (httpx.InvalidURL, ValueError):
                break
            request = httpx.Request("GET", target, headers=request.headers)
            request.headers["Host"] = target.netloc.decode("ascii")
        raise place.fault("http-host", "the answer is one redirect after another.",
                            "Write the address that they lead to.")

    def _sent(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        """One exchange, whole and in time; Later for whatever the network does."""
        import httpx

        self._take_turn()
        request.extensions["timeout"] = httpx.Timeout(self._api.timeout).as_dict()
        end = time.monotonic() + self._api.timeout
        try:
            response = self._way_out().handle_request(request)
            response.request = request
            try:
                return response, _within(response.iter_bytes(), end, self._api.timeout)
            finally:
                response.close()
        except httpx.TimeoutException:
            raise _too_slow(self._api.timeout) from None
        except httpx.ConnectError as error:
            raise Later("http-unavailable", f"{request.url.host} cannot be reached ({_short(str(error))})",
                        "Check the address and the network; a later run goes on where this one stopped.") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Later("http-not-json", f"the answer breaks off ({_short(str(error)) or type(error).__name__})",
                        "A later run goes on where this one stopped.") from None

    def _not_well(self, response: httpx.Response, body: bytes) -> None:
        said = self._credentials.scrubbed(_reason(body))
        if response.status_code not in PASSING:
            raise Refusal(response.status_code, said)
        wait = _retry_after(response.headers.get("retry-after"))
        asks = f" and asks us to wait {wait:.0f} seconds" if wait else ""
        raise Later("http-unavailable", f"the answer is {response.status_code}{said}{asks}",
                    "A later run goes on where this one stopped.", wait)

    def _token(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> object:
        """Ask for an OAuth token; its server is named by the settings, so its host may be reached."""
        import httpx

        place = Place(self._source, httpx.URL(url).path)
        response, body = self._sent(httpx.Request("POST", url, data=dict(form), headers={
            "Accept": "application/json", "User-Agent": AGENT, **headers}))
        if response.status_code in PASSING:
            self._not_well(response, body)
        if response.status_code >= 300:
            raise Refusal(response.status_code, self._credentials.scrubbed(_reason(body))).error(place)
        return _document(response, body)

    def _check_host(self, url: httpx.URL, place: Place, what: str) -> None:
        import httpx

        base = httpx.URL(self._base)
        same = (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port)
        named = url.scheme == "https" and url.port is None and url.host in self._api.hosts
        if not same and not named:
            raise place.fault("http-host", f"{what} leads to {url.scheme}://{url.netloc.decode('ascii', 'replace')}, "
                                "which the settings do not name.",
                                f"If it is meant, add it to `hosts` of the source {self._source}.")

    def _take_turn(self) -> None:
        """Wait until one more request keeps to `rate`."""
        if not self._api.rate:
            return
        now = time.monotonic()
        while self._asked and now - self._asked[0] >= 60.0:
            self._asked.popleft()
        if len(self._asked) >= self._api.rate:
            pause(60.0 - (now - self._asked.popleft()))
        self._asked.append(time.monotonic())

    def _way_out(self) -> httpx.HTTPTransport:
        import httpx

        if self._transport is None:
            # Not httpx.Client: that would write every address with its key into the log, and let a proxy or .netrc of
            # the surroundings decide who gets our token.
            self._transport = httpx.HTTPTransport(verify=_trust(), trust_env=False)
        return self._transport


@cache
def _trust() -> ssl.SSLContext:
    """Whom we trust (SSL_CERT_FILE counts); reading all certificates takes longer than most answers."""
    import httpx

    return httpx.create_ssl_context()


def _checked(source: str, api: Api) -> str:
    """The address that all paths start from, with a slash at its end."""
    import httpx

    addresses = {"url": api.url, **({"auth": api.auth.token_url} if api.auth and api.auth.token_url else {})}
    for key, address in addresses.items():
        try:
            url = httpx.URL(address)
        except (httpx.InvalidURL, TypeError):
            url = httpx.URL("")
        if url.scheme not in ("https", "http") or not url.host or url.userinfo or (key == "url" and url.query):
            raise setting_error("http-address", f"`{key}` of the source {source} is no address of an API: {address}.",
                                "Write it like https://api.example.com/v2, without user, password or ?query.")
        if url.scheme == "http" and url.host not in LOOPBACK and not api.unencrypted:
            raise setting_error("http-address", f"`{key}` of the source {source} is not encrypted.",
                                "Write https://, or `unencrypted: true` if everybody on the way may read along.")
    return api.url.rstrip("/") + "/"


def _within(pieces: Iterable[bytes], end: float, timeout: float) -> bytes:
    """The whole body; an answer in ever smaller pieces must end in time, too."""
    body = bytearray()
    for piece in pieces:
        body += piece
        if time.monotonic() > end:
            raise _too_slow(timeout)
        if len(body) > MOST_BYTES:
            raise Later("http-not-json", f"the answer is larger than {MOST_BYTES >> 20} MB",
                        "Ask for fewer records in a page.")
    return bytes(body)


def _too_slow(timeout: float) -> Later:
    return Later("http-unavailable", f"no whole answer came within {timeout:g} seconds",
                 "Set a longer `timeout`, or ask for fewer records in a page.")


def _document(response: httpx.Response, body: bytes) -> Any:
    """What the answer says; Later when that is no JSON: a page for people, or the half of one."""
    try:
        document = json.loads(body)
        # half of a sign (a lone surrogate) is allowed in JSON and nowhere else
        return _mended(document) if b"\\ud" in body or b"\\uD" in body else document
    except (ValueError, RecursionError):
        start = body.lstrip()[:1]
        kind = response.headers.get("content-type", "").split(";")[0]
        if start == b"<" or kind == "text/html":
            said = "the answer is a web page (HTML) where JSON belongs"
            hint = "Such a page is often a login or a sign of maintenance: open the address in a browser."
        elif start in (b"{", b"["):
            said, hint = "the JSON of the answer breaks off", "A later run goes on where this one stopped."
        else:
            said, hint = "the answer is no JSON", "Check that this is the address of an API."
        raise Later("http-not-json", said, hint) from None


def _mended(said: Any) -> Any:
    """The same without halves of signs."""
    if isinstance(said, str):
        return said.encode("utf-8", "replace").decode()
    if isinstance(said, list):
        return [_mended(one) for one in said]
    if isinstance(said, dict):
        return {_mended(key): _mended(value) for key, value in said.items()}
    return said


def _reason(body: bytes) -> str:
    """What an error's body says, if it is short enough to be a reason and no web page."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for key in ("error", "errors", "message", "description", "detail", "title"):
        found = said.get(key) if isinstance(said, dict) else None
        if isinstance(found, dict):
            found = found.get("message") or found.get("title")
        if isinstance(found, str) and found:
            return f" ({_short(found)})"
    return ""


def _short(text: str, most: int = 160) -> str:
    line = "".join(char if char.isprintable() else " " for char in text).strip().rstrip(".")
    return line if len(line) <= most else line[: most - 1] + "…"


def _wait(state: Any) -> float:
    """Seconds before the next attempt: what the far side asks for, else ever longer."""
    import tenacity

    trouble = state.outcome.exception()
    if isinstance(trouble, Later) and trouble.wait is not None:
        return trouble.wait
    return float(tenacity.wait_random_exponential(multiplier=1, max=LONGEST_PAUSE)(state))


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait, given as a number or as a date."""
    if header is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", header):
        return float(header)
    moment = _http_date(header)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0) if moment else None


def _http_date(header: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header or "")
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
