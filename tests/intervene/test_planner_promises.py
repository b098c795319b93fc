"""What holds on every day of any book of business, whatever happens in it."""

from collections import Counter
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forestall.engine.intervene.digest import DIGEST
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.intervene.quiet import Quiet, is_quiet
from forestall.engine.model.delivery import RunStatus
from forestall.engine.model.play import StopIfStep, WaitStep
from forestall.engine.model.state import identity

PLAYS = """
plays:
  heads_up: {trigger: [mild, grave], alongside: true, steps: [{slack: {to: leads, template: note}}]}
  nudge:
    trigger: [mild, middling]
    tier: monitor
    within: 4 days
    holdout: 20 percent
    steps:
      - email: {to: contact, template: note}
      - wait: 2 days
      - stop_if: heat >= 70
      - slack: {to: csm, template: note}
      - email: {to: contact, template: note, id: again}
    goal: {when: heat >= 80, within: 6 days}
  talk: {trigger: middling_too, applies_to: segment == "big", finish_anyway: true,
         steps: [{task: {for: csm, to: crm, template: note}}, {wait: 3 days}, {email: {to: contact, template: note}}]}
  call: {trigger: grave, tier: critical, within: at once,
         steps: [{task: {for: csm, to: crm, template: note}}, {email: {to: contact, template: note}}]}
  tip: {tier: healthy, every: 5 days, steps: [{email: {to: contact, template: note}}, {wait: 1 day},
        {slack: {to: csm, template: note}}]}
"""
LIMITS = """
limits: {emails_per_account: 1 per 3 days, messages_per_person: 3 per day, tasks_per_csm: 1 per day, per_play: 2,
         digest: {by: slack, template: note}, quiet_hours: 19:00-08:00, holidays: [2026-01-06], urgent: [critical]}
"""
ZONES = {"a": "Europe/Berlin", "b": "America/New_York", "c": "no such zone"}
NAMES = ["mild", "middling", "middling_too", "grave", "nudge.goal", "nudge.stop", "talk.for"]

account_day = st.fixed_dictionaries({
    "tier": st.sampled_from(["healthy", "healthy", "monitor", "at_risk", "critical", None]),
    "true": st.sets(st.sampled_from(NAMES), max_size=4),
    "unknown": st.sets(st.sampled_from(NAMES), max_size=2),
    "opted_out": st.sampled_from([False, False, False, True]),
    "silent": st.sampled_from([0, 0, 0, 0, 0, 0, 0, 20]),
})
hours = st.sampled_from([6, 7, 12, 17, 18, 22])
stretch = st.tuples(st.fixed_dictionaries(dict.fromkeys("abc", account_day)), st.integers(1, 4), hours)


@pytest.fixture
def shared():
    """One rulebook for all examples, each with a scene of its own."""
    made = []

    def begin(scene):
        if not made:
            made.append(scene(PLAYS, limits=LIMITS, holdouts=True))
        return type(made[0])(made[0].rulebook, holdouts=True)

    return begin


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stretches=st.lists(stretch, min_size=1, max_size=8))
def test_promises(scene, shared, stretches):
    book = shared(scene)
    emails: dict[str, list] = {}
    keys: list[str] = []
    number = 0
    for facts, days, hour in stretches:
        for _ in range(days):
            number += 1
            moment = datetime.combine(book.on(number), time(hour), UTC)
            book.known = Circumstances(moment=moment)
            before_runs = {identity(run): run for run in book.state.runs}
            rows = [book.row(name, one["true"] - one["unknown"], one["unknown"], tier=one["tier"],
                             opted_out=one["opted_out"], silent=one["silent"], time_zone=ZONES[name])
                    for name, one in facts.items()]
            day = book.day(number, *rows)
            keys += [one.key for one in day.deliveries]
            assert nothing_is_dropped(book, day, before_runs)
            assert all(leaves_in_time(one, moment) for one in day.deliveries)
            for one in (one for one in day.deliveries if one.group != DIGEST):
                assert not (one.to_customer and facts[one.account]["opted_out"])
                assert facts[one.account]["silent"] == 0
                if one.to_customer:
                    before = [on for on in emails.get(one.account, []) if on > one.day - timedelta(days=3)]
                    assert one.severity == "critical" or not before
                    emails.setdefault(one.account, []).append(one.day)
            tasks = Counter(one.person for one in day.deliveries
                            if one.kind.value == "task" and one.severity != "critical")
            assert max(tasks.values(), default=0) <= 1
            risk = Counter(run.account for run in book.state.runs
                           if run.status is RunStatus.RUNNING and run.play in ("nudge", "talk", "call"))
            assert max(risk.values(), default=0) <= 1
            assert max(Counter(run.play for run in fresh(book, day)).values(), default=0) <= 2
            said = {(one.account, one.play, one.reason) for one in day.silences}
            assert all(one.detail for one in day.silences), said
    assert len(keys) == len(set(keys))


def nothing_is_dropped(book, day, before_runs):
    """Whether every step that a run went past was delivered, is in a digest, or has a silence with its reason."""
    decided = day.decided.decisions
    told = [*decided.deliveries, *(one for items in decided.digests.values() for one in items), *decided.silences]
    assert set(decided.digests) == {one.key for one in decided.deliveries if one.group == DIGEST}
    known = {(one.account, one.play, one.group, one.occurrence, one.step) for one in told}
    for run in decided.runs:
        before = before_runs.get(identity(run))
        if run.reason.startswith("stop_if") or run.status is RunStatus.HELD_OUT:
            continue
        steps = book.rulebook.plays[run.play].steps[before.step if before else 0:run.step]
        for step in steps:
            if not isinstance(step, (WaitStep, StopIfStep)) and (*identity(run), step.id) not in known:
                return False
    return True


def leaves_in_time(one, moment):
    """Whether it does not leave in the quiet hours of whoever gets it."""
    if not one.quiet:
        return (one.severity == "critical" and not one.to_customer) or one.kind.value == "task"
    return not is_quiet(Quiet.of(one.quiet), one.not_before or moment)


def fresh(book, day):
    """The runs that began on this day."""
    return [run for run in day.decided.decisions.runs
            if run.status is RunStatus.RUNNING and (run.occurrence == day.decided.decisions.day)]
