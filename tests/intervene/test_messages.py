"""What people get to see: the story of an alert in words, as an email, as Slack blocks, and nobody harmed by a name."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from forestall.engine.errors import Location
from forestall.engine.message import slack_blocks
from forestall.engine.message.changes import ahead
from forestall.engine.message.charts import sparkline
from forestall.engine.message.rendering import message
from forestall.engine.message.rule_words import in_words
from forestall.engine.message.story import Ahead, AlertStory, Change, Chart, Story
from forestall.engine.message.templates import needed, problems, render
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.delivery import Delivery, Message, MessageKind
from forestall.engine.model.evaluation import Facts
from forestall.engine.model.expression import Kind
from forestall.engine.model.people import Directory, Person
from forestall.engine.model.play import SlackStep
from forestall.engine.model.rulebook import Rulebook, Template
from forestall.engine.rulebook.loader import load

HERE = Location("metrics.yaml")
CATALOGUE = Catalogue({"logins_14d": Metric("logins_14d", Kind.NUMBER, HERE, unit="logins")}, Roles())
DAY = date(2014, 12, 3)
DANA = Person("dana", "Dana Ott", "dana@example.com", slack="U024BE7LH")
DIRECTORY = Directory({"dana": DANA}, {}, answers=True)
STORY = Story(
    account="acme", name="Acme & Sons", csm=DANA, contact="ann@acme.example", play="check_in", within=1,
    now=Facts("acme", DAY, 61.0, "at_risk", {"logins_14d": 4.0}),
    before=Facts("acme", DAY - timedelta(days=7), 74.0, "monitor", {"logins_14d": 20.0}),
    days_ago=7, tiers={"at_risk": "At Risk", "monitor": "Monitor"}, personal=frozenset(),
    alert=AlertStory("health score drop", "Sudden.", DAY - timedelta(days=2), "At Risk", "Health score 61.",
                     "health score fell by 15 or more in 7 days", "drop(score, days=7) >= 15"),
    resources=("https://help.example.com/a_b?x=1&y=2",), due=date(2014, 12, 4), stakes="1,200 euros a month",
    inside=True,
    changes=(Change("Health score", "74", "61"), Change("Logins in 14 days", "20", "4")),
    charts=(Chart("Health score", "▇▇▆▅▁", "74", "61", date(2014, 10, 8)),),
    ahead=(Ahead("About 7 Dec", "an email to the customer in your name"),))
WHOLE = "Call **{{ account.name }}** today.\n\n{{ story }}\n\n[Open the help]({{ resources[0] }})"


def sent(kind: MessageKind, body: str = WHOLE, story: Story = STORY, *, customer: bool = False,
         directory: Directory = DIRECTORY) -> Message:
    template = Template("note", "{{ account.name }} fell", body, Location("rules/templates/note.md", 1, 1))
    assert problems(template, CATALOGUE, ()) == []
    delivery = Delivery("key-1", "acme", "check_in", "health_score_drop", DAY, DAY, "slack", kind, "channel",
                        "to@x.example", "note", customer, "at_risk", "Dana", "dana@example.com", "dana")
    return message(delivery, render(template, story), story, directory)


def parsed(made: Message) -> list[dict[str, object]]:
    """The blocks, after slack-sdk's own models have looked at each."""
    found: list[dict[str, object]] = json.loads(made.blocks)
    for one in found:
        block = Block.parse(one)
        assert block is not None, one
        block.validate_json()
        assert block.to_dict().keys() >= {"type"}
    return found


# --- the story --------------------------------------------------------------------------------------------------------


def test_the_text_part_reads_as_a_person_would_have_typed_it() -> None:
    assert sent(MessageKind.EMAIL).text == """Call Acme & Sons today.

26 Nov → 3 Dec
Health score: 74 → 61
Logins in 14 days: 20 → 4

Health score  74 → 61
▇▇▆▅▁
8 Oct  3 Dec

At stake: 1,200 euros a month.

What happens by itself

- About 7 Dec: an email to the customer in your name

Since 1 December 2014 · Because health score fell by 15 or more in 7 days (drop(score, days=7) >= 15) · Due 4 Dec · \
Alert health score drop, play check in

Open the help (https://help.example.com/a_b?x=1&y=2)
"""


def test_a_template_says_what_it_needs_and_the_rest_is_not_worked_out() -> None:
    def wants(body: str) -> set[str]:
        return set(needed(Template("n", "{{ alert.reason }}" if "reason" in body else "x", body, HERE)))

    assert wants("Hello {{ account.name }}, {{ now.score }}") == set()
    assert wants("{{ story }}") == {"changes", "charts", "ahead", "stakes"}
    assert wants("{{ story.chart }}{{ story.rule }}") == {"charts", "rule"}
    assert wants("{% for one in changes %}{{ one.label }}{% endfor %} reason") == {"changes", "reason"}


@pytest.mark.parametrize(("body", "phrase"), [
    ("{{ story.chrt }}", "Did you mean chart?"),
    ("{% for one in changes %}{{ one.lable }}{% endfor %}", "Did you mean label?"),
    ("{{ alert.rul }}", "Did you mean rule?"),
    ("{{ story.chart | upper }}", "not one value"),
    ("{{ changes }}", "not one value"),
])
def test_misspelt_parts_of_the_story_are_named(body: str, phrase: str) -> None:
    (found,) = problems(Template("n", "x", body, Location("n.md", 1, 1)), CATALOGUE, ())
    assert phrase in str(found)


def test_the_story_does_not_fit_into_a_subject() -> None:
    (found,) = problems(Template("n", "{{ story.chart }}", "x", Location("n.md", 1, 1)), CATALOGUE, ())
    assert "does not fit into a subject" in str(found)


def test_without_anything_to_tell_the_story_leaves_no_gap() -> None:
    bare = replace(STORY, changes=(), charts=(), ahead=(), stakes="", alert=None)
    assert sent(MessageKind.EMAIL, "One\n\n{{ story }}\n\nTwo", bare).text == "One\n\nTwo\n"


@pytest.mark.parametrize(("values", "options", "line"), [
    ([1, 2, 3, 4, 5, 6, 7, 8], {}, "▁▂▃▄▅▆▇█"),
    ([0, None, 8], {}, "▁·█"),
    ([5, 5, 5], {}, "▅▅▅"),
    ([0, 0], {"from_zero": True}, "▁▁"),
    ([70, 71], {"least": 20.0}, "▄▅"),
    ([90, 100], {"from_zero": True}, "██"),
    ([None, 3], {}, ""),
    ([], {}, ""),
])
def test_a_line_of_bars(values: list[float | None], options: dict[str, float], line: str) -> None:
    assert sparkline(values, **options) == line      # type: ignore[arg-type]


@given(st.lists(st.none() | st.floats(-1e15, 1e15), max_size=40), st.booleans())
def test_a_line_has_a_bar_for_every_value(values: list[float | None], from_zero: bool) -> None:
    line = sparkline(values, from_zero=from_zero)
    assert len(line) in (0, len(values))


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    return load(Path(__file__).parents[2] / "rules", None)


@pytest.mark.parametrize(("trigger", "words"), [
    ("health_score_drop", "health score fell by 15 or more in 7 days, and health score is below 70"),
    ("inactivity", "days since last activity is from 14 to 60"),
    ("logins_down", "logins in 14 days fell by 30 percent or more in 14 days, and logins in 14 days was 20 or more 14 "
                    "days before"),
    ("core_feature_unused", "days since onboarding completed is 14 or more, and core feature uses total is 0"),
    ("sponsor_changed", "sponsor changed within 7 days"),
    ("seats_gone_quiet", "seats total is 5 or more, and seats active in 14 days divided by seats total is 0.2 or less"),
])
def test_rules_in_plain_words(rulebook: Rulebook, trigger: str, words: str) -> None:
    assert in_words(rulebook.triggers[trigger].when.term) == words


def test_what_the_play_will_do_by_itself(rulebook: Rulebook) -> None:
    steps = rulebook.plays["check_in"].steps
    assert ahead(steps, steps[0].id, DAY) == (
        Ahead("Today", "an email to the customer in your name"),
        Ahead("About 7 Dec", "an email to the customer in your name, unless health score is 70 or more by then"))
    assert ahead(steps, "gone", DAY) == ()
    call = rulebook.plays["rescue"].steps
    assert ahead(call, call[0].id, DAY, SlackStep("x", "csm.manager", "n", HERE), DAY + timedelta(days=1)) == (
        Ahead("Today", "an email to the customer in your name"),
        Ahead("If nobody has acted by 4 Dec", "a Slack message to the CSM's manager"))


# --- Slack ------------------------------------------------------------------------------------------------------------


def test_slack_tells_the_story_in_blocks() -> None:
    found = parsed(sent(MessageKind.SLACK))
    assert [one["type"] for one in found] == [
        "header", "section", "context", "section", "section", "section", "section", "section", "context", "actions",
        "actions"]
    assert found[0]["text"] == {"type": "plain_text", "text": "Acme & Sons fell", "emoji": False}
    assert found[1]["text"] == {"type": "mrkdwn", "text": "Call *Acme &amp; Sons* today.", "verbatim": True}
    assert [one["text"] for one in found[3]["fields"]] == [      # type: ignore[attr-defined]
        "*Health score*\n74 → 61", "*Logins in 14 days*\n20 → 4"]
    assert found[4]["text"]["text"] == "```Health score  74 → 61\n▇▇▆▅▁\n8 Oct  3 Dec```"      # type: ignore[index]
    links, answers = found[-2]["elements"], found[-1]["elements"]
    assert [(one["text"]["text"], one["url"]) for one in links] == [      # type: ignore[attr-defined]
        ("Open the help", "https://help.example.com/a_b?x=1&y=2")]
    assert [(one["action_id"], one["value"]) for one in answers] == [      # type: ignore[attr-defined]
        (action, "key-1") for action in ("acknowledge", "snooze", "saved", "lost")]


def test_buttons_only_where_someone_hears_them() -> None:
    def ids(made: Message) -> set[str]:
        return {one["action_id"] for block in json.loads(made.blocks) for one in block.get("elements", ())
                if "action_id" in one}

    answers = set(slack_blocks.BUTTONS)
    assert answers <= ids(sent(MessageKind.SLACK))
    assert not answers & ids(sent(MessageKind.SLACK, directory=replace(DIRECTORY, answers=False)))
    assert not answers & ids(sent(MessageKind.SLACK, customer=True))
    assert not answers & ids(sent(MessageKind.SLACK, story=replace(STORY, alert=None)))


@pytest.mark.parametrize("name", [
    "<!channel>", "<@U024BE7LH>", "<!subteam^S1>", "@here", "*bold* _it_ ~gone~ `code`", "<https://evil.example|x>",
    "&lt;!here&gt;", "```", "x|y>z", "[a](https://evil.example)", "> quote", "snake_case_name",
])
def test_a_name_pings_nobody_and_marks_nothing(name: str) -> None:
    body = "Dear {{ account.name }}\n\n**{{ account.name }}**\n\n- {{ account.name }}\n\n> {{ account.name }} " \
           "`{{ account.name }}`\n\n[open](https://crm.example/{{ account.name }}) it\n\n{{ story.changes }}"
    found = parsed(sent(MessageKind.SLACK, body, replace(STORY, name=name, changes=(Change(name, name, name),))))
    for text in texts(found[1:]):
        bare = text.replace("<https://crm.example/", "").replace("|open>", "")
        assert "<" not in bare
        assert ">" not in bare
        assert text.count("```") == 0
    seen = str(found[1]["text"]["text"])      # type: ignore[index]
    assert not set("*~`") & set(seen)
    assert "_" not in seen or name == "snake_case_name"


def texts(blocks: object) -> list[str]:
    """Every text that Slack reads for marks."""
    if isinstance(blocks, list):
        return [text for one in blocks for text in texts(one)]
    if not isinstance(blocks, dict):
        return []
    own = [blocks["text"]] if blocks.get("type") == "mrkdwn" else []
    return own + [text for one in blocks.values() for text in texts(one)]


@pytest.mark.parametrize("body", [
    "word " * 5000, "x" * 9000, "- item\n" * 900, "line\n\n" * 200, "&" * 4000,
    "[a](https://x.example/" + "y" * 5000 + ")", "```\n" + "code\n" * 2000 + "```",
    "# Title\n\n---\n\n1. one\n2. two\n   - three\n\n> quote\n> more",
    "\n\n".join(f"[link {n}](https://x.example/{n})" for n in range(40)),
    "| | a | b |\n|---|---|---|\n" + "| one | two | three |\n" * 30, "{{ account.name }}" * 60,
])
def test_slack_gets_no_more_than_it_takes(body: str) -> None:
    found = parsed(sent(MessageKind.SLACK, body, replace(STORY, name="Wide & <long> " * 40)))
    assert len(found) <= 50
    for text in texts(found):
        assert len(text) <= 3000
        assert text.count("<") == text.count(">")
    assert len(str(found[0]["text"]["text"])) <= 150      # type: ignore[index]


@pytest.mark.parametrize("body", [
    WHOLE, "{{ account.name }}", "## {{ account.name }}",
    "[{{ account.name }}](https://crm.example/{{ account.id }}) more",
    "[Open {{ account.name }}](https://crm.example/{{ account.id }})", "`{{ account.name }}`\n\n> {{ account.name }}",
])
@pytest.mark.parametrize("name", ['O"Hara\\ & <Sons>', "Ac_me *x*", "word " * 700, "Größe ▇"])
def test_what_is_written_once_for_a_body_is_what_each_message_says(body: str, name: str) -> None:
    story = replace(STORY, name=name, account="a/b c")
    rendered = render(Template("note", "{{ account.name }}", body, HERE), story)
    for buttons in (True, False):
        assert json.loads(slack_blocks.as_json(rendered, "key-1", buttons=buttons)) == \
            slack_blocks.blocks(rendered, "key-1", buttons=buttons)


@given(st.text(st.sampled_from(list("ab &<>*_`~|[](){}!@#:/.\\-\n\t\"'")) | st.characters(codec="utf-8"), max_size=40))
def test_any_name_makes_blocks_that_slack_takes(name: str) -> None:
    for text in texts(parsed(sent(MessageKind.SLACK, story=replace(STORY, name=name))))[1:]:
        assert "<!" not in text
        assert "<@" not in text
