"""The guards against too many starts at once and against what an outage sets off; what becomes of what they hold."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from forestall.engine.detect.supply import silent
from forestall.engine.intervene import guards
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.model.delivery import RunStatus
from forestall.engine.model.rulebook import Limits
from forestall.engine.model.state import Approval
from forestall.engine.model.supply import Silent, Supply

DAY = date(2026, 3, 2)
PLAYS = """
plays:
  nudge: {trigger: mild, steps: [{email: {to: contact, template: note}}, {wait: 20 days}]}
  call: {trigger: grave, steps: [{task: {for: csm, to: crm, template: note}}, {wait: 20 days}]}
"""
TWO = "limits: {per_play: 2}\n"
CROWD = ("a", "b", "c")
DOUBT = Supply(known={"heat": (3, 100)})


def past(*counts: int) -> tuple[tuple[date, int], ...]:
    return tuple((DAY - timedelta(days=len(counts) - place), count) for place, count in enumerate(counts))


# -- how many are too many ---------------------------------------------------------------------------------------------

def test_more_than_per_play_are_too_many() -> None:
    assert guards.too_many(Limits(per_play=3), 3, (), DAY) == ""
    assert guards.too_many(Limits(per_play=3), 4, (), DAY) == "4 starts in one pass; limits.per_play is 3"
    assert guards.too_many(Limits(per_play=None), 10_000, (), DAY) == ""


def test_more_than_usual_is_known_after_fourteen_passes() -> None:
    limits = Limits(per_play=None, times_usual=3)
    assert guards.too_many(limits, 1000, past(*[10] * 13), DAY) == ""
    assert guards.too_many(limits, 30, past(*[10] * 14), DAY) == ""
    assert guards.too_many(limits, 31, past(*[10] * 14), DAY) == \
        "31 starts in one pass, and 10.0 are usual; limits.times_usual is 3"
    assert guards.too_many(limits, 1000, (*past(*[10] * 13), (DAY, 10)), DAY) == "", "today is not the past"


def test_a_few_starts_are_never_too_many_for_a_rare_play() -> None:
    limits = Limits(times_usual=3)
    assert [bool(guards.too_many(limits, starts, past(*[0] * 14), DAY)) for starts in (guards.FEW, guards.FEW + 1)] \
        == [False, True]


def test_what_is_usual_is_remembered_pass_by_pass(scene) -> None:
    book = scene(PLAYS, limits="limits: {times_usual: 2}\n")
    for number in range(1, 16):
        names = [f"a{number:02}-{one}" for one in range(11)]
        assert len(book.day(number, *(book.row(name, ["mild"]) for name in names)).sent) == 11
    assert [count for _, count in book.state.starts["nudge"]] == [11] * 15
    assert [count for _, count in book.state.starts["call"]] == [0] * 15
    many = book.day(16, *(book.row(f"b{one}", ["mild"]) for one in range(23)))
    assert (many.sent, dict(many.decided.held)) == ([], {"nudge": 23})
    assert book.state.starts["nudge"][-1] == (book.on(16), 0), "what is held did not start"


# -- what an outage sets off -------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("known", "before", "gone"), [
    (100, 100, False), (50, 100, False), (49, 100, True), (0, 20, True), (0, 19, False), (0, 0, False)])
def test_a_metric_that_most_accounts_lost_is_not_believed(known: int, before: int, gone: bool) -> None:
    assert bool(guards.outages(Supply(known={"heat": (known, before)}))) == gone


def test_a_source_with_a_rhythm_is_late_after_its_longest_silence_and_a_day() -> None:
    supplies = {"product": ("heat",)}
    daily = [DAY - timedelta(days=back) for back in range(3, 33)]
    assert silent({"product": daily[1:]}, supplies, DAY)
    assert silent({"product": daily}, supplies, DAY)["product"].metrics == ("heat",)
    assert not silent({"product": [DAY - timedelta(days=back) for back in range(2, 33)]}, supplies, DAY)
    workdays = [day for day in daily if day.weekday() < 5]
    assert not silent({"product": workdays}, supplies, workdays[0] + timedelta(days=4))
    assert silent({"product": workdays}, supplies, workdays[0] + timedelta(days=5))


def test_a_source_without_a_rhythm_is_never_late() -> None:
    assert not silent({}, {"crm": ("mrr",)}, DAY)
    assert not silent({"crm": [DAY - timedelta(days=7 * back) for back in range(1, 5)]}, {"crm": ("mrr",)}, DAY)


def test_what_rests_on_a_metric_in_doubt_is_held_and_goes_by_itself_when_it_is_back(scene) -> None:
    book = scene(PLAYS)
    book.known = Circumstances(supply=DOUBT)
    first = book.day(1, book.row("a", ["mild"]))
    assert (first.sent, first.silent) == ([], ["a nudge: guard"])
    assert first.silences[0].detail == "the facts are in doubt: heat is known for 3 accounts, and it was for 100"
    assert book.day(2, book.row("a", ["mild"])).silent == ["a nudge: guard"], "each day says why"
    book.known = Circumstances()
    assert book.day(3, book.row("a", ["mild"])).sent == ["a nudge.email"]


def test_what_was_only_an_outage_ends_with_it(scene) -> None:
    book = scene(PLAYS)
    book.known = Circumstances(supply=Supply(silent={"product": Silent("source product is late", ("heat",))}))
    assert book.day(1, book.row("a", ["mild"])).silences[0].detail == "the facts are in doubt: source product is late"
    book.known = Circumstances()
    assert book.day(2, book.row("a")).sent == []
    assert (book.run("nudge", "a").status, book.run("nudge", "a").reason) == (RunStatus.STOPPED, "its alert closed")


def test_other_metrics_in_doubt_hold_nothing(scene) -> None:
    book = scene(PLAYS)
    book.known = Circumstances(supply=Supply(known={"mrr": (0, 100)}))
    assert book.day(1, book.row("a", ["mild"])).sent == ["a nudge.email"]


def test_a_computed_metric_and_the_score_rest_on_what_they_are_made_of(rules) -> None:
    book = rules("plays:\n  talk: {tier: at_risk, steps: [{slack: {to: csm, template: note}}]}\n",
                 triggers="triggers:\n  low: {when: score < 50, severity: at_risk}\n"
                          "  dear: {when: mrr > 3, severity: at_risk}\n")
    assert guards.rests_on(book) == {"low": {"heat"}, "dear": {"mrr"}, "tier:at_risk": {"heat"}}


# -- what becomes of what is held --------------------------------------------------------------------------------------

def held(scene):
    book = scene(PLAYS, limits=TWO)
    book.day(1, *(book.row(name, ["mild"]) for name in CROWD))
    assert [book.run("nudge", name).status for name in CROWD] == [RunStatus.HELD] * 3
    return book


def say(book, *, cancelled: bool = False, play: str = "nudge") -> None:
    book.state = replace(book.state, approvals={play: Approval(play, book.on(1), "dana", cancelled)})


def test_approval_looks_at_each_start_again(scene) -> None:
    book = held(scene)
    say(book)
    day = book.day(2, book.row("a", ["mild"]), book.row("b"), book.row("c", ["mild"]))
    assert day.sent == ["a nudge.email", "c nudge.email"]
    assert (book.run("nudge", "b").status, book.run("nudge", "b").reason) == (RunStatus.STOPPED, "its alert closed")
    assert dict(book.state.approvals) == {}, "used up"


def test_what_is_approved_is_not_held_again_and_what_is_new_is(scene) -> None:
    book = held(scene)
    say(book)
    everybody = [book.row(name, ["mild"]) for name in (*CROWD, "d", "e", "f")]
    day = book.day(2, *everybody)
    assert day.sent == [f"{name} nudge.email" for name in CROWD]
    assert [run.account for run in book.state.runs if run.status is RunStatus.HELD] == ["d", "e", "f"]


def test_a_start_that_is_no_longer_for_the_account_is_not_made(scene) -> None:
    book = scene(PLAYS.replace("trigger: mild,", 'trigger: mild, applies_to: segment == "big",'), limits=TWO)
    book.day(1, *(book.row(name, ["mild", "nudge.for"]) for name in CROWD))
    say(book)
    assert book.day(2, *(book.row(name, ["mild"]) for name in CROWD)).sent == []
    assert {book.run("nudge", name).reason for name in CROWD} == {"the play is no longer for this account"}


def test_what_somebody_refused_ends(scene) -> None:
    book = held(scene)
    say(book, cancelled=True)
    assert book.day(2, *(book.row(name, ["mild"]) for name in CROWD)).sent == []
    assert {(book.run("nudge", name).status, book.run("nudge", name).reason) for name in CROWD} == {
        (RunStatus.STOPPED, "dana said no")}
    assert book.day(3, *(book.row(name, ["mild"]) for name in CROWD)).sent == [], "the same opening is answered"


def test_after_a_week_it_lapses(scene) -> None:
    book = held(scene)
    for number in range(2, 9):
        assert book.day(number, *(book.row(name, ["mild"]) for name in CROWD)).silent == [
            f"{name} nudge: guard" for name in CROWD]
    book.day(9, *(book.row(name, ["mild"]) for name in CROWD))
    assert {book.run("nudge", name).reason for name in CROWD} == {"not approved within 7 days"}
    say(book)
    assert book.day(10, *(book.row(name, ["mild"]) for name in CROWD)).sent == []


def test_milder_plays_wait_behind_what_is_held_and_a_worse_one_takes_its_place(scene) -> None:
    book = scene(PLAYS, limits=TWO)
    book.day(1, *(book.row(name, ["grave"]) for name in CROWD))
    day = book.day(2, book.row("a", ["grave", "mild"]), book.row("b", ["grave"]), book.row("c", ["grave"]))
    assert ("a nudge: another play" in day.silent, day.sent) == (True, [])
    book = held(scene)
    assert book.day(2, book.row("a", ["mild", "grave"]), book.row("b", ["mild"]), book.row("c", ["mild"])).sent == [
        "a call.task"]
    assert book.run("nudge", "a").reason == "call is worse and took its place"


def test_what_was_let_go_waits_for_a_worse_play_to_end(scene) -> None:
    book = held(scene)
    say(book)
    day = book.day(2, book.row("a", ["mild", "grave"]), book.row("b", ["mild"]), book.row("c", ["mild"]))
    assert day.sent == ["a call.task", "b nudge.email", "c nudge.email"]
    assert book.run("nudge", "a").status is RunStatus.HELD
    later = book.day(3, *(book.row(name, ["mild"]) for name in CROWD))
    assert later.sent == ["a nudge.email"], "its approval holds"


def test_a_recurring_play_is_held_and_approved_like_any_other(scene) -> None:
    book = scene("plays:\n  tip: {tier: healthy, every: 1 day, steps: [{email: {to: contact, template: note}}]}\n",
                 limits=TWO)
    assert book.day(1, *(book.row(name) for name in CROWD)).silent == [f"{name} tip: guard" for name in CROWD]
    say(book, play="tip")
    day = book.day(2, book.row("a"), book.row("b", tier="monitor"))
    assert sorted(one.occurrence for one in day.deliveries) == [book.on(1), book.on(2)]
    assert book.run("tip", "b").reason == "no longer in healthy"


def test_a_simulation_counts_them_as_approved_and_says_so(scene) -> None:
    book = scene(PLAYS, limits=TWO)
    book.known = Circumstances(approve=True)
    day = book.day(1, *(book.row(name, ["mild"]) for name in CROWD))
    assert (len(day.sent), dict(day.decided.held)) == (3, {"nudge": 3})


def test_several_passes_of_a_day_count_together(scene) -> None:
    book = scene(PLAYS, limits=TWO)
    assert len(book.day(1, book.row("a", ["mild"]), book.row("b", ["mild"]), book.row("c")).sent) == 2
    again = book.day(1, book.row("a", ["mild"]), book.row("b", ["mild"]), book.row("c", ["mild"]))
    assert (again.sent, again.silent) == ([], ["c nudge: guard"])
