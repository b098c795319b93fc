"""The alerts of some accounts day by day: what several tests of their life share."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from forestall.engine.alert.lifecycle import decide_alerts
from forestall.engine.alert.renaming import renamed
from forestall.engine.model.alert import Alert
from forestall.engine.model.evaluation import AccountDay, packed
from forestall.engine.model.expression import Truth
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import Decisions, State, changed_alerts, with_new_names
from forestall.engine.rulebook.loader import load
from forestall.engine.score.conditions import Conditions

METRICS = "metrics:\n  heat: {kind: number}\n  cold: {kind: number}\n"
WEIGHTS = """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
tiers: {healthy: 80-100, monitor: 60-79, at_risk: 40-59, critical: 20-39, churning: 0-19}
"""
TRIGGERS = """
triggers:
  plain: {when: heat < 50, cooldown: 4 days, lasts: 6 days}
  clearing: {when: heat < 50, clear_when: heat > 60, cooldown: 4 days, lasts: 6 days}
  noted: {when: heat < 50, existing: record, cooldown: 4 days, lasts: 6 days, severity: critical}
"""
PLAYS = """
plays:
  watch: {tier: monitor, existing: record, steps: [{wait: 1 day}]}
  talk: {tier: at_risk, steps: [{wait: 1 day}]}
  call: {tier: critical, steps: [{wait: 1 day}]}
"""
BANDS = {"churning": 0, "critical": 20, "at_risk": 40, "monitor": 60, "healthy": 80}
ORDER = ["healthy", "monitor", "at_risk", "critical", "churning"]
F, U, T = Truth.FALSE, Truth.UNKNOWN, Truth.TRUE


def on(number: int) -> date:
    return date(2026, 1, 5) + timedelta(days=number - 1)


def tier_of(score: float | None) -> str | None:
    return None if score is None else next(name for name in ORDER if score >= BANDS[name])


class Life:
    """The alerts of some accounts, one day after another. Every day is decided twice; the second changes nothing."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.state = State()
        self.rules(rulebook)

    def rules(self, rulebook: Rulebook) -> None:
        self.rulebook, self.conditions = rulebook, Conditions.of(rulebook)

    def row(self, account: str = "acme", score: float | None = 90, **truths: Truth) -> AccountDay:
        """`plain=T` is the condition of a trigger, `plain_clear=T` what clears it."""
        found = [F] * len(self.conditions.expressions)
        for name, truth in truths.items():
            trigger, clears, _ = name.partition("_clear")
            found[self.conditions.index["trigger", trigger, "clear_when" if clears else "when"]] = truth
        lines = [tier.clears_at for tier in self.rulebook.scorecard.tiers if tier.clears_at is not None]
        clear_of = sum(score >= line for line in lines) if score is not None else 0
        return AccountDay(account, on(1), tier_of(score), packed(found), clear_of)

    def day(self, number: int, *rows: AccountDay, gone: Iterable[str] = ()) -> list[str]:
        """What happened on a day: `plain opened`; with several accounts `acme plain opened`."""
        decided = self._decide(number, rows, gone)
        self.state = self.state.after(decided)
        second = self._decide(number, rows, gone)
        assert (second.transitions, changed_alerts(second), dict(second.tiers)) == ((), (), {})
        several = len(rows) > 1
        return [(f"{one.alert.account} " if several else "") + f"{one.alert.trigger} {one.kind.value}"
                for one in decided.transitions]

    def _decide(self, number: int, rows: Iterable[AccountDay], gone: Iterable[str]) -> Decisions:
        day, book = on(number), self.rulebook
        dated = [replace(row, day=day) for row in rows]
        names = renamed(book, self.state)
        alerts = decide_alerts(book, self.conditions, with_new_names(self.state, names), dated, gone, day)
        return Decisions(day, book.digest, book.scoring_digest, alerts.transitions, alerts.alerts, alerts.tiers,
                         triggers=frozenset(book.triggers) | frozenset(book.tier_alerts()), renamed=names)

    def say(self, trigger: str, account: str = "acme", **said: object) -> None:
        """What a person says about an alert between two days, as its fields."""
        alert = replace(self.alert(trigger, account), **said)  # type: ignore[arg-type]
        self.state = replace(self.state, alerts={**self.state.alerts, (account, trigger): alert})

    def alert(self, trigger: str, account: str = "acme") -> Alert:
        return self.state.alerts[account, trigger]


Rules = Callable[..., Rulebook]


def rules_maker(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Rules from texts, through the one loader."""

    def make(triggers: str = TRIGGERS, plays: str = PLAYS, weights: str = WEIGHTS, tier_cooldown: int = 14,
             tier_lasts: int = 30) -> Rulebook:
        folder: Path = tmp_path_factory.mktemp("rules")
        texts = {"metrics": METRICS, "weights": weights, "triggers": triggers, "playbook": plays}
        for name, text in texts.items():
            (folder / f"{name}.yaml").write_text(text)
        return replace(load(folder, None), tier_cooldown=tier_cooldown, tier_lasts=tier_lasts)

    return make
