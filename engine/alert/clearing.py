"""What would clear an open alert: the smallest changes to the facts of today, and when it closes if they stay.

Whatever is proposed was applied to the account's row and went through the evaluator and `lifecycle`: with it the alert
closes, with one unit less it does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations

from forestall.engine.alert.ladder import Ladder, first_rung, ladders, lowest_between, others
from forestall.engine.alert.lifecycle import Moved, step, step_recovery, step_tier
from forestall.engine.model.alert import Alert, AlertStatus, TransitionKind
from forestall.engine.model.evaluation import AccountDay, Value
from forestall.engine.model.expression import Kind, Literal, Name, NameRole, Term, walk
from forestall.engine.model.play import recovery_alert, tier_alert
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.scorecard import Measure, Points, Steps, Tier
from forestall.engine.score.account import Account
from forestall.engine.score.evaluations import from_epoch, to_epoch
from forestall.engine.score.reason import truth
from forestall.engine.score.scorecard import clear_of

MOST_TRIALS = 6000         # for one alert, so that nobody waits
MOST_DAYS_AHEAD = 120
MOST_WAYS = 10


@dataclass(frozen=True, slots=True)
class Change:
    """One metric with another value today. `short` is one unit less, which does not do."""

    metric: str
    now: Value
    to: Value
    short: Value


@dataclass(frozen=True, slots=True)
class Clearing:
    """How an open alert can close. Each of `ways` is one change, or two that do it together; the smallest first.

    `stays` is the day on which it closes if the facts stay as they are; None where they keep it open until it expires.
    `searched` False: the search was cut short.
    """

    condition: str
    ways: tuple[tuple[Change, ...], ...]
    stays: date | None
    expires: date
    searched: bool = True


def clearing(rulebook: Rulebook, account: Account, alert: Alert, day: date) -> Clearing | None:
    """What would clear this open alert on `day`; None when the rules have no such trigger any more."""
    watched = Watched.of(rulebook, alert)
    if watched is None:
        return None
    search = _Search(watched, account, day)
    ways = search.ways()
    return Clearing(watched.condition, ways, _if_they_stay(watched, account, day),
                    alert.opened_on + timedelta(days=watched.lasts), search.left > 0)


@dataclass(frozen=True, slots=True)
class Watched:
    """An open alert with the rule that can close it: a trigger, or a tier that the account fell into or `recovered` to.
    """

    rulebook: Rulebook
    alert: Alert
    tier: Tier | None
    condition: str
    lasts: int
    recovered: bool = False

    @classmethod
    def of(cls, rulebook: Rulebook, alert: Alert) -> Watched | None:
        """The alert with its trigger or tier; None when the rules have neither."""
        trigger = rulebook.triggers.get(alert.trigger)
        if trigger is not None:
            text = trigger.clear_when.text if trigger.clear_when else f"not ({trigger.when.text})"
            return cls(rulebook, alert, None, text, trigger.lasts)
        risen = next((one for one in rulebook.scorecard.tiers if recovery_alert(one.name) == alert.trigger), None)
        if risen is not None:
            return cls(rulebook, alert, risen, f"the account falls below {risen.name}", rulebook.tier_lasts, True)
        tier = next((one for one in rulebook.scorecard.tiers if tier_alert(one.name) == alert.trigger), None)
        if tier is None:
            return None
        text = "another tier" if tier.clears_at is None else f"score >= {tier.clears_at:g}"
        return cls(rulebook, alert, tier, text, rulebook.tier_lasts)

    def moved(self, account: Account, alert: Alert, day: date) -> Moved:
        """What a pass would make of the alert on this day."""
        scored = account.scored(to_epoch(day))
        row = AccountDay(alert.account, day, scored.tier, 0, clear_of(scored.score, self.rulebook.scorecard.tiers))
        if self.tier is not None:
            stepped = step_recovery if self.recovered else step_tier
            return stepped(self.rulebook, self.tier, alert, row, day, before=None, is_new=False, rules_moved=False)
        trigger = self.rulebook.triggers[alert.trigger]
        when = truth(account.value(trigger.when, to_epoch(day)))
        clear = truth(account.value(trigger.clear_when, to_epoch(day))) if trigger.clear_when else None
        return step(trigger, alert, row, day, when=when, clear=clear, is_new=False)

    def clears(self, account: Account, day: date) -> bool:
        """Whether a pass would close the alert as cleared."""
        return self.moved(account, self.alert, day)[1] is TransitionKind.CLEARED

    def terms(self) -> tuple[Term, ...]:
        """What the closing depends on."""
        if self.tier is not None:
            forced = tuple(tier.when.term for tier in self.rulebook.scorecard.tiers if tier.when)
            return (Name("score", Kind.NUMBER, NameRole.SCORE), *forced)
        trigger = self.rulebook.triggers[self.alert.trigger]
        return (trigger.when.term, *((trigger.clear_when.term,) if trigger.clear_when else ()))


class _Search:
    """Tries other values of today, within bounds."""

    def __init__(self, watched: Watched, account: Account, day: date) -> None:
        self._watched, self._account, self._day, self._today = watched, account, day, to_epoch(day)
        self._row = account.row(self._today)
        self.left = MOST_TRIALS

    def ways(self) -> tuple[tuple[Change, ...], ...]:
        """Single changes, or pairs where no single one does; the smallest first."""
        if self._watched.alert.status is not AlertStatus.OPEN or self._tried({}):
            return ()
        depends = _Depends(self._watched.rulebook, self._account, self._today)
        for term in self._watched.terms():
            depends.on(term)
        climbs: list[Ladder] = []
        found: list[tuple[float, tuple[Change, ...]]] = []
        for name in depends.metrics:
            metric = self._watched.rulebook.catalogue.metrics[name]
            now, seen = self._row.get(name), self._account.seen(name)
            climbs += ladders(metric, now, seen, depends.bends.get(name, set()), self._today)
            if name in depends.direct or metric.kind is Kind.FLAG:
                found += [(1.0, (Change(name, now, other, now),)) for other in others(metric, now, seen, depends.texts)
                          if self._tried({name: other})][:1]
        found += [single for climb in climbs if (single := self._single(climb))]
        if not found:
            found = [pair for one, two in combinations(climbs, 2)
                     if one.metric != two.metric and (pair := self._pair(one, two))]
        found.sort(key=lambda way: way[0])
        return tuple(changes for _, changes in found[:MOST_WAYS])

    def _tried(self, values: dict[str, Value]) -> bool:
        """Whether the alert closes with these values. Nothing does once the trials are used up."""
        if self.left <= 0:
            return False
        self.left -= 1
        return self._watched.clears(self._account.had(self._today, values), self._day)

    def _single(self, climb: Ladder) -> tuple[float, tuple[Change, ...]] | None:
        rung = first_rung(climb, lambda one: self._tried({climb.metric: climb.value(one)}))
        return None if rung is None or self.left <= 0 else (climb.size(rung), (self._change(climb, rung),))

    def _pair(self, one: Ladder, two: Ladder) -> tuple[float, tuple[Change, ...]] | None:
        """Two changes that clear it together, each as small as the other lets it be."""
        def tried(first: int, second: int) -> bool:
            return self._tried({one.metric: one.value(first), two.metric: two.value(second)})

        if min(one.far, two.far) < 0 or not tried(one.far, two.far):
            return None
        found: list[tuple[float, int, int]] = []
        for start in (one.far, one.far // 2):
            if not tried(start, two.far):
                continue
            second = lowest_between(-1, two.far, lambda rung, first=start: tried(first, rung))  # type: ignore[misc]
            first = lowest_between(-1, start, lambda rung, second=second: tried(rung, second))  # type: ignore[misc]
            if self.left > 2 and not tried(first - 1, second) and not tried(first, second - 1):
                found.append((one.size(first) + two.size(second), first, second))
        if not found:
            return None
        size, first, second = min(found)
        return size, (self._change(one, first), self._change(two, second))

    def _change(self, climb: Ladder, rung: int) -> Change:
        return Change(climb.metric, self._shown(climb.now), self._shown(climb.value(rung)),
                      self._shown(climb.value(rung - 1)))

    def _shown(self, value: float | int) -> Value:
        return from_epoch(value) if isinstance(value, int) else value


class _Depends:
    """The metrics of today on which terms depend: `direct` ones are named, others come in through signals.

    `bends` are the values at which a curve or a comparison turns, and `texts` those that are compared.
    """

    def __init__(self, rulebook: Rulebook, account: Account, today: int) -> None:
        self._rulebook, self._profile = rulebook, account.scored(today).profile
        self.metrics: dict[str, None] = {}
        self.direct: set[str] = set()
        self.bends: dict[str, set[float]] = {}
        self.texts: dict[str, None] = {}

    def on(self, term: Term, direct: bool = True) -> None:
        numbers = {one.value for one in walk(term) if isinstance(one, Literal) and isinstance(one.value, float)}
        self.texts |= dict.fromkeys(one.value for one in walk(term) if isinstance(one, Literal)
                                    and isinstance(one.value, str))
        for name in walk(term):
            if isinstance(name, Name):
                self._name(name, numbers, direct)

    def _name(self, name: Name, bends: Iterable[float], direct: bool) -> None:
        if name.role in (NameRole.SIGNAL, NameRole.SCORE, NameRole.TIER):
            for measure in self._measures(name):
                self._measure(measure)
            if name.role is NameRole.TIER:
                for tier in self._rulebook.scorecard.tiers:
                    if tier.when:
                        self.on(tier.when.term, direct)
            return
        metric = self._rulebook.catalogue.metrics[name.name]
        if metric.derived is not None:
            for inner in walk(metric.derived.term):
                if isinstance(inner, Name):
                    self._name(inner, bends, direct)
            return
        self.metrics[name.name] = None
        self.bends.setdefault(name.name, set()).update(bends)
        if direct:
            self.direct.add(name.name)

    def _measure(self, measure: Measure) -> None:
        curve = measure.curve
        corners = curve.corners if isinstance(curve, Points) else curve.bands if isinstance(curve, Steps) else ()
        for name in walk(measure.value.term):
            if isinstance(name, Name):
                self._name(name, [value for value, _ in corners], direct=False)

    def _measures(self, name: Name) -> Iterator[Measure]:
        profile = next(one for one in self._rulebook.scorecard.profiles if one.name == self._profile)
        for signal in profile.signals:
            if name.role is not NameRole.SIGNAL or signal.name == name.name:
                yield from [signal.measure] if signal.measure else [part.measure for part in signal.parts]


def _if_they_stay(watched: Watched, account: Account, day: date) -> date | None:
    """The first later day on which the alert closes as cleared while every fact stays as it is today."""
    row, alert = account.row(to_epoch(day)), watched.alert
    for _ in range(min(watched.lasts, MOST_DAYS_AHEAD)):
        day += timedelta(days=1)
        account = account.had(to_epoch(day), row)
        after, kind = watched.moved(account, alert, day)
        if kind is not None or after is None:
            return day if kind is TransitionKind.CLEARED else None
        alert = after
    return None
