"""An HTTP server on this machine that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: str = ""


@dataclass
class Said:
    body: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None          # only so many bytes of the body, although all are announced
    drip: float = 0                 # seconds between two bytes


class FarSide:
    """`answers` gets what is asked and gives what is said; a dict or list is JSON, a text or bytes goes as it is."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: Callable[[Asked], Said] = lambda asked: Said({}, 404)
        far = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # headers and body in one piece: two small packets would wait for each other
            wbufsize = -1

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)),
                              {key.lower(): value for key, value in self.headers.items()},
                              self.rfile.read(length).decode())
                far.asked.append(asked)
                said = far.answers(asked)
                body = said.body if isinstance(said.body, bytes) else said.body.encode() \
                    if isinstance(said.body, str) else json.dumps(said.body).encode()
                self.send_response_only(said.status)
                headers = {"Content-Type": "application/json", "Date": self.date_time_string()} | said.headers
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                for byte in body if said.drip else ():
                    time.sleep(said.drip)
                    try:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                    except OSError:                    # whoever asked has given up
                        self.close_connection = True
                        return
                self.wfile.write(b"" if said.drip else body[:said.cut])
                self.wfile.flush()
                if said.cut is not None:
                    self.close_connection = True

            do_POST = do_GET

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
