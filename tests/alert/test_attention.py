"""Alerts that people have answered: acknowledged, snoozed, repeated, worse than before, under another name."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert.lives import PLAYS, TRIGGERS, F, Life, Rules, T, U, on
from forestall.engine.alert.attention import is_acknowledged, is_snoozed
from forestall.engine.errors import RulesError
from forestall.engine.model.alert import AlertStatus
from forestall.engine.model.delivery import PlayRun, RunStatus
from forestall.engine.model.rulebook import Rulebook

REPEATED = """
defaults: {lasts: 90 days}
triggers:
  plain: {when: heat < 50, repeat: 7 days}
  fixed: {when: heat < 50, severity: at_risk}
"""


@pytest.fixture
def repeated(rules: Rules) -> Life:
    return Life(book(rules))


def book(rules: Rules) -> Rulebook:
    """One rulebook for all examples of a property."""
    if "one" not in _MADE:
        _MADE["one"] = rules(triggers=REPEATED, plays="plays: {}\n")
    return _MADE["one"]


_MADE: dict[str, Rulebook] = {}


def test_the_severity_follows_the_account_down_and_never_up(repeated: Life) -> None:
    repeated.day(1, repeated.row(plain=T, fixed=T, score=65))
    assert repeated.day(2, repeated.row(plain=T, fixed=T, score=45)) == ["plain worsened"]
    assert repeated.day(3, repeated.row(plain=T, fixed=T, score=85)) == []
    assert repeated.day(4, repeated.row(plain=T, fixed=T, score=None)) == []
    assert repeated.day(5, repeated.row(plain=T, fixed=T, score=10)) == ["plain worsened"]
    assert (repeated.alert("plain").severity, repeated.alert("fixed").severity) == ("churning", "at_risk")


def test_the_rules_can_call_an_open_alert_more_serious(rules: Rules, repeated: Life) -> None:
    repeated.day(1, repeated.row(fixed=T, score=95))
    repeated.rules(rules(triggers=REPEATED.replace("severity: at_risk", "severity: critical"), plays="plays: {}\n"))
    assert repeated.day(2, repeated.row(fixed=T, score=95)) == ["fixed worsened"]


def test_what_people_said_ends_when_it_gets_worse(repeated: Life) -> None:
    repeated.day(1, repeated.row(plain=T, score=65))
    repeated.say("plain", acknowledged_on=on(1), acknowledged_by="dana", snoozed_until=on(30))
    assert is_acknowledged(repeated.alert("plain"))
    assert is_snoozed(repeated.alert("plain"), on(30))
    assert not is_snoozed(repeated.alert("plain"), on(31))
    assert repeated.day(9, repeated.row(plain=T, score=65)) == [], "no reminder"
    assert repeated.day(10, repeated.row(plain=T, score=45)) == ["plain worsened", "plain reminded"]
    alert = repeated.alert("plain")
    assert (alert.acknowledged_on, alert.acknowledged_by, alert.snoozed_until) == (None, "", None)


def test_a_new_opening_is_not_acknowledged(repeated: Life) -> None:
    repeated.day(1, repeated.row(plain=T))
    repeated.say("plain", acknowledged_on=on(1), acknowledged_by="dana")
    repeated.day(2, repeated.row(plain=F))
    assert not is_acknowledged(repeated.alert("plain"))
    assert repeated.alert("plain").acknowledged_by == "dana"
    assert repeated.day(15, repeated.row(plain=T)) == ["plain opened"]
    assert repeated.alert("plain").acknowledged_by == ""


def test_reminders_come_every_so_often_and_one_after_a_silence(repeated: Life) -> None:
    repeated.day(1, repeated.row(plain=T))
    assert repeated.day(7, repeated.row(plain=T)) == []
    assert repeated.day(8, repeated.row(plain=U)) == ["plain reminded"], "unknown closes nothing: it is open still"
    assert repeated.day(14, repeated.row(plain=T)) == []
    assert repeated.day(60, repeated.row(plain=T)) == ["plain reminded"], "one, however many were missed"
    assert repeated.day(61, repeated.row(plain=T)) == []
    assert repeated.day(67, repeated.row(plain=F)) == ["plain cleared"]


def test_what_was_only_recorded_is_never_repeated(rules: Rules) -> None:
    life = Life(rules(triggers=REPEATED.replace("repeat: 7 days", "repeat: 7 days, existing: record"),
                      plays="plays: {}\n"))
    assert life.day(1, life.row(plain=T)) == ["plain recorded"]
    assert life.day(8, life.row(plain=T)) == []


def test_repeat_of_the_defaults_holds_for_tiers_too(rules: Rules) -> None:
    life = Life(rules(triggers="defaults: {repeat: 3 days}\ntriggers: {}\n"))
    assert life.day(1, life.row(score=50)) == ["tier:at_risk opened"]
    assert life.day(4, life.row(score=50)) == ["tier:at_risk reminded"]


# -- against a plain oracle -------------------------------------------------------------------------------------------

events = st.lists(st.tuples(
    st.sampled_from([T, T, T, U, F]), st.sampled_from([95.0, 65.0, 45.0, 25.0, 5.0, None]),
    st.sampled_from(["", "", "", "acknowledge", "snooze"]), st.sampled_from([1, 1, 1, 2, 9])), max_size=14)
Event = tuple[object, float | None, str, int]


def oracle(days: list[Event]) -> Iterator[list[str]]:
    """Told in the words of docs/alerts-and-plays.md: cooldown 14 days, lasts 90 days, repeat 7 days."""
    number, opened, told, severity, known, until = 0, None, 0, -1, False, 0
    last: int | None = None
    for when, score, said, pause in days:
        number += pause
        tier = -1 if score is None else [score >= low for low in (80, 60, 40, 20, 0)].index(True)
        found: list[str] = []
        if opened is not None and when is F:
            opened, found = None, ["cleared"]
        elif opened is not None and number - opened >= 90:
            raise AssertionError("too long a history for this oracle")
        elif opened is not None:
            if tier > severity:
                severity, known, until, found = tier, False, 0, ["worsened"]
            if not known and number > until and number - told >= 7:
                told = number
                found.append("reminded")
        elif when is T and (last is None or number - last >= 14):
            opened = last = told = number
            severity, known, until, found = tier, False, 0, ["opened"]
        yield found
        if opened is not None:
            known = known or said == "acknowledge"
            until = number + 5 if said == "snooze" else until


@settings(max_examples=120, deadline=None)
@given(days=events.filter(lambda days: sum(one[3] for one in days) < 90))
def test_attention_agrees_with_the_oracle(rules: Rules, days: list[Event]) -> None:
    life, number, heard = Life(book(rules)), 0, []
    for when, score, said, pause in days:
        number += pause
        heard.append([one.split()[1] for one in life.day(number, life.row(plain=when, score=score))])
        alert = life.state.alerts.get(("acme", "plain"))
        if alert is not None and alert.status is AlertStatus.OPEN:
            if said == "acknowledge":
                life.say("plain", acknowledged_on=on(number), acknowledged_by="dana")
            elif said == "snooze":
                life.say("plain", snoozed_until=on(number + 5))
    assert heard == list(oracle(days))


# -- another name ------------------------------------------------------------------------------------------------------

OTHER = TRIGGERS.replace("  plain: {when", "  simple: {renamed_from: plain, when")


def run(group: str, day: int) -> PlayRun:
    return PlayRun("acme", "talk", group, on(day), "at_risk", RunStatus.RUNNING, "digest", next_on=on(day + 3))


def test_under_its_new_name_it_goes_on(rules: Rules) -> None:
    life = Life(rules(plays="plays: {}\n"))
    life.day(1, life.row(plain=T), life.row("other", plain=T))
    life.say("plain", acknowledged_on=on(1), acknowledged_by="dana")
    life.state = replace(life.state, runs=(run("plain", 1),))
    life.rules(rules(triggers=OTHER, plays="plays: {}\n"))
    assert life.day(2, life.row(simple=T), life.row("other", simple=F)) == ["other simple cleared"]
    assert sorted(life.state.alerts) == [("acme", "simple"), ("other", "simple")]
    assert (life.alert("simple").opened_on, life.alert("simple").acknowledged_by) == (on(1), "dana")
    assert life.state.runs == (run("simple", 1),)
    assert life.day(3, life.row(simple=T), life.row("other", simple=T)) == [], "the cooldown goes on as well"


def test_a_new_name_is_not_a_new_trigger(rules: Rules) -> None:
    noted = TRIGGERS.replace("noted: {", "marked: {renamed_from: [x, noted], ")
    life = Life(rules(plays="plays: {}\n"))
    life.day(1, life.row())
    life.rules(rules(triggers=noted, plays="plays: {}\n"))
    assert life.day(2, life.row(marked=T)) == ["marked opened"]


def test_what_stands_under_the_new_name_already_stays(rules: Rules) -> None:
    """The line came later than the name: nobody's alert is opened twice, and none is left open for ever."""
    life = Life(rules(triggers=TRIGGERS + "  simple: {when: heat < 50}\n", plays="plays: {}\n"))
    life.day(1, life.row(plain=T), life.row("other", plain=T))
    life.day(2, life.row(plain=T, simple=T), life.row("other", plain=T))
    life.rules(rules(triggers=OTHER, plays="plays: {}\n"))
    assert life.day(3, life.row(simple=T), life.row("other", simple=T)) == ["acme plain removed"]
    assert (life.alert("simple").opened_on, life.alert("simple", "other").opened_on) == (on(2), on(1))


@pytest.mark.parametrize(("line", "says"), [
    ("  simple: {when: heat < 50, renamed_from: plain}\n", "and plain is still a trigger"),
    ("  one: {when: heat < 50, renamed_from: old}\n  two: {when: heat < 50, renamed_from: old}\n", "and so does one"),
])
def test_one_name_goes_to_one_trigger(rules: Rules, line: str, says: str) -> None:
    with pytest.raises(RulesError) as refused:
        rules(triggers=TRIGGERS + line, plays=PLAYS)
    assert {(problem.code, says in problem.message) for problem in refused.value.problems} == {("both-names", True)}
