"""What is read out of the words of tickets: moods, topics, issues, words; from a log by the settings to metrics."""

import csv
import json
import re
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from far_sides.zendesk import Zendesk, organization, ticket, user

from forestall.adapters.sources.daily.declared import Daily, DailyMetric, Measure
from forestall.adapters.sources.daily.log import Wanted
from forestall.adapters.sources.daily.metrics import DailyMetrics
from forestall.adapters.sources.http.zendesk import ZendeskSettings, ZendeskSource
from forestall.adapters.sources.text import log as text_log
from forestall.adapters.sources.text.declared import ISSUE, SENTIMENT, WORDS, Texts
from forestall.adapters.sources.text.log import TextLog, texts_of
from forestall.adapters.sources.text.phrases import Phrases, issue_of
from forestall.adapters.sources.text.sentiment import Sentiment
from forestall.adapters.sources.text.wording import words, written
from forestall.engine.errors import ForestallError
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Secret, SourceError
from forestall.engine.settings import open_source, read_settings

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "source-text.md").read_text(encoding="utf-8")
TICKETS = ROOT / "benchmarks" / "tickets" / "tickets.csv"
NUMBERS = ("mood_30d", "lowest_mood_14d", "words_per_message_30d", "same_issue_30d", "competitor_asks_90d")
METRICS = {name: Metric(name, Kind.NUMBER, Location("rules/metrics.yaml", 1, 1)) for name in NUMBERS}


@pytest.fixture(scope="module")
def sentiment() -> Sentiment:
    return Sentiment()


# -- from a log to metrics ---------------------------------------------------------------------------------------------

LOG = [
    ("acme", "2026-03-02T09:00:00Z", "opened", "customer", "Export fails", "The export fails with an error 500."),
    ("acme", "2026-03-02T10:00:00Z", "replied", "agent", "Re: Export fails", "Great question, I am happy to help!"),
    ("acme", "2026-03-09T09:00:00Z", "opened", "customer", "Exports still failing!",
     "Terrible. The exports are failing again, and I am so disappointed.\n\nOn 3 March 2026, Support wrote:\n> Great!"),
    ("acme", "2026-03-20T09:00:00Z", "opened", "customer", "RE: [Ticket 81] export failed", "No."),
    ("bolt", "2026-03-20T09:00:00Z", "opened", "customer", "Login", "I cannot log-in. Thanks in advance, kind regards"),
    ("bolt", "2026-03-21T09:00:00Z", "opened", "customer", "Question",
     "Our new CFO asks why another vendor's tool has forecasts and yours does not. We might switch  to it."),
    ("cedar", "2026-03-21T09:00:00Z", "opened", "customer", "Dank", "Vielen Dank, das ist ein furchtbar guter Dienst!"),
]
TEXT = """
sources:
  tickets:
    adapter: events
    path: tickets.jsonl
    text:
      of: [properties.subject, properties.body]
      subject: properties.subject
      topics: {competitor: [competitor*, "another vendor", "switch to"]}
      issues: {login: ["log in", password]}
      moods: {CFO: -1}
    metrics:
      mood_30d: {measure: average, of: text.sentiment, where: {author: customer}, days: 30}
      lowest_mood_14d: {measure: smallest, of: text.sentiment, where: {author: customer}, days: 14}
      words_per_message_30d: {measure: average, of: text.words, where: {author: customer}, days: 30}
      same_issue_30d: {measure: repeats, of: text.issue, events: opened, days: 30}
      competitor_asks_90d: {measure: count, where: {text.topics.competitor: said}, days: 90}
time_zone: Europe/Berlin
delivery: rehearsal
"""


def rows(folder: Path, settings: str = TEXT) -> dict[tuple[str, date], dict[str, object]]:
    """(account, day) → its metrics, by the source of these settings."""
    (folder / "tickets.jsonl").write_text("".join(json.dumps({
        "account": account, "at": at, "name": name, "author": author,
        "properties": {"subject": subject, "body": body}}) + "\n" for account, at, name, author, subject, body in LOG))
    (folder / "forestall.yaml").write_text(settings)
    read = read_settings(folder)
    source = open_source(read, read.sources[0], METRICS)
    found = [row for table in source.snapshots(None, date(2026, 3, 31)) for row in table.to_pylist()]
    return {(row["account"], row["as_of"]): row for row in found}


def test_from_a_log_of_tickets_to_metrics(tmp_path: Path) -> None:
    found = rows(tmp_path)
    first, second, third = (found["acme", date(2026, 3, day)] for day in (2, 9, 20))
    assert [one["same_issue_30d"] for one in (first, second, third)] == [1, 2, 3], "worded otherwise, the same issue"
    assert first["words_per_message_30d"] == 9, "of the customer alone: subject and body"
    assert third["words_per_message_30d"] < second["words_per_message_30d"], "from warm to terse"
    assert second["mood_30d"] < first["mood_30d"] <= 0, "what an agent wrote, and what is quoted, counts for nothing"
    assert second["lowest_mood_14d"] < -0.5
    bolt = found["bolt", date(2026, 3, 21)]
    assert (bolt["competitor_asks_90d"], bolt["same_issue_30d"]) == (1, 1)
    cedar = found["cedar", date(2026, 3, 21)]
    assert cedar["mood_30d"] is None, "another language is not neutral but unknown"
    assert cedar["words_per_message_30d"] == 9


def test_what_a_row_says_does_not_depend_on_when_it_is_read(tmp_path: Path) -> None:
    whole = rows(tmp_path)
    read = read_settings(tmp_path)
    source = open_source(read, read.sources[0], METRICS)
    later = [row for table in source.snapshots(date(2026, 3, 15), date(2026, 3, 31)) for row in table.to_pylist()]
    assert later
    assert all(whole[row["account"], row["as_of"]] == row for row in later)


@pytest.mark.parametrize(("before", "after", "said"), [
    ("of: text.sentiment, where: {author: customer}, days: 30", "of: text.sentimnt, days: 30",
     "names text.sentimnt, and `text` gives no such column. Did you mean text.sentiment?"),
    ("{measure: repeats, of: text.issue, events: opened, days: 30}", "{measure: sum, of: text.issue}",
     "reckons with text.issue, which is a text. Use `measure: count`"),
    ("{measure: count, where: {text.topics.competitor: said}, days: 90}", "{measure: sum, of: text.topics.competitor}",
     "reckons with text.topics.competitor, which is a text."),
    ("text.topics.competitor: said", "text.topics.rival: said", "Did you mean text.topics.competitor?"),
    ("      subject: properties.subject\n", "", ""),
    ("      issues: {login: [\"log in\", password]}\n", "", ""),
    ("of: [properties.subject, properties.body]", "of: []", "`text` needs `of`."),
    ("[competitor*, \"another vendor\", \"switch to\"]", "[competitor, \"?\"]", "a phrase of it is empty"),
    ("{CFO: -1}", "{CFO: -5}", "`text` has `moods` with `CFO: -5`. Write one word and a number from -4"),
    ("topics:", "tpics:", "`tpics` is not a setting of `text` of source tickets. Did you mean topics?"),
])
def test_what_is_wrong_with_the_settings_is_said(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in TEXT
    wrong = TEXT.replace(before, after)
    if not said:
        assert rows(tmp_path, wrong), "one of both is enough"
        return
    with pytest.raises(ForestallError) as error:
        rows(tmp_path, wrong)
    assert said in " ".join(map(str, error.value.problems))


def test_issues_without_a_way_to_tell_them_are_said() -> None:
    asked = Daily({"same_issue_30d": DailyMetric(Measure.REPEATS, of=ISSUE, days=30)}, text=Texts(("body",)))
    with pytest.raises(SourceError, match="names neither `issues` nor `subject`"):
        DailyMetrics("tickets", asked, METRICS)


def test_without_the_package_moods_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forestall.adapters.sources.daily.checked.can_tell_moods", lambda: False)
    asked = Daily({"mood_30d": DailyMetric(Measure.AVERAGE, of=SENTIMENT)}, text=Texts(("body",)))
    with pytest.raises(SourceError) as error:
        DailyMetrics("tickets", asked, METRICS)
    assert 'pip install "forestall[text]"' in str(error.value)
    longer = Daily({"words_per_message_30d": DailyMetric(Measure.AVERAGE, of=WORDS)}, text=Texts(("body",)))
    assert DailyMetrics("tickets", longer, METRICS).supplies() == ("words_per_message_30d",)


def test_the_log_is_asked_for_the_words_and_for_no_more() -> None:
    asked: list[tuple[str, ...]] = []

    def log(wanted: Wanted):
        asked.append(wanted.columns)
        yield pa.table({"account": ["a"] * 3, "at": [datetime(2026, 3, 1, tzinfo=UTC)] * 3,
                        "body": ["All good", None, "> quoted"], "title": [None, "Password", "Sync stopped"]})

    wording = TextLog(log, Texts(("body",), subject="title", issues={"login": ("password",)}))
    (plain,) = wording(Wanted(("name",), None, None))
    (told,) = wording(Wanted(("name", SENTIMENT, WORDS, ISSUE), None, None))
    assert asked == [("name",), ("name", "body", "title")]
    assert plain.column_names == ["account", "at", "body", "title"]
    assert told[WORDS].to_pylist() == [2, None, None], "where nobody wrote anything there is nothing to count"
    good, *nothing = told[SENTIMENT].to_pylist()
    assert (good > 0, nothing) == (True, [None, None])
    assert told[ISSUE].to_pylist() == [None, "login", "stopp sync"]
    assert text_log.can_tell_moods()


@pytest.mark.parametrize("cell", [
    pa.array(['{"mail": {"body": "Hello"}}', '{"mail": {}}', "no json", None]),
    pa.array([{"mail": {"body": "Hello"}}, {"mail": {"body": None}}, None, None]),
])
def test_words_may_lie_inside_of_a_column(cell: pa.Array) -> None:
    assert texts_of(pa.table({"properties": cell}), "properties.mail.body") == ["Hello", None, None, None]
    assert texts_of(pa.table({"properties": cell}), "other.body") == [None] * 4


def test_the_tickets_of_an_api(far_side, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log over HTTP gives its words below `daily`: here the opened and solved tickets of Zendesk."""
    monkeypatch.setenv("ZENDESK_TOKEN", "s3cret-42")
    far_side.answers = there = Zendesk(far_side.url)
    there.records = {"organizations": [organization(1, "Acme")], "users": [user(20, 1)], "tickets": [
        ticket(number, f"2026-01-0{number}T09:00:00Z", status="solved", solved="2026-01-09T09:00:00Z")
        | {"subject": subject, "description": "This is terrible."}
        for number, subject in enumerate(("Export fails", "No login", "Re: Exports are failing"), 4)]}
    read = yaml.safe_load("""
      text: {of: [subject, description], subject: subject}
      metrics:
        mood_30d: {measure: average, of: text.sentiment, events: opened, days: 30}
        same_issue_30d: {measure: repeats, of: text.issue, events: opened, days: 30}
    """)
    daily = Daily({name: DailyMetric(**{**one, "measure": Measure(one["measure"]), "events": (one["events"],)})
                   for name, one in read["metrics"].items()},
                  text=Texts(tuple(read["text"]["of"]), read["text"]["subject"]))
    made = ZendeskSource("support", ZendeskSettings(Secret("ZENDESK_TOKEN"), url=far_side.url, email="me@acme.example",
                                                    rate=0, daily=daily), METRICS, Path())
    found = [row for table in made.snapshots(None, date(2026, 1, 12)) for row in table.to_pylist()]
    (last,) = (row for row in found if row["as_of"] == date(2026, 1, 9))
    assert last["same_issue_30d"] == 2
    assert last["mood_30d"] < -0.4


# -- the words of a message --------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("kept", "own"), [
    ("It is broken.\n\n-- \nAnn Lee\nHappy Corp, the best there is", "It is broken."),
    ("No.\n> Would you like our excellent new plan?\nReally no.", "No.\n\nReally no."),
    ("Bad.\r\n\r\nOn Mon, 2 Mar 2026 at 10:01, Dana <dana@x.example>\r\nwrote:\r\n\r\nGreat to hear!", "Bad."),
    ("Bad.\n\n-----Original Message-----\nGreat!", "Bad."),
    ("Bad.\nFrom: Dana Reed\nSent: Monday\nGreat!", "Bad."),
    ("Bad.\nSent from my iPhone", "Bad."),
    ("<p>It&#39;s <b>bad</b>.</p><blockquote>Great!</blockquote><style>p {color: nice}</style>", "It's bad ."),
    ("See https://great.example/best and ann@lovely.example now", "See and now"),
    ("if a < b and c > d it fails", "if a < b and c > d it fails"),
    ("On Monday she wrote: it works", "On Monday she wrote: it works"),
    ("> only what others wrote", ""),
    ("It doesn’t work", "It doesn't work"),
])
def test_only_what_a_person_wrote_counts(kept: str, own: str) -> None:
    assert " ".join(written(kept).split()) == " ".join(own.split())


def test_words_are_counted_as_people_count_them() -> None:
    assert words("I can't log-in since 3 o'clock: why?") == 7
    assert words("!!! 😡 …") == 0


@pytest.mark.parametrize(("phrase", "text", "there"), [
    ("log in", "I cannot log-in", True), ("log in", "LOG  IN please", True), ("log in", "the catalog in use", False),
    ("export*", "exporting takes long", True), ("export", "exporting takes long", False),
    ("doesn't work", "it doesn’t work", True), ("other vendor*", "other vendors'", True),
])
def test_phrases(phrase: str, text: str, there: bool) -> None:
    assert Phrases({"x": (phrase,)}).holds("x", text) is there


def test_a_text_has_the_first_issue_that_has_a_phrase_in_it() -> None:
    issues = Phrases({"login": ("password", "log in"), "export": ("export*",)})
    assert [issues.first(text) for text in ("Export without log in", "exports", "billing")] == ["login", "export", None]


@pytest.mark.parametrize(("one", "other"), [
    ("Export fails", "RE: [#4711] Exports are failing again!"), ("Invoice 2231 is wrong", "wrong invoices"),
    ("Fwd: AW: Sync stopped", "Our sync has stopped, third time"),
])
def test_subjects_on_one_issue(one: str, other: str) -> None:
    assert issue_of(one) == issue_of(other) is not None


def test_subjects_on_different_issues_and_on_none() -> None:
    assert issue_of("Export fails") != issue_of("Import fails")
    assert issue_of("Re: Question") is None


# -- the mood ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("text", "mood"), [
    ("Thanks in advance and kind regards", 0), ("Could you please share the file with support?", 0),
    ("Thank you so much, this is great!", 1), ("This is not great at all.", -1), ("", None), ("😀", None),
    ("Der Export geht seit gestern nicht mehr und niemand antwortet.", None), ("エクスポートできません", None),
])
def test_moods(sentiment: Sentiment, text: str, mood: int | None) -> None:
    found = sentiment.of(text)
    assert found is None if mood is None else found is not None and (found > 0) - (found < 0) == mood


def test_a_factual_report_does_not_water_down_an_angry_sentence(sentiment: Sentiment) -> None:
    angry = "I am angry and disappointed."
    assert sentiment.of(f"The file has 12 rows. {angry} The job runs at six.") == sentiment.of(angry)


def test_words_of_ones_own_have_a_mood(sentiment: Sentiment) -> None:
    assert sentiment.of("We will churn.") == 0
    assert Sentiment({"Churn": -3}).of("We will churn.") < -0.4
    assert sentiment.of("We will churn.") == 0, "one source's words are not another's"


def test_the_mood_agrees_with_people_as_the_page_says(sentiment: Sentiment) -> None:
    """The figure of docs/source-text.md, from texts that nothing was chosen by."""
    with TICKETS.open(encoding="utf-8", newline="") as file:
        labelled = [(int(row["mood"]), row["text"]) for row in csv.DictReader(file) if row["part"] == "held out"]
    moods = [(label, sentiment.of(text) or 0.0) for label, text in labelled]
    right = sum(label == (mood >= 0.05) - (mood <= -0.05) for label, mood in moods)
    bad = [mood <= -0.05 for label, mood in moods if label < 0]
    assert f"**{right / len(moods):.0%}** of {len(moods)} messages" in PAGE
    assert f"finds **{sum(bad) / len(bad):.0%}** of the negative ones" in PAGE


# -- the page ----------------------------------------------------------------------------------------------------------

def test_the_page_explains_every_setting_and_column() -> None:
    for one in fields(Texts):
        assert f"| `{one.name}` |" in PAGE
    for column in (*Texts(("body",)).columns(), "text.topics.NAME"):
        assert f"`{column}`" in PAGE


def test_the_example_of_the_page_works(tmp_path: Path) -> None:
    example = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    example["sources"]["tickets"]["path"] = "tickets.jsonl"
    found = rows(tmp_path, yaml.safe_dump(example | {"time_zone": "UTC", "delivery": "rehearsal"}))
    assert {name for name in NUMBERS if any(row[name] is not None for row in found.values())} == set(NUMBERS)
