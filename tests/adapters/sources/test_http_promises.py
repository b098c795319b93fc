"""What every source promises, asked of a declared HTTP source whose far side is a server on this machine."""

from far_sides.server import FarSide, Said

from forestall.engine.conformance import Stand

PAGE = 1_000


class HttpStand(Stand):
    """One record for each account and day, in pages, behind a token."""

    adapter = "http"
    keeps = True
    secrets = {"FAR_SIDE_TOKEN": "a-token-of-42-signs"}
    many = 5_000           # a million would be a minute of JSON; pages are what bounds the memory
    memory = 64 << 20

    def __init__(self, folder):
        super().__init__(folder)
        self._server = FarSide()
        self._server.answers = self._answer
        self._records = []
        self._broken = False

    def put(self, facts):
        self._broken = False
        self._records = [{name: value if value is None or isinstance(value, str | float | bool) else value.isoformat()
                          for name, value in row.items()} | {"id": number}
                         for number, row in enumerate(facts.to_pylist())]

    def _answer(self, asked):
        if asked.headers.get("authorization") != f"Bearer {self.secrets['FAR_SIDE_TOKEN']}":
            return Said({"error": f"no right with {asked.headers.get('authorization')}"}, 401)
        start = int(asked.params.get("after", 0))
        if self._broken and start:
            return Said({"error": f"boom, {asked.headers['authorization']}"}, 500)
        end = start + (2 if self._broken else PAGE)
        return Said({"data": self._records[start:end], "next": end if end < len(self._records) else None})

    def settings(self):
        return {
            "url": self._server.url, "retries": 0, "auth": {"kind": "bearer", "token": "${secret:FAR_SIDE_TOKEN}"},
            "resources": {"facts": {
                "path": "facts", "records": "$.data", "texts": {"account": "$.account", "segment": "$.segment"},
                "numbers": {"logins": "$.logins"}, "flags": {"opted_out": "$.opted_out"},
                "times": {"as_of": "$.as_of", "renewal": "$.renewal"},
                "paging": {"by": "cursor", "next": "$.next", "param": "after"}}},
            "rows": {"of": "facts", "account": "account", "as_of": "as_of"}}

    def damage(self):
        self._broken = True

    def close(self):
        self._server.close()


def test_a_declared_source_keeps_its_promises(forestall_promise, tmp_path):
    forestall_promise.kept_by(HttpStand(tmp_path))
