"""What an evaluation found, as Arrow tables; an `AccountDay` is made only where something is to say."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from functools import cached_property
from typing import Any, Protocol

import pyarrow
from pyarrow import compute

from forestall.engine.model.evaluation import AccountDay
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.queries import ROLES, TRUTHS_AT_ONCE

EPOCH = date(1970, 1, 1).toordinal()


def from_epoch(days: int) -> date:
    """A day of the history as a date."""
    return date.fromordinal(EPOCH + days)


def to_epoch(day: date) -> int:
    """A date as a day of the history."""
    return day.toordinal() - EPOCH


def listed(column: pyarrow.ChunkedArray) -> list[Any]:
    """The values of a column; of texts that are kept once each, fifty times as quick as `to_pylist`."""
    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return list(column.to_pylist())


def whole(rows: pyarrow.Table, packs: Sequence[str]) -> list[int]:
    """The truths of each row as one number, however many columns they take."""
    if not packs:
        return [0] * rows.num_rows
    truths: list[int] = rows[packs[0]].to_pylist()
    for number, name in enumerate(packs[1:], 1):
        shift = 2 * TRUTHS_AT_ONCE * number
        truths = [low | high << shift for low, high in zip(truths, rows[name].to_pylist(), strict=True)]
    return truths


class DayOfEvaluations:
    """One day's rows: columns for counting, `AccountDay` for those that are asked for."""

    def __init__(self, day: date, table: pyarrow.Table, conditions: Conditions) -> None:
        """`table`: one row per account, in order, with the columns of `queries.decisions` or `queries.changes`."""
        self.day = day
        self._table = table
        self._conditions = conditions
        self._truths = [name for name in table.column_names if name.startswith("truths")]

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @cached_property
    def accounts(self) -> list[str]:
        """Every account that has a row, in order."""
        return list(self._table["account"].to_pylist())

    @cached_property
    def tiers(self) -> list[str | None]:
        """Their tiers; None is unscored."""
        return list(self._table["tier"].to_pylist())

    @cached_property
    def scores(self) -> list[float | None]:
        """Their scores. KeyError where only changes were evaluated: no decision turns on a score."""
        return list(self._table["score"].to_pylist())

    @cached_property
    def gone(self) -> list[bool]:
        """Whether no source has named them for so long that they are gone."""
        return list(self._table["gone"].to_pylist())

    @cached_property
    def alarmed(self) -> list[bool]:
        """Whether any trigger's condition is true."""
        found = pyarrow.array([False] * self._table.num_rows, pyarrow.bool_())
        for number, name in enumerate(self._truths):
            whens = [index - number * TRUTHS_AT_ONCE for index in self._conditions.whens
                     if index // TRUTHS_AT_ONCE == number]
            true = sum(2 << 2 * index for index in whens)
            found = compute.or_(found, compute.not_equal(compute.bit_wise_and(self._table[name], true), 0))
        return list(found.to_pylist())

    def book(self) -> Counter[str]:
        """Tier → how many accounts that are not gone; "" is unscored."""
        return Counter(tier or "" for tier, is_gone in zip(self.tiers, self.gone, strict=True) if not is_gone)

    def missing(self, accounts: Iterable[str]) -> list[str]:
        """Those of these accounts that have no row, or are gone."""
        here = {account for account, is_gone in zip(self.accounts, self.gone, strict=True) if not is_gone}
        return [account for account in accounts if account not in here]

    def counts(self) -> dict[int, tuple[int, int]]:
        """Condition → on how many accounts that are not gone it is true, and on how many it is unknown."""
        here = self._table.filter(compute.invert(self._table["gone"]))
        found: dict[int, tuple[int, int]] = {}
        for index in range(len(self._conditions.expressions)):
            column = here[f"truths{index // TRUTHS_AT_ONCE}"]
            true, unknown = (compute.sum(compute.not_equal(
                compute.bit_wise_and(column, bit << 2 * (index % TRUTHS_AT_ONCE)), 0)).as_py() for bit in (2, 1))
            found[index] = true or 0, unknown or 0
        return found

    def where_true(self, index: int) -> pyarrow.ChunkedArray:
        """The accounts, not gone, on which the condition with this index is true, in order."""
        bit = 2 << 2 * (index % TRUTHS_AT_ONCE)
        true = compute.not_equal(compute.bit_wise_and(self._table[f"truths{index // TRUTHS_AT_ONCE}"], bit), 0)
        return self._table["account"].filter(compute.and_(true, compute.invert(self._table["gone"])))

    def churned(self) -> dict[str, date]:
        """Account → the day on which it left, of those that have left by now; empty where no metric says it."""
        if "churned_on" not in self._table.column_names:
            return {}
        left = self._table.filter(compute.less_equal(self._table["churned_on"], to_epoch(self.day)))
        return {account: from_epoch(day) for account, day in zip(
            left["account"].to_pylist(), left["churned_on"].to_pylist(), strict=True)}

    def under(self, conditions: Conditions) -> DayOfEvaluations:
        """The same rows for other rules, whose conditions were evaluated in the same query."""
        other = DayOfEvaluations(self.day, self._table, conditions)
        other.__dict__ |= {name: self.__dict__[name] for name in ("accounts", "tiers", "gone") if name in self.__dict__}
        return other

    def only(self, accounts: Collection[str]) -> DayOfEvaluations:
        """The rows of these accounts."""
        chosen = pyarrow.array(list(accounts), pyarrow.string())
        return DayOfEvaluations(self.day, self._table.filter(compute.is_in(self._table["account"], chosen)),
                                self._conditions)

    def of(self, accounts: Iterable[str]) -> dict[str, AccountDay]:
        """These accounts as nouns, of those that have a row."""
        rows = []
        for account in sorted(set(accounts)):
            row = bisect_left(self.accounts, account)
            if row < len(self.accounts) and self.accounts[row] == account:
                rows.append(row)
        return {one.account: one for one in self.take(rows)} if rows else {}

    def take(self, rows: list[int]) -> Iterator[AccountDay]:
        """The rows with these numbers as nouns, in their order."""
        return self._nouns(self._table.take(pyarrow.array(rows, pyarrow.int64())), [self.accounts[row] for row in rows])

    def _nouns(self, chosen: pyarrow.Table, accounts: Iterable[str]) -> Iterator[AccountDay]:
        """These rows; `accounts` are their names, which are not asked of the table."""
        day, others = self.day, (listed(chosen[name]) for name in ("tier", "clear_of", *ROLES))
        for account, truths, tier, clear_of, name, contact, csm, executive, revenue, renewal, opted_out, zone in zip(
                accounts, whole(chosen, self._truths), *others, strict=True):
            yield AccountDay(
                account, day, tier, truths, clear_of, name or account, contact or "", csm or "", executive or "",
                revenue, None if renewal is None else from_epoch(renewal), opted_out is True, zone or "")


class Evaluations(Protocol):
    """The evaluations of some days."""

    def on(self, day: date) -> DayOfEvaluations:
        """The rows of one day."""


class EveryDay:
    """Evaluations as one row per account and day, sorted by day and account."""

    def __init__(self, table: pyarrow.Table, conditions: Conditions) -> None:
        self._table, self._conditions = table, conditions
        self._days = _Days(table)

    def only(self, account: str) -> EveryDay:
        """The rows of one account."""
        return EveryDay(self._table.filter(compute.equal(self._table["account"], account)), self._conditions)

    def on(self, day: date) -> DayOfEvaluations:
        """The rows of one day."""
        return DayOfEvaluations(day, self._days.on(to_epoch(day)), self._conditions)


class _Days:
    """A table that is sorted by day, cut into its days."""

    def __init__(self, table: pyarrow.Table) -> None:
        self._table = table
        self.rows = int(table.num_rows)
        self._starts: dict[int, tuple[int, int]] = {}
        position = 0
        counts = table.group_by("day", use_threads=False).aggregate([("day", "count")])
        for day, count in zip(counts["day"].to_pylist(), counts["day_count"].to_pylist(), strict=True):
            self._starts[day] = (position, count)
            position += count

    def on(self, day: int) -> pyarrow.Table:
        start, count = self._starts.get(day, (0, 0))
        return self._table.slice(start, count)
