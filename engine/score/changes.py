"""Evaluations of a long period, kept as the rows in which something changed: a day costs what changed on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pyarrow
from pyarrow import compute

from forestall.engine.model.evaluation import AccountDay
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.evaluations import DayOfEvaluations, from_epoch, listed, to_epoch, whole
from forestall.engine.score.queries import ROLES

NOWHERE = -1      # in the place of a row number: no row
ROWS, ACCOUNTS = "rows.arrow", "accounts.arrow"
SMALL = {"day": pyarrow.int32(), "clear_of": pyarrow.int16()}


class Moved(NamedTuple):
    """An account whose truths, tier or place around the tiers are not those of the day before. `absent`: no source
    names it any more, or it has no row. `edge`: it is above the bands of other tiers than before (`clear_of`)."""

    account: str
    before: int      # truths, as in `AccountDay`
    truths: int
    tier_before: str | None
    tier: str | None
    absent_before: bool
    absent: bool
    edge: bool


_moved = tuple.__new__      # there are millions, and `Moved(…)` takes three times as long


class Changes:
    """Evaluations as the rows of the first day and, of the days after it, those in which something changed.

    Days are asked for in order; going back begins anew. What a day answered is only good until the next one is asked.
    """

    def __init__(self, table: pyarrow.Table, accounts: pyarrow.Table, conditions: Conditions, first: date) -> None:
        """`table`: the rows by day and account, which is a `number`: its place in `accounts`, where the `account` has
        its name and `last`, the day of its last row."""
        self.conditions, self.first = conditions, first
        self.table, self._account_table = table, accounts
        self.accounts: list[str] = accounts["account"].to_pylist()
        self.rows = int(self.table.num_rows)
        self.places = {account: number for number, account in enumerate(self.accounts)}
        self._starts = _starts(self.table)
        self.packs = [name for name in self.table.column_names if name.startswith("truths")]
        self._ends: dict[int, list[int]] = {}
        for number, day in enumerate(accounts["last"].to_pylist()):
            self._ends.setdefault(day, []).append(number)
        self._begin()

    @classmethod
    def of(cls, tables: Iterable[pyarrow.Table], ends: pyarrow.Table, conditions: Conditions, first: date) -> Changes:
        """`tables`: the rows, in any order. `ends`: the account and `day` of each account's last row."""
        table, accounts = _numbered(tables)
        days = dict(zip(ends["account"].to_pylist(), ends["day"].to_pylist(), strict=True))
        last = pyarrow.array([days.get(account) for account in accounts.to_pylist()], pyarrow.int64())
        return cls(table, pyarrow.table({"account": accounts, "last": last}), conditions, first)

    def write(self, folder: Path) -> None:
        """Keep it in files, for another process."""
        for name, table in ((ROWS, self.table), (ACCOUNTS, self._account_table)):
            with pyarrow.ipc.new_file(folder / name, table.schema) as file:
                file.write_table(table)

    @classmethod
    def read(cls, folder: Path, conditions: Conditions, first: date) -> Changes:
        """What was kept in files: they may be taken away afterwards. `conditions` are those that were evaluated."""
        rows, accounts = (pyarrow.ipc.open_file(pyarrow.memory_map(str(folder / name))).read_all()
                          for name in (ROWS, ACCOUNTS))
        return cls(rows, accounts, conditions, first)

    def _begin(self) -> None:
        size = len(self.accounts)
        self._next = self.first
        self.row = [NOWHERE] * size
        self.truths = [0] * size
        self.tier: list[str | None] = [None] * size
        self.absent = [True] * size
        self._clear_of = [0] * size
        self.tiers: Counter[str] = Counter()      # of accounts that are not absent; "" is unscored
        self.bits = [0] * 2 * len(self.conditions.expressions)      # how often each bit of their truths is set
        self.moved: list[Moved] = []
        self.left: dict[int, int] = {}      # place → the day on which the account left or will leave

    def on(self, day: date) -> StandingDay:
        """The rows of one day."""
        if day < self._next - timedelta(days=1):
            self._begin()
        while self._next <= day:
            self._move(to_epoch(self._next))
            self._next += timedelta(days=1)
        return StandingDay(day, self, self.conditions)

    def _move(self, day: int) -> None:
        self.moved = []
        start, end = self._starts.get(day, (0, 0))
        rows = self.table.slice(start, end - start)
        ended = self._ends.get(day - 1, [])
        for place in ended:
            self.left.pop(place, None)
        if "churned_on" in rows.column_names:
            for place, left in zip(rows["number"].to_pylist(), rows["churned_on"].to_pylist(), strict=True):
                if left is not None:
                    self.left[place] = left
                else:
                    self.left.pop(place, None)
        self._set((place, NOWHERE, 0, None, True, 0) for place in ended)
        self._set(zip(rows["number"].to_pylist(), range(start, end), whole(rows, self.packs), listed(rows["tier"]),
                      rows["gone"].to_pylist(), rows["clear_of"].to_pylist(), strict=True))

    def _set(self, today: Iterable[tuple[int, int, int, str | None, bool, int]]) -> None:
        """What these accounts are today, by place: row, truths, tier, whether it is absent, and `clear_of`."""
        rows, truths_of, tiers, absents, edges = self.row, self.truths, self.tier, self.absent, self._clear_of
        for place, row, truths, tier, absent, clear_of in today:
            rows[place] = row
            before, tier_before, absent_before = truths_of[place], tiers[place], absents[place]
            edge = edges[place] != clear_of
            if before == truths and tier_before == tier and absent_before == absent and not edge:
                continue
            self.moved.append(_moved(
                Moved, (self.accounts[place], before, truths, tier_before, tier, absent_before, absent, edge)))
            if before != truths or absent != absent_before:
                self._count(0 if absent_before else before, 0 if absent else truths)
                truths_of[place] = truths
            edges[place] = clear_of
            if tier != tier_before or absent != absent_before:
                tiers[place], absents[place] = tier, absent
                if not absent_before:
                    self.tiers[tier_before or ""] -= 1
                if not absent:
                    self.tiers[tier or ""] += 1

    def _count(self, before: int, after: int) -> None:
        """Truths of an account that is here are replaced."""
        flips, bits = before ^ after, self.bits
        while flips:
            bit = flips & -flips
            bits[bit.bit_length() - 1] += 1 if after & bit else -1
            flips ^= bit

    def rows_of(self, numbers: list[int]) -> pyarrow.Table:
        """The rows of the accounts with these numbers today, without their names."""
        return self.table.take(pyarrow.array([self.row[number] for number in numbers], pyarrow.int64()))


class StandingDay(DayOfEvaluations):
    """One day of `Changes`. Rows are put together only for those who ask for columns."""

    def __init__(self, day: date, changes: Changes, conditions: Conditions) -> None:
        self.day, self.changes, self._conditions = day, changes, conditions
        self._truths = changes.packs

    def __len__(self) -> int:
        return len(self._numbers)

    @cached_property
    def _numbers(self) -> list[int]:
        return [number for number, row in enumerate(self.changes.row) if row != NOWHERE]

    @cached_property
    def _table(self) -> pyarrow.Table:
        return self.changes.rows_of(self._numbers).append_column(
            "account", pyarrow.array(self.accounts, pyarrow.string()))

    @cached_property
    def accounts(self) -> list[str]:
        """Every account that has a row, in order."""
        return [self.changes.accounts[number] for number in self._numbers]

    def counts(self) -> dict[int, tuple[int, int]]:
        """Condition → on how many accounts that are not gone it is true, and on how many it is unknown."""
        known = self.changes.bits
        return {index: (known[2 * index + 1], known[2 * index])
                for index in range(len(self._conditions.expressions))}

    def churned(self) -> dict[str, date]:
        """Account → the day on which it left, of those that have left by now; empty where no metric says it."""
        today = to_epoch(self.day)
        return {self.changes.accounts[place]: from_epoch(day) for place, day in sorted(self.changes.left.items())
                if day <= today}

    def under(self, conditions: Conditions) -> StandingDay:
        """The same rows for other rules, whose conditions were evaluated in the same query."""
        return StandingDay(self.day, self.changes, conditions)

    def of(self, accounts: Iterable[str]) -> dict[str, AccountDay]:
        """These accounts as nouns, of those that have a row."""
        changes = self.changes
        places, row = changes.places, changes.row
        numbers = sorted({places[account] for account in accounts if account in places})
        numbers = [number for number in numbers if row[number] != NOWHERE]
        if not numbers:
            return {}
        names = [changes.accounts[number] for number in numbers]      # the same text everywhere: it is kept once
        return dict(zip(names, self._nouns(changes.rows_of(numbers), names), strict=True))


def _numbered(tables: Iterable[pyarrow.Table]) -> tuple[pyarrow.Table, pyarrow.Array]:
    """All rows by day and account, texts kept once each, and the accounts in order: `number` is their place there."""
    rows = pyarrow.concat_tables([_small(table) for table in tables]).unify_dictionaries()
    accounts = rows["account"].combine_chunks()
    names = accounts.dictionary
    order = compute.sort_indices(names)
    places = compute.sort_indices(order).cast(pyarrow.int32())      # the place of each name among all in order
    rows = rows.drop_columns(["account"]).append_column("number", compute.take(places, accounts.indices))
    by_day = compute.sort_indices(rows.select(["day", "number"]), [("day", "ascending"), ("number", "ascending")])
    columns = {}
    for name in rows.column_names:      # one column at a time: never are all of them there twice
        unsaid = name in ROLES and rows[name].null_count == len(rows)
        columns[name] = pyarrow.nulls(len(rows)) if unsaid else rows[name].combine_chunks().take(by_day)
        rows = rows.drop_columns([name])
    return pyarrow.table(columns), compute.take(names, order)


def _small(table: pyarrow.Table) -> pyarrow.Table:
    """The same with each text once, and numbers in the room that they need."""
    for place, field in enumerate(table.schema):
        if pyarrow.types.is_string(field.type) or pyarrow.types.is_large_string(field.type):
            column = table[field.name].cast(pyarrow.string()).dictionary_encode()
            table = table.set_column(place, field.name, column)
        elif field.name in SMALL:
            table = table.set_column(place, field.name, table[field.name].cast(SMALL[field.name]))
    return table


def _starts(table: pyarrow.Table) -> dict[int, tuple[int, int]]:
    """Day → its first row and the one after its last, of a table that is sorted by day."""
    found: dict[int, tuple[int, int]] = {}
    position = 0
    counts = table.group_by("day", use_threads=False).aggregate([("day", "count")])
    for day, count in zip(counts["day"].to_pylist(), counts["day_count"].to_pylist(), strict=True):
        found[day] = position, position + count
        position += count
    return found
