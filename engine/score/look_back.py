"""How far back rules look: what an evaluation must read, and what a young history cannot answer yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from forestall.engine.errors import Problem, Severity
from forestall.engine.language.functions import FUNCTIONS
from forestall.engine.model.expression import Call, Name, NameRole, Term, parts
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.conditions import Conditions


def look_back(rulebook: Rulebook, terms: Iterable[Term]) -> int:
    """How many days before a day the values of these terms depend on."""
    card = rulebook.scorecard
    measures = [measure.value.term for profile in card.profiles for signal in profile.signals
                for measure in ([signal.measure] if signal.measure else [part.measure for part in signal.parts])]
    conditions = [one.applies_to.term for one in card.profiles if one.applies_to]
    conditions += [tier.when.term for tier in card.tiers if tier.when]
    scored = max((_reach(rulebook, term, 0) for term in [*measures, *conditions]), default=0)
    return max((_reach(rulebook, term, scored) for term in terms), default=scored)


def _reach(rulebook: Rulebook, term: Term, scored: int) -> int:
    if isinstance(term, Name):
        derived = rulebook.catalogue.metrics[term.name].derived if term.role is NameRole.DERIVED else None
        if derived is not None:
            return _reach(rulebook, derived.term, scored)
        return scored if term.role in (NameRole.SIGNAL, NameRole.SCORE, NameRole.TIER) else 0
    own = FUNCTIONS[term.function].back(term.window) if isinstance(term, Call) else 0
    return own + max((_reach(rulebook, part, scored) for part in parts(term)), default=0)


def beyond(rulebook: Rulebook, days: int) -> Iterator[Problem]:
    """A warning for each condition that looks further back than a history of so many days reaches."""
    for (what, name, part), index in Conditions.of(rulebook).index.items():
        expression = Conditions.of(rulebook).expressions[index]
        back = look_back(rulebook, [expression.term])
        if back >= days:
            yield Problem(
                expression.location, "look-back-beyond-history",
                f"`{part.split()[0]}` of {what} {name} looks {back} days back, and the history holds {days}.",
                "What lies before its first day is missing. Import older data, shorten the window, or wait.",
                Severity.WARNING)
