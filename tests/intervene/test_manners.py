"""Whole days with quiet hours, holidays, business days, caps per person, and what is too much for a colleague's day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forestall.engine.intervene.holding import Circumstances
from forestall.engine.model.delivery import MessageKind

MAIL = "plays:\n  nudge: {trigger: mild, steps: [{email: {to: contact, template: note}}, {wait: 20 days}]}\n"
CALL = "plays:\n  call: {trigger: mild, within: 2 days, steps: [{task: {for: csm, to: crm, template: note}}]}\n"
NIGHT = "limits: {quiet_hours: 19:00-08:00, urgent: [critical]}\n"


def at(book, number: int, hour: int) -> datetime:
    return datetime(2026, 1, 4, hour, tzinfo=UTC) + timedelta(days=number)


def test_a_customer_hears_nothing_at_night_by_their_own_clock(scene):
    book = scene(MAIL, limits=NIGHT)
    book.known = Circumstances(moment=at(book, 1, 12))
    day = book.day(1, book.row("here", ["mild"], time_zone="Europe/Berlin"),
                   book.row("west", ["mild"], time_zone="America/Los_Angeles"), book.row("lost", ["mild"]))
    leaves = {one.account: one.not_before for one in day.deliveries}
    assert leaves == {"here": None, "west": at(book, 1, 16), "lost": None}
    assert day.silent == ["west nudge: quiet hours"]
    assert day.silences[0].detail == "it leaves on 2026-01-05 at 08:00 (America/Los_Angeles)"
    assert {one.quiet.split()[0] for one in day.deliveries} == {"19:00-08:00"}


def test_who_has_no_zone_or_no_good_one_lives_by_the_project(scene):
    book = scene(MAIL, limits=NIGHT)
    book.directory = replace(book.directory, time_zone="Asia/Tokyo")
    book.known = Circumstances(moment=at(book, 1, 12))
    day = book.day(1, book.row("a", ["mild"]), book.row("b", ["mild"], time_zone="Utopia"))
    assert [one.not_before for one in day.deliveries] == [at(book, 1, 23)] * 2


def test_what_is_urgent_wakes_colleagues_and_never_a_customer(scene):
    book = scene("plays:\n  call: {trigger: grave, steps: [{email: {to: contact, template: note}}, "
                 "{slack: {to: csm, template: note}}]}\n  talk: {trigger: mild, alongside: true, "
                 "steps: [{slack: {to: leads, template: note}}]}\n", limits=NIGHT)
    book.known = Circumstances(moment=at(book, 1, 22))
    day = book.day(1, book.row(true=["grave", "mild"]))
    assert {(one.play, one.kind.value): one.not_before is not None for one in day.deliveries} == {
        ("call", "email"): True, ("call", "slack"): False, ("talk", "slack"): True}


def test_a_machine_sleeps_never(scene):
    book = scene(CALL, limits=NIGHT)
    book.known = Circumstances(moment=at(book, 1, 22))
    day = book.day(1, book.row(true=["mild"]))
    assert [(one.quiet, one.not_before) for one in day.deliveries] == [("", None)]


def test_a_simulation_has_no_hours(scene):
    book = scene(MAIL, limits=NIGHT)
    assert [one.quiet for one in book.day(1, book.row(true=["mild"])).deliveries] == [""]


def test_a_wait_of_business_days_leaves_out_weekends_and_holidays(scene):
    book = scene("plays:\n  nudge: {trigger: mild, steps: [{wait: 3 business days}, "
                 "{email: {to: contact, template: note}}]}\n", limits="limits: {holidays: [2026-01-06]}\n")
    sent = {number: book.day(number, book.row(true=["mild"])).sent for number in range(1, 9)}
    # Monday the 5th, a holiday, Wednesday, Thursday, Friday
    assert [number for number, what in sent.items() if what] == [5]


# -- too much for one person -------------------------------------------------------------------------------------------

def test_beyond_the_budget_the_rest_goes_into_one_message_by_rank(scene):
    book = scene(CALL, limits="limits: {tasks_per_csm: 1 per day, digest: {by: email, template: note}}\n")
    soon, late = book.on(40), book.on(90)
    day = book.day(1, book.row("poor", ["mild"], revenue=10.0), book.row("rich", ["mild"], revenue=900.0),
                   book.row("soon", ["mild"], revenue=50.0, renewal=soon),
                   book.row("late", ["mild"], revenue=50.0, renewal=late),
                   book.row("other", ["mild"], csm="robin"))
    assert day.sent == ["rich call.task", "other call.task", " .email"]
    digest = day.deliveries[-1]
    assert (digest.person, digest.recipient, digest.kind) == ("dana", "dana@example.com", MessageKind.EMAIL)
    assert [one.account for one in day.decided.decisions.digests[digest.key]] == ["soon", "late", "poor"]
    assert day.silent == [f"{name} call: budget" for name in ("soon", "late", "poor")]
    assert day.silences[0].detail == \
        "in the one message that lists it for Dana Reed: 1 tasks a day are enough for one person"
    assert book.day(2, *(book.row(name, ["mild"]) for name in ("poor", "soon", "late"))).sent == []


def test_the_budget_is_for_the_day_and_not_for_a_pass(scene):
    book = scene(CALL, limits="limits: {tasks_per_csm: 1 per day, digest: {by: slack, template: note}}\n")
    assert book.day(1, book.row("a", ["mild"]), book.row("b"), book.row("c")).sent == ["a call.task"]
    second = book.day(1, book.row("a", ["mild"]), book.row("b", ["mild"]), book.row("c"))
    assert second.sent == [" .slack"]
    third = book.day(1, book.row("a", ["mild"]), book.row("b", ["mild"]), book.row("c", ["mild"]))
    assert third.sent == [" .slack"]
    assert second.deliveries[0].key != third.deliveries[0].key, "what a later pass adds is another message"


def test_who_cannot_get_the_one_message_gets_the_task_on_another_day(scene):
    book = scene(CALL, limits="limits: {tasks_per_csm: 1 per day, digest: {by: email, template: note}}\n")
    day = book.day(1, book.row("a", ["mild"], csm="mute"), book.row("b", ["mild"], csm="mute"))
    assert (day.sent, day.silent) == (["a call.task"], ["b call: budget"])
    assert day.silences[0].detail.startswith("put off: ")
    assert book.day(2, book.row("a"), book.row("b", ["mild"], csm="mute")).sent == ["b call.task"]


@pytest.mark.parametrize(("digest", "second"), [(False, []), (True, [" .email"])])
def test_one_person_gets_so_many_messages_whatever_the_account(scene, digest: bool, second: list[str]):
    also = ", digest: {by: email, template: note}" if digest else ""
    book = scene("plays:\n  tell: {trigger: mild, within: at once, steps: [{slack: {to: csm, template: note}}]}\n",
                 limits=f"limits: {{messages_per_person: 2 per day{also}}}\n")
    day = book.day(1, *(book.row(name, ["mild"]) for name in "abc"))
    assert day.sent == ["a tell.slack", "b tell.slack", *second]
    assert day.silent == ["c tell: cap"]
    assert "2 messages a day are enough" in day.silences[0].detail


def test_a_contact_of_several_accounts_is_one_person(scene):
    book = scene(MAIL, limits="limits: {messages_per_person: 1 per day, digest: {by: email, template: note}}\n")
    day = book.day(1, *(book.row(name, ["mild"], contact="ann@example.com") for name in "ab"))
    assert (day.sent, day.silent) == (["a nudge.email"], ["b nudge: cap"])
    next_day = book.day(2, *(book.row(name, ["mild"], contact="ann@example.com") for name in "ab"))
    assert next_day.sent == ["b nudge.email"]


def test_an_urgent_task_is_never_too_much(scene):
    book = scene("plays:\n  call: {trigger: grave, steps: [{task: {for: csm, to: crm, template: note}}]}\n",
                 limits="limits: {tasks_per_csm: 1 per day, digest: {by: email, template: note}, urgent: [critical]}\n")
    assert len(book.day(1, *(book.row(name, ["grave"]) for name in "abc")).sent) == 3
