"""What becomes of a made-up account: its course, before chance is added day by day.

Times count days from the first day of the sample; what lies before it is negative.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

Path = tuple[tuple[float, float], ...]


class Archetype(StrEnum):
    """The kinds of course."""

    THRIVING = "thriving"
    STEADY = "steady"
    HALF_HEARTED = "half-hearted"
    SEASONAL = "seasonal"
    RECOVERING = "recovering"
    ONBOARDING = "onboarding"
    ONBOARDING_STUCK = "stuck in onboarding"
    SETUP_STUCK = "stuck in a feature's setup"
    INTEGRATION_STUCK = "stuck in an integration"
    CORE_UNUSED = "core feature never used"
    FADING = "fading"
    SUDDEN_DROP = "sudden drop"
    NARROWING = "narrowing"
    INACTIVE = "inactive"
    GONE_SILENT = "gone silent"
    SEATS_SHRINKING = "seats shrinking"
    SPONSOR_CHANGED = "sponsor changed"
    CHURNED = "churned"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a journey, from day `started` until before day `ended` (None: still there)."""

    journey: str
    name: str
    started: int
    ended: int | None
    expected_days: int


@dataclass(frozen=True, slots=True)
class Course:
    """How an account develops, before chance.

    `use`, `depth` and `people` are factors of what is normal for it, `plan` is a share of its milestones. A path is a
    list of (day, value) with straight lines between. `start` is the first day of the contract where it falls into the
    sample; `onboarded` the day on which onboarding ended, None while it goes on.
    """

    use: Path = ((0, 1.0),)
    depth: Path = ((0, 1.0),)
    people: Path = ((0, 1.0),)
    plan: Path = ((0, 0.8),)
    steps: tuple[Step, ...] = ()
    start: int | None = None
    onboarded: int | None = -60
    core_used: bool = True
    new_sponsor: int | None = None
    churned: int | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """What a course is drawn from. `last` is the last day; `nth` counts the accounts of the same archetype from 0.

    The 0th of each archetype shows on the last day what the archetype is about, so that a first look at the sample
    has something to show; the others show it at any time.
    """

    chance: random.Random
    last: int
    nth: int

    def between(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        return low + (high - low) * self.chance.random()

    def day(self, now: int, earliest: int, latest: int) -> int:
        """Day `now` for the 0th account, else any day from `earliest` to `latest`."""
        return now if self.nth == 0 else round(self.between(earliest, max(earliest, latest)))


def at(path: Path, day: float) -> float:
    """The value of `path` on `day`: straight lines between the corners, flat outside."""
    before = path[0]
    if day <= before[0]:
        return before[1]
    for corner in path[1:]:
        if day < corner[0]:
            share = (day - before[0]) / (corner[0] - before[0])
            return before[1] + share * (corner[1] - before[1])
        before = corner
    return before[1]


def _thriving(draw: Draw) -> Course:
    level = draw.between(0.95, 1.15)
    return Course(use=((0, level), (draw.last, level * 1.2)), depth=((0, 1.1),),
                  plan=((0, draw.between(0.6, 0.9)), (draw.last, 1.0)))


def _steady(draw: Draw) -> Course:
    return Course(use=((0, draw.between(0.8, 1.0)),), depth=((0, draw.between(0.85, 1.0)),),
                  plan=((0, draw.between(0.6, 0.8)), (draw.last, draw.between(0.8, 1.0))))


def _half_hearted(draw: Draw) -> Course:
    return Course(use=((0, draw.between(0.28, 0.5)),), depth=((0, draw.between(0.4, 0.65)),),
                  people=((0, draw.between(0.5, 0.7)),), plan=((0, draw.between(0.3, 0.6)),))


def _seasonal(draw: Draw) -> Course:
    dip = draw.day(draw.last - 12, 15, draw.last - 25)
    low = draw.between(0.35, 0.5)
    return Course(use=((dip - 1, 1.0), (dip, low), (dip + 16, low), (dip + 19, 1.0)),
                  people=((dip - 1, 1.0), (dip, 0.6), (dip + 16, 0.6), (dip + 19, 1.0)))


def _recovering(draw: Draw) -> Course:
    back = draw.day(draw.last - 15, 40, draw.last - 5)
    away = back - round(draw.between(18, 35))
    return Course(use=((away - 10, 1.0), (away, 0.12), (back, 0.12), (back + 8, 0.95)),
                  depth=((away - 10, 1.0), (away, 0.4), (back, 0.4), (back + 8, 1.0)))


def _onboarding_steps(start: int) -> tuple[Step, ...]:
    names = ("Invite your team", "Import your records", "Set up permissions", "First weekly review")
    lengths = (6, 8, 7, 9)
    steps = []
    for name, length in zip(names, lengths, strict=True):
        steps.append(Step("onboarding", name, start, start + length, length + 3))
        start += length
    return tuple(steps)


def _onboarding(draw: Draw) -> Course:
    start = draw.day(draw.last - 20, 5, draw.last - 10)
    steps = _onboarding_steps(start)
    done = steps[-1].ended or 0
    return Course(use=((start, 0.15), (done, 0.9)), depth=((start, 0.5), (done, 1.0)),
                  people=((start, 0.3), (done, 0.9)), plan=((start, 0.0), (done, 0.5), (done + 60, 0.9)),
                  steps=steps, start=start, onboarded=done if done <= draw.last else None)


def _onboarding_stuck(draw: Draw) -> Course:
    start = draw.day(draw.last - 40, 5, draw.last - 35)
    steps = _onboarding_steps(start)
    stuck = Step("onboarding", steps[1].name, steps[1].started, None, steps[1].expected_days)
    return Course(use=((start, 0.2), (stuck.started, 0.4), (stuck.started + 30, 0.2)), depth=((start, 0.5),),
                  people=((start, 0.4),), plan=((start, 0.0), (stuck.started, 0.15)),
                  steps=(steps[0], stuck), start=start, onboarded=None, core_used=False)


def _stuck(draw: Draw, journey: str, names: tuple[str, str], expected: int) -> Course:
    stays = draw.nth % 2 == 0
    began = draw.day(draw.last - 2 * expected, draw.last - 5 * expected if stays else 5, draw.last - 3 * expected)
    first = Step(journey, names[0], began - expected, began, expected)
    solved = None if stays else began + 2 * expected + round(draw.between(2, 20))
    return Course(use=((0, draw.between(0.8, 1.0)),), depth=((0, 0.9),), plan=((0, draw.between(0.5, 0.75)),),
                  steps=(first, Step(journey, names[1], began, solved, expected)))


def _setup_stuck(draw: Draw) -> Course:
    return _stuck(draw, "feature_setup", ("Choose a report", "Map your approval steps"), 7)


def _integration_stuck(draw: Draw) -> Course:
    return _stuck(draw, "integration", ("Connect the accounting system", "Match the fields"), 14)


def _core_unused(draw: Draw) -> Course:
    done = draw.day(draw.last - 21, 10, draw.last - 16)
    return Course(use=((0, draw.between(0.5, 0.7)),), depth=((0, 0.55),), plan=((0, 0.5),),
                  onboarded=done, start=max(done - 30, 0) if done > 30 else None, core_used=False)


def _fading(draw: Draw) -> Course:
    began = draw.day(draw.last - 45, 0, draw.last - 30)
    length = draw.between(45, 80)
    return Course(use=((began, 1.0), (began + length, 0.08)), depth=((began, 1.0), (began + length, 0.3)),
                  people=((began, 1.0), (began + length, 0.35)), plan=((0, draw.between(0.4, 0.7)),))


def _sudden_drop(draw: Draw) -> Course:
    day = draw.day(draw.last - 6, 20, draw.last - 10)
    low = draw.between(0.05, 0.15)
    return Course(use=((day - 1, 1.0), (day, low)), depth=((day - 1, 1.0), (day, 0.2)),
                  people=((day - 1, 1.0), (day, 0.3)), plan=((0, draw.between(0.4, 0.7)),))


def _narrowing(draw: Draw) -> Course:
    day = draw.day(draw.last - 6, 20, draw.last - 30)
    return Course(use=((0, 1.1),), depth=((day - 1, 1.15), (day, 0.28), (day + 20, 0.28), (day + 30, 1.0)),
                  plan=((0, 1.0),))


def _inactive(draw: Draw) -> Course:
    day = draw.day(draw.last - 20, draw.last - 55, draw.last - 8)
    return Course(use=((day - 8, 0.9), (day - 1, 0.3), (day, 0.0)), depth=((day - 8, 0.9), (day, 0.5)),
                  people=((day - 8, 1.0), (day, 0.5)), plan=((0, draw.between(0.4, 0.9)),))


def _gone_silent(draw: Draw) -> Course:
    day = draw.day(draw.last - 75, draw.last - 110, draw.last - 62)
    return Course(use=((day - 20, 0.8), (day - 1, 0.15), (day, 0.0)), depth=((day - 20, 0.9), (day, 0.3)),
                  people=((day - 20, 0.9), (day, 0.3)), plan=((0, draw.between(0.3, 0.9)),))


def _seats_shrinking(draw: Draw) -> Course:
    day = draw.day(draw.last - 30, 15, draw.last - 25)
    return Course(people=((day, 1.0), (day + 14, 0.13)), plan=((0, draw.between(0.5, 0.8)),))


def _sponsor_changed(draw: Draw) -> Course:
    day = draw.day(draw.last - 2, 10, draw.last - 8)
    after = draw.between(0.5, 1.0)
    return Course(use=((day, 1.0), (day + 40, after)), plan=((0, draw.between(0.6, 0.9)),), new_sponsor=day)


def _churned(draw: Draw) -> Course:
    day = draw.day(draw.last - 10, 45, draw.last - 5)
    began = day - round(draw.between(35, 60))
    return Course(use=((began - 25, 0.9), (began, 0.2), (day - 15, 0.05), (day - 14, 0.0)),
                  depth=((began - 25, 0.9), (began, 0.3)), people=((began - 25, 0.9), (began, 0.25)),
                  plan=((0, draw.between(0.2, 0.6)),), churned=day)


_COURSES: dict[Archetype, Callable[[Draw], Course]] = {
    Archetype.THRIVING: _thriving,
    Archetype.STEADY: _steady,
    Archetype.HALF_HEARTED: _half_hearted,
    Archetype.SEASONAL: _seasonal,
    Archetype.RECOVERING: _recovering,
    Archetype.ONBOARDING: _onboarding,
    Archetype.ONBOARDING_STUCK: _onboarding_stuck,
    Archetype.SETUP_STUCK: _setup_stuck,
    Archetype.INTEGRATION_STUCK: _integration_stuck,
    Archetype.CORE_UNUSED: _core_unused,
    Archetype.FADING: _fading,
    Archetype.SUDDEN_DROP: _sudden_drop,
    Archetype.NARROWING: _narrowing,
    Archetype.INACTIVE: _inactive,
    Archetype.GONE_SILENT: _gone_silent,
    Archetype.SEATS_SHRINKING: _seats_shrinking,
    Archetype.SPONSOR_CHANGED: _sponsor_changed,
    Archetype.CHURNED: _churned,
}

# How many of each among forty accounts, once every archetype has had its first.
_MORE = (
    *[Archetype.THRIVING] * 8, *[Archetype.STEADY] * 8, *[Archetype.HALF_HEARTED] * 6, *[Archetype.SEASONAL] * 2,
    *[Archetype.RECOVERING] * 2, *[Archetype.ONBOARDING] * 2, Archetype.ONBOARDING_STUCK, Archetype.SETUP_STUCK,
    Archetype.INTEGRATION_STUCK, Archetype.CORE_UNUSED, *[Archetype.FADING] * 2, Archetype.SUDDEN_DROP,
    Archetype.NARROWING, Archetype.INACTIVE, Archetype.GONE_SILENT, Archetype.SPONSOR_CHANGED, Archetype.CHURNED,
)


def archetypes(accounts: int) -> list[Archetype]:
    """One archetype per account: each at least once where there are enough accounts, the healthy ones more often."""
    chosen = list(Archetype)[:accounts]
    while len(chosen) < accounts:
        chosen.append(_MORE[(7 * len(chosen)) % len(_MORE)])
    return chosen


def course(archetype: Archetype, draw: Draw) -> Course:
    """The course of an account of this archetype."""
    return _COURSES[archetype](draw)
