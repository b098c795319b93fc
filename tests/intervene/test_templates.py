"""Templates: what they may say, how values read, and that a value can never become more than text."""

from __future__ import annotations

import html
import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forestall.adapters.channels.mrkdwn import mrkdwn
from forestall.engine.errors import Location, RulesError
from forestall.engine.message import rendering as messages
from forestall.engine.message import template_check
from forestall.engine.message.templates import AlertStory, Rendered, Story, problems, render
from forestall.engine.message.wording import escaped, number, one_line, unescaped
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.delivery import Delivery, Message, MessageKind
from forestall.engine.model.evaluation import Facts
from forestall.engine.model.expression import (
    Call,
    Comparison,
    Expression,
    Junction,
    Kind,
    Literal,
    Name,
    NameRole,
    Term,
    Window,
)
from forestall.engine.model.people import Directory, Person
from forestall.engine.model.rulebook import Template
from forestall.engine.model.trigger import Trigger

ROOT = Path(__file__).parents[2]
BEFORE, NOW = date(2014, 11, 26), date(2014, 12, 3)
DANA = Person("dana", "Dana Ott", "dana@example.com", slack="U1")
DIRECTORY = Directory({"dana": DANA}, {})
TIERS = {"at_risk": "At Risk", "monitor": "Monitor"}
HERE = Location("metrics.yaml")
METRICS = {
    metric.name: metric for metric in (
        Metric("logins_14d", Kind.NUMBER, HERE, unit="logins"), Metric("revenue", Kind.NUMBER, HERE, unit="euros"),
        Metric("segment", Kind.TEXT, HERE), Metric("paused", Kind.FLAG, HERE), Metric("renewal_date", Kind.DATE, HERE),
        Metric("contact_email", Kind.TEXT, HERE, personal=True), Metric("never_sent", Kind.NUMBER, HERE),
    )
}
CATALOGUE = Catalogue(METRICS, Roles())
STORY = Story(
    account="acme", name="Acme", csm=DANA, contact="ann@acme.example", play="re_engage", within=2,
    due=date(2014, 12, 5),
    now=Facts("acme", NOW, 61.0, "at_risk", {
        "logins_14d": 4.0, "revenue": 1200.0, "segment": "mid_market", "paused": False, "activity": 33.333,
        "renewal_date": date(2015, 1, 1), "contact_email": "ann@acme.example", "never_sent": None}),
    before=Facts("acme", BEFORE, 74.0, "monitor", {"logins_14d": 20.0, "revenue": 1200.0, "segment": "mid_market"}),
    days_ago=7, tiers=TIERS, personal=frozenset({"contact_email"}), resources=("https://help.example.com/a_b",),
    alert=AlertStory("Health score drop", "Sudden.", NOW, "At Risk", "Health score 61 (74 seven days before)."),
)


def template(body: str, subject: str = "Hello") -> Template:
    return Template("note", subject, body, Location("rules/templates/note.md", 1, 1))


def text(body: str, story: Story = STORY) -> str:
    return render(template(body), story).text.rstrip("\n")


# --- how values read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("written", "reads"), [
    ("{{ now.logins_14d }} of {{ before.logins_14d }}", "4 of 20"),
    ("{{ now.revenue }}", "1,200"),
    ("{{ now.activity }}", "33.33"),
    ("{{ now.paused }}", "no"),
    ("{{ now.renewal_date }}", "1 January 2015"),
    ("{{ now.tier }} was {{ before.tier }}", "At Risk was Monitor"),
    ("{{ now.day }}, {{ before.days_ago }} days", "3 December 2014, 7 days"),
    ("{{ before.score - now.score }}", "13"),
    ("{{ now.renewal_date - now.day }}", "29"),
    ("{{ now.logins_14d / (now.logins_14d - 4) }}", "not known yet"),
    ("{{ now.logins_14d | plural('login', 'logins') }}", "4 logins"),
    ("{{ (now.logins_14d / 4) | plural('login', 'logins') }}", "1 login"),
    ("{{ now.revenue | plural('euro', 'euros') }}", "1,200 euros"),
    ("{{ now.activity | round }} {{ 2.5 | round }} {{ 0.25 | round(1) }}", "33 3 0.3"),
    ("{{ csm.name }} {{ contact.email }} {{ account.id }}", "Dana Ott ann@acme.example acme"),
    ("{{ alert.reason }} {{ alert.opened_on }}", "Health score 61 (74 seven days before). 3 December 2014"),
    ("[help]({{ resources[0] }})", "[help](https://help.example.com/a_b)"),
    ("{% for link in resources %}{{ loop.index }} {{ link }}{% endfor %}", "1 https://help.example.com/a_b"),
    ("{% set fell = before.logins_14d - now.logins_14d %}{% if fell > 10 %}{{ fell }} fewer{% endif %}", "16 fewer"),
    ("{{ now.segment | upper }}", "MID_MARKET"),
    ("{{ play.name }} within {{ play.within }}", "re_engage within 2"),
])
def test_values_read_as_people_write_them(written: str, reads: str) -> None:
    assert problems(template(written), CATALOGUE, ("activity",)) == []
    assert text(written) == reads


@pytest.mark.parametrize(("value", "reads"), [
    (12.0, "12"), (3.5, "3.5"), (1200, "1,200"), (1234567.8, "1,234,568"), (0.1 + 0.2, "0.3"), (2.675, "2.68"),
    (0, "0"), (-0.0, "0"), (-1200.5, "-1,200.5"), (0.004, "0.004"), (1e-9, "0"), (99.999, "100"), (60.0, "60"),
    (78.1 - 63.1, "15"), (1e15, "1,000,000,000,000,000"), (100, "100"),
])
def test_numbers_read_as_people_write_them(value: float, reads: str) -> None:
    assert number(value) == reads


@pytest.mark.parametrize(("written", "reads"), [
    ("{{ now.never_sent }}", "not known yet"),
    ("{{ executive.name }}", "not known yet"),
    ("{{ executive.name | default('your team') }}", "your team"),
    ("{% if now.never_sent %}a{% else %}b{% endif %}", "b"),
    ("{% if now.never_sent is defined %}a{% else %}b{% endif %}", "b"),
    ("{% if now.never_sent > 3 or now.never_sent <= 3 or now.never_sent == 3 %}a{% else %}b{% endif %}", "b"),
    ("{{ now.never_sent - 3 }} {{ 3 / now.never_sent }} {{ -now.never_sent }}", " ".join(["not known yet"] * 3)),
    ("{{ now.never_sent | plural('a', 'b') }} {{ now.never_sent | round | abs }}", "not known yet not known yet"),
    ("{{ (now.never_sent - 3) | round | default(5) }}", "5"),
    ("{{ resources[7] | default('none') }}", "none"),
])
def test_what_is_missing_stays_missing(written: str, reads: str) -> None:
    assert problems(template(written), CATALOGUE, ()) == []
    assert text(written) == reads


def test_a_story_without_alert_and_past_says_so() -> None:
    bare = replace(STORY, alert=None, before=None, csm=None, contact="")
    written = "{{ alert.name | default('x') }}{{ before.score | default('y') }}{{ csm.name | default('z') }}" \
              "{% if alert %}no{% endif %}{{ contact.email | default('w') }}"
    assert text(written, bare) == "xyzw"


def test_gaps_that_conditions_leave_are_closed() -> None:
    assert text("One\n\n{% if now.never_sent %}\n\nTwo\n\n{% endif %}\n\nThree\n\n\n") == "One\n\nThree"


def test_the_subject_is_one_plain_line_of_at_most_200_characters() -> None:
    named = replace(STORY, name="*Ac_me* [x]\r\nBcc: all@example.com")
    made = render(template("x", "For {{ account.name }}: {{ now.logins_14d }}"), named)
    assert made.subject == "For *Ac_me* [x] Bcc: all@example.com: 4"
    long = render(template("x", "{{ account.name }}"), replace(STORY, name="word " * 100)).subject
    assert len(long) <= 200
    assert long.endswith("…")


# --- a value is text and nothing else -------------------------------------------------------------------------------


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.links: list[str] = []
        self._styling = False
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._styling = tag == "style"
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, text: str) -> None:
        self.text += "" if self._styling else text


def sent(kind: MessageKind, body: str, story: Story = STORY) -> Message:
    delivery = Delivery("key-1", "acme", "re_engage", "health_score_drop", NOW, NOW, "mail", kind, "channel", "to",
                        "note", True, "at_risk", "Dana", "dana@example.com", "dana")
    return messages.message(delivery, render(template(body), story), story, DIRECTORY)


@pytest.mark.parametrize("name", [
    "O'Brien & Sons (EU)", "Acme #1 - Größe", "50% off!", "A+B Ltd.", "snake_case_name", "R&D", "a < b > c", "3M",
    "St. John's [North]", "*Star*", "C:\\x", "1. FC Köln", "- dash", "# hash", "Tom `tick`", "AT&amp;T", "_under_", "=",
])
def test_names_are_readable_in_text_html_and_slack(name: str) -> None:
    story = replace(STORY, name=name)
    email = sent(MessageKind.EMAIL, "{{ account.name }}\n\nDear {{ account.name }}, hello.", story)
    assert email.text == f"{name}\n\nDear {name}, hello.\n"
    page = Page(email.html)
    assert f"Dear {name}, hello." in page.text
    assert set(page.tags) <= {"html", "head", "meta", "title", "style", "body", "table", "tr", "td", "strong", "p"}
    slack = sent(MessageKind.SLACK, "Dear {{ account.name }}, hello.", story)
    assert html.unescape(mrkdwn(slack.text)) == f"Dear {name}, hello."


@pytest.mark.parametrize("name", [
    "[click](http://evil.example)", "<script>alert(1)</script>", "<http://evil.example>", "![x](http://evil.example/p)",
    "[a]: http://evil.example", "<img src=x onerror=alert(1)>", "<!channel>", "<@U024BE7LH>", "</div><b>", "```\ncode",
    "x\n\n# Big\n\n[y](http://evil.example)", "&lt;b&gt;", "https://ok.example)[z](http://evil.example",
])
def test_a_name_never_becomes_a_link_a_picture_or_markup(name: str) -> None:
    story = replace(STORY, name=name)
    email = sent(MessageKind.EMAIL, "{{ account.name }}\n\n- {{ account.name }}\n\nDear {{ account.name }}, x", story)
    assert not {"a", "img", "script", "b", "code", "h1"} & set(Page(email.html).tags)
    assert one_line(name) in Page(email.html).text
    slack = mrkdwn(sent(MessageKind.SLACK, "Dear {{ account.name }}!", story).text)
    assert html.unescape(slack) == f"Dear {one_line(name)}!"
    assert "<" not in slack


tricky = st.text(st.sampled_from(list("ab1 .()[]<>*_`#-+=~!&;:/\\|'\"@\n\t")) | st.characters(codec="utf-8"),
                 max_size=30)


@given(tricky)
@example("__a__")
@example("a_ b _c_")
@example("1)")
@example("+++")
def test_markdown_shows_exactly_the_value(value: str) -> None:
    wanted = one_line(value)
    for body in ("{0}", "Dear {0}, x", "Dear\n{0}\nx", "**{0}x**", "({0})"):
        shown = Page(messages.page("", body.format(escaped(wanted)))).text
        bare = body.replace("*", "").format(wanted)
        assert " ".join(shown.split()) == " ".join(bare.split())
    assert unescaped(escaped(wanted)) == wanted


# --- what a template must not hold ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "place", "phrases"), [
    ("Hi {{ now.loginz_14d }}", "3:7", ["`now.loginz_14d` does not exist", "Did you mean logins_14d?"]),
    ("a\n\nb {{ before.activty }}", "5:6", ["before.activty", "Did you mean activity?"]),
    ("{{ logins_14d }}", "3:4", ["`logins_14d`", "Write now.logins_14d or before.logins_14d"]),
    ("{{ acount.name }}", "3:4", ["`acount`", "Did you mean account?"]),
    ("{{ account.nam }}", "3:4", ["account.nam", "Did you mean name?"]),
    ('{{ now["loginz_14d"] }}', "3:1", ["now.loginz_14d"]),
    ("{{ now[play.name] }}", "3:4", ["does not say which value"]),
    ("{{ now.logins_14d | plurl('a', 'b') }}", "3:21", ["no filter `plurl`", "Did you mean plural?"]),
    ("{{ now.logins_14d | safe }}", "3:21", ["no filter `safe`"]),
    ("{% if now.logins_14d is definde %}x{% endif %}", "3:25", ["no test `is definde`", "Did you mean defined?"]),
    ("{{ account.__class__ }}", "3:4", ["underscore"]),
    ("{{ resources._x }}", "3:4", ["underscore"]),
    ("{{ ''.__class__ }}", "3:1", ["underscore"]),
    ("{{ account.name.upper() }}", "3:1", ["cannot call functions"]),
    ("{{ account.name.x }}", "3:4", ["is one value"]),
    ("{{ 2 ** 9 }}", "3:1", ["`**`"]),
    ("{{ play.name ~ '!' }}", "3:1", ["`~`"]),
    ("{{ 'x' if now.paused }}", "3:1", ["needs an `else`"]),
    ("{% include 'other.md' %}", "3:1", ["{% include %} is not part of templates"]),
    ("{% macro x() %}{% endmacro %}", "3:1", ["{% macro %}"]),
    ("one\n\n{% if now.score %}\nopen", "5:1", ["unexpected end", "endif"]),
    ("one\n{{ now.score }", "4:1", ["unexpected '}'"]),
    ("{% iff now.score %}", "3:1", ["unknown tag 'iff'"]),
    ("one\n{{ now.segment + 1 }}", "4:1", ["a text + a number cannot be worked out"]),
    ("one\n{% if now.segment > 1 %}x{% endif %}", "4:1", ["different kinds are compared"]),
    ("one\n\n{{ now.segment | plural('a', 'b') }}", "5:1", ["`plural` needs a number"]),
    ("{{ account }}", "3:1", ["not one value"]),
    ("{{ now.segment * 1000000000 }}", "3:1", ["cannot be worked out"]),
])
def test_each_mistake_is_named_at_its_place(body: str, place: str, phrases: list[str]) -> None:
    found = problems(template(body), CATALOGUE, ("activity",))
    assert len(found) == 1, found
    said = str(found[0])
    assert said.startswith(f"rules/templates/note.md:{place}: message note: ")
    for phrase in phrases:
        assert phrase in said


OPERATORS = ["+", "-", "*", "/", "//", "%", ">", "<=", "==", "in", "and", "or"]
operands = st.sampled_from([
    "now.logins_14d", "before.segment", "now.paused", "now.renewal_date", "now.never_sent", "now.tier", "now.score",
    "before.days_ago", "play.within", "alert.opened_on", "csm.name", "resources", "resources[0]", "account", "3", "'x'",
])
operations = st.recursive(operands, lambda inner: st.one_of(
    st.builds("({} {} {})".format, inner, st.sampled_from(OPERATORS), inner),
    st.builds("({} | {})".format, inner, st.sampled_from(
        ["round", "round('a')", "abs", "int", "plural('a', 'b')", "plural('a')", "upper", "default('x')", "default(3)",
         "default(1, 2, 3)", "length", "join", "trim('a')"])),
    st.builds("({} if {} else {})".format, inner, inner, inner),
    st.builds("(-{})".format, inner), st.builds("(not {})".format, inner),
    st.builds("({} is {})".format, inner, st.sampled_from(["defined", "even", "divisibleby 3"])),
), max_leaves=4)


@settings(max_examples=200, deadline=None)
@given(operations, st.booleans())
def test_a_template_that_is_surely_fit_never_fails(operation: str, printed: bool) -> None:
    written = template(f"{{{{ {operation} }}}}" if printed else f"{{% if {operation} %}}x{{% endif %}}")
    if template_check.checked(written, CATALOGUE, ("activity",)).sure:
        for story in (*template_check.samples(CATALOGUE, ("activity",)), STORY):
            render(written, story)


def test_the_default_templates_need_no_trial() -> None:
    assert template_check.checked(template(
        "{{ now.logins_14d | plural('login', 'logins') }} {% if before.score - now.score > 3 and csm.name is defined %}"
        "{{ resources[0] | default('https://example.com') }} {{ now.day }}{% endif %}"), CATALOGUE, ()).sure
    assert not template_check.checked(template("{{ now.segment | plural('a', 'b') }}"), CATALOGUE, ()).sure


def test_all_mistakes_are_told_at_once_the_subject_included() -> None:
    found = problems(template("{{ now.a1 }}\n{{ nix }} {{ now.b2 | nope }}", "Hi {{ now.c3 }}"), CATALOGUE, ())
    assert [(problem.location.line, problem.location.column) for problem in found] == [
        (1, 16), (3, 4), (4, 4), (4, 23), (4, 14)]


def test_a_body_that_begins_further_down_says_the_right_line() -> None:
    (found,) = problems(replace(template("x\n{{ nix }}"), body_line=7), CATALOGUE, ())
    assert found.location.line == 8


def test_rendering_an_unfit_template_is_a_sentence() -> None:
    with pytest.raises(RulesError, match=r"note\.md:3:1: message note: .* cannot be worked out"):
        render(template("{{ now.segment + 1 }}"), STORY)


def test_every_template_of_the_default_rules_can_be_read() -> None:
    for file in sorted((ROOT / "rules" / "templates").glob("*.md")):
        subject, _, body = file.read_text(encoding="utf-8").partition("\n\n")
        assert subject.startswith("Subject: ")
        read = Template(file.stem, subject.removeprefix("Subject: "), body, Location(str(file), 1, 1))
        wrong = [found for found in problems(read, CATALOGUE, ()) if found.code != "unknown-name"]
        assert wrong == []


def test_checking_templates_loads_nothing_heavy() -> None:
    heavy = "{'sqlalchemy', 'pyarrow', 'ibis', 'duckdb', 'httpx', 'rich', 'markdown_it', 'slack_sdk'}"
    code = f"import sys, forestall.engine.message.templates; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


# --- messages -------------------------------------------------------------------------------------------------------


def test_an_email_has_text_html_and_an_address_to_answer() -> None:
    made = sent(MessageKind.EMAIL, "**Hello** {{ account.name }},\nbye\n\n[help]({{ resources[0] }})")
    assert made.text == "Hello Acme,\nbye\n\nhelp (https://help.example.com/a_b)\n"
    assert "<strong>Hello</strong> Acme,<br />\nbye</p>" in made.html
    assert Page(made.html).links == ["https://help.example.com/a_b"]
    assert (made.to, made.sender, made.reply_to, made.sent_on) == ("to", "Dana", "dana@example.com", NOW)
    assert made.body == ""


def test_messages_of_one_run_share_a_thread_and_other_runs_have_their_own() -> None:
    first = Delivery("k", "a", "p", "g", NOW, NOW, "s", MessageKind.SLACK, "c", "r", "t", False, "x")
    assert messages.thread(first) == messages.thread(replace(first, key="l", step="z", day=BEFORE))
    others = {messages.thread(replace(first, account="b")), messages.thread(replace(first, occurrence=BEFORE)),
              messages.thread(replace(first, account="a/p", play=""))}
    assert len(others) == 3
    assert messages.thread(first) not in others


@pytest.mark.parametrize("kind", [MessageKind.WEBHOOK, MessageKind.TASK])
@pytest.mark.parametrize("story", [STORY, replace(STORY, alert=None, before=None, within=None, resources=(),
                                                  now=Facts("acme", NOW, None, None, {}))])
def test_the_json_of_webhooks_and_tasks_keeps_its_promise(kind: MessageKind, story: Story) -> None:
    schema = json.loads((ROOT / "schemas" / "output" / "webhook.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    body = json.loads(sent(kind, "Call {{ account.name }}", story).body)
    jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())


def test_the_json_says_who_what_and_by_when_and_nothing_personal() -> None:
    body = json.loads(sent(MessageKind.TASK, "Call {{ account.name }}").body)
    assert body["account"] == {"id": "acme", "name": "Acme", "score": 61, "tier": "at_risk"}
    assert body["person"] == {"key": "dana", "name": "Dana Ott", "email": "dana@example.com"}
    assert (body["title"], body["text"], body["due"]) == ("Hello", "Call Acme\n", "2014-12-05")
    assert body["alert"]["name"] == "health_score_drop"
    assert body["facts"] == {"activity": 33.333, "logins_14d": 4, "never_sent": None, "paused": False,
                             "renewal_date": "2015-01-01", "revenue": 1200, "segment": "mid_market"}
    assert "ann@acme.example" not in json.dumps(body)


# --- the reason -----------------------------------------------------------------------------------------------------

SCORE = Name("score", Kind.NUMBER, NameRole.SCORE)
LOGINS = Name("logins_14d", Kind.NUMBER, NameRole.METRIC)


def trigger(*terms: Term) -> Trigger:
    term = Junction("and", tuple(Comparison("<", each, Literal(1.0, Kind.NUMBER)) for each in terms))
    return Trigger("drop", Expression("…", term, HERE), HERE, about="It fell.")


def test_the_reason_tells_each_value_then_and_now() -> None:
    fell = trigger(Call("drop", (SCORE,), Kind.NUMBER, Window(7)), SCORE, LOGINS)
    assert messages.reason(fell, STORY.now, STORY.before, METRICS) == \
        "Health score 61 (74 seven days before), logins in 14 days 4 (20)."


def test_the_reason_has_units_and_says_what_stayed_and_what_is_not_known() -> None:
    names = [Name("revenue", Kind.NUMBER, NameRole.METRIC), Name("activity", Kind.NUMBER, NameRole.SIGNAL),
             Name("segment", Kind.TEXT, NameRole.METRIC), Name("renewal_date", Kind.DATE, NameRole.METRIC),
             Name("never_sent", Kind.NUMBER, NameRole.METRIC)]
    assert messages.reason(trigger(*names), STORY.now, STORY.before, METRICS) == (
        "Revenue 1,200 euros (the same seven days before), activity 33.33 points, segment mid market (the same), "
        "renewal date 1 January 2015.")
    assert messages.reason(trigger(names[-1], LOGINS), replace(STORY.now, values={}), STORY.before) == \
        "Logins in 14 days unknown (20 seven days before)."
    assert messages.reason(trigger(names[-1]), STORY.now, None) == "It fell."


def test_falling_into_a_tier_is_explained_by_score_and_tier() -> None:
    assert messages.reason(None, STORY.now, STORY.before) == \
        "Health score 61 (74 seven days before), tier At Risk (Monitor)."
    assert messages.reason(None, STORY.now, None) == "Health score 61, tier At Risk."


def test_rendered_is_what_messages_take() -> None:
    delivery = Delivery("k", "a", "p", "g", NOW, NOW, "s", MessageKind.SLACK, "c", "r", "t", False, "x")
    made = messages.message(delivery, Rendered("S", "T\n"), STORY, DIRECTORY)
    assert replace(made, blocks="") == Message(
        "k", MessageKind.SLACK, "r", "S", "T\n", thread=messages.thread(delivery), sent_on=NOW, label="a p s",
        to_customer=False)
    assert [block["type"] for block in json.loads(made.blocks)] == ["header", "section"]
