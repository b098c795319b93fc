"""The sections about known churn: what each side would have caught, and what another threshold would catch."""

from __future__ import annotations

from forestall.engine.simulate.comparison import Caught, Churn, Rate, Swept
from forestall.engine.verdict.outline import Cell, Column, Section, Table
from forestall.engine.verdict.words import NOTHING, amount, day, figure, listed, mean, one_line, rate, share

_LONG = 30


def churn(known: Churn) -> Section:
    """Caught, missed and false alarms, alert by alert; how good that is, and whether it is more than chance."""
    said = [f"{amount(known.churned, 'account', 'accounts')} churned. Caught is who had an alert in the "
            f"{known.horizon} days before; a false alarm is an alert without churn in the {known.horizon} days after."]
    if not known.enough:
        said.append(f"That is too little to judge by: at least {known.least} are needed. The figures below are for the "
                    "curious; nothing should be concluded from them.")
    else:
        said += _conclusion(known)
    lines = _lines(known)
    heads = (Column("alert"), *([Column("rules")] if known.base is not None else []))
    days = sorted({days for _, _, one in lines for days, share_of in one.ahead.items() if share_of.share is not None})
    counts = Table("What is caught", (*heads, *(Column(name, right=True) for name in (
        "caught", "missed", "false alarms", "left out", "median lead", "middle half"))),
        tuple((*head, *_counts(one)) for *head, one in _headed(known, lines)), folded=len(lines) > _LONG)
    good = Table("How good that is", (*heads, Column("precision", right=True), Column("recall", right=True),
                                      Column("chance", right=True), Column("against chance")),
                 tuple((*head, *_good(known, one)) for *head, one in _headed(known, lines)), folded=len(lines) > _LONG)
    ahead = Table("Share caught so many days ahead", (
        *heads, *(Column(f"{count} days", right=True) for count in days)),
        tuple((*head, *(rate(one.ahead.get(count, _NONE)) for count in days)) for *head, one in _headed(known, lines)),
        folded=len(lines) > _LONG)
    tables = (counts, good, *([ahead] if days else [])) if lines else ()
    said.append(f"Shares stand with their 95 % interval. {_left_out(known)}")
    return Section("churn", "Against known churn", tuple(said), tables)


_NONE = Rate(None, 0.0, 0.0, 0)


def _left_out(known: Churn) -> str:
    """Which alerts cannot be judged yet, and what to do where none can."""
    if known.through is None:
        return (f"No alert of the period can be called right or wrong: the history does not reach {known.horizon} days "
                "further. Name an earlier period (--from, --to), or a shorter --horizon.")
    return (f"Left out are alerts after {day(known.through)}, whose horizon the history does not reach, and those of "
            "accounts whose record ends within the horizon.")


def _conclusion(known: Churn) -> list[str]:
    """Which alerts are better than chance, in a sentence."""
    better = [one_line(one.alert) for one in known.candidate if one.better_than_chance is True]
    chance = [one_line(one.alert) for one in known.candidate if one.better_than_chance is False]
    little = [one_line(one.alert) for one in known.candidate if one.better_than_chance is None]
    said = []
    if better:
        said.append(f"Better than chance: {listed(better)}.")
    if chance:
        said.append(f"Not shown to be better than alerts on other accounts of the same days and age: {listed(chance)}.")
    if little:
        said.append(f"Too little to judge: {listed(little)}.")
    return said


def _lines(known: Churn) -> list[tuple[str, str, Caught]]:
    """Alert by alert: the base's line, then the candidate's; one for both where they do not differ."""
    base = {one.alert: one for one in known.base or ()}
    lines = []
    for one in known.candidate:
        if base.get(one.alert) == one:
            lines.append((one.alert, "both", one))
            continue
        if one.alert in base:
            lines.append((one.alert, "base", base[one.alert]))
        lines.append((one.alert, "candidate", one))
    there = {one.alert for one in known.candidate}
    return lines + [(one.alert, "base", one) for one in known.base or () if one.alert not in there]


def _headed(known: Churn, lines: list[tuple[str, str, Caught]]) -> list[tuple[str, Caught] | tuple[str, str, Caught]]:
    """The lines with the cells that they begin with; the name of an alert stands once."""
    if known.base is None:
        return [(one_line(name), one) for name, _, one in lines]
    made: list[tuple[str, Caught] | tuple[str, str, Caught]] = []
    last = ""
    for name, side, one in lines:
        made.append(("" if name == last else one_line(name), side, one))
        last = name
    return made


def _counts(one: Caught) -> tuple[Cell, ...]:
    return (figure(one.caught), figure(one.missed), figure(one.false_alarms), figure(one.left_out),
            NOTHING if one.lead is None else amount(round(one.lead), "day", "days"),
            NOTHING if one.lead_range is None else f"{one.lead_range[0]}–{one.lead_range[1]}")


def _good(known: Churn, one: Caught) -> tuple[Cell, ...]:
    verdict = {True: "better", False: "no better", None: "too little to judge"}[
        one.better_than_chance if known.enough else None]
    return rate(one.precision), rate(one.recall), NOTHING if one.chance is None else share(one.chance), verdict


def sweep(known: Churn) -> Section:
    """What other values of a threshold would bring."""
    rows = tuple(_swept(one) for one in known.sweep)
    swept = f"{one_line(known.swept)}. " if known.swept else ""
    said = [f"{swept}Each value with the alerts that a CSM gets and the churn that is caught."]
    if not known.enough:
        said.append(f"{known.churned:,} churned accounts are too few to choose a value by.")
    return Section("sweep", "Another threshold", tuple(said), (Table("Value by value", (
        Column("value", right=True), Column("alerts per CSM and week", right=True), Column("caught", right=True),
        Column("missed", right=True), Column("false alarms", right=True), Column("precision", right=True),
        Column("recall", right=True), Column("")), rows,
        marked=frozenset(row for row, one in enumerate(known.sweep) if one.in_force)),))


def _swept(one: Swept) -> tuple[Cell, ...]:
    caught = one.caught
    return (f"{one.value:g}", mean(one.alerts_per_csm), figure(caught.caught), figure(caught.missed),
            figure(caught.false_alarms), rate(caught.precision), rate(caught.recall),
            "in the candidate" if one.in_force else "")
