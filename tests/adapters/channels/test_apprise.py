"""What Apprise hands on to a service of its own."""

import importlib.util
import sys
from pathlib import Path

import pytest

from forestall.adapters.channels.apprise import AppriseChannel
from forestall.engine.model.delivery import ReceiptStatus
from forestall.engine.model.ports import ForestallError, Secret


@pytest.fixture
def channel(opened, monkeypatch):
    def make(url: str) -> AppriseChannel:
        monkeypatch.setenv("APPRISE_URL", f"{url}\n")
        return opened(AppriseChannel, "others", AppriseChannel.Settings(Secret("APPRISE_URL"), 5), Path())

    return make


def test_a_message_arrives_with_its_subject(channel, http, message):
    made = channel(http.url.replace("http://", "json://") + "/in?+x-token=hush")
    for _ in range(2):
        assert made.send(message("slack", subject="Two\nlines")).status is ReceiptStatus.SENT
    asked = http.asked[0]
    assert asked.path == "/in"
    assert asked.headers["x-token"] == "hush"
    assert (asked.json()["title"], asked.json()["message"]) == (
        "Two lines", "Hello **Ann**,\n\nsee [the guide](https://e.example).")


def test_the_destination_is_part_of_the_address(channel, http, message):
    made = channel(http.url.replace("http://", "json://") + "/rooms/{to}")
    made.send(message("task", to="cs leads/../x", text="", body='{"a": 1}'))
    assert http.asked[0].path == "/rooms/cs%20leads%2F..%2Fx"
    assert http.asked[0].json()["message"] == '{"a": 1}'


@pytest.mark.parametrize("url", ["nonsense", "nonsense://hush", "json://", "mailto://"])
def test_an_address_that_apprise_does_not_know(url, channel, message):
    with pytest.raises(ForestallError, match="the secret of the channel others is no URL of Apprise's") as caught:
        channel(url).send(message("slack"))
    assert "hush" not in str(caught.value)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.delitem(sys.modules, AppriseChannel.__module__)
    with pytest.raises(ImportError, match=r"pip install 'forestall\[apprise\]'"):
        importlib.import_module(AppriseChannel.__module__)


def test_nothing_to_say(channel, http, message):
    receipt = channel(http.url.replace("http://", "json://")).send(message("slack", text=" "))
    assert (receipt.status, receipt.detail) == (ReceiptStatus.REFUSED, "the message has no text")
    assert http.asked == []
