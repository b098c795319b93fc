"""What alerts foretold, judged by the accounts that are known to have left. Pure: nothing is read here.

The definitions, for a horizon of so many days:

- An account *churned* when its day of leaving lies in the period or at most a horizon after it, within the history, and
  it had a row in the period before that day. Who left on the first day cannot have been warned of.
- It is *caught* by an alert that opened on one of the `horizon` days before that day, and not on the day itself or
  after it; else it is *missed*. The *lead* is counted from the first such opening.
- An opening is a *false alarm* when its account did not leave within the horizon after it. It is *left out* where that
  cannot be known: its horizon passes the end of the history (whether the account left meanwhile or not: counting only
  those that left would count too many), or the end of the account's record, without churn; or the account had left.
- *Precision* is per opening, *recall* per account. The openings of one account go together, so the interval of the
  precision is that of fewer, independent openings (`intervals.effective`).
- *Chance* is the precision of openings that fall on other accounts at risk of the same days and of about the same age:
  on each day the share of these accounts that left within the horizon, averaged over the openings. So neither a
  calendar (a month in which many leave) nor a youth in which many leave nor a trigger that opens often looks like
  foresight. It is indirect standardisation, as of mortality by age. Age is counted from the first day in the history.
- *Better than chance* is a one-sided test of precision against chance at 2.5 percent, by the score method of the
  interval, corrected by Holm for the number of alerts that are tested together.
- *Ahead*: of the churned accounts with a row so early, the share with an opening from 120 days (or a longer horizon)
  through 30, 60 or 90 days before they left.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import ceil
from statistics import median

from forestall.engine.foretell.intervals import beyond, effective, holm, rate
from forestall.engine.model.alert import TransitionKind
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import Decisions
from forestall.engine.simulate.comparison import Caught, Churn, Rate, Swept
from forestall.engine.simulate.openings import Openings

HORIZON = 60
LEAST = 10           # fewer churned accounts, openings or alerted accounts than this, and nothing is concluded
AHEAD = (30, 60, 90)
FARTHEST = 120       # an alert longer ago than this says nothing of a churn
SCORE = "score"
AGES = (0, 90, 180, 365)      # days from which an account is as old as the others of its band
NEVER = date.max.toordinal()


@dataclass(frozen=True, slots=True)
class Record:
    """What hindsight knows of an account: the first and last day on which it was in the history, and when it left.

    `last` is the end of the history for an account that is not gone by then.
    """

    first: date
    last: date
    churned_on: date | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The days from `first` through `last` whose openings count, and the last day of the history."""

    first: date
    last: date
    end: date


class Watch:
    """Hears what one side decides, day by day from the first day of the warm-up on, and keeps what warned of a churn.

    These are openings of triggers and falls into a tier that starts a play (not recoveries), and those of the score: it
    counts as an alert of its own, called `score`, that opens on the first day of each stretch that an account spends in
    the worse half of the tiers (of five the worst three), and not again before the account was above them.
    """

    def __init__(self, rulebook: Rulebook) -> None:
        tiers = [tier.name for tier in rulebook.scorecard.tiers]
        self._alerts = (*rulebook.triggers, *rulebook.tier_alerts())
        self._openings = Openings()
        self._low = frozenset(tiers[len(tiers) // 2:])
        self._below: set[str] = set()
        self._falls = Openings()

    def add(self, decisions: Decisions) -> None:
        """One more day; days come in order."""
        for one in decisions.transitions:
            if one.kind is TransitionKind.OPENED:
                self._openings.add(one.alert.trigger, one.alert.account, decisions.day)
        for account, tier in sorted(decisions.tiers.items()):
            if tier not in self._low:
                self._below.discard(account)
            elif account not in self._below:
                self._below.add(account)
                self._falls.add(SCORE, account, decisions.day)

    def openings(self) -> dict[str, Iterator[tuple[date, str]]]:
        """Alert → the day and account of each opening, in the order of the rules, the score last."""
        return {alert: self._openings.of(alert) for alert in self._alerts} | {SCORE: self._falls.of(SCORE)}


def against_churn(base: Watch | None, candidate: Watch, records: Mapping[str, Record], span: Span, *,
                  horizon: int = HORIZON, sweep: Sequence[Swept] = (), swept: str = "") -> Churn:
    """Judge both sides by who left. Openings outside of the span and of accounts without a record are not looked at.

    `records` are those of `records.py`, less the accounts that a filter leaves out. `sweep` and `swept` are handed on
    (see `sweep.py`).
    """
    judge = Judge(records, span, horizon)
    through = min(span.last, span.end - timedelta(days=horizon))
    return Churn(horizon=horizon, churned=judge.churned, least=LEAST,
                 base=None if base is None else judge.all(base.openings()),
                 candidate=judge.all(candidate.openings()), sweep=tuple(sweep), swept=swept,
                 through=through if through >= span.first else None)


class Judge:
    """Judges alerts over one span of days by the definitions above. Days are counted as ordinals inside."""

    def __init__(self, records: Mapping[str, Record], span: Span, horizon: int = HORIZON) -> None:
        self._horizon = horizon
        self._first, self._last, self._end = (one.toordinal() for one in (span.first, span.last, span.end))
        self._records = {account: (one.first.toordinal(), one.last.toordinal(),
                                   NEVER if one.churned_on is None else one.churned_on.toordinal())
                         for account, one in records.items()}
        self._churned = {account: on for account, (first, last, on) in self._records.items()
                         if on <= min(self._last + horizon, self._end)
                         and max(self._first, first) <= min(self._last, last, on - 1)}
        self._base_rates = [self._rates_by_day(band) for band in range(len(AGES))]

    @property
    def churned(self) -> int:
        """How many accounts left so that they could have been caught."""
        return len(self._churned)

    def all(self, openings: Mapping[str, Iterable[tuple[date, str]]]) -> tuple[Caught, ...]:
        """Every alert, in this order; those that are tested together are corrected for one another."""
        found: list[Caught] = []
        probabilities: dict[str, float] = {}
        for alert, some in openings.items():
            days: dict[str, set[int]] = defaultdict(set)
            for day, account in some:
                number = day.toordinal()
                if self._first <= number <= self._last and account in self._records:
                    days[account].add(number)
            caught, probability = self._one(alert, {account: sorted(there) for account, there in days.items()})
            found.append(caught)
            if probability is not None:
                probabilities[alert] = probability
        better = holm(probabilities)
        return tuple(replace(one, better_than_chance=better.get(one.alert)) for one in found)

    def _one(self, alert: str, days: Mapping[str, Sequence[int]]) -> tuple[Caught, float | None]:
        """One alert by the days on which it opened, and how probable that is by chance (None: too little to judge)."""
        outcomes: list[tuple[int, int]] = []
        expected = 0.0
        for account, some in days.items():
            hits = cases = 0
            for day in some:
                outcome = self._outcome(account, day)
                if outcome is not None:
                    hits += outcome
                    cases += 1
                    expected += self._base_rates[self._band(account, day)][day - self._first]
            if cases:
                outcomes.append((hits, cases))
        leads = [lead for account, on in self._churned.items()
                 if account in days and (lead := self._lead(days[account], on))]
        hits, cases = sum(some for some, _ in outcomes), sum(some for _, some in outcomes)
        worth, chance = effective(outcomes), expected / cases if cases else None
        caught = Caught(
            alert=alert, caught=len(leads), missed=self.churned - len(leads), false_alarms=cases - hits,
            left_out=sum(map(len, days.values())) - cases, precision=rate(hits, cases, worth),
            recall=rate(len(leads), self.churned), lead=median(leads) if leads else None,
            lead_range=_middle_half(leads), ahead={ahead: self._ahead(days, ahead) for ahead in AHEAD}, chance=chance,
            better_than_chance=None)
        if chance is None or min(self.churned, len(outcomes)) < LEAST:
            return caught, None
        return caught, beyond(hits / cases, chance, worth)

    def _outcome(self, account: str, day: int) -> bool | None:
        """Whether the account left within the horizon after the day; None when that cannot be known."""
        _, last, on = self._records[account]
        until = day + self._horizon
        if until > self._end or on <= day:
            return None
        return on <= until if on < NEVER or until <= last else None

    def _band(self, account: str, day: int) -> int:
        """Which of the AGES an account has on a day."""
        return bisect_right(AGES, day - self._records[account][0]) - 1

    def _rates_by_day(self, band: int) -> list[float]:
        """Of the accounts of one age at risk whose outcome can be known, the share that left within the horizon after
        each day."""
        length = self._last - self._first + 1
        risk, left = [0] * (length + 1), [0] * (length + 1)
        known = min(self._last, self._end - self._horizon)
        oldest = AGES[band + 1] - 1 if band + 1 < len(AGES) else NEVER
        for first, last, on in self._records.values():
            begin = max(first + AGES[band], self._first)
            end = min(last, known, on - 1 if on < NEVER else last - self._horizon, first + oldest)
            self._mark(risk, begin, end)
            self._mark(left, max(begin, on - self._horizon), end)
        rates, at_risk, leaving = [], 0, 0
        for more_at_risk, more_leaving in zip(risk[:length], left[:length], strict=True):
            at_risk, leaving = at_risk + more_at_risk, leaving + more_leaving
            rates.append(leaving / at_risk if at_risk else 0.0)
        return rates

    def _mark(self, changes: list[int], begin: int, end: int) -> None:
        if begin <= end:
            changes[begin - self._first] += 1
            changes[end - self._first + 1] -= 1

    def _lead(self, days: Sequence[int], on: int) -> int | None:
        """The days from the first opening within the horizon to the day of leaving; None: there was none."""
        place = bisect_left(days, on - self._horizon)
        return on - days[place] if place < len(days) and days[place] < on else None

    def _ahead(self, days: Mapping[str, Sequence[int]], ahead: int) -> Rate:
        hits = cases = 0
        for account, on in self._churned.items():
            first, last, _ = self._records[account]
            since, until = on - max(FARTHEST, self._horizon), on - ahead
            if max(since, first, self._first) <= min(until, last, self._last):
                cases += 1
                hits += any(since <= day <= until for day in days.get(account, ()))
        return rate(hits, cases)


def _middle_half(leads: Sequence[int]) -> tuple[int, int] | None:
    """The first and third quartile, by nearest rank."""
    if not leads:
        return None
    ordered = sorted(leads)
    low, high = (ordered[ceil(share * len(ordered)) - 1] for share in (0.25, 0.75))
    return low, high
