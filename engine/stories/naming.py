"""Which metrics a story needs, and what stands in them in the place of names."""

from __future__ import annotations

from collections.abc import Iterator

from forestall.engine.model.catalogue import Metric
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Expression, Kind, Literal, Membership, Name, Term, walk
from forestall.engine.model.people import Directory, Person
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.conditions import Conditions
from forestall.engine.stories.series_writing import sayable


def needed(rulebook: Rulebook) -> tuple[Metric, ...]:
    """The metrics that sources supply and that any decision turns on, in the order of the catalogue.

    What only messages say, and other personal metrics, stays out: the less a story holds, the less it tells.
    """
    roles = rulebook.catalogue.roles
    wanted = {roles.name, roles.contact, roles.csm, roles.executive, roles.since, roles.opted_out}
    for term in _terms(rulebook):
        wanted |= {one.name for one in walk(term) if isinstance(one, Name)}
    return tuple(metric for metric in rulebook.catalogue.supplied() if metric.name in wanted)


def _terms(rulebook: Rulebook) -> Iterator[Term]:
    """Everything that is computed: conditions, signals, tiers, and the metrics that are made of others."""
    card = rulebook.scorecard
    expressions: list[Expression | None] = [*Conditions.of(rulebook).expressions]
    expressions += [profile.applies_to for profile in card.profiles] + [tier.when for tier in card.tiers]
    for profile in card.profiles:
        for signal in profile.signals:
            expressions += [signal.measure.value] if signal.measure is not None else []
            expressions += [part.measure.value for part in signal.parts]
    expressions += [metric.derived for metric in rulebook.catalogue.metrics.values()]
    return (one.term for one in expressions if one is not None)


class Renamed:
    """Gives every name another one: the same for the same, and different ones for different ones."""

    def __init__(self, rulebook: Rulebook, directory: Directory) -> None:
        self._roles = rulebook.catalogue.roles
        self._people = directory
        self._seen: dict[str, dict[str, str]] = {}
        terms = list(_terms(rulebook))
        literals = [one for term in terms for one in walk(term) if isinstance(one, Literal)]
        literals += [option for term in terms for one in walk(term) if isinstance(one, Membership)
                     for option in one.options]
        self._compared = {one.value for one in literals if isinstance(one.value, str)}

    def value(self, metric: Metric, value: Value) -> Value:
        """The value that stands in the story. Only texts are replaced: numbers, dates and flags stay as they are."""
        if metric.kind is not Kind.TEXT or not isinstance(value, str):
            return value
        if metric.name in (self._roles.csm, self._roles.executive):
            return self._colleague(metric, value)
        if metric.name == self._roles.contact:
            return self._other(metric, value, "contact{}@customer.example")
        if metric.name == self._roles.name:
            return self._other(metric, value, "Customer {}")
        if not metric.personal and sayable(value) and (value in metric.one_of or value in self._compared):
            return value
        return self._other(metric, value, metric.name.replace("_", " ") + " {}")

    def _other(self, metric: Metric, value: str, form: str) -> str:
        seen = self._seen.setdefault(metric.name, {})
        return seen.setdefault(value, form.format(len(seen) + 1))

    def _colleague(self, metric: Metric, value: str) -> str:
        """Somebody of forestall.yaml who can be reached in the same ways; nobody stays nobody."""
        person = self._people.person(value)
        if person is None:
            return self._other(metric, value, "nobody {}")
        if person.key not in self._people.people:
            return self._other(metric, value, "colleague{}@ours.example")
        alike = next(one for one in self._people.people.values() if self._reached(one) == self._reached(person))
        return self._seen.setdefault(metric.name, {}).setdefault(value, alike.key)

    def _reached(self, person: Person) -> tuple[bool, ...]:
        manager = self._people.people.get(person.manager)
        ways = [bool(person.email), bool(person.slack), manager is not None]
        return (*ways, bool(manager and manager.email), bool(manager and manager.slack))
