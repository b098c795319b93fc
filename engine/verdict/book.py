"""The sections about the book of business: what people get per day, tiers, segments and CSMs, revenue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from forestall.engine.simulate.comparison import Comparison, DayCompared, GroupCompared, Load, Pair, Spread
from forestall.engine.verdict.outline import Cell, Column, Section, Shift, Table
from forestall.engine.verdict.words import (
    NOTHING,
    accounts,
    day_of_year,
    figure,
    kind,
    loaded,
    mean,
    one_line,
    short_day,
    tier,
)

BAND = 5      # points of a band of the score distribution
_LONG = 30    # a list of more rows is folded


def shift(one: Pair, words: Callable[[float], str] = figure) -> Cell:
    """A figure, with that of the base where there is one."""
    return words(one.candidate) if one.base is None else Shift(words(one.base), words(one.candidate))


# -- per day -----------------------------------------------------------------------------------------------------------


def per_day(comparison: Comparison) -> Section:
    """What people get per day against the limits, and the figures of the charts."""
    together = [one for one in comparison.loads if not one.person]
    persons: dict[str, list[Load]] = {}
    for one in comparison.loads:
        if one.person:
            persons.setdefault(one.what, []).append(one)
    over = [one for one in comparison.loads if _over(one)]
    said = [f"{_named(one)}: {one.candidate.peak:,} on {day_of_year(one.candidate.peak_on)} is over the limit of "
            f"{one.limit:,}." for one in over[:3]]
    if len(over) > 3:
        said.append(f"{len(over) - 3:,} more are over their limit; they are marked below.")
    tables = []
    if together:
        tables.append(_loads("Messages and tasks per day", "all accounts together", together))
    tables += [_loads(f"{_capital(kind(one_line(what)))} per person and day", "person", sorted(some, key=_least))
               for what, some in persons.items()]
    if comparison.days:
        columns = (Column("day"), Column("alerts opened", right=True), Column("messages and tasks", right=True))
        tables.append(Table("Day by day", columns, tuple(_day(one) for one in comparison.days), of_chart=True))
    return Section("per-day", "Per day", tuple(said), tuple(tables))


def _loads(title: str, head: str, loads: list[Load]) -> Table:
    limited = any(one.limit is not None for one in loads)
    columns = [Column(head), Column("mean", right=True), Column("95 % of days", right=True),
               Column("peak", right=True), Column("peak on")] + [Column("limit", right=True)] * limited
    return Table(title, tuple(columns), tuple(_load(one, limited) for one in loads), folded=len(loads) > _LONG,
                 marked=frozenset(row for row, one in enumerate(loads) if _over(one)),
                 more="" if loads[0].person else "95 % of days: on so many of the days it is no more than this.")


def _least(one: Load) -> tuple[int, float]:
    """Who gets the most stands first."""
    return -one.candidate.peak, -one.candidate.mean


def _over(one: Load) -> bool:
    return one.limit is not None and one.candidate.peak > one.limit


def _capital(said: str) -> str:
    return said[:1].upper() + said[1:]


def _named(one: Load) -> str:
    what = one_line(kind(one.what))
    return _capital(f"{what} of {one_line(one.person)}" if one.person else what)


def _load(one: Load, limited: bool) -> tuple[Cell, ...]:
    name, base, candidate = one_line(one.person or kind(one.what)), one.base, one.candidate
    cells: tuple[Cell, ...] = (name, _both(base, candidate, lambda value: mean(value.mean)),
                               _both(base, candidate, lambda value: figure(value.p95)),
                               _both(base, candidate, lambda value: figure(value.peak)),
                               short_day(candidate.peak_on) if candidate.peak else NOTHING)
    return (*cells, NOTHING if one.limit is None else figure(one.limit)) if limited else cells


def _both(base: Spread | None, candidate: Spread, words: Callable[[Spread], str]) -> Cell:
    return words(candidate) if base is None else Shift(words(base), words(candidate))


def _day(one: DayCompared) -> tuple[Cell, ...]:
    return f"{one.day:%a} {short_day(one.day)}", shift(one.opened), shift(one.deliveries)


# -- tiers -------------------------------------------------------------------------------------------------------------


def tiers(comparison: Comparison) -> Section:
    """Who would be in another tier on the last day, as a matrix, and how scores lie."""
    names = order(comparison)
    counts = Counter[tuple[str, str]]()
    for one in comparison.moves:
        counts[one.base, one.candidate] += one.accounts
    scored = Table("Accounts by score", (Column("score"), Column("accounts", right=True)), tuple(
        (f"{low}–{low + BAND}", shift(one)) for low, one in sorted(comparison.scores.items())), of_chart=True)
    some = (scored,) if comparison.scores else ()
    if not loaded(comparison.base):
        held = Counter[str]()
        for (_, name), count in counts.items():
            held[name] += count
        rows = tuple((tier(name), figure(held[name])) for name in names if held[name] or name)
        own = (Table("Accounts by tier", (Column("tier"), Column("accounts", right=True)), rows),) if held else ()
        return Section("tiers", "Tiers", (median(comparison),), (*own, *some))
    moved = sum(count for (base, candidate), count in counts.items() if base != candidate)
    said = [f"{accounts(moved)} would be in another tier on the last day." if moved
            else "No account would be in another tier on the last day."]
    worse = sum(count for (base, candidate), count in counts.items() if _direction(names, base, candidate) > 0)
    better = sum(count for (base, candidate), count in counts.items() if _direction(names, base, candidate) < 0)
    if moved:
        said.append(f"{worse:,} in a worse one, {better:,} in a better one"
                    + (f", {moved - worse - better:,} from or to unscored." if moved - worse - better else "."))
    said.append(median(comparison))
    return Section("tiers", "Tiers", tuple(said), (*([_matrix(names, counts)] if moved else []), *some))


def median(comparison: Comparison) -> str:
    """Where the account in the middle stands: `The median score lies in 80–85, with the base in 75–80.`"""
    sides: list[str] = []
    for counts in ([(low, one.candidate) for low, one in sorted(comparison.scores.items())],
                   [(low, one.base or 0) for low, one in sorted(comparison.scores.items())]):
        passed, half = 0.0, sum(count for _, count in counts) / 2
        for low, count in counts:
            passed += count
            if half and passed >= half:
                sides.append(f"{low}–{low + BAND}")
                break
    if not sides:
        return "No account has a score on the last day."
    base = f", with the base in {sides[1]}" if len(sides) > 1 and sides[0] != sides[1] else ""
    return f"The median score lies in {sides[0]}{base}."


def order(comparison: Comparison) -> list[str]:
    """The tiers, best first, and unscored at the end when somebody is."""
    there = {name for one in comparison.moves for name in (one.base, one.candidate)}
    return [*(name for name in comparison.tiers if name), *sorted(there - set(comparison.tiers) - {""}),
            *([""] if "" in there else [])]


def _direction(names: list[str], base: str, candidate: str) -> int:
    """Above 0 when the candidate's tier is the worse one; 0 for the same, and for unscored on one side."""
    return names.index(candidate) - names.index(base) if base and candidate else 0


def _matrix(names: list[str], counts: Counter[tuple[str, str]]) -> Table:
    most = max((count for (base, candidate), count in counts.items() if base != candidate), default=0)
    rows = tuple((tier(base), *(figure(counts[base, candidate]) if counts[base, candidate] else
                                ("0" if base == candidate else NOTHING) for candidate in names)) for base in names)
    shades = {}
    for row, base in enumerate(names):
        for column, candidate in enumerate(names, 1):
            count, direction = counts[base, candidate], _direction(names, base, candidate)
            if count and direction:
                shades[row, column] = (0.25 + 0.75 * count / most) * (1 if direction > 0 else -1)
    return Table("From the base's tier (down) to the candidate's (across)",
                 (Column("base ↓  candidate →"), *(Column(tier(name), right=True) for name in names)), rows,
                 shades=shades)


# -- segments, CSMs, revenue -------------------------------------------------------------------------------------------


def groups(comparison: Comparison) -> Iterator[Section]:
    """By segment and by CSM."""
    tables = []
    for by, title in (("segment", "By segment"), ("csm", "By CSM")):
        rows = [one for one in comparison.groups if one.by == by]
        if rows:
            tables.append(Table(title, (
                Column("segment" if by == "segment" else "CSM"), Column("accounts", right=True),
                Column("alerts opened", right=True), Column("messages and tasks", right=True),
                Column("revenue touched", right=True)), tuple(_group(one) for one in rows), folded=len(rows) > _LONG))
    if tables:
        yield Section("groups", "By segment and CSM", (), tuple(tables))


def _group(one: GroupCompared) -> tuple[Cell, ...]:
    return (one_line(one.name) or "not known", figure(one.accounts), shift(one.alerts), shift(one.deliveries),
            shift(one.revenue))


def revenue(comparison: Comparison) -> Section:
    """The revenue of the accounts with an opening."""
    touched = comparison.revenue
    said = f"The accounts with an alert in these days bring {figure(touched.candidate)}"
    if touched.base is not None and touched.base != touched.candidate:
        more = touched.candidate - touched.base
        said += f"; with the base it is {figure(touched.base)}, {figure(abs(more))} {'less' if more > 0 else 'more'}"
    elif touched.base is not None:
        said += ", as with the base"
    return Section("revenue", "Revenue touched", (f"{said}.",))
