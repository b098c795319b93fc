"""The points of the score that each signal earns and misses: the earned ones add up to the score, the missed to what is
missing to 100.

`docs/explain.md` says how, and what moved the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from forestall.engine.model.scorecard import MissingPolicy
from forestall.engine.score.account import Account
from forestall.engine.score.scorecard import Scored, SignalPoints, filled_points


@dataclass(frozen=True, slots=True)
class Stake:
    """What a signal, or a part of one, has in the score: `share` of it (0 to 1) after the weight of what is missing was
    shared out, and its `points` (0 to 100). `known` False: the points are those of `missing`, not of data."""

    signal: str
    part: str                 # empty for a signal as a whole
    share: float
    points: float
    known: bool = True

    @property
    def earned(self) -> float:
        """Points of the score."""
        return self.share * self.points

    @property
    def missed(self) -> float:
        """Points of the score that were there to be earned."""
        return self.share * (100 - self.points)


def stakes(scored: Scored) -> tuple[Stake, ...]:
    """Everything that makes up a score, parts by themselves; empty for an account without one. Shares add up to 1."""
    if scored.score is None:
        return ()
    whole = sum(one.signal.weight for one in scored.signals if filled_points(one) is not None)
    return tuple(stake for one in scored.signals for stake in _of(one, one.signal.weight / whole))


def _of(one: SignalPoints, share: float) -> list[Stake]:
    filled = filled_points(one)
    if filled is None:
        return []
    if one.points is None:
        return [Stake(one.signal.name, "", share, filled, known=False)]
    if not one.signal.parts:
        return [Stake(one.signal.name, "", share, filled)]
    weighed = sum(part.share for part in one.parts if part.points is not None)
    return [Stake(one.signal.name, part.name, share * (part.share / weighed), part.points)
            for part in one.parts if part.points is not None]


def without_data(policy: MissingPolicy) -> str:
    """What the rules do with a signal that has no data."""
    return {MissingPolicy.REWEIGHT: "the others share its weight", MissingPolicy.ZERO: "counts as 0 points",
            MissingPolicy.NEUTRAL: "counts as 50 points"}[policy]


class Cause(StrEnum):
    """Why a score moved."""

    BEHAVIOUR = "behaviour"      # other values, under the same rules and with the same data
    DATA = "data"                # signals gained or lost data, or another profile applies
    RULES = "rules"              # the rules of the score were others then


@dataclass(frozen=True, slots=True)
class Moved:
    """One reason: so many points of the score. `before` and `after` are the points (0 to 100) of the signal or part;
    None where it had no data. `what` is in words where no signal is meant."""

    cause: Cause
    change: float
    signal: str = ""
    part: str = ""
    before: float | None = None
    after: float | None = None
    what: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """What moved the score since an earlier day. The changes and `rounding` add up to `now - then`.

    `then` is the score of that day by the rules that were in force where they are known (`by_rules_then`), else by
    those of today. None for a score, with `moved` empty: there is nothing to compare.
    """

    since: date
    then: float | None
    now: float | None
    moved: tuple[Moved, ...] = ()
    rounding: float = 0.0
    by_rules_then: bool = False

    def of(self, cause: Cause) -> float:
        """All that one cause moved."""
        return sum(one.change for one in self.moved if one.cause is cause)


def movement(account: Account, since: date, then: int, now: int, by_rules_then: Scored | None = None) -> Movement:
    """What moved the score between two days (since 1970). `by_rules_then`: that day by the rules in force then."""
    after = account.scored(now)
    before = account.scored(then) if then >= account.first_day else None
    first = by_rules_then or before
    if before is None or first is None or None in (first.score, before.score, after.score):
        return Movement(since, first.score if first else None, after.score, by_rules_then=by_rules_then is not None)
    assert first.score is not None
    assert before.score is not None
    assert after.score is not None
    moved: list[Moved] = []
    if by_rules_then is not None and (change := before.score - first.score):
        moved.append(Moved(Cause.RULES, change, what="the rules of the score were changed"))
    if before.profile != after.profile:
        again = account.scored_as(next(one for one in account.profiles() if one.name == after.profile), then)
        if again.score is None:
            moved.append(Moved(Cause.DATA, after.score - before.score, what=_profiles(before, after)))
            return _whole(since, first.score, after.score, moved, by_rules_then)
        moved.append(Moved(Cause.DATA, _raw(again) - _raw(before), what=_profiles(before, after)))
        before = again
    moved.extend(_between(stakes(before), stakes(after)))
    return _whole(since, first.score, after.score, moved, by_rules_then)


def _whole(since: date, then: float, now: float, moved: list[Moved], by_rules_then: Scored | None) -> Movement:
    """The remainder is what rounding both scores to one decimal makes."""
    rest = now - then - sum(one.change for one in moved)
    seen = sorted((one for one in moved if abs(one.change) > 1e-9), key=lambda one: -abs(one.change))
    return Movement(since, then, now, tuple(seen), rest, by_rules_then is not None)


def _raw(scored: Scored) -> float:
    return sum(one.earned for one in stakes(scored))


def _profiles(before: Scored, after: Scored) -> str:
    return f"profile {after.profile or 'none'} applies, before {before.profile or 'none'}"


def _between(before: tuple[Stake, ...], after: tuple[Stake, ...]) -> list[Moved]:
    """Each stake's change, told apart: other points by the mean share, another share by how far its mean points lie
    from the mean score. It adds up because shares add up to 1 on both days. See docs/explain.md."""
    level = (sum(one.earned for one in before) + sum(one.earned for one in after)) / 2
    was = {(one.signal, one.part): one for one in before}
    found: list[Moved] = []
    for key in dict.fromkeys([*was, *((one.signal, one.part) for one in after)]):
        then, now = was.get(key), next((one for one in after if (one.signal, one.part) == key), None)
        known = then is not None and now is not None and then.known and now.known
        old, new = _shared(then, now), _shared(now, then)
        behaviour = (old.share + new.share) / 2 * (new.points - old.points)
        data = (new.share - old.share) * ((old.points + new.points) / 2 - level)
        if not known:
            behaviour, data = 0.0, behaviour + data
        points = (then.points if then and then.known else None, now.points if now and now.known else None)
        found.append(Moved(Cause.BEHAVIOUR, behaviour, *key, *points))
        found.append(Moved(Cause.DATA, data, *key, *points))
    return found


def _shared(one: Stake | None, other: Stake | None) -> Stake:
    """A stake on a day; where it had none, one without a share and with the points of the other day."""
    if one is not None:
        return one
    assert other is not None
    return Stake(other.signal, other.part, 0.0, other.points)
