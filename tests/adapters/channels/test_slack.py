"""Slack messages as they are posted."""

import json
from pathlib import Path

import pytest

from forestall.adapters.channels.mrkdwn import LONGEST_TEXT, mrkdwn
from forestall.adapters.channels.slack import SlackChannel
from forestall.engine.model.delivery import ReceiptStatus
from forestall.engine.model.ports import ForestallError, Secret


@pytest.fixture
def hook(http, monkeypatch):
    monkeypatch.setenv("SLACK_URL", f"{http.url}/services/T0/B0/hush\n")
    return SlackChannel("slack", SlackChannel.Settings(url=Secret("SLACK_URL")), Path())


@pytest.fixture
def app(http, monkeypatch):
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-hush")
    http.says(200, '{"ok": true, "ts": "1767600000.1"}')
    settings = SlackChannel.Settings(token=Secret("SLACK_TOKEN"), base_url=f"{http.url}/api/")
    return SlackChannel("slack", settings, Path())


def test_an_incoming_webhook(hook, http, message):
    assert hook.send(message("slack")).status is ReceiptStatus.SENT
    assert http.asked[0].path == "/services/T0/B0/hush"
    posted = http.asked[0].json()
    assert posted["text"] == (
        "<@U024BE7LH> *Your logins fell from 20 to 6*\nHello *Ann*,\n\nsee <https://e.example|the guide>.")
    assert posted["unfurl_links"] is False


BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "*Acme*"}},
          {"type": "actions", "elements": [{"type": "button", "action_id": "snooze", "value": "key",
                                            "text": {"type": "plain_text", "text": "Snooze"}}]}]


def test_blocks_travel_with_the_text_for_notifications(hook, app, http, message):
    http.says(200, "ok")
    hook.send(message("slack", blocks=json.dumps(BLOCKS)))
    posted = http.asked[-1].json()
    assert posted["blocks"][0]["text"]["text"] == "<@U024BE7LH>"
    assert posted["blocks"][1:] == BLOCKS
    assert "*Your logins fell from 20 to 6*" in posted["text"]
    http.says(200, '{"ok": true, "ts": "1"}')
    app.send(message("slack", blocks=json.dumps(BLOCKS)))
    assert http.asked[-1].json()["blocks"] == BLOCKS
    assert http.asked[-1].json()["text"].startswith("*Your logins")
    app.send(message("slack"))
    assert "blocks" not in http.asked[-1].json()


@pytest.mark.parametrize("blocks", ["{", "{}", "3"])
def test_blocks_that_are_none(blocks, app, http, message):
    assert app.send(message("slack", blocks=blocks)).status is ReceiptStatus.REFUSED
    assert http.asked == []


def test_a_webhook_mentions_a_person_and_no_channel(hook, http, message):
    for to in ("#cs-leads", "<!channel>", "dana", "U1|x"):
        hook.send(message("slack", to=to))
        assert http.asked[-1].json()["text"].startswith("*Your logins")


def test_a_token(app, http, message):
    receipt = app.send(message("slack", to="#cs-leads"))
    assert (receipt.status, receipt.reference) == (ReceiptStatus.SENT, "1767600000.1")
    asked = http.asked[0]
    assert asked.path == "/api/chat.postMessage"
    assert asked.headers["authorization"] == "Bearer xoxb-hush"
    assert asked.json()["channel"] == "#cs-leads"
    assert asked.json()["text"].startswith("*Your logins fell from 20 to 6*\nHello *Ann*")


@pytest.mark.parametrize("name", [
    "<!channel>", "<!here|you>", "<@U024BE7LH>", "<#C024BE7LR>", "<https://evil.example|our site>", "&lt;!channel&gt;",
    "[x](!channel)", "[x](@U024BE7LH)", "[x](<!channel>)", "![x](!here)", "`<!channel>`", "*<!channel>*",
    "```\n<!channel>\n```", "    <!channel>", "# <!channel>", "[<!channel>](https://e.example)",
    "[x]: <!channel>\n\n[x]",
    "[x](https://e.example/<!channel>)", "[x](https://e.example/|<!channel>)", "[a|<!channel>](mailto:x@e.example)",
    "[x](javascript:alert)", "<!subteam^S1>", "<!date^1^x|y>",
])
def test_a_name_can_ping_nobody(name, hook, http, message):
    hook.send(message("slack", subject=f"News of {name}", text=f"{name}\n", to="#cs"))
    text = http.asked[0].json()["text"]
    start = text.find("<")
    while start >= 0:
        # whatever Slack takes for markup is a link to the web or to a mail address
        assert text.startswith(("<https://e.example", "<mailto:x@e.example"), start), text
        end = text.index(">", start)
        assert "<" not in text[start + 1:end]
        start = text.find("<", end)


@pytest.mark.parametrize(("markdown", "expected"), [
    ("plain", "plain"),
    ("**bold** *slanted* _slanted_ ~~gone~~ `code`", "*bold* _slanted_ _slanted_ ~gone~ `code`"),
    ("# A **bold** heading\ntext", "*A bold heading*\n\ntext"),
    ("one\ntwo\n\nthree", "one\ntwo\n\nthree"),
    ("Do this:\n\n- one\n- two\n  more\n    - deep\n\nDone.", "Do this:\n\n• one\n• two\n  more\n    • deep\n\nDone."),
    ("3. one\n4. two", "3. one\n4. two"),
    ("> said\n> so", "> said\n> so"),
    ("[the **guide**](https://e.example/?a=1&b=2)", "<https://e.example/?a=1&amp;b=2|the *guide*>"),
    ("<https://e.example>", "<https://e.example|https://e.example>"),
    ("![plot](https://e.example/p.png)", "<https://e.example/p.png|plot>"),
    ("AT&T <b> 1 > 0", "AT&amp;T &lt;b&gt; 1 &gt; 0"),
    ("a \\* b", "a * b"),
    ("```\nx < y\n```", "```\nx &lt; y\n```"),
    ("one\n\n---\n\ntwo", "one\n———\n\ntwo"),
    ("", ""),
])
def test_markdown_in_the_dialect_of_slack(markdown, expected):
    assert mrkdwn(markdown) == expected


def test_a_long_text_is_cut(hook, http, message):
    hook.send(message("slack", text="word " * 20_000))
    assert len(http.asked[0].json()["text"]) == LONGEST_TEXT + 1


@pytest.mark.parametrize("settings", [{}, {"url": Secret("A"), "token": Secret("B")}])
def test_either_a_url_or_a_token(settings):
    with pytest.raises(ForestallError, match="the channel slack needs either `url` or `token`"):
        SlackChannel("slack", SlackChannel.Settings(**settings), Path())


def test_a_secret_that_is_no_address(monkeypatch, message):
    monkeypatch.setenv("SLACK_URL", "hush")
    made = SlackChannel("slack", SlackChannel.Settings(url=Secret("SLACK_URL")), Path())
    with pytest.raises(ForestallError, match="the secret of the channel slack is no web address") as caught:
        made.send(message("slack"))
    assert "hush" not in str(caught.value)
