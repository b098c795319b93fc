"""HTTP over connections that lead where they were looked at: what was judged is what is connected to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from forestall.adapters.channels.hosts import public

CONNECTIONS = 100                         # at once, to all hosts together
KEPT = 20                                 # of them while nothing travels, for half a minute
EXPIRY = 30.0


class OwnNetwork(Exception):
    """The name leads into a private network, and that is not allowed."""


class Addresses(httpcore.NetworkBackend):
    """Looks a name up, judges every address and connects to one of them: no second look-up could answer otherwise."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private, self._inner, self._until = allow_private, httpcore.SyncBackend(), threading.local()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """All that this thread does meanwhile takes so long at most, however small the pieces of an answer are."""
        self._until.moment = time.monotonic() + seconds
        try:
            yield
        finally:
            self._until.moment = None

    def left(self, timeout: float | None) -> float | None:
        """The seconds that one turn may take."""
        moment: float | None = getattr(self._until, "moment", None)
        if moment is None:
            return timeout
        left = moment - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("its time is over")
        return left if timeout is None else min(left, timeout)

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[Any] | None = None) -> httpcore.NetworkStream:
        """A connection to the first address that takes one."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"it has no address: {error.strerror}") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self._allow_private and not all(map(public, addresses)):
            raise OwnNetwork(host)
        trouble: Exception = httpcore.ConnectError("it has no address")
        for address in addresses:
            try:
                stream = self._inner.connect_tcp(address, port, self.left(timeout), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
            else:
                return Stream(stream, self)
        raise trouble


class Stream(httpcore.NetworkStream):
    """A connection that keeps to the time of whoever uses it at the moment."""

    def __init__(self, inner: httpcore.NetworkStream, clock: Addresses) -> None:
        self._inner, self._clock = inner, clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some bytes, or none at the end."""
        return self._inner.read(max_bytes, self._clock.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Hand on all of it."""
        self._inner.write(buffer, self._clock.left(timeout))

    def close(self) -> None:
        """Let go of it."""
        self._inner.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None,
                  timeout: float | None = None) -> httpcore.NetworkStream:
        """The same connection, encrypted, with a certificate for the name and not for the address."""
        return Stream(self._inner.start_tls(ssl_context, server_hostname, self._clock.left(timeout)), self._clock)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks to see whether a kept connection still stands."""
        return self._inner.get_extra_info(info)


class Transport(httpx.BaseTransport):
    """httpx's way out for several threads at once: kept connections, no redirect, no proxy, no cookie.

    httpx.ConnectError: the far side has not got the request. Any other httpx.TransportError: it may have it.
    """

    def __init__(self, allow_private: bool, timeout: float) -> None:
        self._addresses, self._timeout = Addresses(allow_private), timeout
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(), max_connections=CONNECTIONS, max_keepalive_connections=KEPT,
            keepalive_expiry=EXPIRY, network_backend=self._addresses)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, as much of its body as a receipt can use. OwnNetwork when the host may not be reached."""
        url = request.url
        asked = httpcore.Request(
            request.method, httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw, content=request.read(),
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)})
        try:
            with self._addresses.within(self._timeout):
                answer = self._pool.handle_request(asked)
                try:
                    return httpx.Response(answer.status, headers=answer.headers, content=_start(answer))
                finally:
                    answer.close()
        except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.WriteError,
                httpcore.WriteTimeout, httpcore.LocalProtocolError) as error:
            raise httpx.ConnectError(str(error)) from None
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise httpx.ReadError(str(error) or type(error).__name__) from None

    def close(self) -> None:
        """Close what is kept."""
        self._pool.close()


def _start(answer: httpcore.Response, most: int = 65_536) -> bytes:
    """The body, unless it has no end; read whole, the connection can be used again."""
    start = b""
    try:
        for piece in answer.iter_stream():
            start += piece
            if len(start) > most:
                break
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
        pass                              # the status alone tells enough
    return start
