"""Plays that last for days, each day a command of its own: restarts, and rules that change in the middle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forestall.engine.model.places import PostgresPlace
from tests.cli.daily import CHEERED, COLD, PLAYBOOK, WARM, Book

pytestmark = pytest.mark.xdist_group("test_sequences")
NEW_STEPS = """
plays:
  talk:
    trigger: cold
    owner: csm
    steps:
      - email: {to: contact, template: letter}
      - wait: 1 day
      - task: {for: csm, to: crm, template: call}
"""


@pytest.fixture
def book(tmp_path: Path, forestall) -> Book:
    return Book(tmp_path, forestall)


def test_whoever_began_goes_on_with_the_old_steps_and_whoever_begins_gets_the_new_ones(book: Book) -> None:
    assert book.day(0, acme=COLD, bolt=COLD, cord=WARM) == ["acme: Hello Acme", "bolt: Hello Bolt"]
    book.write("rules/playbook.yaml", NEW_STEPS)
    assert book.day(1, acme=COLD, bolt=COLD, cord=COLD) == ["cord: A letter to Cord"]
    book.edit("rules/templates/call.md", "Subject: Call", "Subject: Ring")
    assert book.day(2, acme=COLD, bolt=CHEERED, cord=COLD) == ["cord: Ring Cord"]
    assert book.day(3, acme=COLD, bolt=CHEERED, cord=COLD) == ["acme: Ring Acme"], "old steps, new words"
    assert book.day(4, acme=(10, 0, 20), bolt=CHEERED, cord=(10, 0, 20)) == []
    assert (book.run("acme").done_by, book.run("cord").done_by) == ("done_when", ""), "only the old task says when"
    assert book.run("bolt").reason == "stop_if: mood >= 50"
    assert "stop_if: mood >= 50" in book.explain("bolt", 4)
    assert "done on 9 January, say the facts" in book.explain("acme", 4)
    assert {row.status.value for row in book.rows()} == {"sent"}


def test_days_without_a_pass_move_nothing_back_and_say_nothing_twice(book: Book) -> None:
    assert book.day(0, acme=COLD) == ["acme: Hello Acme"]
    book.write("rules/playbook.yaml", NEW_STEPS)
    assert book.day(2, acme=COLD) == []
    assert book.day(2) == [], "the same day again"
    assert book.day(6, acme=COLD) == ["acme: Call Acme"], "once, though it was due on the third day"
    assert book.day(7, acme=COLD) == []


def test_a_message_whose_template_is_gone_is_left_out_and_said(book: Book) -> None:
    book.day(0, acme=COLD)
    book.write("rules/playbook.yaml", NEW_STEPS.replace("template: call", "template: letter"))
    (book.folder / "rules/templates/call.md").unlink()
    assert book.day(3, acme=COLD) == []
    assert "no template" in book.explain("acme", 3)
    book.day(4, acme=COLD)
    assert (book.run("acme").status.value, book.run("acme").reason) == ("finished", "done")


def test_a_reminder_whose_template_is_gone_is_left_out_as_well(book: Book) -> None:
    book.edit("rules/triggers.yaml", "severity: at_risk", "severity: at_risk, repeat: 2 days")
    book.day(0, acme=COLD)
    book.write("rules/playbook.yaml", NEW_STEPS.replace("template: call", "template: letter"))
    (book.folder / "rules/templates/call.md").unlink()
    assert book.day(2, acme=COLD) == []
    assert "there is no template call any more" in book.explain("acme", 2)


def test_a_run_stops_with_a_sentence_where_its_old_steps_ask_for_a_metric_that_is_gone(book: Book) -> None:
    book.day(0, acme=COLD)
    book.write("rules/playbook.yaml", NEW_STEPS)
    book.edit("rules/metrics.yaml", "  mood: {kind: number}\n", "")
    assert book.day(3, acme=COLD) == []
    run = book.run("acme")
    assert run.status.value == "stopped"
    assert run.reason.startswith("the play's steps were changed, and nobody can go on with the old ones: ")
    assert "mood" in run.reason
    assert "nobody can go on with the old ones" in book.explain("acme", 3)


def test_a_play_that_is_taken_out_sends_no_more(book: Book) -> None:
    book.day(0, acme=COLD)
    book.write("rules/playbook.yaml", NEW_STEPS.replace("  talk:", "  write:"))
    assert book.day(1, acme=COLD, bolt=COLD) == ["bolt: A letter to Bolt"], "acme's alert has been answered"
    assert book.day(3, acme=COLD, bolt=COLD) == ["bolt: Call Bolt"]
    assert (book.run("acme").status.value, book.run("acme").reason) == ("stopped", "the play was taken out")
    assert "the play was taken out" in book.explain("acme", 3)


def test_a_sequence_goes_on_when_its_trigger_gets_another_name(book: Book) -> None:
    book.day(0, acme=COLD)
    book.write("rules/triggers.yaml",
               "triggers:\n  frosty: {when: heat < 40, severity: at_risk, renamed_from: cold}\n")
    book.write("rules/playbook.yaml", NEW_STEPS.replace("trigger: cold", "trigger: frosty"))
    assert book.day(1, acme=COLD, bolt=COLD) == ["bolt: A letter to Bolt"], "acme has had its first message"
    assert book.day(2, acme=COLD, bolt=COLD) == ["bolt: Call Bolt"]
    assert book.day(3, acme=COLD, bolt=COLD) == ["acme: Call Acme"]
    assert book.run("acme").group == "frosty"


def test_what_matches_already_when_a_trigger_is_new_may_only_be_recorded(book: Book) -> None:
    book.day(0, acme=(90, 10, 0))
    book.edit("rules/triggers.yaml", "triggers:\n", "triggers:\n  sad: {when: mood < 20, existing: record}\n")
    book.edit("rules/playbook.yaml", "trigger: cold", "trigger: [cold, sad]")
    assert book.day(1, acme=(90, 10, 0), bolt=(90, 90, 0)) == []
    assert book.day(2, acme=(90, 10, 0), bolt=(90, 10, 0)) == ["bolt: Hello Bolt"], "only what comes later"
    assert "only recorded" in book.explain("acme", 2)


def test_steps_put_back_as_they_were_are_the_old_ones_again(book: Book) -> None:
    book.day(0, acme=COLD)
    book.write("rules/playbook.yaml", NEW_STEPS)
    book.day(1, acme=COLD, bolt=COLD)
    book.write("rules/playbook.yaml", PLAYBOOK)
    assert book.day(2, acme=COLD, bolt=COLD) == ["bolt: Call Bolt"], "bolt goes on with the steps of its first day"
    assert book.day(3, acme=COLD, bolt=COLD) == ["acme: Call Acme"]


def test_it_is_the_same_where_a_server_keeps_the_state(book: Book, server_place: PostgresPlace) -> None:
    book.edit("forestall.yaml", "time_zone:", f'state: "postgresql://{server_place.user}@/{server_place.database}'
              f'?host={server_place.host}&schema={server_place.schema}"\ntime_zone:')
    book.day(0, acme=COLD)
    book.write("rules/playbook.yaml", NEW_STEPS.replace("trigger: cold", "trigger: frosty"))
    book.write("rules/triggers.yaml", "triggers:\n  frosty: {when: heat < 40, renamed_from: cold}\n")
    assert book.day(1, acme=COLD, bolt=COLD) == ["bolt: A letter to Bolt"]
    assert book.day(3, acme=COLD, bolt=COLD) == ["acme: Call Acme", "bolt: Call Bolt"]


# -- what is said beside the steps ------------------------------------------------------------------------------------

BESIDE = """
plays:
  talk:
    trigger: cold
    owner: csm
    within: 2 days
    steps:
      - email: {to: contact, template: hello}
      - task: {for: csm, to: crm, template: call}
    escalate: {slack: {to: csm.manager, template: call}}
"""


def beside(book: Book) -> None:
    book.edit("rules/triggers.yaml", "severity: at_risk", "severity: at_risk, repeat: 2 days")
    book.write("rules/playbook.yaml", BESIDE)


def test_a_reminder_and_an_escalation_say_that_they_are_one(book: Book) -> None:
    beside(book)
    assert book.day(0, acme=COLD) == ["acme: Hello Acme", "acme: Call Acme"]
    assert book.day(2, acme=COLD) == ["acme: Reminder: Call Acme"]
    assert book.day(3, acme=COLD) == ["acme: Overdue: Call Acme"]
    reminder, overdue = book.rows()[2:]
    assert (reminder.delivery.recipient, overdue.delivery.recipient) == ("dana@example.com", "U02")
    assert reminder.message.text == "Reminder: open since 5 January 2026.\n\nIt is cold there.\n"
    assert ">Reminder: open since 5 January 2026.</strong>" in reminder.message.html
    header, first, *_ = json.loads(overdue.message.blocks)
    assert header["text"]["text"] == "Overdue: Call Acme"
    assert first["text"]["text"] == "*Overdue since 7 January 2026.*"
    assert json.loads(book.rows()[1].message.body)["due"] == "2026-01-07"
    assert "overdue since 7 January, escalated on 8 January" in book.explain("acme", 3)
    assert "remind" not in book.rows()[0].message.text.casefold(), "a customer never hears of it"


def test_a_template_may_word_it_itself(book: Book) -> None:
    beside(book)
    book.write("rules/templates/call.md", """Subject: Call {{ account.name }}{% if alert.reminder %}, please{% endif %}

{% if play.overdue %}It was due on {{ play.due }}.{% endif %} It is cold there.
""")
    assert [book.day(number, acme=COLD) for number in range(4)] == [
        ["acme: Hello Acme", "acme: Call Acme"], [], ["acme: Call Acme, please"], ["acme: Call Acme"]]
    assert [row.message.text.strip() for row in book.rows()[2:]] == [
        "It is cold there.", "It was due on 7 January 2026. It is cold there."]


def test_a_subject_that_says_so_already_does_not_say_it_twice(book: Book) -> None:
    beside(book)
    book.edit("rules/playbook.yaml", "to: csm.manager, template: call", "to: csm.manager, template: late")
    book.write("rules/templates/late.md", "Subject: Overdue: {{ account.name }}\n\nSee to it.\n")
    book.day(0, acme=COLD)
    assert book.day(3, acme=COLD) == ["acme: Overdue: Acme", "acme: Reminder: Call Acme"]


def test_a_play_that_began_late_is_due_from_then_on(book: Book) -> None:
    """It waited behind another one, so its own time begins when it does."""
    beside(book)
    book.edit("rules/triggers.yaml", "triggers:\n", "triggers:\n  sad: {when: mood > 50, severity: at_risk}\n")
    book.edit("rules/playbook.yaml", "plays:\n", "plays:\n  cheer: {trigger: sad, steps: "
              "[{email: {to: csm, template: letter}}, {wait: 20 days}]}\n")
    assert book.day(0, acme=CHEERED) == ["acme: A letter to Acme"]
    assert book.day(5, acme=COLD) == ["acme: Hello Acme", "acme: Call Acme"]
    assert json.loads(book.rows()[-1].message.body)["due"] == "2026-01-10"
    assert book.day(6, acme=COLD) == ["acme: Overdue: Call Acme"]
    assert "Overdue since 10 January 2026" in book.rows()[-1].message.blocks
