"""Mails per day and the day of the last one, for every customer who writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, SourceError
from forestall.engine.model.tables import Row, tables
from forestall_mailbox.letters import letters

if TYPE_CHECKING:
    import pyarrow

COUNT, LAST = "mails_received", "last_mail_on"
KINDS = {COUNT: Kind.NUMBER, LAST: Kind.DATE}


class Account(StrEnum):
    """What of a sender's address is the account."""

    DOMAIN = "domain"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """What stands in forestall.yaml below the source.

    `path` is an mbox file or a Maildir. `account` is what of the sender names the account. `ours` are domains whose
    letters do not count. `time_zone` is where a day begins and ends; left out, Forestall fills in that of the project.
    """

    path: str
    account: Account = Account.DOMAIN
    ours: tuple[str, ...] = ()
    time_zone: str = ""

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone or "UTC")
        except (ValueError, OSError, KeyError):
            raise ValueError(f"`time_zone` is no time zone: {self.time_zone}.",
                             "Write a region and a city, such as Europe/Berlin.") from None


class MailboxSource:
    """One mailbox: the one that customers write to, such as support@ or a CSM's own."""

    Settings = MailboxSettings
    supplies_at_once = True

    def __init__(self, name: str, settings: MailboxSettings, metrics: Mapping[str, Metric], folder: Path) -> None:
        self.name = name
        self._settings = settings
        self._metrics = metrics
        self._place = folder / settings.path
        self._zone = ZoneInfo(settings.time_zone or "UTC")
        self._ours = frozenset(one.lower().lstrip("@") for one in settings.ours)

    def supplies(self) -> tuple[str, ...]:
        """Those of `mails_received` and `last_mail_on` that rules/metrics.yaml has."""
        found = tuple(name for name in KINDS if name in self._metrics)
        for name in found:
            if self._metrics[name].kind is not KINDS[name]:
                raise SourceError.one(Location("rules/metrics.yaml"), "wrong-kind",
                                      f"{name} of the source {self.name} is a {KINDS[name]}.",
                                      f"Write `{name}: {{kind: {KINDS[name]}}}`.")
        if not found:
            raise SourceError.one(Location("rules/metrics.yaml"), "no-metric",
                                  f"the source {self.name} supplies {COUNT} and {LAST}, and neither is a metric.",
                                  "Add one of them.")
        return found

    def snapshots(self, since: date | None, until: date | None) -> Iterator[pyarrow.Table]:
        """One row for each account and day with mail. What is held in memory grows with these rows, not with letters."""
        count: Counter[tuple[date, str]] = Counter()
        for letter in letters(self._place, self._settings.path):
            domain = letter.sender.rpartition("@")[2]
            day = letter.arrived.astimezone(self._zone).date()
            if domain not in self._ours and (since or day) <= day <= (until or day):
                count[day, domain if self._settings.account is Account.DOMAIN else letter.sender] += 1
        yield from tables(self._rows(count), self.supplies(), self._metrics)

    def _rows(self, count: Counter[tuple[date, str]]) -> Iterator[Row]:
        place = Location(self._settings.path)
        for (day, account), mails in sorted(count.items()):
            yield Row(account, day, {COUNT: mails, LAST: day}, place)
