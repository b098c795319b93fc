"""A whole day: what is counted, who is looked at, and what the day leaves to the next."""

from dataclasses import replace

from forestall.engine.model.state import State

PLAYS = """
plays:
  nudge: {trigger: mild, steps: [{slack: {to: csm, template: note}}, {wait: 9 days}]}
  talk: {tier: at_risk, steps: [{slack: {to: csm, template: note}}]}
"""


def test_the_book_counts_everybody_who_is_not_gone(scene):
    book = scene(PLAYS)
    day = book.day(1, book.row("a"), book.row("b", tier="at_risk"), book.row("c", tier=None),
                   book.row("d", tier="churning", silent=13), book.row("e", tier="churning", silent=14))
    assert dict(day.decided.tiers) == {"healthy": 1, "monitor": 0, "at_risk": 1, "critical": 0, "churning": 1, "": 1}
    assert book.state.tiers == {"a": "healthy", "b": "at_risk", "d": "churning"}


def test_truths_and_unknowns_are_counted_per_trigger(scene):
    book = scene(PLAYS)
    day = book.day(1, book.row("a", ["mild", "grave"]), book.row("b", ["mild"], unknown=["grave"]),
                   book.row("c", unknown=["grave"]), book.row("d", ["mild"], silent=20))
    assert (day.decided.true["mild"], day.decided.true["grave"]) == (2, 1)
    assert (day.decided.unknown["mild"], day.decided.unknown["grave"]) == (0, 2)


def test_the_decisions_name_what_this_pass_knew(scene):
    book = scene(PLAYS)
    decisions = book.day(3, book.row()).decided.decisions
    assert (decisions.day, decisions.digest, decisions.scoring_digest) == (
        book.on(3), book.rulebook.digest, book.rulebook.scoring_digest)
    assert decisions.triggers == {"mild", "middling", "middling_too", "grave", "as_the_tier", "tier:at_risk"}
    assert book.state.previous_pass == book.on(3)


def test_a_day_without_anybody(scene):
    book = scene(PLAYS)
    assert (book.day(1).sent, dict(book.state.tiers)) == ([], {})


def test_nothing_but_the_state_carries_over(scene):
    """The same rows after the same state give the same day, whoever decided the days before."""
    one, other = scene(PLAYS), scene(PLAYS)
    for book in (one, other):
        book.day(1, book.row("a", ["mild"]), book.row("b"))
    other.state = replace(State(), tiers=dict(one.state.tiers), alerts=dict(one.state.alerts), runs=one.state.runs,
                          last_sent=dict(one.state.last_sent), previous_pass=one.state.previous_pass,
                          scoring_digest=one.state.scoring_digest, known_triggers=one.state.known_triggers)
    rows = [one.row("b", ["mild"], tier="at_risk"), one.row("a")]
    assert one.day(2, *rows).decided == other.day(2, *rows).decided


def test_a_tier_play_that_is_added_reaches_those_who_are_in_the_tier(scene, rules):
    book = scene("plays:\n  nudge: {trigger: mild, steps: [{slack: {to: csm, template: note}}]}\n")
    book.day(1, book.row("a", tier="at_risk"), book.row("b"))
    book.changed(rules(PLAYS))
    assert book.day(2, book.row("a", tier="at_risk"), book.row("b")).sent == ["a talk.slack"]


def test_a_tier_play_that_only_records_them_does_not(scene, rules):
    book = scene("plays:\n  nudge: {trigger: mild, steps: [{slack: {to: csm, template: note}}]}\n")
    book.day(1, book.row("a", tier="at_risk"), book.row("b"))
    book.changed(rules(PLAYS.replace("tier: at_risk,", "tier: at_risk, existing: record,")))
    day = book.day(2, book.row("a", tier="at_risk"), book.row("b"))
    assert (day.moved, day.sent) == (["a tier:at_risk recorded"], [])
    assert book.day(3, book.row("a", tier="at_risk"), book.row("b", tier="at_risk")).sent == ["b talk.slack"]
