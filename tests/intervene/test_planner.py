"""Which play runs for an account, since when, until when, and why another one does not."""

import itertools
from dataclasses import replace

import pytest

from forestall.engine.model.delivery import OutcomeStatus, RunStatus

THREE = """
plays:
  nudge: {trigger: mild, steps: [{email: {to: contact, template: note}}, {wait: 20 days}]}
  talk: {trigger: middling, steps: [{slack: {to: csm, template: note}}, {wait: 20 days}]}
  talk_too: {trigger: middling_too, steps: [{slack: {to: csm, template: note}}, {wait: 20 days}]}
  call: {trigger: grave, steps: [{task: {for: csm, to: crm, template: note}}, {wait: 20 days}]}
"""


def test_the_worst_alert_comes_first_then_the_order_of_the_file(scene):
    book = scene(THREE)
    first = book.day(1, book.row("a", ["mild", "middling", "middling_too", "grave"]),
                     book.row("b", ["mild", "middling_too", "middling"]))
    assert first.sent == ["a call.task", "b talk.slack"]
    assert first.silent == ["a talk: another play", "a talk_too: another play", "a nudge: another play",
                            "b talk_too: another play", "b nudge: another play"]
    assert {one.detail for one in first.silences if one.account == "a"} == {"call is running"}


def test_an_alert_is_as_serious_as_the_worst_tier_since_it_opened(scene):
    book = scene("""
plays:
  tiered: {trigger: as_the_tier, steps: [{slack: {to: csm, template: note}}, {wait: 9 days}]}
  talk: {trigger: middling, steps: [{slack: {to: csm, template: note}}]}
""")
    assert book.day(1, book.row("a", ["as_the_tier"], tier="monitor")).sent == ["a tiered.slack"]
    assert book.run("tiered", "a").severity == "monitor"
    assert book.day(2, book.row("a", ["as_the_tier", "middling"], tier="churning")).sent == []
    assert book.run("tiered", "a").severity == "churning"
    assert book.day(3, book.row("a", ["as_the_tier", "middling"], tier="monitor")).sent == []


def test_an_alert_of_an_unscored_account_is_the_mildest(scene):
    book = scene("""
plays:
  tiered: {trigger: as_the_tier, steps: [{slack: {to: csm, template: note}}]}
  nudge: {trigger: mild, steps: [{slack: {to: csm, template: note}}]}
""")
    assert book.day(1, book.row("a", ["as_the_tier", "mild"], tier=None)).sent == ["a nudge.slack"]


def test_a_worse_play_takes_the_place_and_what_is_unsent_is_cancelled(scene):
    book = scene(THREE)
    assert book.day(1, book.row(true=["mild"])).sent == ["acme nudge.email"]
    second = book.day(2, book.row(true=["mild", "grave"]))
    assert second.sent == ["acme call.task"]
    assert second.cancelled == ["acme nudge"]
    nudge = book.run("nudge")
    assert (nudge.status, nudge.reason) == (RunStatus.STOPPED, "call is worse and took its place")
    assert book.day(3, book.row(true=["mild"])).sent == [], "what was replaced does not come back"


def test_one_as_bad_waits_and_is_looked_at_again(scene):
    book = scene(THREE)
    book.day(1, book.row(true=["middling"]))
    assert book.day(2, book.row(true=["middling", "middling_too"])).silent == ["acme talk_too: another play"]
    third = book.day(3, book.row(true=["middling_too"]))
    assert third.sent == ["acme talk_too.slack"]
    assert third.cancelled == ["acme talk"]
    assert book.run("talk").reason == "its alert closed"


def test_a_waiting_alert_that_closes_is_forgotten(scene):
    book = scene(THREE)
    book.day(1, book.row(true=["middling", "mild"]))
    book.day(2, book.row(true=["middling"]))
    assert book.day(3, book.row()).sent == []


def test_a_waiting_play_starts_the_day_after_the_running_one_is_through(scene):
    book = scene("""
plays:
  talk: {trigger: middling, steps: [{slack: {to: csm, template: note}}]}
  nudge: {trigger: mild, steps: [{slack: {to: csm, template: note}}]}
""")
    assert book.day(1, book.row(true=["middling", "mild"])).sent == ["acme talk.slack"]
    assert book.day(2, book.row(true=["middling", "mild"])).sent == ["acme nudge.slack"]
    assert (book.run("talk").status, book.run("talk").reason) == (RunStatus.FINISHED, "done")
    assert book.day(3, book.row(true=["middling", "mild"])).sent == []


def test_alongside_neither_waits_nor_makes_others_wait(scene):
    book = scene("""
plays:
  talk: {trigger: grave, steps: [{slack: {to: csm, template: note}}, {wait: 9 days}]}
  heads_up: {trigger: [mild, middling], alongside: true, steps: [{slack: {to: leads, template: note}}, {wait: 9 days}]}
  nudge: {trigger: middling_too, steps: [{slack: {to: csm, template: note}}]}
""")
    assert book.day(1, book.row(true=["grave", "mild"])).sent == ["acme talk.slack", "acme heads_up.slack"]
    assert book.day(2, book.row("b", true=["mild", "middling_too"])).sent == ["b nudge.slack", "b heads_up.slack"]


def test_a_play_stops_when_its_alert_clears_unless_it_finishes_anyway(scene):
    steps = "steps: [{slack: {to: csm, template: note}}, {wait: 3 days}, {slack: {to: leads, template: note}}]"
    stops = scene(f"plays:\n  talk: {{trigger: mild, {steps}}}\n")
    goes_on = scene(f"plays:\n  talk: {{trigger: mild, finish_anyway: true, {steps}}}\n")
    for book in (stops, goes_on):
        book.day(1, book.row(true=["mild"]))
        book.day(2, book.row())
    assert (stops.run("talk").status, stops.run("talk").reason) == (RunStatus.STOPPED, "its alert closed")
    assert stops.day(4, stops.row()).sent == []
    assert goes_on.day(4, goes_on.row()).sent == ["acme talk.slack"]
    goes_on.day(5, goes_on.row())
    assert goes_on.run("talk").status is RunStatus.FINISHED


def test_an_unknown_condition_stops_nothing(scene):
    book = scene(THREE)
    book.day(1, book.row(true=["mild"]))
    assert book.day(2, book.row(unknown=["mild"])).cancelled == []
    assert book.run("nudge").status is RunStatus.RUNNING


def test_among_the_plays_of_an_alert_the_first_that_applies_runs(scene):
    book = scene("""
plays:
  for_big: {trigger: mild, applies_to: segment == "big", steps: [{slack: {to: csm, template: note}}]}
  for_small: {trigger: mild, applies_to: segment == "small", steps: [{slack: {to: leads, template: note}}]}
""")
    first = book.day(1, book.row("a", ["mild", "for_big.for", "for_small.for"]),
                     book.row("b", ["mild", "for_small.for"]), book.row("c", ["mild"]),
                     book.row("d", ["mild"], unknown=["for_big.for"]))
    assert first.sent == ["a for_big.slack", "b for_small.slack"]
    assert first.silent == ["c for_big: no play applies", "d for_big: no play applies"]
    assert book.day(2, book.row("c", ["mild"]), book.row("d", ["mild", "for_big.for"])).sent == ["d for_big.slack"]


def test_an_alert_that_was_only_recorded_starts_nothing(scene):
    book = scene("plays:\n  nudge: {trigger: mild, steps: [{slack: {to: csm, template: note}}]}\n",
                 triggers="triggers:\n  mild: {when: heat < 70, existing: record, cooldown: 2 days}\n")
    first = book.day(1, book.row(true=["mild"]))
    assert (first.moved, first.sent) == (["acme mild recorded"], [])
    assert book.day(2, book.row(true=["mild"]), book.row("new", ["mild"])).sent == ["new nudge.slack"]
    book.day(3, book.row())
    assert book.day(4, book.row(true=["mild"])).sent == ["acme nudge.slack"], "what happens later is news"


# -- one play, several alerts ----------------------------------------------------------------------------------------

BOTH = """
plays:
  re_engage:
    trigger: [mild, grave]
    tier: at_risk
    steps: [{email: {to: contact, template: note}}, {wait: 3 days}, {slack: {to: csm, template: note}}]
"""


def test_a_play_answers_every_alert_of_its_own_that_opened_with_it(scene):
    """`trigger` and `tier` both start it; the customer gets it once."""
    book = scene(BOTH)
    book.day(1, book.row(tier="monitor"))
    second = book.day(2, book.row(true=["mild"], tier="at_risk"))
    assert second.moved == ["acme mild opened", "acme tier:at_risk opened"]
    assert second.sent == ["acme re_engage.email"]
    everything = [book.day(number, book.row(true=["mild"], tier="at_risk")).sent for number in range(3, 12)]
    assert [one for one in everything if one] == [["acme re_engage.slack"]]


def test_it_goes_on_while_one_of_them_is_open(scene):
    book = scene(BOTH)
    book.day(1, book.row(tier="monitor"))
    book.day(2, book.row(true=["mild"], tier="at_risk"))
    assert book.day(3, book.row(tier="at_risk")).cancelled == []
    assert book.day(5, book.row(tier="at_risk")).sent == ["acme re_engage.slack"]


def test_a_worse_alert_does_not_begin_the_same_play_again(scene):
    book = scene(BOTH)
    book.day(1, book.row(true=["mild"]))
    second = book.day(2, book.row(true=["mild", "grave"]))
    assert (second.sent, second.cancelled, second.silent) == ([], [], ["acme re_engage: another play"])
    assert book.day(4, book.row(true=["mild", "grave"])).sent == ["acme re_engage.slack"]


# -- goals -----------------------------------------------------------------------------------------------------------

GOAL = """
plays:
  talk:
    trigger: mild
    steps: [{slack: {to: csm, template: note}}, {wait: 30 days}, {slack: {to: csm, template: note}}]
    goal: {when: heat >= 70, within: 5 days}
"""


def test_a_goal_that_is_met_ends_the_play(scene):
    book = scene(GOAL)
    book.day(1, book.row(true=["mild"]))
    assert (book.run("talk").outcome, book.run("talk").until) == (OutcomeStatus.WATCHING, book.on(6))
    assert book.day(4, book.row(true=["mild", "talk.goal"])).cancelled == ["acme talk"]
    run = book.run("talk")
    assert (run.status, run.outcome, run.met_on, run.reason) == (
        RunStatus.STOPPED, OutcomeStatus.MET, book.on(4), "its goal is met")
    assert book.day(5, book.row(true=["mild"])).sent == [], "the same opening is answered once"


@pytest.mark.parametrize(("met_on", "outcome"), [(6, OutcomeStatus.MET), (7, OutcomeStatus.NOT_MET)],
                         ids=["on the last day", "a day late"])
def test_within_is_the_last_day_that_counts(scene, met_on, outcome):
    book = scene(GOAL)
    for number in range(1, met_on):
        book.day(number, book.row(true=["mild"]))
    book.day(met_on, book.row(true=["mild", "talk.goal"]))
    assert book.run("talk").outcome is outcome


def test_past_its_time_a_play_is_over(scene):
    book = scene(GOAL)
    book.day(1, book.row(true=["mild"]))
    assert book.day(6, book.row(true=["mild"])).cancelled == []
    book.day(7, book.row(true=["mild"]))
    run = book.run("talk")
    assert (run.status, run.reason, run.outcome) == (RunStatus.STOPPED, "its time is over", OutcomeStatus.NOT_MET)


def test_a_goal_that_holds_from_the_start_is_left_out_of_the_rates(scene):
    book = scene(GOAL)
    assert book.day(1, book.row(true=["mild", "talk.goal"])).sent == ["acme talk.slack"]
    assert book.run("talk").outcome is OutcomeStatus.ALREADY_MET
    book.day(2, book.row(true=["mild", "talk.goal"]))
    assert book.run("talk").outcome is OutcomeStatus.ALREADY_MET


def test_a_goal_is_watched_whatever_becomes_of_the_alert(scene):
    book = scene(GOAL)
    book.day(1, book.row(true=["mild"]))
    book.day(2, book.row())
    assert (book.run("talk").status, book.run("talk").outcome) == (RunStatus.STOPPED, OutcomeStatus.WATCHING)
    book.day(3, book.row(unknown=["talk.goal"]))
    book.day(5, book.row(true=["talk.goal"]))
    assert book.run("talk").outcome is OutcomeStatus.MET


def test_a_play_without_a_goal_has_no_outcome(scene):
    book = scene(THREE)
    book.day(1, book.row(true=["mild"]))
    assert (book.run("nudge").outcome, book.run("nudge").until) == (OutcomeStatus.NONE, None)


def test_the_goal_of_an_account_that_is_gone_stays_unknown(scene):
    """Also when nothing but the goal is left of it: unscored, its alert closed, its play through."""
    book = scene(GOAL)
    book.day(1, book.row(true=["mild"], tier=None))
    book.day(2, book.row(tier=None))
    assert book.run("talk").outcome is OutcomeStatus.WATCHING
    book.day(3, book.row(tier=None, silent=14))
    assert book.run("talk").outcome is OutcomeStatus.UNKNOWN


# -- control group ---------------------------------------------------------------------------------------------------

HALF = """
plays:
  nudge:
    trigger: mild
    holdout: 50 percent
    steps: [{email: {to: contact, template: note}}]
    goal: {when: heat >= 70, within: 5 days}
  talk: {trigger: grave, holdout: 50 percent, steps: [{slack: {to: csm, template: note}}]}
  rescue: {tier: critical, holdout: 50 percent, steps: [{slack: {to: csm, template: note}}]}
"""
CROWD = [f"a{number:03}" for number in range(200)]


def test_about_half_is_held_out_and_watched(scene):
    book = scene(HALF, holdouts=True)
    first = book.day(1, *(book.row(name, ["mild"]) for name in CROWD))
    out = {one.account for one in first.silences}
    assert 70 < len(out) < 130
    assert {f"{name} nudge.email" for name in CROWD if name not in out} == set(first.sent)
    assert set(first.silent) == {f"{name} nudge: holdout" for name in out}
    assert {(book.run("nudge", name).status, book.run("nudge", name).outcome) for name in out} == {
        (RunStatus.HELD_OUT, OutcomeStatus.WATCHING)}
    book.day(2, *(book.row(name, ["mild", "nudge.goal"]) for name in CROWD))
    assert {book.run("nudge", name).outcome for name in out} == {OutcomeStatus.MET}


def test_the_draw_is_the_same_every_time(scene):
    def out() -> set[str]:
        book = scene(HALF, holdouts=True)
        return {one.account for one in book.day(1, *(book.row(name, ["mild"]) for name in CROWD)).silences}

    assert out() == out()


def test_the_two_worst_severities_are_exempt_unless_the_play_is_for_that_tier(scene):
    book = scene(HALF, holdouts=True)
    first = book.day(1, *(book.row(name, ["grave"]) for name in CROWD))
    assert len(first.sent) == len(CROWD)
    book = scene(HALF, holdouts=True)
    book.day(1, *(book.row(name, tier="monitor") for name in CROWD))
    second = book.day(2, *(book.row(name, tier="critical") for name in CROWD))
    assert 70 < len(second.sent) < 130


def test_the_draw_comes_before_any_cap(scene):
    """Who is held out is not who happens to be under a cap."""
    book = scene(HALF, holdouts=True)
    free = {one.account for one in book.day(1, *(book.row(name, ["mild"]) for name in CROWD)).silences}
    book = scene(HALF, holdouts=True, limits="limits: {emails_per_account: 1 per 30 days, per_play: 1000}\n")
    book.day(1, *(book.row(name) for name in CROWD))
    book.state = replace(book.state, last_sent={name: (book.on(1),) for name in CROWD})
    capped = book.day(2, *(book.row(name, ["mild"]) for name in CROWD))
    assert {one.account for one in capped.silences if one.reason.value == "holdout"} == free
    assert {one.reason.value for one in capped.silences if one.account not in free} == {"cap"}


def test_a_story_about_one_account_leaves_nobody_out(scene):
    book = scene(HALF, holdouts=False)
    assert len(book.day(1, *(book.row(name, ["mild"]) for name in CROWD)).sent) == len(CROWD)


# -- the blast guard -------------------------------------------------------------------------------------------------

def test_the_guard_holds_all_starts_of_a_play_and_no_other(scene):
    book = scene(THREE, limits="limits: {per_play: 2}\n")
    first = book.day(1, book.row("a", ["mild"]), book.row("b", ["mild"]), book.row("c", ["mild"]),
                     book.row("d", ["grave"]), book.row("e", ["grave"]))
    assert first.sent == ["d call.task", "e call.task"]
    assert first.silent == ["a nudge: guard", "b nudge: guard", "c nudge: guard"]
    assert dict(first.decided.held) == {"nudge": 3}
    assert [run.status.value for run in book.state.runs if run.play == "nudge"] == ["held"] * 3


def test_the_guard_puts_back_what_it_would_have_replaced(scene):
    book = scene("""
plays:
  nudge:
    trigger: mild
    steps: [{slack: {to: csm, template: note}}, {wait: 1 day}, {slack: {to: leads, template: note}}]
  call: {trigger: grave, steps: [{slack: {to: csm, template: note}}]}
""", limits="limits: {per_play: 1}\n")
    book.day(1, book.row("a", ["mild"]), book.row("b"))
    second = book.day(2, book.row("a", ["mild", "grave"]), book.row("b", ["grave"]))
    assert (second.sent, second.cancelled) == (["a nudge.slack"], [])
    assert second.silent == ["a call: guard", "b call: guard"]
    assert book.run("nudge", "a").status is RunStatus.RUNNING


def test_what_waits_behind_a_held_play_is_told_so(scene):
    book = scene(THREE, limits="limits: {per_play: 1}\n")
    first = book.day(1, book.row("a", ["mild", "grave"]), book.row("b", ["grave"]))
    assert first.silent == ["a nudge: another play", "a call: guard", "b call: guard"]
    assert first.silences[0].detail == "call is held by the guard"


def test_without_a_limit_two_hundred_may_start_and_one_more_may_not(scene):
    book = scene(THREE)
    assert len(book.day(1, *(book.row(f"a{number:03}", ["middling"]) for number in range(200))).sent) == 200
    book = scene(THREE)
    assert book.day(1, *(book.row(f"a{number:03}", ["middling"]) for number in range(201))).sent == []


# -- rules that change -----------------------------------------------------------------------------------------------

def test_a_play_goes_on_with_the_steps_that_it_began_with(scene, rules):
    before = THREE.replace("{wait: 20 days}", "{wait: 2 days}, {slack: {to: csm, template: note}}", 1)
    book = scene(before)
    book.day(1, book.row(true=["mild"]))
    book.changed(rules(THREE.replace("{wait: 20 days}", "{wait: 1 day}, {slack: {to: leads, template: note}}", 1)))
    both = book.row(true=["mild"]), book.row("bolt", ["mild"])
    second = book.day(2, *both)
    assert (second.sent, second.cancelled) == (["bolt nudge.email"], [])
    third = book.day(3, *both)
    assert [(one.account, one.recipient) for one in third.deliveries] == [("acme", "U1"), ("bolt", "#leads")]


def test_steps_of_which_nothing_was_written_down_stop_the_play(scene, rules):
    """A run of an earlier version of Forestall: where it stood is a number of steps, and of which is not known."""
    book = scene(THREE)
    book.day(1, book.row(true=["mild"]))
    book.state = replace(book.state, begun={})
    book.changed(rules(THREE.replace("wait: 20 days", "wait: 2 days")))
    assert book.day(2, book.row(true=["mild"])).cancelled == ["acme nudge"]
    assert book.run("nudge").reason == ("the play's steps were changed, and nobody can go on with the old ones: "
                                        "nothing was written down of them")
    assert book.day(3, book.row(true=["mild"])).sent == [], "the same opening is answered once"


def test_a_play_that_is_taken_out_is_cancelled(scene, rules):
    book = scene(GOAL.replace("  talk:", "  chat:"))
    book.day(1, book.row(true=["mild"]))
    book.changed(rules(GOAL))
    second = book.day(2, book.row(true=["mild"]))
    assert second.cancelled == ["acme chat"]
    assert (book.run("chat").status, book.run("chat").outcome) == (RunStatus.STOPPED, OutcomeStatus.UNKNOWN)
    assert second.sent == [], "its alert was answered"


def test_a_play_that_is_taken_out_is_cancelled_also_where_an_account_has_no_row(scene, rules):
    """Silent accounts are kept while the outage guard holds; their plays need not exist any more."""
    names = [f"a{number:02}" for number in range(30)]
    book = scene(THREE)
    book.day(1, *(book.row(name, ["mild"]) for name in names))
    book.changed(rules("plays:\n  other: {trigger: mild, steps: [{slack: {to: csm, template: note}}]}\n"))
    outage = book.day(30)
    assert outage.decided.outage == 30
    assert outage.cancelled == [f"{name} nudge" for name in names]


def test_a_trigger_that_is_taken_out_closes_its_alerts_and_stops_their_plays(scene, rules):
    book = scene(THREE)
    book.day(1, book.row(true=["mild"]))
    rest = {"triggers": "triggers:\n  middling: {when: heat < 60}\n"}
    book.changed(rules("plays:\n  nudge: {trigger: middling, steps: [{email: {to: contact, template: note}}, "
                       "{wait: 20 days}]}\n", **rest))
    second = book.day(2, book.row())
    assert second.moved == ["acme mild removed"]
    assert second.cancelled == ["acme nudge"]


# -- recurring plays -------------------------------------------------------------------------------------------------

MONTHLY = """
plays:
  nudge: {trigger: mild, steps: [{slack: {to: csm, template: note}}, {wait: 40 days}]}
  tip:
    tier: healthy
    every: 1 month
    steps: [{email: {to: contact, template: note}}, {wait: 2 days}, {slack: {to: csm, template: note}}]
"""


def test_a_recurring_play_comes_once_a_month_to_each_account_on_days_of_its_own(scene):
    book = scene(MONTHLY)
    names = [f"a{number:02}" for number in range(40)]
    emails: dict[str, list[int]] = {name: [] for name in names}
    for number in range(1, 85):                     # 5 January to 30 March
        for one in book.day(number, *(book.row(name) for name in names)).deliveries:
            if one.kind.value == "email":
                emails[one.account].append(number)
    days = {name: [book.on(number) for number in numbers] for name, numbers in emails.items()}
    assert {len({day.month for day in listed}) == len(listed) for listed in days.values()} == {True}
    assert {len({day.day for day in listed}) for listed in days.values()} == {1}
    assert all(len(listed) == (3 if listed[0].month == 1 else 2) for listed in days.values())
    assert len({listed[0].day for listed in days.values()}) > 15, "spread over the month"


def test_it_pauses_while_a_risk_play_runs(scene):
    book = scene(MONTHLY)
    due = next(number for number in range(1, 40) if book.day(number, book.row("a")).sent)
    paused = book.day(due + 2, book.row("a", ["mild"]))
    assert paused.sent == ["a nudge.slack"], "its second step is due, and waits"
    assert book.day(due + 3, book.row("a", ["mild"])).sent == []
    assert book.day(due + 4, book.row("a")).sent == ["a tip.slack"]


def test_one_that_is_due_during_a_risk_play_comes_when_that_has_ended(scene):
    probe = scene(MONTHLY)
    due = next(number for number in range(2, 40) if probe.day(number, probe.row("a")).sent)
    book = scene(MONTHLY)
    book.day(due - 1, book.row("a", ["mild"]))
    assert book.day(due, book.row("a", ["mild"])).silent == ["a tip: another play"]
    assert book.day(due + 1, book.row("a")).sent == ["a tip.email"]


def test_one_that_was_missed_while_nothing_ran_comes_once(scene):
    probe = scene(MONTHLY)
    due = next(number for number in range(2, 40) if probe.day(number, probe.row("a")).sent)
    book = scene(MONTHLY)
    book.day(due - 1, book.row("a"))
    assert book.day(due + 25, book.row("a")).sent == ["a tip.email"]
    assert book.day(due + 26, book.row("a")).sent == []


def test_it_ends_when_the_account_leaves_the_tier_but_not_when_the_tier_is_unknown(scene):
    book = scene(MONTHLY)
    due = next(number for number in range(1, 40) if book.day(number, book.row("a")).sent)
    assert book.day(due + 1, book.row("a", tier=None)).cancelled == []
    assert book.day(due + 2, book.row("a", tier="monitor")).cancelled == ["a tip"]
    assert book.run("tip", "a").reason == "no longer in healthy"


def test_every_so_many_days(scene):
    book = scene("plays:\n  tip: {tier: healthy, every: 10 days, steps: [{slack: {to: csm, template: note}}]}\n")
    days = [number for number in range(1, 41) if book.day(number, book.row("a")).sent]
    assert len(days) == 4
    assert {later - earlier for earlier, later in itertools.pairwise(days)} == {10}


# -- accounts that leave ---------------------------------------------------------------------------------------------

def test_a_gone_account_stops_its_plays(scene):
    book = scene(THREE)
    book.day(1, book.row("a", ["mild"]), book.row("b"))
    second = book.day(2, book.row("a", ["mild"], silent=14), book.row("b"))
    assert second.moved == ["a mild gone"]
    assert second.cancelled == ["a nudge"]
    assert (book.run("nudge", "a").reason, book.state.tiers) == ("the account is gone", {"b": "healthy"})
    assert book.day(3, book.row("b")).moved == []


def test_when_too_many_are_missing_the_source_is_gone_and_nobody_leaves(scene):
    names = [f"a{number:02}" for number in range(30)]
    book = scene(THREE)
    book.day(1, *(book.row(name, ["mild"]) for name in names))
    outage = book.day(2, *(book.row(name, ["mild"], silent=14 if name != "a00" else 0) for name in names))
    assert (outage.decided.outage, outage.moved, outage.cancelled) == (29, [], [])
    assert len(book.state.tiers) == 30
    assert book.day(3, *(book.row(name, ["mild"]) for name in names)).moved == []


def test_twenty_may_leave_at_once(scene):
    names = [f"a{number:02}" for number in range(21)]
    book = scene(THREE)
    book.day(1, *(book.row(name) for name in names))
    assert book.day(2, book.row("a00")).decided.outage == 0
    assert book.state.tiers == {"a00": "healthy"}
