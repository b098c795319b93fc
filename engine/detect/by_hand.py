"""Accounts that only by_hand.csv names: people score by hand whom no source knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pyarrow

from forestall.engine.detect import history_sql as sql
from forestall.engine.detect.history import History
from forestall.engine.model.catalogue import Catalogue

NAME = "by hand"      # no source of forestall.yaml can be called so


class NamedByHand:
    """Names each of these accounts on every day on which a line of by_hand.csv holds for it, and supplies nothing:
    values said by hand count in any case."""

    name = NAME

    def __init__(self, catalogue: Catalogue, accounts: frozenset[str]) -> None:
        self._said = tuple(one for one in catalogue.by_hand if one.account in accounts)

    def supplies(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def snapshots(self, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        """Every day through `until`; with `since` only `until`: an account begins on the day on which it is first
        seen there, whatever its line says of earlier days."""
        assert until is not None
        rows = sorted({(one.account, day) for one in self._said
                       for day in _days(one.since if since is None else max(one.since, until), min(one.until, until))})
        if rows:
            yield pyarrow.table({"account": pyarrow.array([row[0] for row in rows], pyarrow.string()),
                                 "as_of": pyarrow.array([row[1] for row in rows], pyarrow.date32())})


def named_by_hand(history: History, catalogue: Catalogue, until: date) -> NamedByHand | None:
    """The source of the accounts that by_hand.csv names and no other source ever has; None where there are none."""
    named = frozenset(one.account for one in catalogue.by_hand if one.since <= until)
    others = frozenset(_named_by_others(history, sorted(named))) if named else frozenset()
    return NamedByHand(catalogue, named - others) if named - others else None


def _named_by_others(history: History, accounts: list[str]) -> list[str]:
    files = [file for _, file in sorted(history.manifest.arrivals.items())]
    if not files:
        return []
    listed = ", ".join("?" for _ in accounts)
    found = history.ask(f"SELECT DISTINCT account FROM {sql.parquet(files)} WHERE account IN ({listed}) "
                        "AND source <> ?", [*accounts, NAME])
    return [str(account) for account in found["account"].to_pylist()]


def _days(first: date, last: date) -> Iterator[date]:
    for step in range((last - first).days + 1):
        yield first + timedelta(days=step)
