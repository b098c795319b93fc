"""Two sets of rules over the same past: the nouns of the answer. All that is shown or printed comes from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from forestall.engine.errors import Problem
from forestall.engine.model.delivery import MessageKind


@dataclass(frozen=True, slots=True)
class Pair:
    """A figure with the rules in force and with the candidate. `base` None: there is nothing to compare with."""

    base: float | None
    candidate: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A count per day: its mean, its 95th percentile (nearest rank) and its peak with the first day of it."""

    mean: float
    p95: int
    peak: int
    peak_on: date


class Change(StrEnum):
    """What becomes of one alert when the candidate takes the place of the base."""

    NEW = "newly opened"
    GONE = "no longer opened"
    SAME = "same"
    UNJUDGED = "cannot be judged"      # one side opens it, and what the other looks at is unknown on that day


@dataclass(frozen=True, slots=True)
class AccountAlert:
    """One opening of one alert for one account, that one side has or both have.

    `base_on` and `candidate_on` are the days of the opening on each side (None: that side has none). `reason` says with
    the values why it opened, or why it does not: "74 → 61 in 7 days, 13 ≥ 12". `tiers` are base and candidate on
    that day. `revenue` is that of the role, None when unknown.
    """

    account: str
    name: str
    segment: str
    csm: str
    revenue: float | None
    alert: str
    change: Change
    base_on: date | None
    candidate_on: date | None
    reason: str
    tiers: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class AlertCompared:
    """One alert by its name. Openings on each side, and the accounts that only one side alerts (sorted)."""

    alert: str
    base: int | None               # None: the base has no such alert
    candidate: int | None          # None: the candidate has no such alert
    changes: Mapping[Change, int]
    only_base: tuple[str, ...]
    only_candidate: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlayCompared:
    """One play by its name: its starts, whom it left out for comparison, what it sent. `held`: starts of the candidate
    that a guard would hold for approval; here they count as approved."""

    play: str
    started: Pair
    held_out: Pair
    deliveries: Pair
    held: int


@dataclass(frozen=True, slots=True)
class Load:
    """What people get per day: a kind of message, the tasks of one CSM, or the emails and Slack messages to one
    colleague (`what` is "messages"). `limit` is that of the candidate. Tasks in a digest count as tasks."""

    what: str                      # a kind of message (`MessageKind`), or "messages"
    person: str                    # "" for everybody together
    base: Spread | None
    candidate: Spread
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class GroupCompared:
    """Accounts that belong together (`by` is "segment" or "csm"): openings, deliveries and revenue touched, in the
    period. `revenue` is the sum over the accounts with an opening."""

    by: str
    name: str
    accounts: int
    alerts: Pair
    deliveries: Pair
    revenue: Pair


@dataclass(frozen=True, slots=True)
class OnMerge:
    """What the candidate would do on its first day, `day`, in the place of the base that decided every day before it.

    `matches` are the accounts with an alert that opens at once, by alert; what the base opens, closes or stops on that
    day anyway does not count, here and below. `deliveries` are what would be sent that day (base: what is sent anyway).
    `held`: play → starts that the guard would hold.
    """

    day: date
    matches: Mapping[str, int]
    accounts: int
    deliveries: Mapping[MessageKind, Pair]
    held: Mapping[str, int]
    closes: int                    # alerts that close because their trigger is gone or is no longer true
    cancels: int                   # runs that are stopped


@dataclass(frozen=True, slots=True)
class DayCompared:
    """One day of the period, for the charts."""

    day: date
    opened: Pair
    deliveries: Pair


@dataclass(frozen=True, slots=True)
class TierMove:
    """How many accounts the base has in one tier and the candidate in another on the last day ("" is unscored)."""

    base: str
    candidate: str
    accounts: int


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of what triggers ask was known, as a share of account-days and triggers (0 to 1), and why not all."""

    judged: float
    days_without_data: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class OneSide:
    """What is called `base` or `candidate`: a revision, a folder, the rules last accepted."""

    called: str
    digest: str
    problems: tuple[Problem, ...] = ()     # why it could not be loaded; then there is nothing to compare


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit that the candidate keeps or breaks: `--fail-over` or `limits` of the playbook.

    `gates`: to break it fails the pull request. Limits of the playbook do so only with `--fail-over limits`.
    """

    what: str                      # "emails per day", "tasks per day of dana", …
    limit: float
    measured: float
    broken: bool
    gates: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole answer for one period. `base` None: the candidate is told alone.

    `alerts` in the order of the candidate's rules; `accounts` are all openings that are not the same on both sides,
    the worst first (then revenue, then name). `scores`: lower end of a band of five points → accounts on the last day.
    `churn` is there where churn dates are known.
    """

    first: date
    last: date
    warm_up: int                   # days replayed before `first`, on which nothing is counted
    base: OneSide | None
    candidate: OneSide
    book: int                      # accounts on the last day
    alerts: tuple[AlertCompared, ...]
    accounts: tuple[AccountAlert, ...]
    loads: tuple[Load, ...]
    days: tuple[DayCompared, ...]
    tiers: tuple[str, ...]         # the candidate's, best first; those only the base has follow
    moves: tuple[TierMove, ...]
    scores: Mapping[int, Pair]
    groups: tuple[GroupCompared, ...]
    revenue: Pair                  # of the accounts with an opening in the period
    on_merge: OnMerge | None
    completeness: Completeness
    budgets: tuple[Budget, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)      # segment, csm, account: as asked
    churn: Churn | None = None
    plays: tuple[PlayCompared, ...] = ()


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 percent interval (Wilson), of `of` cases. `share` None: of none."""

    share: float | None
    low: float
    high: float
    of: int


@dataclass(frozen=True, slots=True)
class Caught:
    """How well one alert (or the score below a tier) foretold churn on one side.

    Accounts that churned in the period are caught when an alert opened within the horizon before; openings without
    churn within the horizon after them are false alarms. Openings whose horizon passes the end of the record are left
    out. `churn.py` has the whole definitions.
    """

    alert: str
    caught: int
    missed: int
    false_alarms: int
    left_out: int
    precision: Rate
    recall: Rate
    lead: float | None             # median days from the first opening within the horizon to the churn
    lead_range: tuple[int, int] | None      # the middle half
    ahead: Mapping[int, Rate]      # share caught at least 30, 60, 90 days ahead
    chance: float | None           # precision that alerts on other accounts of the same days would have (base rate)
    better_than_chance: bool | None      # None: too little to judge


@dataclass(frozen=True, slots=True)
class Swept:
    """One value of a threshold that was tried: alerts per CSM and week, and what is caught."""

    value: float
    alerts_per_csm: float
    caught: Caught
    in_force: bool                 # the value that the candidate has


@dataclass(frozen=True, slots=True)
class Churn:
    """Against known churn: base (None: no base) and candidate by alert, `score` included, and the sweep if one was
    asked.

    `enough` False: fewer than `least` churned accounts, so nothing is concluded. `through`: the last day of the period
    whose horizon is over by the end of the history; openings after it are left out. None: there is no such day.
    """

    horizon: int
    churned: int
    least: int
    base: tuple[Caught, ...] | None
    candidate: tuple[Caught, ...]
    sweep: tuple[Swept, ...] = ()
    swept: str = ""                # "health_score_drop: the number 15"
    through: date | None = None

    @property
    def enough(self) -> bool:
        """Whether there is enough to judge by."""
        return self.churned >= self.least
