"""The verdict in one line, and the answer as text."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from rich.cells import cell_len
from simulate import made_up
from simulate.made_up import MADE, hostile

from forestall.engine.simulate.comparison import Change, Completeness
from forestall.engine.verdict import markdown, page, text
from forestall.engine.verdict.sentence import sentence

ORDER = ("On merge", "Alerts", "Per day", "Tiers", "By segment and CSM", "Revenue touched", "Against known churn",
         "Another threshold", "Account by account")


# -- the sentence ------------------------------------------------------------------------------------------------------


def test_the_sentence_says_what_would_be_different() -> None:
    said = sentence(made_up.whole())
    assert said.startswith("Merging main (1a2b3c4) → working tree would open 14 alerts more and 3 fewer in 30 days for "
                           "1,204 accounts: ")
    assert " messages and tasks a day (peak 13 → 18 on 22 November)" in said
    assert "101 accounts would be in another tier" in said
    assert "2 alerts cannot be judged" in said
    assert "on the first day 9 accounts match at once" in said
    assert "over budget: tasks per day of dana 12 (at most 8)" in said
    assert said.endswith("history 98 % complete.")


def test_no_difference_is_said_as_such() -> None:
    said = sentence(made_up.unchanged())
    assert said.startswith("Merging main (1a2b3c4) → working tree would make no difference in 30 days")
    assert ": the same 37 alerts, " in said
    assert "→" not in said.removeprefix("Merging main (1a2b3c4) → working tree")


def test_only_more_and_only_fewer() -> None:
    assert "would open 14 alerts more in 30 days" in sentence(made_up.whole(gone=0))
    assert "would open 3 alerts fewer in 30 days" in sentence(made_up.whole(new=0))
    assert "would open 1 alert more and 1 fewer" in sentence(made_up.whole(new=1, gone=1))


def test_the_same_alerts_and_something_else_that_differs() -> None:
    one = made_up.whole(new=0, gone=0, unjudged=0)
    assert "would open the same 37 alerts in 30 days" in sentence(one)


def test_a_candidate_alone() -> None:
    said = sentence(made_up.alone())
    assert said.startswith("These rules (working tree) would open 61 alerts in 30 days for 1,204 accounts: 7.7 ")
    assert "→" not in said


def test_a_base_that_cannot_be_loaded() -> None:
    assert sentence(made_up.broken()).startswith(
        "The base, main (1a2b3c4), cannot be loaded (2 mistakes, the first at main:rules/triggers.yaml:41:16), so the "
        "candidate is told alone: these rules (working tree) would open 61 alerts")
    assert "(a mistake at main:rules/triggers.yaml:41:16)" in sentence(made_up.broken(1))


def test_a_guard_that_would_hold() -> None:
    one = made_up.whole()
    assert one.on_merge is not None
    held = replace(one, on_merge=replace(one.on_merge, held={"re_engage": 212, "nurture": 1}))
    assert "the guard would hold re_engage (212 starts) and nurture (1 start)" in sentence(held)


def test_filters_and_nothing_to_tell() -> None:
    asked = replace(made_up.whole(), filters={"segment": "enterprise", "csm": "dana"})
    assert "for 1,204 accounts of segment enterprise and csm dana:" in sentence(asked)
    assert sentence(made_up.empty()) == ("No account has a row in the 30 days through 3 December 2014, so there is "
                                         "nothing to tell of main (1a2b3c4) → working tree.")


@pytest.mark.parametrize(("judged", "said"), [(0.98765, "98 %"), (0.9999, "99.9 %"), (0.9949, "99.4 %"), (0.5, "50 %"),
                                              (0.0, "0 %")])
def test_a_history_with_gaps_is_never_called_complete(judged: float, said: str) -> None:
    assert f"history {said} complete" in sentence(replace(made_up.whole(), completeness=Completeness(judged)))
    assert "complete" not in sentence(replace(made_up.whole(), completeness=Completeness(1.0)))


def test_too_little_churn_and_none_better_than_chance() -> None:
    few = replace(made_up.whole(), churn=made_up.churn(7))
    assert "7 accounts that churned are too few to judge by (20 are needed)" in sentence(few)
    known = made_up.churn()
    control = replace(known, candidate=tuple(replace(one, better_than_chance=False) for one in known.candidate))
    assert "none of these alerts foretold the 86 churns better than chance" in sentence(
        replace(made_up.whole(), churn=control))


# -- all three ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [lambda one: "\n".join(text.lines(one)), markdown.text, page.html],
                         ids=["text", "markdown", "page"])
def test_every_section_stands_in_order(write) -> None:
    whole = write(made_up.whole())
    heads = [f">{title}</h2>" if "<h2" in whole else f"#### {title}\n" if "####" in whole else f"\n{title}\n"
             for title in ORDER]
    places = [whole.find(head) for head in heads]
    assert -1 not in places
    assert places == sorted(places)
    assert "14 alerts more and 3 fewer" in whole[:places[0]]


@pytest.mark.parametrize("write", [lambda one: "\n".join(text.lines(one)), markdown.text, page.html],
                         ids=["text", "markdown", "page"])
def test_without_a_base_no_figure_of_one_is_told(write) -> None:
    for one in (made_up.alone(), made_up.broken()):
        whole = write(one)
        assert "None" not in whole
        assert "→" not in whole
        assert "candidate</th>" not in whole


# -- text --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MADE)
def test_text_fits_and_is_clean(name: str) -> None:
    found = list(text.lines(MADE[name]()))
    assert max(cell_len(line) for line in found) <= 110
    assert all(line == line.rstrip() for line in found)
    assert not any(before == after == "" for before, after in pairwise(found))


def test_hostile_and_endless_names_fit_too() -> None:
    one = hostile()
    tiers = [f"tier_with_a_long_name_{number}" for number in range(14)]
    long = replace(one, tiers=tuple(tiers), accounts=tuple(
        replace(account, name="株式" * 200, alert="x" * 300, reason="y" * 500) for account in one.accounts),
        moves=tuple(replace(move, base=tiers[number], candidate=tiers[number + 3])
                    for number, move in enumerate(one.moves)))
    for made in (one, long):
        found = list(text.lines(made))
        assert max(cell_len(line) for line in found) <= 110
        assert all(line.isprintable() for line in found)


def test_a_long_list_is_cut_and_says_so() -> None:
    found = list(text.lines(MADE["many"]()))
    assert "    … and 3,980 more; `--format json` has them all" in found
    assert len(found) < 300
    assert sum("≥ 12" in line for line in text.lines(MADE["many"](), most=4000)) == 4000


def test_openings_that_are_only_counted_are_said() -> None:
    one = made_up.whole()
    found = list(text.lines(replace(one, accounts=one.accounts[:10])))
    assert "  Listed are the 10 worst of 19 that differ." in found
    assert not any("Listed are" in line for line in text.lines(one))


def test_the_reason_stands_below_each_account() -> None:
    found = list(text.lines(made_up.whole()))
    at = next(number for number, line in enumerate(found) if "Blue Yonder (a-0001)" in line)
    assert found[at + 1] == "        score 74 → 47 in 7 days, 27 ≥ 12"


def test_too_little_churn_gives_no_verdict_on_an_alert() -> None:
    found = "\n".join(text.lines(replace(made_up.whole(), churn=made_up.churn(7))))
    assert "That is too little to judge by: at least 20 are needed." in found
    assert "Better than chance" not in found
    assert " better\n" not in found


def test_days_apart_are_shown_for_both_sides() -> None:
    one = made_up.whole()
    moved = replace(one.accounts[0], change=Change.UNJUDGED, base_on=date(2014, 11, 3), candidate_on=date(2014, 11, 5))
    assert "3 Nov → 5 Nov" in "\n".join(text.lines(replace(one, accounts=(moved,))))
