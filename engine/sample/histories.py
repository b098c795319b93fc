"""Made-up accounts, day by day: a course, and chance on top of it."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from forestall.engine.sample.courses import Archetype, Course, Draw, Step, archetypes, at, course
from forestall.engine.sample.names import CSMS, EXECUTIVES, address, company, person

TIME_ZONES = ("Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "Asia/Singapore")
WEEK = (1.1, 1.15, 1.1, 1.0, 0.75, 0.06, 0.04)      # Monday to Sunday
WARM_UP = 21            # days simulated before the first, so that the sums over 14 days are whole from the start


@dataclass(frozen=True, slots=True)
class Size:
    """A segment: how often it occurs, how many seats it has and what a seat costs (dollars a month)."""

    segment: str
    share: float
    seats: tuple[int, int]
    price: int


SIZES = (Size("growth", 0.5, (12, 48), 35), Size("starter", 0.3, (4, 9), 25), Size("enterprise", 0.2, (80, 320), 45))


@dataclass(frozen=True, slots=True)
class Profile:
    """What stays the same about an account. Rates are per person and working day, or per login."""

    number: int
    account: str
    name: str
    archetype: Archetype
    size: Size
    seats: int
    share_active: float
    logins_a_day: float
    key_uses_a_login: float
    features: float
    minutes: float
    milestones: int
    csm: str
    executive: str
    contact: str
    sponsor: str
    next_sponsor: str
    time_zone: str
    opted_out: bool
    times_sessions: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """The slowly changing facts of an account, as they stand on one day."""

    day: date
    customer_since: date
    renewal: date
    mrr: int
    seats: int
    sponsor: str
    onboarded: date | None
    spoken: date


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account did, as the product knows it at the end of one day."""

    day: date
    logins_14d: int
    key_uses_14d: int
    features: float
    minutes: float | None
    seats_active_14d: int
    last_activity: date
    core_uses: int
    milestones: int
    step: Step | None
    step_started: date | None


@dataclass(frozen=True, slots=True)
class History:
    """A made-up account: who it is, its terms week by week, its use day by day, and when it left, if it did."""

    profile: Profile
    terms: tuple[Terms, ...]
    usage: tuple[Usage, ...]
    churned_on: date | None


def histories(seed: int, accounts: int, first: date, days: int) -> Iterator[History]:
    """Made-up accounts over `days` days from `first`; the same arguments always give the same histories.

    The accounts of one archetype are spread over the list, so that its order says nothing.
    """
    order = random.Random(f"{seed} order")
    kinds = archetypes(accounts)
    seen: dict[Archetype, int] = {}
    drawn = []
    for kind in kinds:
        drawn.append((order.random(), kind, seen.get(kind, 0)))
        seen[kind] = seen.get(kind, 0) + 1
    for number, (_, kind, nth) in enumerate(sorted(drawn)):
        chance = random.Random(f"{seed} account {number}")
        profile = _profile(chance, number, kind)
        plan = course(kind, Draw(chance, days - 1, nth))
        usage = tuple(_usage(chance, profile, plan, first, days))
        churned = None if plan.churned is None else first + timedelta(days=plan.churned)
        yield History(profile, tuple(_terms(chance, profile, plan, first, days)), usage, churned)


def _between(chance: random.Random, low: float, high: float) -> float:
    return low + (high - low) * chance.random()


def _choice(chance: random.Random, options: Sequence[str]) -> str:
    return options[int(chance.random() * len(options))]


def _size(chance: random.Random, kind: Archetype) -> Size:
    if kind in (Archetype.SEATS_SHRINKING, Archetype.NARROWING, Archetype.SEASONAL):
        return SIZES[0]             # with five seats, four silent ones are a holiday
    drawn = chance.random()
    for size in SIZES:
        if drawn < size.share:
            return size
        drawn -= size.share
    return SIZES[-1]


def _profile(chance: random.Random, number: int, kind: Archetype) -> Profile:
    size = _size(chance, kind)
    name = company(number)
    sponsor, successor = person(chance.random()), person(chance.random())
    while successor == sponsor:
        successor = person(chance.random())
    return Profile(
        number=number, account=f"made-up-{number + 1:04}", name=name, archetype=kind, size=size,
        seats=round(_between(chance, *size.seats)),
        share_active=_between(chance, 0.75, 0.95),
        logins_a_day=_between(chance, 0.5, 0.75),
        key_uses_a_login=_between(chance, 0.55, 0.9),
        features=_between(chance, 4.2, 6.0),
        minutes=_between(chance, 15, 26),
        milestones=6 + int(7 * chance.random()),
        csm=_choice(chance, [csm.key for csm in CSMS]),
        executive=_choice(chance, [executive.key for executive in EXECUTIVES]),
        contact=address(person(chance.random()), number),
        sponsor=sponsor,
        next_sponsor=successor,
        time_zone=_choice(chance, TIME_ZONES),
        opted_out=chance.random() < 0.04,
        times_sessions=chance.random() > 0.03,
    )


def _terms(chance: random.Random, profile: Profile, plan: Course, first: date, days: int) -> Iterator[Terms]:
    """Once a week, and on the day of a change."""
    age = round(_between(chance, 120, 1400))
    since = first + timedelta(days=-age if plan.start is None else plan.start)
    end = days if plan.churned is None else min(days, plan.churned)
    if plan.churned is not None:
        renewal = first + timedelta(days=plan.churned)
    else:
        renewal = first + timedelta(days=days - 1 + round(_between(chance, 8, 360)))
    onboarded = plan.onboarded
    if onboarded is not None and plan.start is None and onboarded < 0:
        onboarded = 35 - age
    weekday = profile.number % 7
    for day in range(max(0, plan.start or 0), end):
        today = first + timedelta(days=day)
        spoken = _last_call(profile, today)
        changes = day in (plan.start or 0, plan.new_sponsor, onboarded) or spoken == today
        if not changes and day % 7 != weekday:
            continue
        changed = plan.new_sponsor is not None and day >= plan.new_sponsor
        ended = None if onboarded is None or day < onboarded else first + timedelta(days=onboarded)
        yield Terms(
            day=today, customer_since=since, renewal=renewal,
            mrr=profile.seats * profile.size.price, seats=profile.seats,
            sponsor=profile.next_sponsor if changed else profile.sponsor, onboarded=ended, spoken=max(spoken, since),
        )


def _last_call(profile: Profile, today: date) -> date:
    """The CSM speaks with large accounts every four weeks, with others every eight or twelve; never at a weekend."""
    weeks = {"enterprise": 4, "growth": 8}.get(profile.size.segment, 12)
    monday_to_friday = 7 * (profile.number * 3 % weeks) + 1 + profile.number % 5
    return today - timedelta(days=(today.toordinal() - monday_to_friday) % (7 * weeks))


def _usage(chance: random.Random, profile: Profile, plan: Course, first: date, days: int) -> Iterator[Usage]:
    logins: deque[int] = deque(maxlen=14)
    key_uses: deque[int] = deque(maxlen=14)
    sessions: deque[tuple[int, float, float]] = deque(maxlen=7)
    core_uses = 0 if plan.start is not None or not plan.core_used else round(_between(chance, 100, 900))
    start = -WARM_UP if plan.start is None else plan.start
    last_activity = _last_before(plan, start)
    for day in range(start, days if plan.churned is None else min(days, plan.churned)):
        today = first + timedelta(days=day)
        people = profile.seats * profile.share_active * at(plan.people, day)
        logins.append(_visits(chance, people, profile.logins_a_day * at(plan.use, day) * WEEK[today.weekday()]))
        depth = at(plan.depth, day)
        key_uses.append(_count(chance, logins[-1] * profile.key_uses_a_login * min(depth, 1.0)))
        sessions.append((
            logins[-1],
            max(1.0, profile.features * depth * _between(chance, 0.9, 1.1)),
            max(1.0, profile.minutes * depth * _between(chance, 0.85, 1.15)),
        ))
        if logins[-1]:
            last_activity = day
        if plan.core_used and (plan.onboarded is not None and day >= plan.onboarded):
            core_uses += _count(chance, key_uses[-1] * 0.3)
        if day < 0:
            continue
        step = next((step for step in plan.steps if step.started <= day < (step.ended or days)), None)
        yield Usage(
            day=today, logins_14d=sum(logins), key_uses_14d=sum(key_uses),
            features=_average(sessions, 1), minutes=_average(sessions, 2) if profile.times_sessions else None,
            seats_active_14d=_seats(people, sum(logins)), last_activity=first + timedelta(days=last_activity),
            core_uses=core_uses, milestones=math.floor(profile.milestones * at(plan.plan, day) + 1e-9), step=step,
            step_started=None if step is None else first + timedelta(days=step.started),
        )


def _last_before(plan: Course, start: int) -> int:
    """The last active day before day `start`: where use came to an end earlier, that day."""
    if plan.use[-1][1] == 0 and plan.use[-1][0] <= start:
        return int(plan.use[-1][0]) - 1
    return start


def _visits(chance: random.Random, people: float, share: float) -> int:
    """How many of `people` log in on a day when each does so with the chance `share`; habits scatter little."""
    share = min(share, 0.97)
    if share <= 0:
        return 0
    heads = max(1, round(people))
    if heads > 60:
        return max(0, round(chance.gauss(heads * share, math.sqrt(heads * share * (1 - share)))))
    return sum(chance.random() < share for _ in range(heads))


def _count(chance: random.Random, expected: float) -> int:
    """A whole number around `expected`, scattered as independent events are."""
    if expected <= 0:
        return 0
    if expected > 30:
        return max(0, round(chance.gauss(expected, math.sqrt(expected))))
    limit, count, product = math.exp(-expected), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def _average(sessions: deque[tuple[int, float, float]], which: int) -> float:
    """The average over the sessions of a week, to one decimal; 0 when there was none."""
    count = sum(session[0] for session in sessions)
    return round(sum(session[0] * session[which] for session in sessions) / count, 1) if count else 0.0


def _seats(people: float, logins: int) -> int:
    """How many of `people` (at least one) are behind so many logins, if each comes by chance."""
    if not logins:
        return 0
    present = max(1.0, people)
    return max(1, min(logins, round(present * (1 - math.exp(-logins / present)))))
