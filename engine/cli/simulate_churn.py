"""Both sides against the churn that is known, and the sweep that was asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from forestall.engine.detect.history import History, Progress
from forestall.engine.errors import Location, UsageError
from forestall.engine.foretell.churn import HORIZON, Watch, against_churn
from forestall.engine.foretell.records import knows_churn, records, span
from forestall.engine.foretell.sweep import Sweep, read_sweep, sweep
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.simulate.compared import Compared, Listeners
from forestall.engine.simulate.comparison import Swept


class AgainstChurn:
    """Hears what each side decides, and judges it at the end. Silent where no metric says when accounts left."""

    def __init__(self, base: Rulebook | None, candidate: Rulebook, engine: Engine, *, horizon: int | None,
                 swept: str | None) -> None:
        """UsageError when a horizon or a sweep is asked for and nobody knows who left, and for an unclear sweep."""
        self._evaluator = Evaluator(candidate, engine)
        known = knows_churn(self._evaluator)
        if not known and (horizon is not None or swept is not None):
            raise UsageError.one(
                Location("--horizon" if horizon is not None else "--sweep"), "churn-unknown",
                "no metric says when accounts left, so nothing can be judged by it.",
                "Name one below `account:` in metrics.yaml: `churned_on: METRIC`.")
        self._horizon = horizon or HORIZON
        self._sweep: Sweep | None = read_sweep(swept, candidate) if swept is not None else None
        self._base = Watch(base) if base is not None and known else None
        self._candidate = Watch(candidate) if known else None

    @property
    def listeners(self) -> Listeners:
        """What hears the days of each side."""
        return Listeners(self._base, self._candidate)

    def judged(self, compared: Compared, history: History, progress: Progress) -> Compared:
        """The same comparison with what each side foretold."""
        base, candidate = compared.heard.base, compared.heard.candidate
        if not isinstance(candidate, Watch):
            return compared
        comparison = compared.comparison
        there = records(self._evaluator, history, compared.book.told)
        whole = span(history, comparison.first, comparison.last)
        tried: tuple[Swept, ...] = ()
        if self._sweep is not None:
            begin: date = comparison.first - timedelta(days=comparison.warm_up)
            csms = len({who.csm for who in compared.book.everybody.values()
                        if who.csm and compared.book.tells_of(who.account)})
            tried = sweep(self._sweep, self._evaluator.rulebook, history, begin, there, whole, csms=csms,
                          horizon=self._horizon, engine=self._evaluator.engine, progress=progress)
        churn = against_churn(base if isinstance(base, Watch) else None, candidate, there, whole,
                              horizon=self._horizon, sweep=tried, swept=self._sweep.called if self._sweep else "")
        return replace(compared, comparison=replace(comparison, churn=churn))
