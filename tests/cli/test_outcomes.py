"""`forestall outcome`: what became of accounts, also of those that had no play, and what people said of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forestall.engine.model.delivery import StartedBy
from forestall.engine.model.outcome import Answer, AnswerKind
from forestall.engine.runtime import open_project
from forestall.engine.store import Store
from tests.cli.daily import COLD, FIRST, WARM, Book

pytestmark = pytest.mark.xdist_group("test_outcomes")
TIERS = """
signals: {warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}}
tiers: {healthy: 60-100, monitor: 40-59, at_risk: 20-39, critical: 0-19}
"""
PLAYS = """
plays:
  cheer:
    trigger: sad
    steps: [{email: {to: contact, template: letter}}, {wait: 20 days}]
    goal: {when: mood >= 50, within: 9 days}
  talk:
    trigger: cold
    within: 2 days
    steps: [{email: {to: contact, template: hello}}, {wait: 9 days}]
    goal: {when: heat >= 60, within: 9 days}
    holdout: 50 percent
"""
TRIGGERS = """
triggers:
  cold: {when: heat < 40, severity: monitor, clear_when: heat >= 95}
  sad: {when: mood < 0, severity: monitor}
"""
NAMES = ("acme", "bolt", "cord", "dune", "echo", "fern")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, forestall) -> Book:
    """Three days: cold accounts of which some are held out; one is sad as well, so another play is in the way."""
    book = Book(tmp_path_factory.mktemp("outcomes"), forestall)
    book.write("rules/weights.yaml", TIERS)
    book.write("rules/playbook.yaml", PLAYS)
    book.write("rules/triggers.yaml", TRIGGERS)
    cold = dict.fromkeys(NAMES, COLD)
    book.day(0, **cold, gale=(10, -5, 0))
    book.day(2, **cold | {"acme": WARM, "bolt": WARM, "cord": WARM, "dune": WARM}, gale=(10, -5, 0))
    return book


def listed(book: Book, forestall, *more: object) -> dict:
    found: dict = forestall("outcome", "list", "--project", book.folder, "--format", "json", *more).document("outcomes")
    return found


def test_every_play_is_listed_with_its_goal_also_where_nothing_was_sent(decided: Book, forestall) -> None:
    found = listed(decided, forestall)["plays"]
    groups = {one["account"]: one["group"] for one in found if one["play"] == "talk"}
    assert set(groups.values()) >= {"treated", "held_out"}
    assert (groups.keys(), groups["gale"] in ("silenced", "held_out")) == ({*NAMES, "gale"}, True)
    met = {one["account"]: (one["outcome"], one["took_days"]) for one in found if one["play"] == "talk"}
    assert met["acme"] == met["dune"] == ("met", 2)
    assert met["echo"] == ("watching", None)
    text = forestall("outcome", "list", "--project", decided.folder).out
    assert "8 plays, and 0 things that were said." in text
    assert "held out" in text
    assert "2 days" in text


def test_the_list_can_be_narrowed(decided: Book, forestall) -> None:
    since = FIRST + timedelta(days=1)
    found = listed(decided, forestall, "--since", since)
    assert found["since"] == str(since)
    assert {one["account"] for one in found["plays"]} == {"acme", "bolt", "cord", "dune"}
    assert {one["account"] for one in listed(decided, forestall, "--account", "gale")["plays"]} == {"gale"}
    text = forestall("outcome", "list", "--project", decided.folder, "--most", 2).out
    assert "The latest 2 of each" in text
    assert forestall("outcome", "list", "--project", decided.folder, "--account", "nobody").error is not None


@pytest.fixture
def book(tmp_path: Path, forestall) -> Book:
    return Book(tmp_path, forestall)


def test_what_people_said_stands_in_the_list_and_in_explain(book: Book, forestall) -> None:
    book.day(0, acme=COLD)
    day, project = str(FIRST), book.folder
    snooze = ("alerts", "snooze", "acme", "--days", 3, "--on", day, "--by", "dana")
    assert forestall(*snooze, "--project", project).code == 0
    for what, by in (("saved", "dana"), ("expanded", "luis")):
        assert forestall("outcome", "--project", project, "acme", what, "--revenue", 1200, "--reason", "price",
                         "--note", "call ann@acme.example", "--by", by, "--on", day).code == 0
    said = listed(book, forestall)["said"]
    assert [(one["kind"], one["by"], one["because_of"]) for one in said] == [
        ("snoozed", "dana", "cold"), ("saved", "dana", ""), ("expanded", "luis", "")]
    assert "call (an address)" in forestall("outcome", "list", "--project", project).out
    explained = book.explain("acme", 0)
    assert "Said expanded on 5 January, by luis: 1,200; price; call (an address)" in explained
    assert "snoozed on 5 January, by dana: until 8 January (cold)" in explained
    document = forestall("explain", "acme", "--project", project, "--day", day, "--format", "json").document("explain")
    assert [one["kind"] for one in document["said"]] == ["snoozed", "saved", "expanded"]
    before = forestall("explain", "acme", "--project", project, "--day", day, "--format", "json")
    assert "ann@acme.example" not in before.out.replace('"contact_email", "value": "ann@acme.example"', "")


def test_who_had_unsubscribed_can_want_email_again(book: Book, forestall) -> None:
    book.edit("rules/playbook.yaml", "wait: 3 days", "wait: 1 day")
    book.edit("rules/playbook.yaml", "task: {for: csm, to: crm, template: call, done_when: logins >= 10}",
              "email: {to: contact, template: letter}")
    book.day(0, acme=COLD, bolt=COLD)
    refused = forestall("outcome", "acme", "resubscribed", "--project", book.folder)
    assert "nobody of this account has unsubscribed" in str(refused.error)
    gone = Answer("acme", AnswerKind.UNSUBSCRIBED, "ann@acme.example", datetime.now(UTC), FIRST,
                  source=StartedBy.CUSTOMER)
    with Store.open(open_project(book.folder).store_path) as store:
        store.answer(gone)
    assert book.day(1, acme=COLD, bolt=COLD) == ["bolt: A letter to Bolt"]
    assert "unsubscribed on 5 January, by the customer" in book.explain("acme", 1)
    done = forestall("outcome", "acme", "resubscribed", "--project", book.folder, "--by", "dana")
    assert "acme: resubscribed on" in done.out
    book.edit("rules/triggers.yaml", "triggers:\n", "triggers:\n  sad: {when: mood < 0, severity: at_risk}\n")
    book.edit("rules/playbook.yaml", "trigger: cold", "trigger: [cold, sad]")
    assert book.day(3, acme=(90, 0, 0)) == []
    assert book.day(4, acme=(90, -1, 0)) == ["acme: Hello Acme"]
    with Store.open(open_project(book.folder).store_path) as store:
        assert store.unsubscribed() == frozenset()
        store.answer(replace(gone, at=datetime.now(UTC)))
        assert store.unsubscribed() == {"ann@acme.example"}, "what was said last counts"


def test_an_account_may_be_called_like_a_command(book: Book, forestall) -> None:
    book.day(0, list=COLD)
    assert forestall("outcome", "record", "list", "saved", "--project", book.folder).code == 0
    assert "list" in [one["account"] for one in listed(book, forestall)["said"]]


def test_an_alert_of_recovery_says_what_would_end_it(book: Book, forestall) -> None:
    book.write("rules/weights.yaml", TIERS)
    book.write("rules/playbook.yaml", "plays:\n  thanks: {recovered_to: healthy, steps: "
               "[{email: {to: contact, template: hello}}, {wait: 5 days}]}\n")
    book.day(0, acme=COLD)
    assert book.day(1, acme=WARM) == ["acme: Hello Acme"]
    explained = book.explain("acme", 1)
    assert "recovered:healthy" in explained
    assert "clears when the account falls below healthy; enough today: heat 59 (is 90)" in explained
