"""One account as the rules see it: any expression, signal, score and tier on any day of its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from forestall.engine.language.per_account import LARGEST, AccountEvaluator, Rows
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Expression
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.scorecard import Profile, Scorecard
from forestall.engine.score.scorecard import Scored, score_account


class Account:
    """Answers for one account. `rows` maps a day (since 1970) to metric values: numbers as float, dates as days."""

    def __init__(self, rulebook: Rulebook, rows: Rows, first_day: int) -> None:
        self._rulebook, self._rows, self.first_day = rulebook, rows, first_day
        self._scored: dict[int, Scored] = {}
        self._patterns: dict[int, object] = {}
        self._evaluator = AccountEvaluator(self._resolve, first_day, self._pattern)

    def had(self, day: int, values: Mapping[str, Value]) -> Account:
        """The same account, had its row of `day` held these values. No later day is known of it.

        Days before it are as they were, so what was worked out for them here is not worked out again.
        """
        rows = {earlier: row for earlier, row in self._rows.items() if earlier < day}
        other = Account(self._rulebook, rows | {day: {**self._rows.get(day, {}), **values}}, self.first_day)
        other._scored = {earlier: scored for earlier, scored in self._scored.items() if earlier < day}
        other._patterns = {earlier: pattern for earlier, pattern in self._patterns.items() if earlier < day}
        other._evaluator = AccountEvaluator(other._resolve, self.first_day, other._pattern, (self._evaluator, day))
        return other

    def row(self, day: int) -> Mapping[str, Value]:
        """What sources say of a day, by metric."""
        return self._rows.get(day, {})

    def seen(self, name: str) -> list[Value]:
        """The values that sources said of a metric, on the days that were read; the latest first."""
        return [self._rows[day].get(name) for day in sorted(self._rows, reverse=True)]

    def profiles(self) -> tuple[Profile, ...]:
        """Every profile of the rules, the base last."""
        return self._rulebook.scorecard.profiles

    def scored_as(self, profile: Profile, day: int) -> Scored:
        """Signals, score and tier on a day, by the signals of this profile."""
        return self._score(replace(self._rulebook.scorecard, profiles=(replace(profile, applies_to=None),)), day)

    def value(self, expression: Expression, day: int) -> Value:
        """The value of an expression on a day."""
        return self._evaluator.value(expression, day)

    def metric(self, name: str, day: int) -> Value:
        """The value of a metric, supplied or derived."""
        return self._resolve(name, day)

    def scored(self, day: int) -> Scored:
        """Signals, score and tier on a day."""
        if day not in self._scored:
            self._scored[day] = self._score(self._rulebook.scorecard, day)
        return self._scored[day]

    def _score(self, card: Scorecard, day: int) -> Scored:
        since = self._resolve(self._rulebook.catalogue.roles.since, day)
        start = since if isinstance(since, int) else self.first_day
        return score_account(card, lambda expression: self.value(expression, day), day - start)

    def _resolve(self, name: str, day: int) -> Value:
        metric = self._rulebook.catalogue.metrics.get(name)
        if metric is None:
            return self._computed(name, day)
        if metric.derived is None:
            return self._rows.get(day, {}).get(name)
        value = self.value(metric.derived, day)
        return None if isinstance(value, float) and not abs(value) <= LARGEST else value

    def _computed(self, name: str, day: int) -> Value:
        if not name:
            return None
        scored = self.scored(day)
        if name == "score":
            return scored.score
        if name == "tier":
            return scored.tier
        return next((one.points for one in scored.signals if one.signal.name == name), None)

    def _pattern(self, day: int) -> object:
        """The profile, and which of its signals and parts have data."""
        if day not in self._patterns:
            scored = self.scored(day)
            known = tuple(part.points is not None for one in scored.signals for part in one.parts)
            self._patterns[day] = (scored.profile, known)
        return self._patterns[day]
