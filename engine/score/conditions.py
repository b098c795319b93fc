"""Every condition that a pass must know the truth of, numbered in the order of the rulebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from forestall.engine.model.expression import Expression
from forestall.engine.model.play import Play, StopIfStep, TaskStep
from forestall.engine.model.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a rulebook: what each is for, and its index in `truths`."""

    expressions: tuple[Expression, ...]
    index: Mapping[tuple[str, str, str], int]

    @classmethod
    def of(cls, rulebook: Rulebook) -> Conditions:
        """Number the conditions of a rulebook; the same rulebook always gives the same numbers."""
        found: dict[tuple[str, str, str], Expression] = {}
        for trigger in rulebook.triggers.values():
            found["trigger", trigger.name, "when"] = trigger.when
            if trigger.clear_when is not None:
                found["trigger", trigger.name, "clear_when"] = trigger.clear_when
        for play in rulebook.plays.values():
            if play.applies_to is not None:
                found["play", play.name, "applies_to"] = play.applies_to
            if play.goal is not None:
                found["play", play.name, "goal"] = play.goal.when
            found |= dict(_of_steps(play))
        for key in rulebook.begun:
            begun = rulebook.as_begun(*key)
            if begun is not None:
                found |= dict(_of_steps(begun))
        return cls(tuple(found.values()), {key: number for number, key in enumerate(found)})

    @property
    def whens(self) -> list[int]:
        """The conditions that open alerts."""
        return [number for (what, _, part), number in self.index.items() if (what, part) == ("trigger", "when")]

    def when(self, trigger: str) -> int:
        """The condition that opens a trigger's alert."""
        return self.index["trigger", trigger, "when"]

    def clear_when(self, trigger: str) -> int | None:
        """The condition that closes it; None: when `when` is false."""
        return self.index.get(("trigger", trigger, "clear_when"))

    def applies_to(self, play: str) -> int | None:
        """Whom a play is for; None: everybody."""
        return self.index.get(("play", play, "applies_to"))

    def goal(self, play: str) -> int | None:
        """What a play is for; None: it has no goal."""
        return self.index.get(("play", play, "goal"))

    def done_when(self, play: Play, step: str) -> int | None:
        """What closes a task; None: a person says so."""
        return self.index.get(("play", play.name, f"done_when {play.digest} {step}"))

    def stop_if(self, play: Play, step: str) -> int:
        """The condition of a `stop_if` step."""
        return self.index["play", play.name, f"stop_if {play.digest} {step}"]


def _of_steps(play: Play) -> Iterator[tuple[tuple[str, str, str], Expression]]:
    """The conditions among the steps of a play; the same step may have another one in another wording of the play."""
    for step in play.steps:
        if isinstance(step, StopIfStep):
            yield ("play", play.name, f"stop_if {play.digest} {step.id}"), step.condition
        if isinstance(step, TaskStep) and step.done_when is not None:
            yield ("play", play.name, f"done_when {play.digest} {step.id}"), step.done_when
