"""Made-up comparisons that look like real ones: whole, alone, without a base, empty, and with thousands of accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from math import sqrt
from random import Random

from forestall.engine.errors import Location, Problem
from forestall.engine.model.delivery import MessageKind
from forestall.engine.simulate.comparison import (
    AccountAlert,
    AlertCompared,
    Budget,
    Caught,
    Change,
    Churn,
    Comparison,
    Completeness,
    DayCompared,
    GroupCompared,
    Load,
    OneSide,
    OnMerge,
    Pair,
    PlayCompared,
    Rate,
    Spread,
    Swept,
    TierMove,
)

LAST = date(2014, 12, 3)
TIERS = ("healthy", "monitor", "at_risk", "critical", "churning")
ALERTS = ("health_score_drop", "inactivity", "seats_gone_quiet", "fading_logins", "error_spike")
NAMES = ("Northwind Traders", "Blue Yonder", "O'Brien & Sons (EU)", "Contoso", "Ærø Færger", "Müller & Söhne GmbH",
         "株式会社サンプル", "Fabrikam", "Adventure Works", "Litware", "Tailspin Toys", "Wide World Importers")
SEGMENTS = ("enterprise", "growth", "starter")
CSMS = ("dana", "robin", "sascha")


def rate(cases: int, of: int) -> Rate:
    """Wilson's interval."""
    if not of:
        return Rate(None, 0.0, 1.0, 0)
    share, z = cases / of, 1.96
    middle, span = share + z * z / (2 * of), z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Rate(share, (middle - span) / (1 + z * z / of), (middle + span) / (1 + z * z / of), of)


def caught(alert: str, found: int, churned: int, false: int, chance: float = 0.08) -> Caught:
    precision = rate(found, found + false)
    better = None if precision.share is None or precision.of < 10 else precision.low > chance
    ahead = {30: rate(round(found * 0.8), churned), 60: rate(round(found * 0.5), churned),
             90: rate(round(found * 0.2), churned)}
    return Caught(alert, found, churned - found, false, left_out=7, precision=precision, recall=rate(found, churned),
                  lead=41.5 if found else None, lead_range=(22, 63) if found else None, ahead=ahead, chance=chance,
                  better_than_chance=better)


def churn(churned: int = 86) -> Churn:
    base = tuple(caught(name, round(churned * one), churned, false) for name, one, false in (
        ("health_score_drop", 0.4, 60), ("inactivity", 0.5, 140), ("error_spike", 0.02, 12), ("score", 0.55, 170)))
    candidate = tuple(caught(name, round(churned * one), churned, false) for name, one, false in (
        ("health_score_drop", 0.48, 84), ("inactivity", 0.5, 140), ("seats_gone_quiet", 0.1, 9),
        ("error_spike", 0.02, 12), ("score", 0.58, 171)))
    sweep = tuple(Swept(float(value), 26 / value ** 0.9, caught(
        "health_score_drop", round(churned * (0.75 - value / 45)), churned, round(1900 / value) - 60), value == 12)
        for value in range(10, 31, 2))
    return Churn(horizon=90, churned=churned, least=20, base=base, candidate=candidate, sweep=sweep,
                 swept="health_score_drop: the number 12", through=LAST - timedelta(days=90))


def spread(values: list[int], first: date) -> Spread:
    ordered = sorted(values)
    peak = ordered[-1]
    return Spread(sum(values) / len(values), ordered[int(0.95 * (len(values) - 1))], peak,
                  first + timedelta(days=values.index(peak)))


def _opening(random: Random, number: int, change: Change) -> AccountAlert:
    alert = random.choice(ALERTS)
    on = LAST - timedelta(days=random.randrange(30))
    then = random.randrange(60, 90)
    drop = random.randrange(12, 30)
    reason = {Change.NEW: f"score {then} → {then - drop} in 7 days, {drop} ≥ 12",
              Change.GONE: f"score {then} → {then - 9} in 7 days, 9 < 12",
              Change.UNJUDGED: "logins_14d is not known on that day"}[change]
    tiers = ("monitor", "at_risk") if number % 3 == 0 else ("at_risk", "at_risk")
    return AccountAlert(
        f"a-{number:04}", f"{NAMES[number % len(NAMES)]}", random.choice(SEGMENTS), random.choice(CSMS),
        None if number % 7 == 0 else float(random.randrange(200, 9000)), alert, change,
        None if change is Change.NEW else on, None if change is Change.GONE else on, reason, tiers)


def whole(new: int = 14, gone: int = 3, unjudged: int = 2, seed: int = 1) -> Comparison:
    """A comparison in which everything is there."""
    random = Random(seed)
    first = LAST - timedelta(days=29)
    accounts = [_opening(random, number, change) for number, change in enumerate(
        [Change.NEW] * new + [Change.GONE] * gone + [Change.UNJUDGED] * unjudged)]
    changes = {name: Counter(one.change for one in accounts if one.alert == name) for name in ALERTS}
    same = {name: random.randrange(4, 14) for name in ALERTS}
    alerts = [AlertCompared(
        name, same[name] + found[Change.GONE] + found[Change.UNJUDGED], same[name] + found[Change.NEW],
        {**{change: found[change] for change in Change}, Change.SAME: same[name]},
        tuple(sorted(one.account for one in accounts if one.alert == name and one.change is Change.GONE)),
        tuple(sorted(one.account for one in accounts if one.alert == name and one.change is Change.NEW)))
        for name, found in changes.items()]
    alerts += [AlertCompared("never_opens", 0, 0, dict.fromkeys(Change, 0), (), ())]
    before = [max(0, round(random.gauss(2.4, 1.4)) + (2 if day % 7 == 0 else 0)) for day in range(30)]
    after = [one + (random.random() < 0.4) * random.randrange(1, 3) for one in before]
    sent = [round(one * 2.2) for one in before], [round(one * 2.2) + (day == 29) * 7 for day, one in enumerate(after)]
    days = tuple(DayCompared(first + timedelta(days=day), Pair(before[day], after[day]),
                             Pair(sent[0][day], sent[1][day])) for day in range(30))
    loads = [Load(what.value, "", spread([round(one * part) for one in sent[0]], first),
                  spread([round(one * part) for one in sent[1]], first), None)
             for what, part in ((MessageKind.EMAIL, 0.5), (MessageKind.SLACK, 0.3), (MessageKind.WEBHOOK, 0.0),
                               (MessageKind.TASK, 0.2))]
    loads += [Load("task", name, spread([round(one * 0.3) for one in sent[0]], first),
                   spread([round(one * (0.9 if name == "dana" else 0.35)) for one in sent[1]], first), 8)
              for name in CSMS]
    moves = (TierMove("healthy", "healthy", 702), TierMove("healthy", "monitor", 31),
             TierMove("monitor", "monitor", 268), TierMove("monitor", "at_risk", 44),
             TierMove("monitor", "healthy", 9),
             TierMove("at_risk", "at_risk", 81), TierMove("at_risk", "critical", 14),
             TierMove("critical", "critical", 28), TierMove("critical", "at_risk", 3),
             TierMove("churning", "churning", 14), TierMove("", "", 10))
    scores = {low: Pair(round(400 * 2.7 ** -((low - 82) / 17) ** 2), round(400 * 2.7 ** -((low - 78) / 18) ** 2))
              for low in range(0, 100, 5)}
    groups = [GroupCompared(by, name, size, Pair(size // 22, size // 18), Pair(size // 10, size // 8),
                            Pair(size * 110.0, size * 128.0)) for by, names in (("segment", SEGMENTS), ("csm", CSMS))
              for name, size in zip(names, (204, 410, 590), strict=True)]
    merge = OnMerge(LAST, {"health_score_drop": 6, "seats_gone_quiet": 3}, 9,
                    {MessageKind.EMAIL: Pair(3, 9), MessageKind.SLACK: Pair(2, 4), MessageKind.TASK: Pair(1, 4)}, {},
                    closes=2, cancels=1)
    return Comparison(
        first=first, last=LAST, warm_up=45, base=OneSide("main (1a2b3c4)", "d1"),
        candidate=OneSide("working tree", "d2"), book=1204, alerts=tuple(alerts),
        accounts=tuple(accounts), loads=tuple(loads), days=days, tiers=TIERS,
        moves=moves, scores=scores, groups=tuple(groups), revenue=Pair(132440.0, 154112.0), on_merge=merge,
        completeness=Completeness(0.983, (date(2014, 11, 9), date(2014, 11, 10))), plays=(
            PlayCompared("re_engage", Pair(21, 30), Pair(2, 3), Pair(64, 91), 12),
            PlayCompared("nurture", Pair(340, 340), Pair(0, 0), Pair(340, 340), 0),
            PlayCompared("never", Pair(0, 0), Pair(0, 0), Pair(0, 0), 0)),
        budgets=(Budget("emails per day", 20, 16, broken=False), Budget("tasks per day of dana", 8, 12, broken=True)),
        churn=churn())


def alone(of: Comparison | None = None) -> Comparison:
    """The candidate without a base: no figure of a base anywhere, and nothing that differs."""
    one = of or whole()
    return replace(
        one, base=None, accounts=(), on_merge=None, moves=(),
        alerts=tuple(replace(alert, base=None, only_base=(), only_candidate=(), changes=dict.fromkeys(Change, 0))
                     for alert in one.alerts),
        loads=tuple(replace(load, base=None) for load in one.loads),
        days=tuple(DayCompared(day.day, only(day.opened), only(day.deliveries)) for day in one.days),
        scores={low: only(pair) for low, pair in one.scores.items()},
        groups=tuple(replace(group, alerts=only(group.alerts), revenue=only(group.revenue),
                             deliveries=only(group.deliveries)) for group in one.groups),
        plays=tuple(replace(play, started=only(play.started), held_out=only(play.held_out),
                            deliveries=only(play.deliveries)) for play in one.plays),
        revenue=only(one.revenue), churn=one.churn and replace(one.churn, base=None))


def only(pair: Pair) -> Pair:
    """Without the base."""
    return Pair(None, pair.candidate)


def broken(count: int = 2) -> Comparison:
    """A base that cannot be loaded."""
    problems = tuple(Problem(Location("main:rules/triggers.yaml", 41 + number, 16), "unknown-name",
                             "in `when` of trigger health_score_drop, nothing is called `scor`.", "Did you mean score?")
                     for number in range(count))
    return replace(alone(), base=OneSide("main (1a2b3c4)", "", problems))


def unchanged() -> Comparison:
    """Two sets of rules that do the same."""
    one = whole(new=0, gone=0, unjudged=0)
    merge = one.on_merge
    assert merge is not None
    return replace(
        one, days=tuple(DayCompared(day.day, twice(day.opened), twice(day.deliveries)) for day in one.days),
        alerts=tuple(replace(alert, base=alert.candidate) for alert in one.alerts),
        moves=tuple(move for move in one.moves if move.base == move.candidate), churn=None, budgets=(),
        scores={low: twice(pair) for low, pair in one.scores.items()},
        loads=tuple(replace(load, base=load.candidate, limit=None) for load in one.loads),
        groups=tuple(replace(group, alerts=twice(group.alerts), deliveries=twice(group.deliveries),
                             revenue=twice(group.revenue)) for group in one.groups),
        plays=tuple(replace(play, started=twice(play.started), held_out=twice(play.held_out),
                            deliveries=twice(play.deliveries)) for play in one.plays),
        completeness=Completeness(1.0), revenue=twice(one.revenue), on_merge=replace(
            merge, matches={}, accounts=0, closes=0, cancels=0,
            deliveries={kind: twice(pair) for kind, pair in merge.deliveries.items()}))


def twice(pair: Pair) -> Pair:
    """The same on both sides."""
    return Pair(pair.candidate, pair.candidate)


def empty() -> Comparison:
    """A period in which no account has a row."""
    one = whole()
    return Comparison(
        first=one.first, last=one.last, warm_up=0, base=one.base, candidate=one.candidate, book=0, alerts=(),
        accounts=(), loads=(), days=(), tiers=TIERS, moves=(), scores={}, groups=(), revenue=Pair(0.0, 0.0),
        on_merge=None, completeness=Completeness(0.0))


MADE: dict[str, Callable[[], Comparison]] = {
    "whole": whole, "alone": alone, "broken": broken, "unchanged": unchanged,
    "empty": empty, "many": lambda: whole(new=4000, gone=2500, unjudged=300)}
HOSTILE = ("<script>alert(1)</script>", "@channel @everyone", "a | b", "`rm -rf`", "**bold** _x_ [l](https://evil.org)",
           "# Title #12", "<!-- forestall -->", "line\nbreak\r\n| a |", "&lt;b&gt;", "</details></table>", "$x^2$",
           "a\\", "\\| b", "1. one", "- two", ":tada: GH-7", "www.evil.org", "user@evil.org",
           "\u202eevil\u0007", "{{ 7 * 7 }}")


def hostile() -> Comparison:
    """Every name that comes from elsewhere is one that would do harm."""
    one = whole(new=20)
    base = one.base
    assert base is not None
    names = [HOSTILE[number % len(HOSTILE)] for number in range(len(one.accounts))]
    return replace(
        one, filters={"segment": HOSTILE[0], "csm": HOSTILE[2]},
        base=replace(base, called=f"main {HOSTILE[0]} {HOSTILE[1]}"),
        candidate=replace(one.candidate, called=f"tree {HOSTILE[2]}"),
        accounts=tuple(replace(account, name=name, account=name, segment=name, csm=name, reason=name, alert=name)
                       for account, name in zip(one.accounts, names, strict=True)),
        alerts=tuple(replace(alert, alert=name) for alert, name in zip(one.alerts, HOSTILE, strict=False)),
        groups=tuple(replace(group, name=name) for group, name in zip(one.groups, HOSTILE, strict=False)),
        loads=tuple(replace(load, person=load.person and name) for load, name in zip(one.loads, HOSTILE, strict=False)),
        plays=tuple(replace(play, play=name) for play, name in zip(one.plays, HOSTILE, strict=False)),
        tiers=(HOSTILE[0], *one.tiers[1:]),
        moves=tuple(replace(move, base=HOSTILE[0] if move.base == "healthy" else move.base) for move in one.moves),
        budgets=tuple(replace(budget, what=HOSTILE[2]) for budget in one.budgets))
