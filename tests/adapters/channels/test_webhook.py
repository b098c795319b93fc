"""Webhooks as the receiver sees them."""

import http.server
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from forestall.adapters.channels.hosts import matches, public
from forestall.adapters.channels.webhook import WebhookChannel
from forestall.engine.model.delivery import ReceiptStatus
from forestall.engine.model.people import Destination
from forestall.engine.model.ports import ForestallError, Secret

CERTIFICATE = Path(__file__).parent / "server.pem"
LOCAL = ("127.0.0.1", "localhost")
SIGNING = "whsec_dmVyeWh1c2h2ZXJ5aHVzaA=="


@pytest.fixture
def channel(opened):
    def make(**settings: object) -> WebhookChannel:
        given = {"allow_private": True, "timeout": 5, "hosts": LOCAL, **settings}
        return opened(WebhookChannel, "hooks", WebhookChannel.Settings(**given), Path())

    return make


@pytest.mark.parametrize("secret", [SIGNING, SIGNING.removeprefix("whsec_"), f" {SIGNING}\n"])
def test_the_signature_is_verified_by_the_published_library(secret, http, message, monkeypatch, channel):
    monkeypatch.setenv("SIGNING", secret)
    note = message("webhook", to=f"{http.url}/hook?tenant=1")
    assert channel(secret=Secret("SIGNING")).send(note).status is ReceiptStatus.SENT
    asked = http.asked[0]
    assert asked.path == "/hook?tenant=1"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["webhook-id"] == note.key
    assert Webhook(SIGNING).verify(asked.body, asked.headers) == {"account": "Ümläut"}
    with pytest.raises(WebhookVerificationError):
        Webhook(SIGNING).verify(asked.body + b" ", asked.headers)


def test_a_destination_has_a_secret_of_its_own(http, message, monkeypatch, channel):
    monkeypatch.setenv("SIGNING", SIGNING)
    monkeypatch.setenv("OTHER", "b3RoZXJvdGhlcm90aGVyb3RoZXI=")
    made = channel(secret=Secret("SIGNING"), hosts=(), destinations=(
        Destination("crm", "hooks", f"{http.url}/crm", Secret("OTHER")),
        Destination("desk", "hooks", f"{http.url}/desk")))
    for path, secret in (("crm", "b3RoZXJvdGhlcm90aGVyb3RoZXI="), ("desk", SIGNING)):
        assert made.send(message("webhook", to=f"{http.url}/{path}")).status is ReceiptStatus.SENT
        assert Webhook(secret).verify(http.asked[-1].body, http.asked[-1].headers)
    monkeypatch.setenv("OTHER", "!")
    with pytest.raises(ForestallError, match="`secret` of the destination crm is no base64"):
        made.send(message("webhook", to=f"{http.url}/crm"))


def test_without_a_secret_there_is_no_signature(http, message, channel):
    channel().send(message("webhook", to=http.url))
    assert "webhook-signature" not in http.asked[0].headers
    assert http.asked[0].headers["webhook-timestamp"].isdecimal()


def test_a_task_travels_like_a_webhook(http, message, channel):
    assert channel().send(message("task", to=http.url)).status is ReceiptStatus.SENT
    assert http.asked[0].json() == {"account": "Ümläut"}


def test_a_key_that_no_header_can_carry(http, message, channel):
    for _ in range(2):
        receipt = channel().send(message("webhook", to=http.url, key="Müller\r\nx-evil: 1"))
    assert receipt.status is ReceiptStatus.SENT
    assert len({asked.headers["webhook-id"] for asked in http.asked}) == 1
    assert "x-evil" not in http.asked[0].headers


@pytest.mark.parametrize("secret", ["hush!", "Z", "hushhushh", "=", "whsec_", "whsec_ü"])
def test_a_secret_that_cannot_sign(secret, http, message, monkeypatch, channel):
    monkeypatch.setenv("SIGNING", secret)
    with pytest.raises(ForestallError, match="`secret` of the channel hooks is no base64") as caught:
        channel(secret=Secret("SIGNING")).send(message("webhook", to=http.url))
    assert "hush" not in str(caught.value)
    assert http.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]",
                                  "0.0.0.0", "[::1]", "169.254.169.254", "10.0.0.1", "192.168.1.1"])
def test_the_own_network_is_out_of_reach_unless_allowed(host, http, message, channel):
    port = http.url.rsplit(":", 1)[1]
    receipt = channel(allow_private=False, hosts=(host.strip("[]"),)).send(message("webhook", to=f"https://{host}:{port}/hook"))
    assert receipt.status is ReceiptStatus.REFUSED
    assert "private network" in receipt.detail
    assert http.asked == []


@pytest.mark.parametrize(("to", "expected"), [
    ("http://127.0.0.1/hook", "use https"), ("ftp://crm.example/hook", "not a web address"),
    ("crm.example/hook", "not a web address"), ("", "not a web address"), ("https://", "not a web address"),
    ("https://crm.example:port/", "not a web address"), ("https://crm.exam\nple/", "not a web address"),
    ("https://" + "x" * 70 + ".example/", "not a web address"), ("file:///etc/passwd", "not a web address"),
    ("https://..example/", "not a web address"), ("#cs-leads", "not a web address"),
])
def test_destinations_that_are_refused(to, expected, message, channel):
    receipt = channel(allow_private=False).send(message("webhook", to=to))
    assert receipt.status is ReceiptStatus.REFUSED
    assert expected in receipt.detail


def test_only_the_hosts_that_are_named(http, message, channel):
    note = message("webhook", to=http.url)
    receipt = channel(hosts=("crm.example", "*.crm.example")).send(note)
    assert receipt.status is ReceiptStatus.REFUSED
    assert receipt.detail == "127.0.0.1 is not among `hosts` of the channel hooks"
    assert channel(hosts=("crm.example", "127.0.0.1")).send(note).status is ReceiptStatus.SENT
    assert len(http.asked) == 1


def test_without_hosts_only_those_of_the_destinations(http, message, channel):
    place = Destination("crm", "hooks", "https://CRM.müller.example/hook")
    made = channel(hosts=(), destinations=(place,))
    receipt = made.send(message("webhook", to=http.url))
    assert (receipt.status, receipt.detail) == (
        ReceiptStatus.REFUSED, "127.0.0.1 is not among the destinations of the channel hooks")
    assert http.asked == []
    assert made._hosts == ("crm.xn--mller-kva.example",)


def test_a_name_is_looked_up_once_and_what_was_judged_is_connected_to(message, monkeypatch, channel):
    answers, reached = ["93.184.216.34", "127.0.0.1", "127.0.0.1"], []

    def look_up(host, port, *_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    def connect(where, *_, **__):
        reached.append(where[0])
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    made = channel(allow_private=False, hosts=("crm.example",))
    note = message("webhook", to="https://crm.example/hook")
    assert made.send(note).status is ReceiptStatus.RETRY
    # now the name leads into the own network
    assert made.send(note).status is ReceiptStatus.REFUSED
    assert reached == ["93.184.216.34"]


def test_the_connection_is_kept_and_shared_by_threads(raw, message, channel):
    bodies = []

    def talk(connection, over):
        with connection.makefile("rb") as said:
            while line := said.readline():
                assert line == b"POST /hook HTTP/1.1\r\n"
                headers = {}
                while (line := said.readline()) != b"\r\n":
                    name, _, value = line.decode().partition(": ")
                    headers[name.lower()] = value.strip()
                bodies.append(said.read(int(headers["content-length"])))
                connection.sendall(b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\nok")
                assert "cookie" not in headers

    side, made = raw(talk), channel()
    note = {"to": f"http://127.0.0.1:{side.port}/hook"}
    for number in range(5):
        assert made.send(message("webhook", key=str(number), **note)).status is ReceiptStatus.SENT
    assert side.connections == 1
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda n: made.send(message("webhook", key=f"k{n}", body=f"[{n}]", **note)), range(60)))
    assert {receipt.status for receipt in sent} == {ReceiptStatus.SENT}
    assert sorted(bodies[5:]) == sorted(f"[{n}]".encode() for n in range(60))
    assert [receipt.reference for receipt in sent] == [f"k{n}" for n in range(60)]
    assert side.connections <= 5
    made.close()


def test_which_hosts_match():
    assert matches("crm.example", "crm.example")
    assert matches("a.b.crm.example", "*.crm.example")
    assert not matches("crm.example", "*.crm.example")
    assert not matches("evilcrm.example", "*.crm.example")


@pytest.mark.parametrize(("address", "expected"), [
    ("93.184.216.34", True), ("2606:4700::1111", True), ("::ffff:93.184.216.34", True), ("64:ff9b::5db8:d822", True),
    ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.0.1", False), ("100.64.0.1", False),
    ("169.254.169.254", False), ("0.0.0.0", False), ("224.0.0.1", False), ("::1", False), ("fe80::1%eth0", False),
    ("fd00::1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::a00:1", False), ("2002:a00:1::", False), ("::", False),
])
def test_which_addresses_are_public(address, expected):
    assert public(address) is expected


def test_a_redirect_is_refused_and_not_followed(http, message, channel):
    for status in (301, 302, 303, 307, 308):
        http.says(status, "", {"location": f"{http.url}/elsewhere"})
        assert channel().send(message("webhook", to=http.url)).status is ReceiptStatus.REFUSED
    assert len(http.asked) == 5


def test_redirects_are_followed_where_the_settings_say_so_and_only_to_hosts_that_they_name(http, message, channel):
    note = message("webhook", to=f"{http.url}/start")
    for status, asked in ((307, 3), (308, 3), (301, 1), (302, 1), (303, 1)):
        http.asked.clear()
        http.says(status, "", {"location": "/next"})       # for ever
        assert channel(redirects=2).send(note).status is ReceiptStatus.REFUSED
        assert [one.path for one in http.asked] == ["/start", "/next", "/next"][:asked]
    for location, detail in (
            ("https://evil.example/", "evil.example is not among"), ("https://10.0.0.1/", "10.0.0.1 is not among"),
            ("ftp://127.0.0.1/", "not a web address"), ("//127.0.0.1:x/", "not a web address")):
        http.says(307, "", {"location": location})
        assert detail in channel(redirects=2).send(note).detail
    http.says(307, "", {"location": http.url.replace("127.0.0.1", "localhost")})
    assert channel(redirects=1, hosts=("127.0.0.1",)).send(note).detail.startswith("localhost is not among")


def test_no_body(http, message, channel):
    receipt = channel().send(message("webhook", to=http.url, body=""))
    assert (receipt.status, receipt.detail) == (ReceiptStatus.REFUSED, "the message has no JSON body")


def test_a_proxy_of_the_environment_is_not_used(http, message, monkeypatch, closed_port, channel):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    assert channel().send(message("webhook", to=http.url)).status is ReceiptStatus.SENT


def test_the_name_is_kept_in_the_host_header_and_in_the_certificate(message, monkeypatch, channel):
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            seen.append(self.headers["host"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(CERTIFICATE)
    server.socket = secure.wrap_socket(server.socket, server_side=True)
    # a refused certificate breaks the handshake, which the server need not print
    monkeypatch.setattr(server, "handle_error", lambda *_: None)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        note = message("webhook", to=f"https://localhost:{server.server_port}/hook")
        distrusted = channel().send(note)
        assert distrusted.status is ReceiptStatus.RETRY
        assert "certificate" in distrusted.detail.lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert channel().send(note).status is ReceiptStatus.SENT
        assert seen == [f"localhost:{server.server_port}"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
