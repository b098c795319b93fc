"""The checks that need the rules alone. Each is a function from the book to the places it would change."""

from __future__ import annotations

from collections.abc import Iterator

from forestall.engine.errors import Severity
from forestall.engine.lint.book import Book, Check, Found, has_a_person, writes_to_the_customer
from forestall.engine.lint.secrets import secrets
from forestall.engine.model.expression import Comparison, Junction, Literal, Negation, Term, walk
from forestall.engine.model.play import EmailStep, Play, TaskStep
from forestall.engine.score.look_back import beyond

MANY = 5
LOWER = frozenset({">", ">="})
UPPER = frozenset({"<", "<="})


def two_sided(book: Book) -> Iterator[Found]:
    """`14 <= days <= 60` turns false on both sides, and on one of them nothing has become better."""
    for trigger in book.rulebook.triggers.values():
        if trigger.clear_when is None and any(_bounded_twice(term) for term in walk(trigger.when.term)):
            yield Found(trigger.location, f"`when` of trigger {trigger.name} has two sides, and there is no "
                        "`clear_when`.",
                        "Say what recovery looks like: `clear_when: …`.")


def _bounded_twice(term: Term) -> bool:
    if not isinstance(term, Junction) or term.operator != "and":
        return False
    links = [link for part in term.operands if (link := _bound(part)) is not None]
    return any((subject, side) in links for subject, other in links for side in {"above", "below"} - {other})


def _bound(term: Term) -> tuple[Term, str] | None:
    """What a comparison with a fixed value bounds, and from where; None for anything else."""
    negated = isinstance(term, Negation)
    if isinstance(term, Negation):
        term = term.operand
    if not isinstance(term, Comparison) or term.operator not in LOWER | UPPER:
        return None
    if isinstance(term.left, Literal) == isinstance(term.right, Literal):
        return None
    subject, above = (term.left, term.operator in LOWER)
    if isinstance(term.left, Literal):
        subject, above = term.right, term.operator in UPPER
    return subject, "above" if above != negated else "below"


def task_on_a_healthy_tier(book: Book) -> Iterator[Found]:
    """A person's day is short: whoever is well gets what needs nobody."""
    best = book.rulebook.scorecard.tiers[0].name
    for play in book.rulebook.plays.values():
        if play.tier == best and any(isinstance(step, TaskStep) for step in play.steps):
            yield Found(play.location, f"play {play.name} gives a person work for accounts that are {best}.",
                        "Send a message instead, or keep the task for a worse tier.")


def nobody_on_the_worst_tier(book: Book) -> Iterator[Found]:
    """Messages alone do not hold a customer who is about to go."""
    worst = book.rulebook.scorecard.tiers[-1]
    plays = _of_tier(book, worst.name)
    if plays and not any(has_a_person(play) for play in plays):
        yield Found(plays[0].location, f"no play of the worst tier, {worst.name}, reaches a person on our side.",
                    "Add a step such as `task: {for: csm, …}`.")


def many_customer_triggers(book: Book) -> Iterator[Found]:
    """Whoever is written to for many reasons stops reading."""
    facing = [name for name in book.rulebook.triggers
              if any(writes_to_the_customer(play) for play in book.rulebook.plays_for(name))]
    if len(facing) > MANY:
        yield Found(book.place("triggers.yaml", "triggers"),
                    f"{len(facing)} triggers lead to a message to the customer: {', '.join(facing)}.",
                    f"Keep at most {MANY}; let the others speak to a colleague.")


def tier_without_play(book: Book) -> Iterator[Found]:
    """A tier is a promise that something follows from it."""
    for tier in book.rulebook.scorecard.tiers:
        if not _of_tier(book, tier.name):
            yield Found(tier.location, f"no play is for tier {tier.name}.",
                        f"Add a play with `tier: {tier.name}`, or make fewer tiers.")


def play_without_owner(book: Book) -> Iterator[Found]:
    """What nobody answers for is not looked after."""
    for play in book.rulebook.plays.values():
        if not play.owner:
            yield Found(play.location, f"play {play.name} has no owner.",
                        "Add `owner: csm`, or another role that answers for it.")


def play_without_goal(book: Book) -> Iterator[Found]:
    """Without a goal nobody will ever know whether it helps."""
    for play in book.rulebook.plays.values():
        if play.goal is None:
            yield Found(play.location, f"play {play.name} has no goal.",
                        "Add `goal: {when: …, within: 14 days}`: what is better when it has worked?")


def email_without_holdout(book: Book) -> Iterator[Found]:
    """Without a control group its success is a guess. Plays with a task, or for the two worst tiers, need none."""
    spared = {tier.name for tier in book.rulebook.scorecard.tiers[-2:]}
    for play in book.rulebook.plays.values():
        emails = any(isinstance(step, EmailStep) and step.to == "contact" for step in play.steps)
        tasks = any(isinstance(step, TaskStep) for step in play.steps)
        if emails and not tasks and not play.holdout and play.tier not in spared:
            yield Found(play.location, f"play {play.name} sends email to the customer and has no holdout.",
                        "Add `holdout: 10 percent`.")


def looks_too_far_back(book: Book) -> Iterator[Found]:
    """What lies before the first day of the history is missing, so such a condition may stay unknown."""
    if book.days is not None:
        for problem in beyond(book.rulebook, book.days):
            yield Found(problem.location, problem.message, problem.hint)


def _of_tier(book: Book, tier: str) -> list[Play]:
    return [play for play in book.rulebook.plays.values() if play.tier == tier]


CHECKS = (
    Check("secret-in-file", Severity.ERROR, "A secret in git is known to everybody who ever sees the repository.",
          secrets),
    Check("two-sided-without-clear", Severity.WARNING,
          "A condition with two sides closes its alert on the bad side as well.", two_sided),
    Check("task-on-healthy-tier", Severity.WARNING, "People's time is for accounts that need it.",
          task_on_a_healthy_tier),
    Check("nobody-on-worst-tier", Severity.WARNING, "Messages alone do not hold a customer who is about to go.",
          nobody_on_the_worst_tier),
    Check("many-customer-triggers", Severity.WARNING, "Whoever is written to for many reasons stops reading.",
          many_customer_triggers),
    Check("tier-without-play", Severity.WARNING, "A tier is a promise that something follows from it.",
          tier_without_play),
    Check("play-without-owner", Severity.NOTE, "What nobody answers for is not looked after.", play_without_owner),
    Check("play-without-goal", Severity.NOTE, "Without a goal nobody will ever know whether it helps.",
          play_without_goal),
    Check("email-without-holdout", Severity.NOTE, "Without a control group its success is a guess.",
          email_without_holdout),
    Check("look-back-beyond-history", Severity.WARNING,
          "What cannot be judged opens no alert.", looks_too_far_back),
)
