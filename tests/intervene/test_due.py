"""Due times, escalation, reminders, recovery and who started it."""

from dataclasses import replace

import pytest

from forestall.engine.errors import RulesError
from forestall.engine.model.delivery import RunStatus, StartedBy
from forestall.engine.model.state import identity
from tests.intervene.conftest import TRIGGERS

CALL = """
plays:
  call:
    trigger: mild
    within: 2 days
    owner: csm
    steps: [{task: {for: csm, to: crm, template: note, done_when: heat >= 90}}]
    escalate: {slack: {to: csm.manager, template: note}}
"""
WORD = """
plays:
  word:
    trigger: mild
    within: 1 day
    steps: [{email: {to: contact, template: note}}, {wait: 30 days}]
    escalate: {slack: {to: leads, template: note}}
"""


def said(book, **fields):
    """What a person said of the alert, between two passes."""
    alerts = {key: replace(alert, **fields) for key, alert in book.state.alerts.items()}
    book.state = replace(book.state, alerts=alerts)


def test_a_task_that_nobody_takes_up_is_escalated_once(scene):
    book = scene(CALL)
    sent = [book.day(number, book.row(true=["mild"])).sent for number in range(1, 7)]
    assert sent == [["acme call.task"], [], [], ["acme call.slack"], [], []]
    assert book.run("call").escalated_on == book.on(4)


@pytest.mark.parametrize("fields", ["acknowledged", "done", "closed", "done_when"])
def test_what_is_in_good_hands_is_not_escalated(scene, fields):
    book = scene(CALL)
    book.day(1, book.row(true=["mild"]))
    if fields == "acknowledged":
        said(book, acknowledged_on=book.on(2), acknowledged_by="dana")
    if fields == "done":
        runs = tuple(replace(run, done_on=book.on(2), done_by="dana") for run in book.state.runs)
        book.state = replace(book.state, runs=runs)
    true = {"closed": [], "done_when": ["mild", "call.done"]}.get(fields, ["mild"])
    assert [book.day(number, book.row(true=true)).sent for number in range(2, 6)] == [[]] * 4
    assert book.run("call").done_by == {"done": "dana", "done_when": "done_when"}.get(fields, "")


def test_a_snoozed_alert_is_escalated_when_the_snooze_is_over(scene):
    book = scene(CALL)
    book.day(1, book.row(true=["mild"]))
    said(book, snoozed_until=book.on(5))
    assert [book.day(number, book.row(true=["mild"])).sent for number in range(2, 7)] == [
        [], [], [], [], ["acme call.slack"]]


def test_snoozing_delays_the_steps(scene):
    book = scene("plays:\n  talk: {trigger: mild, steps: "
                 "[{slack: {to: csm, template: note}}, {wait: 1 day}, {slack: {to: leads, template: note}}]}\n")
    book.day(1, book.row(true=["mild"]))
    said(book, snoozed_until=book.on(3))
    second = book.day(2, book.row(true=["mild"]))
    assert (second.sent, second.silent) == ([], ["acme talk: snoozed"])
    book.day(3, book.row(true=["mild"]))
    assert book.day(4, book.row(true=["mild"])).sent == ["acme talk.slack"]


def test_without_a_task_the_first_message_that_arrives_is_in_time(scene):
    book = scene(WORD)
    assert [book.day(number, book.row(true=["mild"])).sent for number in range(1, 5)] == [
        ["acme word.email"], [], [], []]
    late = scene(WORD, limits="limits: {emails_per_account: 1 per 60 days}\n")
    late.day(1, late.row(true=["mild"]))
    late.state = replace(late.state, on_their_way=frozenset({identity(late.run("word"))}))
    late.day(2, late.row(true=["mild"]))
    late.state = replace(late.state, on_their_way=frozenset({identity(late.run("word"))}))
    assert late.state.on_their_way
    row = late.row(true=["mild"])
    assert [one.step[:8] for one in late._decide(3, [row]).decisions.deliveries] == ["escalate"]


def test_the_owner_is_reminded_and_the_customer_is_not(scene):
    steps = "[{email: {to: contact, template: note}}, {task: {for: csm, to: crm, template: note}}]"
    book = scene(f"plays:\n  talk: {{trigger: mild, owner: csm, steps: {steps}}}\n",
                 triggers="triggers:\n  mild: {when: heat < 70, repeat: 3 days}\n")
    days = [book.day(number, book.row(true=["mild"])) for number in range(1, 8)]
    assert [day.sent for day in days[1:]] == [[], [], ["acme talk.slack"], [], [], ["acme talk.slack"]]
    assert {one.recipient for day in days[1:] for one in day.deliveries} == {"U1"}
    assert len({one.key for day in days for one in day.deliveries}) == 4


RECOVERED = """
plays:
  thanks: {recovered_to: healthy, steps: [{email: {to: contact, template: note}}]}
  rescue: {tier: critical, steps: [{slack: {to: csm, template: note}}]}
"""


def test_a_play_for_those_who_recover(scene):
    book = scene(RECOVERED)
    tiers = ["healthy", "critical", "monitor", "healthy", "healthy", "monitor", "healthy"]
    sent = [book.day(number, book.row(tier=tier, clear_of=4)).sent for number, tier in enumerate(tiers, start=1)]
    assert sent == [[], ["acme rescue.slack"], [], ["acme thanks.email"], [], [], []], "the cooldown holds as ever"


def test_those_who_are_well_at_first_sight_follow_existing(scene):
    book = scene(RECOVERED.replace("healthy, steps", "healthy, existing: open, steps"))
    assert book.day(1, book.row()).sent == ["acme thanks.email"]


def test_rules_that_moved_an_account_are_no_recovery(scene):
    book = scene(RECOVERED)
    book.day(1, book.row(tier="monitor"))
    book.state = replace(book.state, scoring_digest="other rules")
    assert book.day(2, book.row(tier="healthy")).sent == []


def test_who_started_it_stands_on_every_delivery(scene):
    said_by = TRIGGERS.replace("mild: {", "mild: {started_by: customer, ")
    book = scene("plays:\n"
                 "  a: {trigger: mild, alongside: true, steps: [{slack: {to: csm, template: note}}]}\n"
                 "  b: {trigger: middling, alongside: true, started_by: person,"
                 " steps: [{slack: {to: csm, template: note}}]}\n"
                 "  c: {trigger: grave, alongside: true, steps: [{slack: {to: csm, template: note}}]}\n",
                 triggers=said_by)
    day = book.day(1, book.row(true=["mild", "middling", "grave"]))
    assert {one.play: one.started_by for one in day.deliveries} == {
        "a": StartedBy.CUSTOMER, "b": StartedBy.PERSON, "c": StartedBy.DATA}


@pytest.mark.parametrize(("line", "said_of_it"), [
    ("escalate: {slack: {to: leads, template: note}}", "has `escalate` and no `within`"),
    ("within: 1 day\n    escalate: {email: {to: contact, template: note}}", "cannot go to contact"),
    ("recovered_to: splendid", "`recovered_to` of play a names no tier"),
    ("started_by: chance", "started_by"),
])
def test_what_cannot_be_is_said(rules, line, said_of_it):
    with pytest.raises(RulesError, match=said_of_it):
        rules(f"plays:\n  a:\n    trigger: mild\n    {line}\n    steps: [{{slack: {{to: csm, template: note}}}}]\n")


def test_a_due_time_is_kept_with_the_run(scene):
    book = scene(CALL)
    book.day(1, book.row(true=["mild"]))
    run = book.run("call")
    assert (run.due_on, run.told_on, run.status) == (book.on(3), book.on(1), RunStatus.RUNNING)
