"""A history that somebody else keeps, and that is read where it is: nothing arrives in it through us."""

from __future__ import annotations

from abc import abstractmethod
from datetime import date

from forestall.engine.detect.history import History
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.decision_log import DayRead


class HistoryInPlace(History):
    """What everybody who reads a history asks of it, and three things that only this one is asked."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call it."""

    @abstractmethod
    def supplies(self, catalogue: Catalogue) -> tuple[str, ...]:
        """The metrics that it has something to say about."""

    @abstractmethod
    def day_read(self, catalogue: Catalogue, gone_after: int, day: date) -> DayRead:
        """The facts of a day in short, worked out where they are."""
