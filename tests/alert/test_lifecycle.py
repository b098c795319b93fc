"""What opens and closes an alert, day by day, against the words of the design and a plain oracle."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert.lives import BANDS, ORDER, PLAYS, TRIGGERS, WEIGHTS, F, Life, Rules, T, U, on, tier_of
from forestall.engine.model.alert import AlertStatus
from forestall.engine.model.expression import Truth
from forestall.engine.model.play import tier_alert
from forestall.engine.model.rulebook import Rulebook

# -- triggers ----------------------------------------------------------------------------------------------------------

def test_it_opens_once_and_clears_when_its_condition_is_false(life: Life) -> None:
    assert life.day(1, life.row(plain=T)) == ["plain opened"]
    assert life.day(2, life.row(plain=T)) == []
    assert life.day(3, life.row(plain=F)) == ["plain cleared"]
    alert = life.alert("plain")
    assert (alert.status, alert.opened_on, alert.closed_on) == (AlertStatus.CLEAR, on(1), on(3))


def test_unknown_neither_opens_nor_closes(life: Life) -> None:
    assert life.day(1, life.row(plain=U, clearing=U)) == []
    assert life.day(2, life.row(plain=T, clearing=T)) == ["plain opened", "clearing opened"]
    assert life.day(3, life.row(plain=U, clearing=U, clearing_clear=U)) == []
    assert life.day(4, life.row(plain=F, clearing=F, clearing_clear=U)) == ["plain cleared"]
    assert life.day(5, life.row(clearing=U, clearing_clear=T)) == ["clearing cleared"]


def test_with_clear_when_a_false_condition_closes_nothing(life: Life) -> None:
    life.day(1, life.row(clearing=T))
    assert life.day(2, life.row(clearing=F)) == []
    assert life.day(3, life.row(clearing=F, clearing_clear=T)) == ["clearing cleared"]


def test_if_both_are_true_when_wins(life: Life) -> None:
    assert life.day(1, life.row(clearing=T, clearing_clear=T)) == ["clearing opened"]
    assert life.day(2, life.row(clearing=T, clearing_clear=T)) == []


def test_true_again_inside_the_cooldown_opens_when_it_ends_if_still_true(life: Life) -> None:
    life.day(1, life.row(plain=T))
    life.day(2, life.row(plain=F))
    assert [life.day(number, life.row(plain=T)) for number in (3, 4)] == [[], []]
    assert life.day(5, life.row(plain=T)) == ["plain opened"], "four days after the last opening"
    assert life.alert("plain").opened_on == on(5)


def test_not_true_any_more_when_the_cooldown_ends_it_stays_clear(life: Life) -> None:
    life.day(1, life.row(plain=T))
    life.day(2, life.row(plain=F))
    life.day(3, life.row(plain=T))
    assert life.day(5, life.row(plain=F)) == []


@pytest.mark.parametrize("closes", ["cleared", "gone"])
def test_the_cooldown_counts_from_the_opening_whatever_closed_it(life: Life, closes: str) -> None:
    life.day(1, life.row(plain=T))
    if closes == "gone":
        assert life.day(2, gone=["acme"]) == ["plain gone"]
    else:
        assert life.day(2, life.row(plain=F)) == ["plain cleared"]
    assert life.day(4, life.row(plain=T)) == []
    assert life.day(5, life.row(plain=T)) == ["plain opened"]


def test_past_its_time_it_expires_and_is_armed_once_its_condition_is_false(life: Life) -> None:
    life.day(1, life.row(plain=T))
    assert life.day(6, life.row(plain=T)) == []
    assert life.day(7, life.row(plain=T)) == ["plain expired"]
    assert life.alert("plain").status is AlertStatus.SPENT
    assert life.day(20, life.row(plain=T)) == []
    assert life.day(21, life.row(plain=U)) == []
    assert life.day(22, life.row(plain=F)) == []
    assert life.day(23, life.row(plain=T)) == ["plain opened"]


def test_an_unknown_condition_does_not_keep_it_open_for_ever(life: Life) -> None:
    life.day(1, life.row(plain=T))
    assert life.day(7, life.row(plain=U)) == ["plain expired"]


def test_expired_with_a_false_condition_it_is_armed_at_once(life: Life) -> None:
    life.day(1, life.row(clearing=T))
    assert life.day(7, life.row(clearing=F)) == ["clearing expired"]
    assert life.day(8, life.row(clearing=T)) == ["clearing opened"]


def test_severity_is_the_triggers_or_the_accounts_own_tier(life: Life) -> None:
    life.day(1, life.row(plain=T, noted=T, score=45))
    assert (life.alert("plain").severity, life.alert("noted").severity) == ("at_risk", "critical")
    life.day(2, life.row("nobody", plain=T, score=None))
    assert life.alert("plain", "nobody").severity == ""
    assert life.day(3, life.row(plain=T, noted=T, score=61)) == []
    assert (life.alert("plain").severity, life.alert("noted").severity) == ("at_risk", "critical")


def test_a_new_trigger_records_those_that_match_already(life: Life) -> None:
    assert life.day(1, life.row("old", noted=T), life.row("other")) == ["old noted recorded"]
    assert life.alert("noted", "old").silent
    assert life.day(2, life.row("old", noted=T), life.row("other", noted=T)) == ["other noted opened"]
    life.day(3, life.row("old"), life.row("other", noted=T))
    assert life.day(5, life.row("old", noted=T), life.row("other", noted=T)) == ["old noted opened"]
    assert not life.alert("noted", "old").silent


def test_a_trigger_that_comes_later_is_new_then(rules: Rules) -> None:
    life = Life(rules(triggers="triggers:\n  plain: {when: heat < 50}\n", plays="plays: {}\n"))
    life.day(1, life.row())
    life.rules(rules(plays="plays: {}\n"))
    assert life.day(2, life.row(noted=T)) == ["noted recorded"]


def test_taken_out_it_closes_and_coming_back_it_is_not_new(rules: Rules) -> None:
    life = Life(rules(plays="plays: {}\n"))
    life.day(1, life.row())
    life.day(2, life.row(plain=T, noted=T))
    life.rules(rules(triggers="triggers:\n  plain: {when: heat < 50}\n", plays="plays: {}\n"))
    assert life.day(3, life.row(plain=T)) == ["noted removed"]
    life.rules(rules(plays="plays: {}\n"))
    assert life.day(4, life.row(plain=T, noted=T)) == [], "its cooldown still counts"
    assert life.day(6, life.row(plain=T, noted=T)) == ["noted opened"]


def test_another_place_in_the_file_changes_nothing(rules: Rules) -> None:
    life = Life(rules(plays="plays: {}\n"))
    life.day(1, life.row(plain=T))
    lines = TRIGGERS.strip().splitlines()
    life.rules(rules(triggers="\n".join([lines[0], *reversed(lines[1:])]) + "\n", plays="plays: {}\n"))
    assert life.day(2, life.row(plain=T)) == []


def test_an_account_that_is_gone_leaves_and_comes_back_as_new(life: Life) -> None:
    life.day(1, life.row(plain=T, score=90))
    assert life.day(2, gone=["acme"]) == ["plain gone"]
    assert life.state.tiers == {}
    assert life.day(3, life.row(score=45)) == ["tier:at_risk opened"], "first seen again, in this tier"


# -- tiers -------------------------------------------------------------------------------------------------------------

def test_falling_into_a_tier_opens_and_recovering_into_it_does_not(life: Life) -> None:
    assert life.day(1, life.row(score=90)) == []
    assert life.day(2, life.row(score=59.9)) == ["tier:at_risk opened"]
    assert life.alert("tier:at_risk").severity == "at_risk"
    assert life.day(3, life.row(score=10)) == ["tier:at_risk replaced"]
    assert life.day(4, life.row(score=35)) == []
    assert life.day(20, life.row(score=50)) == []


def test_falling_further_replaces(life: Life) -> None:
    life.day(1, life.row(score=90))
    life.day(2, life.row(score=50))
    assert life.day(3, life.row(score=39.9)) == ["tier:at_risk replaced", "tier:critical opened"]


def test_it_clears_two_points_above_the_band(life: Life) -> None:
    life.day(1, life.row(score=90))
    life.day(2, life.row(score=50))
    assert life.day(3, life.row(score=61.9)) == []
    assert life.day(4, life.row(score=62.0)) == ["tier:at_risk cleared"]


def test_or_after_three_days_out_of_it(life: Life) -> None:
    life.day(1, life.row(score=90))
    life.day(2, life.row(score=50))
    assert [life.day(number, life.row(score=60.5)) for number in (3, 4, 5)] == [[], [], []]
    assert life.day(6, life.row(score=60.5)) == ["tier:at_risk cleared"]


def test_the_three_days_start_again_when_it_falls_back(life: Life) -> None:
    life.day(1, life.row(score=90))
    life.day(2, life.row(score=50))
    life.day(3, life.row(score=60.5))
    assert life.day(4, life.row(score=59)) == [], "it never closed, so nothing opens again"
    assert [life.day(number, life.row(score=60.5)) for number in (5, 6, 7)] == [[], [], []]
    assert life.day(8, life.row(score=60.5)) == ["tier:at_risk cleared"]


def test_an_unscored_day_is_no_move(life: Life) -> None:
    life.day(1, life.row(score=90))
    life.day(2, life.row(score=50))
    assert life.day(3, life.row(score=None)) == []
    assert life.day(4, life.row(score=50)) == []
    assert life.state.tiers["acme"] == "at_risk"
    assert life.day(5, life.row("other", score=None)) == []
    assert life.day(6, life.row("other", score=50)) == ["tier:at_risk opened"]


def test_a_fall_inside_the_cooldown_opens_when_it_ends_if_still_there(short: Life) -> None:
    short.day(1, short.row(score=90))
    short.day(2, short.row(score=50))
    short.day(3, short.row(score=90))
    assert short.day(4, short.row(score=50)) == []
    assert short.alert("tier:at_risk").status is AlertStatus.PENDING
    assert short.day(6, short.row(score=None)) == []
    assert short.day(7, short.row(score=50)) == ["tier:at_risk opened"]


def test_a_pending_one_that_leaves_the_tier_is_forgotten(short: Life) -> None:
    short.day(1, short.row(score=90))
    short.day(2, short.row(score=50))
    short.day(3, short.row(score=90))
    short.day(4, short.row(score=50))
    assert short.day(5, short.row(score=65)) == []
    assert short.day(9, short.row(score=65)) == []
    assert short.alert("tier:at_risk").status is AlertStatus.CLEAR


def test_a_tier_alert_expires_and_is_armed_outside_of_the_tier(short: Life) -> None:
    short.day(1, short.row(score=90))
    short.day(2, short.row(score=50))
    assert short.day(10, short.row(score=50)) == ["tier:at_risk expired"]
    assert short.day(11, short.row(score=None)) == []
    assert short.day(12, short.row(score=65)) == []
    assert short.day(13, short.row(score=50)) == ["tier:at_risk opened"]


def test_it_expires_also_while_the_account_is_unscored(short: Life) -> None:
    short.day(1, short.row(score=90))
    short.day(2, short.row(score=50))
    assert short.day(9, short.row(score=None)) == []
    assert short.day(10, short.row(score=None)) == ["tier:at_risk expired"]
    assert short.alert("tier:at_risk").status is AlertStatus.SPENT
    assert short.day(11, short.row(score=50)) == [], "it never left the tier"


def test_it_expires_also_while_it_is_just_above_the_band(short: Life) -> None:
    short.day(1, short.row(score=90))
    short.day(2, short.row(score=50))
    short.day(9, short.row(score=61))
    assert short.day(10, short.row(score=61)) == ["tier:at_risk expired"]
    assert short.alert("tier:at_risk").status is AlertStatus.CLEAR


def test_the_first_sight_of_an_account_follows_existing(life: Life) -> None:
    first = life.day(1, life.row("a", 65), life.row("b", 50), life.row("c", 30), life.row("d", 90))
    assert first == ["a tier:monitor recorded", "b tier:at_risk opened", "c tier:critical opened"]
    assert life.day(9, life.row("d", 65), life.row("later", 65)) == [
        "d tier:monitor opened", "later tier:monitor recorded"]


MOVED = WEIGHTS.replace("{0: 0, 100: 100}", "{0: 0, 50: 100}")


def test_what_only_the_rules_moved_follows_existing(rules: Rules) -> None:
    life = Life(rules())
    life.day(1, life.row("a", 90), life.row("b", 90))
    life.rules(rules(weights=MOVED))
    assert life.day(2, life.row("a", 65), life.row("b", 50)) == ["a tier:monitor recorded", "b tier:at_risk opened"]
    assert life.day(3, life.row("a", 90), life.row("b", 50)) == ["a tier:monitor cleared"]
    assert life.day(20, life.row("a", 65), life.row("b", 50)) == ["a tier:monitor opened"]


def test_moved_by_the_rules_inside_the_cooldown_it_stays_unsaid(rules: Rules) -> None:
    life = Life(rules())
    life.day(1, life.row(score=90))
    life.day(2, life.row(score=65))
    life.day(3, life.row(score=90))
    life.rules(rules(weights=MOVED))
    assert life.day(4, life.row(score=65)) == []
    assert life.day(16, life.row(score=65)) == ["tier:monitor recorded"]


def test_a_play_that_comes_later_for_a_tier_follows_existing(rules: Rules) -> None:
    """A play's tier is a trigger too, and those that are in it match already."""
    only = "plays:\n  call: {tier: critical, steps: [{wait: 1 day}]}\n"
    life = Life(rules(plays=only))
    rows = [("a", 65), ("b", 50), ("c", 30)]
    assert life.day(1, *(life.row(name, score) for name, score in rows)) == ["c tier:critical opened"]
    life.rules(rules())
    assert life.day(2, *(life.row(name, score) for name, score in rows)) == [
        "a tier:monitor recorded", "b tier:at_risk opened"]
    assert life.day(3, *(life.row(name, score) for name, score in rows)) == []


def test_a_tier_with_a_new_name_follows_existing(rules: Rules) -> None:
    life = Life(rules())
    life.day(1, life.row("a", 50), life.row("b", 65))
    renamed = rules(weights=WEIGHTS.replace("at_risk", "shaky"), plays=PLAYS.replace("at_risk", "shaky"))
    life.rules(renamed)
    rows = [life.row("a", 50), life.row("b", 65)]
    rows[0] = replace(rows[0], tier="shaky")
    assert life.day(2, *rows) == ["a tier:shaky opened", "a tier:at_risk removed"]


# -- against a plain oracle -------------------------------------------------------------------------------------------

def trigger_oracle(days: list[tuple[Truth, Truth]], *, clears: bool, record: bool) -> Iterator[str]:
    """One trigger told in the words of the design: cooldown 4 days, lasts 6 days."""
    opened: int | None = None
    last: int | None = None
    armed = True
    for number, (when, clear) in enumerate(days, start=1):
        said = ""
        if opened is not None:
            over = (clear is T and when is not T) if clears else when is F
            if over:
                opened, said = None, "cleared"
            elif number - opened >= 6:
                opened, said, armed = None, "expired", when is F
        elif not armed:
            armed = when is F
        elif when is T and (last is None or number - last >= 4):
            opened = last = number
            said = "recorded" if record and number == 1 else "opened"
        yield said


def stretches(values: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
    """Histories in which a value stays for a while."""
    return st.lists(st.tuples(values, st.integers(1, 5)), min_size=1, max_size=12).map(
        lambda parts: [value for value, days in parts for _ in range(days)])


truths = stretches(st.tuples(st.sampled_from([F, U, T, T]), st.sampled_from([F, F, U, T])))


@settings(max_examples=150, deadline=None)
@given(days=truths)
def test_triggers_agree_with_the_oracle(rules: Rules, days: list[tuple[Truth, Truth]]) -> None:
    life = Life(cached(rules))
    told: dict[str, list[str]] = {name: [] for name in ("plain", "clearing", "noted")}
    for number, (when, clear) in enumerate(days, start=1):
        row = life.row(plain=when, clearing=when, clearing_clear=clear, noted=when)
        said = dict(one.split() for one in life.day(number, row))
        for name, listed in told.items():
            listed.append(said.get(name, ""))
    assert told["plain"] == list(trigger_oracle(days, clears=False, record=False))
    assert told["clearing"] == list(trigger_oracle(days, clears=True, record=False))
    assert told["noted"] == list(trigger_oracle(days, clears=False, record=True))


def tier_oracle(scores: list[float | None], tier: str, record: bool) -> Iterator[str]:
    """One tier's alert: cooldown 5 days, lasts 8 days."""
    rank, top = ORDER.index(tier), BANDS[ORDER[ORDER.index(tier) - 1]]
    before: int | None = None
    seen = spent = pending = quiet = False
    opened = last = out = None
    for number, score in enumerate(scores, start=1):
        said = ""
        if score is None:
            if opened is not None and number - opened >= 8:
                opened, said, spent = None, "expired", True
            yield said
            continue
        now = ORDER.index(str(tier_of(score)))
        inside, fell = now == rank, (not seen or before < rank) and now == rank
        if opened is not None:
            out = None if inside else out or number
            if now > rank:
                opened, said = None, "replaced"
            elif out and (score >= top + 2 or number - out >= 3):
                opened, said = None, "cleared"
            elif number - opened >= 8:
                opened, said, spent = None, "expired", inside
        elif spent:
            spent = inside
        elif (fell and not pending) or (pending and inside):
            quiet = quiet if pending else record and not seen
            pending = last is not None and number - last < 5
            if not pending:
                opened = last = number
                out, said = None, "recorded" if quiet else "opened"
        else:
            pending = False
        before, seen = now, True
        yield said


scores = stretches(st.sampled_from([None, 10.0, 39.9, 40.0, 59.9, 60.0, 61.9, 62.0, 79.9, 81.9, 82.0, 95.0]))


@settings(max_examples=150, deadline=None)
@given(days=scores)
def test_tiers_agree_with_the_oracle(rules: Rules, days: list[float | None]) -> None:
    life = Life(cached(rules))
    told: dict[str, list[str]] = {name: [] for name in ("monitor", "at_risk", "critical")}
    for number, score in enumerate(days, start=1):
        said = dict(one.split() for one in life.day(number, life.row(score=score)))
        for name, listed in told.items():
            listed.append(said.get(tier_alert(name), ""))
    for name, listed in told.items():
        assert listed == list(tier_oracle(days, name, record=name == "monitor")), name


_MADE: list[Rulebook] = []


def cached(rules: Rules) -> Rulebook:
    """One rulebook for all examples of a property."""
    if not _MADE:
        _MADE.append(rules(tier_cooldown=5, tier_lasts=8))
    return _MADE[0]
