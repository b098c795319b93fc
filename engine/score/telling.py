"""One day in a warehouse: only accounts with something to say come back, and of all others their counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import ibis
import pyarrow
from pyarrow import compute

from forestall.engine.language.columnar import Columns
from forestall.engine.language.latest import NotPointwise, OneDay
from forestall.engine.language.statement import Statement
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score import queries
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.evaluations import DayOfEvaluations, to_epoch
from forestall.engine.score.queries import TRUTHS_AT_ONCE, Query

WHO = "account"      # missing in the one row that stands for everybody without anything to say
KNOWN = {"known_account": "string", "known_tier": "string", "look": "boolean", "left_on": "int64"}


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the state knows of accounts: their tiers, whom to `look` at whatever is true of them, and who has left."""

    tiers: Mapping[str, str] = field(default_factory=dict)
    look: Collection[str] = frozenset()
    left: Mapping[str, date] = field(default_factory=dict)

    def table(self) -> pyarrow.Table:
        """The same, to be lent to the warehouse."""
        accounts = sorted({*self.tiers, *self.look, *self.left})
        left = [self.left.get(account) for account in accounts]
        return pyarrow.table({
            "known_account": pyarrow.array(accounts, pyarrow.string()),
            "known_tier": pyarrow.array([self.tiers.get(account) for account in accounts], pyarrow.string()),
            "look": pyarrow.array([account in self.look for account in accounts], pyarrow.bool_()),
            "left_on": pyarrow.array([to_epoch(day) if day else None for day in left], pyarrow.int64())})


class TellingDay(DayOfEvaluations):
    """One day of which only some accounts have rows here: those about which something may be to say."""

    def __init__(self, day: date, answer: pyarrow.Table, conditions: Conditions, tiers: Sequence[str],
                 absent: Iterable[str]) -> None:
        """`answer`: as `told` gives it. `tiers`: those of `tiers_of`. `absent`: who of the accounts that the state
        remembers has no row, or is gone."""
        told = answer[WHO].is_valid()
        super().__init__(day, answer.filter(told).sort_by(WHO), conditions)
        others = answer.filter(compute.invert(told)).to_pylist()
        self._others: Mapping[str, Any] = others[0] if others else {}
        self._tiers, self._absent = tiers, frozenset(absent)

    def __len__(self) -> int:
        return super().__len__() + (self._others.get("n") or 0)

    def counts(self) -> dict[int, tuple[int, int]]:
        """Of every account, also of those that have no row here."""
        return {index: (true + (self._others.get(f"true_{index}") or 0),
                        unknown + (self._others.get(f"unknown_{index}") or 0))
                for index, (true, unknown) in super().counts().items()}

    def book(self) -> Counter[str]:
        """Of every account, also of those that have no row here."""
        others = {tier: self._others.get(f"in_{number}") or 0 for number, tier in enumerate(self._tiers)}
        return super().book() + Counter(others)

    def missing(self, accounts: Iterable[str]) -> list[str]:
        """As the warehouse says, of accounts that the state remembers."""
        return [account for account in accounts if account in self._absent]


def tiers_of(rulebook: Rulebook) -> tuple[str, ...]:
    """The tiers that are counted; "" is unscored."""
    return (*(tier.name for tier in rulebook.scorecard.tiers), "")


def told(rulebook: Rulebook, conditions: Conditions, dialect: str) -> Query:
    """A row for each account with something to say on the day `today` of the lent table `asked`, one for all others.

    The lent table `known` is what the state remembers (`Remembered.table`).
    """
    found = OneDay(queries.supplied(rulebook), queries.derived(rulebook), lambda one: queries.score(rulebook, one))
    columns: Columns | OneDay = found
    try:
        outputs = queries.decisive(rulebook, conditions, found.at(0))
    except NotPointwise:
        columns = Columns(queries.supplied(rulebook), queries.derived(rulebook))
        queries.score(rulebook, columns)
        outputs = queries.decisive(rulebook, conditions, columns)
    below = columns.statement(outputs, dialect)
    row, known = below.stand_in(), ibis.table(KNOWN, name="known")
    asked = ibis.table({"today": "int64"}, name="asked")
    whole = row.inner_join(asked, row.day == asked.today).left_join(known, row.account == known["known_account"])
    here = ~whole.gone
    packs = [name for name in outputs if name.startswith("truths")]
    counted: dict[str, Any] = {"n": whole.count()}
    for number, tier in enumerate(tiers_of(rulebook)):
        counted[f"in_{number}"] = whole.count(where=here & (whole.tier.fill_null("") == tier))
    for index in range(len(conditions.expressions)):
        pack, place = whole[packs[index // TRUTHS_AT_ONCE]], 2 * (index % TRUTHS_AT_ONCE)
        for word, bit in (("true", 2), ("unknown", 1)):
            counted[f"{word}_{index}"] = whole.count(where=here & ((pack & (bit << place)) != 0))
    answer = whole.group_by(**{WHO: _worth_telling(whole, conditions, packs).ifelse(whole.account, ibis.null())})
    values = {name: whole[name].max() for name in outputs}
    text = Statement.of(answer.aggregate(**values, **counted), dialect, {"layer below": below}).text
    return Query(text, queries.back(rulebook, conditions), tuple(outputs))


def _worth_telling(row: Any, conditions: Conditions, packs: list[str]) -> Any:
    """Whether a trigger is true, the tier is not the one that was decided last, the account has left, or the state
    wants to hear of it anyway."""
    moved = row.tier.notnull() & ~row.tier.identical_to(row["known_tier"])
    found = moved | row.look.fill_null(False)
    for number, name in enumerate(packs):
        whens = [index for index in conditions.whens if index // TRUTHS_AT_ONCE == number]
        true = sum(2 << 2 * (index % TRUTHS_AT_ONCE) for index in whens)
        if true:
            found = found | ((row[name] & true) != 0)
    found = found & ~row.gone
    if "churned_on" in row.columns:
        left = (row.churned_on <= row.today) & ~row.churned_on.identical_to(row["left_on"])
        found = found | left.fill_null(False)
    return found


def absent(gone_after: int, dialect: str) -> str:
    """The accounts of `known` that have no row today, or are gone."""
    days = dict.fromkeys(("day", "named_day", "back"), "int64")
    rows, known = ibis.table({"account": "string", **days}, name="history"), ibis.table(KNOWN, name="known")
    here = rows.filter((rows.back == 0) & (rows.day - rows.named_day < gone_after))
    others = known.anti_join(here, known.known_account == here.account)
    return Statement.of(others.select("known_account"), dialect).text
