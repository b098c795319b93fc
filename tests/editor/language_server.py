"""The npm package yaml-language-server, spoken to as an editor does: JSON-RPC over standard input and output."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any, Self

SERVER = Path(__file__).parent / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
PATIENCE = 300      # seconds; only for a server that hangs

SETTINGS = {"yaml": {"schemaStore": {"enable": False}, "validate": True, "hover": True, "completion": True}}


class LanguageServer:
    """One server with the settings of an editor that knows nothing of Forestall: files name their schema themselves."""

    def __init__(self, node: str, folder: Path, schemas: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen([node, str(SERVER), "--stdio"], cwd=folder, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._settings = {"yaml": SETTINGS["yaml"] | {"schemas": schemas or {}}}
        self._asked = 0
        self._opened = 0
        self._guard = threading.Timer(PATIENCE, self._process.kill)
        self._guard.start()
        self._ask("initialize", {
            "processId": None, "rootUri": folder.as_uri(), "workspaceFolders": [
                {"uri": folder.as_uri(), "name": folder.name}],
            "capabilities": {
                "textDocument": {
                    "publishDiagnostics": {}, "hover": {"contentFormat": ["markdown"]},
                    "completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}},
                },
                "workspace": {"configuration": True},
            },
        })
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": self._settings})
        self._until_configured()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        self._guard.cancel()
        self._process.kill()
        self._process.communicate()

    def diagnostics(self, file: Path, text: str | None = None) -> list[dict[str, Any]]:
        """What the editor underlines in the file, or in a new one beside it that holds `text`."""
        uri = self._open(file, text)
        while True:
            message = self._read()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                found: list[dict[str, Any]] = message["params"]["diagnostics"]
                return found

    def hover(self, file: Path, text: str, at: str) -> str:
        """What is shown when the mouse rests on the first `at`."""
        uri = self._open(file, text)
        found = self._ask("textDocument/hover", {"textDocument": {"uri": uri}, "position": _position(text, at)})
        return str(found["contents"]["value"]) if found else ""

    def completion(self, file: Path, marked: str) -> dict[str, dict[str, Any]]:
        """What is offered where `¦` stands, by its label."""
        uri = self._open(file, marked.replace("¦", "", 1))
        found = self._ask("textDocument/completion", {"textDocument": {"uri": uri},
                                                      "position": _position(marked, "¦")})
        items: list[dict[str, Any]] = found["items"] if isinstance(found, dict) else found or []
        return {item["label"]: item for item in items}

    def _open(self, file: Path, text: str | None) -> str:
        """Each text under a name of its own, so that no answer can be about an earlier one."""
        self._opened += 1
        uri = (file if text is None else file.with_stem(f"{file.stem}-{self._opened}")).as_uri()
        text = file.read_text(encoding="utf-8") if text is None else text
        self._tell("textDocument/didOpen", {"textDocument": {
            "uri": uri, "languageId": "yaml", "version": 1, "text": text}})
        return uri

    def _until_configured(self) -> None:
        """The server fetches its settings when it likes; before that it knows no schema."""
        while self._read().get("method") != "workspace/configuration":
            pass

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._asked += 1
        self._write({"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == self._asked and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params})

    def _read(self) -> dict[str, Any]:
        """The next message; what the server asks meanwhile is answered."""
        assert self._process.stdout is not None
        length = 0
        while header := self._process.stdout.readline().strip():
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        assert length, "the language server has gone away"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if "method" in message and "id" in message:
            self._write({"jsonrpc": "2.0", "id": message["id"], "result": self._answer(message)})
        return message

    def _answer(self, message: dict[str, Any]) -> Any:
        if message["method"] != "workspace/configuration":
            return None
        return [self._settings.get(item.get("section", "")) for item in message["params"]["items"]]

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        body = json.dumps(message).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()


def _position(text: str, at: str) -> dict[str, int]:
    where = text.index(at)
    before = text[:where]
    return {"line": before.count("\n"), "character": where - (before.rfind("\n") + 1)}
