"""The answer as one page of HTML that needs no network and no script, with charts, for the screen and for paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from forestall.engine.simulate.comparison import Change, Comparison, OneSide
from forestall.engine.verdict import charts
from forestall.engine.verdict.book import BAND, median, order
from forestall.engine.verdict.outline import Cell, Shift
from forestall.engine.verdict.sections import TITLE, sections
from forestall.engine.verdict.sentence import compared, total
from forestall.engine.verdict.words import figure, loaded, mean, one_line

MOST = 2_000      # rows of a list; more would make the page slow to open


@dataclass(frozen=True, slots=True)
class _Tile:
    """One of the figures below the verdict."""

    name: str
    figure: Cell
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Chart:
    """A drawing with its title, and what its colours mean."""

    title: str
    svg: Markup
    legend: tuple[tuple[str, str], ...]


def html(comparison: Comparison, most: int = MOST) -> str:
    """The page; of a long list `most` rows."""
    made: dict[str, list[_Chart]] = {}
    for key, chart in _charts(comparison):
        made.setdefault(key, []).append(chart)
    digests = " → ".join(one.digest[:12] for one in (comparison.base, comparison.candidate)
                         if one is not None and one.digest)
    return _template().render(
        title=TITLE, compared=compared(comparison), sections=list(sections(comparison)), charts=made, most=most,
        tiles=list(_tiles(comparison)), digests=digests, warned=_warned(comparison)) + "\n"


@lru_cache(maxsize=1)
def _template() -> Template:
    source = files("forestall.engine.verdict").joinpath("page.html").read_text(encoding="utf-8")
    # Everything that is printed is escaped; only the drawings of charts.py come as markup.
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters["tied"] = lambda said: said.replace(" %", "\u00a0%")      # no line ends between the two
    return environment.from_string(source)


def _warned(comparison: Comparison) -> bool:
    """Whether the verdict must not be overlooked: over budget, held by the guard, or nothing to compare with."""
    merge = comparison.on_merge
    return (any(one.broken for one in comparison.budgets) or (merge is not None and any(merge.held.values()))
            or (comparison.base is not None and not loaded(comparison.base)))


def _tiles(comparison: Comparison) -> Iterator[_Tile]:
    """The four figures that people look for first."""
    days = comparison.days
    if not comparison.book or not days:
        return
    was = sum(one.base or 0 for one in comparison.alerts)
    opened = sum(one.candidate or 0 for one in comparison.alerts)
    if not loaded(comparison.base):
        yield _Tile("Alerts opened", figure(opened))
    else:
        new, gone = total(comparison, Change.NEW), total(comparison, Change.GONE)
        yield _Tile("Alerts opened", Shift(figure(was), figure(opened)), f"{new:,} new, {gone:,} no longer")
    sent = [one.deliveries for one in days]
    peak = figure(max(one.candidate for one in sent))
    average = mean(sum(one.candidate for one in sent) / len(sent))
    if any(one.base is None for one in sent):
        yield _Tile("Messages and tasks a day", average, f"peak {peak}")
    else:
        bases = [one.base or 0 for one in sent]
        yield _Tile("Messages and tasks a day", Shift(mean(sum(bases) / len(bases)), average),
                    f"peak {Shift(figure(max(bases)), peak)}")
    if comparison.on_merge is not None:
        held = sum(comparison.on_merge.held.values())
        yield _Tile("Match on the first day", figure(comparison.on_merge.accounts),
                    f"{held:,} starts held by the guard" if held else "nothing held by the guard")
    touched = comparison.revenue
    yield _Tile("Revenue touched", figure(touched.candidate) if touched.base is None else
                Shift(figure(touched.base), figure(touched.candidate)), "of accounts with an alert")


def _charts(comparison: Comparison) -> Iterator[tuple[str, _Chart]]:
    """The drawings, each with the section that it belongs to."""
    sides = _legend(comparison.base, comparison.candidate)
    gaps = comparison.completeness.days_without_data
    if comparison.days:
        without = (("no data", "line"),) if gaps else ()
        yield "per-day", _chart("Alerts opened per day", charts.per_day(
            "alerts-per-day", "Alerts opened per day", comparison.days, lambda one: one.opened, gaps), sides + without)
        yield "per-day", _chart("Messages and tasks per day", charts.per_day(
            "sent-per-day", "Messages and tasks per day", comparison.days, lambda one: one.deliveries, gaps),
            sides + without)
    if loaded(comparison.base) and any(one.accounts for one in comparison.moves):
        yield "tiers", _chart("Tiers on the last day", charts.tier_flow(
            "tier-flow", "Tiers on the last day", order(comparison), comparison.moves),
            (("worse", "worse"), ("better", "better"), ("stays", "stays")))
    if any(one.candidate or one.base for one in comparison.scores.values()):
        yield "tiers", _chart("Accounts by score", charts.scores(
            "scores", "Accounts by score", comparison.scores, BAND, median(comparison)), sides)
    if comparison.churn is not None and comparison.churn.sweep:
        yield "sweep", _chart("Churn caught against alerts", charts.sweep(
            "sweep-curve", "Churn caught against alerts per CSM and week", comparison.churn.sweep),
            (("each value", "candidate"), ("95 % interval", "base")))


def _chart(title: str, svg: str, legend: tuple[tuple[str, str], ...]) -> _Chart:
    return _Chart(title, Markup(svg), legend)


def _legend(base: OneSide | None, candidate: OneSide) -> tuple[tuple[str, str], ...]:
    own = ((one_line(candidate.called), "candidate"),)
    return ((one_line(base.called), "base"), *own) if base is not None and loaded(base) else own
