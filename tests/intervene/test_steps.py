"""What the steps of a running play send on a day, what waits, what is left out and why."""

from dataclasses import replace

import pytest

from forestall.engine.model.delivery import MessageKind, PlayRun, RunStatus
from forestall.engine.model.people import Destination

EVERY_KIND = """
plays:
  all:
    trigger: mild
    steps:
      - email: {to: contact, template: note, from: csm}
      - email: {to: csm.manager, template: note}
      - slack: {to: csm, template: note}
      - slack: {to: leads, template: note}
      - webhook: {to: crm, template: note}
      - task: {for: csm, to: crm, template: note}
      - task: {for: executive, to: executive, template: note}
"""


def play(*steps: str, more: str = "") -> str:
    return f"plays:\n  talk:\n    trigger: mild\n{more}    steps:\n" + "".join(f"      - {step}\n" for step in steps)


MAIL = "email: {to: contact, template: note, id: mail}"
SLACK = "slack: {to: csm, template: note, id: word}"


def test_every_kind_of_step_finds_its_channel_and_its_address(scene):
    book = scene(EVERY_KIND)
    book.directory = replace(book.directory, email_channel="mail", slack_channel="chat")
    found = [(one.kind, one.channel, one.recipient, one.to_customer, one.person)
             for one in book.day(1, book.row(true=["mild"])).deliveries]
    crm = "https://crm.example.com/hooks"
    assert found == [
        (MessageKind.EMAIL, "mail", "ann@acme.example", True, ""),
        (MessageKind.EMAIL, "mail", "robin@example.com", False, "robin"),
        (MessageKind.SLACK, "chat", "U1", False, "dana"),
        (MessageKind.SLACK, "slack", "#leads", False, ""),
        (MessageKind.WEBHOOK, "webhook", crm, False, ""),
        (MessageKind.TASK, "webhook", crm, False, "dana"),
        (MessageKind.TASK, "mail", "robin@example.com", False, "robin"),
    ]


def test_an_email_bears_the_name_of_whom_it_is_from(scene):
    book = scene(EVERY_KIND)
    first, second = book.day(1, book.row(true=["mild"])).deliveries[:2]
    assert (first.sender, first.sender_address) == ("Dana Reed", "dana@example.com")
    assert (second.sender, second.sender_address) == ("", "")


@pytest.mark.parametrize(("facts", "missing"), [
    ({"contact": ""}, ["email to contact"]),
    ({"csm": ""}, ["email to csm.manager", "slack to csm"]),
    ({"csm": "mute"}, ["email to csm.manager", "slack to csm"]),
    ({"csm": "somebody@example.com"}, ["email to csm.manager", "slack to csm"]),
    ({"executive": "nobody we know"}, ["task to executive"]),
], ids=["no contact", "no csm", "a csm without addresses", "a csm who is only an address", "an unknown executive"])
def test_without_an_address_a_step_is_left_out_and_the_play_goes_on(scene, facts, missing):
    book = scene(EVERY_KIND)
    day = book.day(1, book.row(true=["mild"], **facts))
    assert [one.reason.value for one in day.silences] == ["no address"] * len(missing)
    assert [one.detail for one in day.silences] == [
        f"nothing says how to reach {kind.split(' to ')[1]}" for kind in missing]
    assert len(day.deliveries) == 7 - len(missing)


def test_a_destination_may_be_called_like_anything(scene):
    book = scene(EVERY_KIND)
    book.directory = replace(book.directory, destinations={
        **book.directory.destinations, "leads": Destination("leads", "slack", "#elsewhere")})
    assert "#elsewhere" in [one.recipient for one in book.day(1, book.row(true=["mild"])).deliveries]


def test_opted_out_means_no_email_whatever_the_severity(scene):
    book = scene(EVERY_KIND.replace("trigger: mild", "trigger: grave"), limits="limits: {urgent: [critical]}\n")
    day = book.day(1, book.row(true=["grave"], opted_out=True))
    assert (day.silent, len(day.deliveries)) == (["acme all: opted out"], 6)
    assert not any(one.to_customer for one in day.deliveries)


def test_an_address_that_has_unsubscribed_gets_no_email_whatever_the_account(scene):
    book = scene(EVERY_KIND)
    row = book.row(true=["mild"])
    book.state = replace(book.state, unsubscribed=frozenset({row.contact.casefold()}))
    day = book.day(1, replace(row, contact=f"Ann <{row.contact.upper()}>"))
    assert (day.silent, len(day.deliveries)) == (["acme all: opted out"], 6)
    assert [one.detail for one in day.silences] == [f"Ann <{row.contact.upper()}> has unsubscribed"]


# -- keys --------------------------------------------------------------------------------------------------------------

def test_keys_are_unique_per_account_opening_step_and_recipient(scene):
    book = scene(EVERY_KIND)
    keys = [one.key for number in (1, 12) for one in
            book.day(number, book.row("a", ["mild"]), book.row("b", ["mild"])).deliveries]
    book.day(13, book.row("a"), book.row("b"))
    keys += [one.key for one in book.day(14, book.row("a", ["mild"]), book.row("b")).deliveries]
    assert len(keys) == len(set(keys)) == 21


def test_a_key_does_not_depend_on_what_stands_around_the_step(scene):
    alone, among = scene(play(SLACK)), scene(play(MAIL, SLACK, more="    within: 3 days\n"))
    before = alone.day(1, alone.row(true=["mild"])).deliveries[0]
    after = among.day(1, among.row(true=["mild"])).deliveries[1]
    assert before.key == after.key


def test_a_key_differs_by_recipient(scene):
    one, other = scene(play(MAIL)), scene(play(MAIL))
    first = one.day(1, one.row(true=["mild"], contact="ann@acme.example")).deliveries[0]
    second = other.day(1, other.row(true=["mild"], contact="bob@acme.example")).deliveries[0]
    assert first.key != second.key


# -- wait --------------------------------------------------------------------------------------------------------------

def test_a_wait_counts_calendar_days(scene):
    book = scene(play(SLACK, "wait: 3 days", MAIL))
    assert [book.day(number, book.row(true=["mild"])).sent for number in (1, 3, 4)] == [
        ["acme talk.slack"], [], ["acme talk.email"]]


def test_two_waits_add_up_and_at_once_is_no_wait(scene):
    book = scene(play("wait: 1 day", "wait: 2 days", "wait: at once", SLACK))
    days = [bool(book.day(number, book.row(true=["mild"])).sent) for number in (1, 2, 3, 4)]
    assert days == [False, False, False, True]


def test_a_play_that_was_asleep_goes_on_from_where_it_stood(scene):
    book = scene(play(SLACK, "wait: 3 days", MAIL, "wait: 3 days", SLACK.replace("word", "again")))
    book.day(1, book.row(true=["mild"]))
    assert book.day(20, book.row(true=["mild"])).sent == ["acme talk.email"]
    assert book.day(23, book.row(true=["mild"])).sent == ["acme talk.slack"]


# -- stop_if -----------------------------------------------------------------------------------------------------------

STOP = play(SLACK, "wait: 2 days", "stop_if: heat >= 70", MAIL)


def test_stop_if_true_ends_the_play_with_its_reason(scene):
    book = scene(STOP)
    book.day(1, book.row(true=["mild"]))
    assert book.day(3, book.row(true=["mild", "talk.stop"])).sent == []
    book.day(4, book.row(true=["mild"]))
    assert (book.run("talk").status, book.run("talk").reason) == (RunStatus.STOPPED, "stop_if: heat >= 70")


def test_stop_if_false_goes_on(scene):
    book = scene(STOP)
    book.day(1, book.row(true=["mild"]))
    assert book.day(3, book.row(true=["mild"])).sent == ["acme talk.email"]


def test_unknown_a_message_to_a_customer_waits_three_days_and_is_left_out(scene):
    book = scene(STOP + "      - slack: {to: leads, template: note}\n")
    book.day(1, book.row(true=["mild"]))
    for number in (3, 4, 5):
        day = book.day(number, book.row(true=["mild"], unknown=["talk.stop"]))
        assert (day.sent, day.silent) == ([], ["acme talk: facts missing"])
    day = book.day(6, book.row(true=["mild"], unknown=["talk.stop"]))
    assert (day.sent, day.silent) == (["acme talk.slack"], ["acme talk: facts missing"])
    assert [(one.step, one.detail) for one in day.silences] == [("mail", "skipped: unknown for 3 days: heat >= 70")]


@pytest.mark.parametrize(("known", "sent"), [(["mild"], ["acme talk.email"]), (["mild", "talk.stop"], [])],
                         ids=["false", "true"])
def test_known_in_time_it_decides(scene, known, sent):
    book = scene(STOP)
    book.day(1, book.row(true=["mild"]))
    book.day(3, book.row(true=["mild"], unknown=["talk.stop"]))
    assert book.day(5, book.row(true=known)).sent == sent
    book.day(6, book.row(true=["mild"]))
    assert book.run("talk").status is (RunStatus.FINISHED if sent else RunStatus.STOPPED)


def test_unknown_does_not_stop_what_goes_to_colleagues(scene):
    book = scene(play("stop_if: heat >= 70", SLACK))
    assert book.day(1, book.row(true=["mild"], unknown=["talk.stop"])).sent == ["acme talk.slack"]


def test_unknown_a_customer_waits_also_behind_a_message_to_a_colleague(scene):
    book = scene(play("stop_if: heat >= 70", SLACK, MAIL))
    day = book.day(1, book.row(true=["mild"], unknown=["talk.stop"]))
    assert (day.sent, day.silent) == (["acme talk.slack"], ["acme talk: facts missing"])
    assert book.day(2, book.row(true=["mild", "talk.stop"])).sent == []
    book.day(3, book.row(true=["mild"]))
    assert book.run("talk").reason == "stop_if: heat >= 70"


def test_what_became_true_while_a_message_was_put_off_stops_it(scene):
    book = scene(play("stop_if: heat >= 70", MAIL, more="    within: 5 days\n"),
                 limits="limits: {emails_per_account: 1 per 3 days}\n")
    book.state = replace(book.state, last_sent={"acme": (book.on(0),)})
    assert book.day(1, book.row(true=["mild"])).silent == ["acme talk: cap"]
    assert book.day(3, book.row(true=["mild", "talk.stop"])).sent == []
    book.day(4, book.row(true=["mild"]))
    assert book.run("talk").reason == "stop_if: heat >= 70"


def test_two_messages_in_question_wait_together(scene):
    book = scene(play("stop_if: heat >= 70", MAIL, MAIL.replace("mail}", "more}"), SLACK))
    for number in (1, 2, 3):
        assert book.day(number, book.row(true=["mild"], unknown=["talk.stop"])).sent == []
    day = book.day(4, book.row(true=["mild"], unknown=["talk.stop"]))
    assert (day.sent, [one.step for one in day.silences]) == (["acme talk.slack"], ["mail", "more"])


def test_a_wait_after_stop_if_makes_a_new_beginning(scene):
    book = scene(play("stop_if: heat >= 70", "wait: 1 day", MAIL))
    book.day(1, book.row(true=["mild"], unknown=["talk.stop"]))
    assert book.day(2, book.row(true=["mild"], unknown=["talk.stop"])).sent == ["acme talk.email"]


def test_a_play_of_nothing_but_stop_if_just_ends(scene):
    book = scene(play("stop_if: heat >= 70"))
    book.day(1, book.row(true=["mild", "talk.stop"]))
    book.day(2, book.row(true=["mild"]))
    assert book.run("talk").status is RunStatus.STOPPED


# -- caps --------------------------------------------------------------------------------------------------------------

CAPPED = "limits: {emails_per_account: 1 per 3 days}\n"


def two(within: str) -> str:
    return f"""
plays:
  first: {{trigger: middling, alongside: true, steps: [{{email: {{to: contact, template: note}}}}]}}
  talk:
    trigger: mild
    {within}
    steps: [{{email: {{to: contact, template: note}}}}, {{slack: {{to: csm, template: note}}}}]
"""


def test_a_cap_puts_off_within_the_plays_time(scene):
    book = scene(two("within: 5 days"), limits=CAPPED)
    first = book.day(1, book.row(true=["middling", "mild"]))
    assert (first.sent, first.silent) == (["acme first.email"], ["acme talk: cap"])
    assert first.silences[0].detail.startswith("put off: another email")
    assert [book.day(number, book.row(true=["mild"])).sent for number in (2, 3)] == [[], []]
    assert book.day(4, book.row(true=["mild"])).sent == ["acme talk.email", "acme talk.slack"]


def test_and_skips_with_the_reason_when_the_time_is_over(scene):
    book = scene(two("within: 2 days"), limits=CAPPED)
    book.day(1, book.row(true=["middling", "mild"]))
    book.day(2, book.row(true=["mild"]))
    third = book.day(3, book.row(true=["mild"]))
    assert third.sent == ["acme talk.slack"]
    assert [one.detail for one in third.silences] == [
        "skipped: another email went to this customer a short while ago"]


def test_at_once_skips_on_the_same_day_and_goes_on(scene):
    book = scene(two("within: at once"), limits=CAPPED)
    assert book.day(1, book.row(true=["middling", "mild"])).sent == ["acme first.email", "acme talk.slack"]


def test_without_a_time_of_its_own_a_step_waits_a_week(scene):
    book = scene(two(""), limits="limits: {emails_per_account: 1 per 30 days}\n")
    days = [book.day(number, book.row(true=["middling", "mild"])) for number in range(1, 9)]
    assert [bool(day.sent) for day in days] == [True, *[False] * 6, True]
    assert days[7].sent == ["acme talk.slack"]


def test_the_cap_counts_emails_to_the_customer_only(scene):
    book = scene("""
plays:
  talk:
    trigger: mild
    steps:
      - email: {to: csm, template: note}
      - email: {to: csm, template: note, id: again}
      - email: {to: contact, template: note}
      - email: {to: csm, template: note, id: and_again}
      - email: {to: contact, template: note, id: second}
""", limits=CAPPED)
    day = book.day(1, book.row(true=["mild"]))
    assert [one.to_customer for one in day.deliveries] == [False, False, True, False]
    assert day.silent == ["acme talk: cap"]


def test_two_per_so_many_days(scene):
    book = scene(play(*(f"email: {{to: contact, template: note, id: m{number}}}" for number in range(3)),
                      more="    within: 9 days\n"), limits="limits: {emails_per_account: 2 per 5 days}\n")
    assert [len(book.day(number, book.row(true=["mild"])).sent) for number in (1, 5, 6)] == [2, 0, 1]


def test_urgent_passes_the_caps(scene):
    urgent = CAPPED.replace("}", ", tasks_per_csm: 1 per day, urgent: [critical]}")
    book = scene("""
plays:
  call:
    trigger: grave
    steps: [{task: {for: csm, to: crm, template: note}}, {email: {to: contact, template: note}},
            {email: {to: contact, template: note, id: more}}]
""", limits=urgent)
    day = book.day(1, book.row("a", ["grave"]), book.row("b", ["grave"]))
    assert (len(day.deliveries), day.silent) == (6, [])


def test_tasks_go_to_the_worst_then_the_richest_then_the_next_renewal(scene):
    limits = "limits: {tasks_per_csm: 1 per day}\n"
    steps = "steps: [{task: {for: csm, to: crm, template: note}}]"
    book = scene(f"""
plays:
  call: {{trigger: grave, {steps}}}
  talk: {{trigger: mild, {steps}}}
""", limits=limits)
    soon, late = book.on(20), book.on(200)
    rows = {
        "d": book.row("d", ["grave"], revenue=1.0),
        "c": book.row("c", ["mild"], revenue=500.0, renewal=late),
        "b": book.row("b", ["mild"], revenue=100.0, renewal=soon),
        "a": book.row("a", ["mild"], revenue=100.0, renewal=late),
        "poor": book.row("poor", ["mild"]),
    }
    days = [book.day(number, *rows.values()) for number in range(1, 6)]
    assert [day.sent for day in days] == [["d call.task"], ["c talk.task"], ["b talk.task"], ["a talk.task"],
                                          ["poor talk.task"]]
    assert days[0].silent == ["c talk: budget", "b talk: budget", "a talk: budget", "poor talk: budget"]


def test_each_csm_has_a_day_of_their_own(scene):
    book = scene("plays:\n  talk: {trigger: mild, steps: [{task: {for: csm, to: crm, template: note}}]}\n",
                 limits="limits: {tasks_per_csm: 1 per day}\n")
    day = book.day(1, book.row("a", ["mild"], csm="dana"), book.row("b", ["mild"], csm="Dana Reed"),
                   book.row("c", ["mild"], csm="robin"), book.row("d", ["mild"], csm=""))
    assert day.sent == ["a talk.task", "c talk.task", "d talk.task"]
    assert day.silent == ["b talk: budget"]


def test_a_run_can_be_told_apart_by_what_it_is(scene):
    book = scene(play(SLACK))
    book.day(1, book.row(true=["mild"]))
    run = book.run("talk")
    assert isinstance(run, PlayRun)
    assert (run.group, run.occurrence, run.severity, run.step) == ("mild", book.on(1), "monitor", 1)
