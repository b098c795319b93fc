"""Every opening of every alert on one side, small enough to be kept for a year of a large book of business."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date


@dataclass(slots=True)
class Openings:
    """Openings in the order of their days. An account is kept once, an opening takes twelve bytes."""

    _by_alert: dict[str, tuple[list[str], array[int]]] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def add(self, alert: str, account: str, day: date) -> None:
        """One more; days never go back."""
        accounts, days = self._by_alert.setdefault(alert, ([], array("i")))
        accounts.append(self._names.setdefault(account, account))
        days.append(day.toordinal())

    @property
    def alerts(self) -> tuple[str, ...]:
        """The alerts that opened at all."""
        return tuple(self._by_alert)

    def of(self, alert: str) -> Iterator[tuple[date, str]]:
        """Day and account of each opening of one alert."""
        accounts, days = self._by_alert.get(alert, ([], array("i")))
        for account, day in zip(accounts, days, strict=True):
            yield date.fromordinal(day), account

    def count(self, alert: str) -> int:
        """How many there are of one alert."""
        return len(self._by_alert[alert][0]) if alert in self._by_alert else 0

    def alerted(self, alert: str) -> set[str]:
        """The accounts that one alert opened for."""
        return set(self._by_alert[alert][0]) if alert in self._by_alert else set()

    def __contains__(self, account: str) -> bool:
        """Whether any alert opened for this account."""
        return account in self._names

    def by_account(self) -> dict[str, int]:
        """Account → its openings, of all alerts."""
        found: dict[str, int] = {}
        for accounts, _ in self._by_alert.values():
            for account in accounts:
                found[account] = found.get(account, 0) + 1
        return found
