"""A small book of rules from YAML, and days that are told by hand: who is in which tier, and what is true."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow
import pytest

from forestall.engine.intervene.accounts import steps_under_way
from forestall.engine.intervene.day import Decided, decide_day
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.model.delivery import Delivery, PlayRun, Silence
from forestall.engine.model.evaluation import AccountDay, packed
from forestall.engine.model.expression import Truth
from forestall.engine.model.people import Destination, Directory, Person
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import State
from forestall.engine.rulebook.begun import going_on
from forestall.engine.rulebook.loader import load
from forestall.engine.score.conditions import Conditions
from forestall.engine.score.evaluations import DayOfEvaluations, to_epoch
from forestall.engine.score.queries import TRUTHS_AT_ONCE

FIRST = date(2026, 1, 5)

METRICS = """
account: {name: account_name, contact: contact_email, csm: csm, executive: executive, revenue: mrr,
          renewal: renewal_date, opted_out: email_opt_out,
          time_zone: time_zone}
metrics:
  account_name: {kind: text}
  contact_email: {kind: text, personal: true}
  csm: {kind: text}
  executive: {kind: text}
  mrr: {kind: number}
  renewal_date: {kind: date}
  email_opt_out: {kind: flag}
  time_zone: {kind: text}
  heat: {kind: number}
  segment: {kind: text, one_of: [big, small]}
"""
WEIGHTS = """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
missing: reweight
tiers: {healthy: 80-100, monitor: 60-79, at_risk: 40-59, critical: 20-39, churning: 0-19}
"""
TRIGGERS = """
triggers:
  mild: {when: heat < 70, severity: monitor, cooldown: 10 days}
  middling: {when: heat < 60, severity: at_risk, cooldown: 10 days}
  middling_too: {when: heat < 59, severity: at_risk, cooldown: 10 days}
  grave: {when: heat < 30, severity: critical, cooldown: 10 days}
  as_the_tier: {when: heat < 20, cooldown: 10 days}
"""

PEOPLE = {
    "dana": Person("dana", "Dana Reed", "dana@example.com", "U1", manager="robin"),
    "robin": Person("robin", "Robin Hall", "robin@example.com", "U2"),
    "mute": Person("mute", "Mute"),
}
PLACES = {
    "crm": Destination("crm", "webhook", "https://crm.example.com/hooks"),
    "leads": Destination("leads", "slack", "#leads"),
}
DIRECTORY = Directory(PEOPLE, PLACES)


@dataclass(frozen=True)
class Day:
    """A decided day in words."""

    decided: Decided

    @property
    def sent(self) -> list[str]:
        """What it delivers: `acme re_engage.email`, in the order of planning."""
        return [f"{one.account} {one.play}.{one.kind.value}" for one in self.deliveries]

    @property
    def silent(self) -> list[str]:
        """What it does not deliver: `acme re_engage: cap`."""
        return [f"{one.account} {one.play}: {one.reason.value}" for one in self.silences]

    @property
    def moved(self) -> list[str]:
        """What happened to alerts: `acme mild opened`."""
        return [f"{one.alert.account} {one.alert.trigger} {one.kind.value}"
                for one in self.decided.decisions.transitions]

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        return self.decided.decisions.deliveries

    @property
    def silences(self) -> tuple[Silence, ...]:
        return self.decided.decisions.silences

    @property
    def cancelled(self) -> list[str]:
        return [f"{account} {play}" for account, play, _, _ in self.decided.decisions.cancelled]


class Scene:
    """Days decided one after another by the production functions, each of them twice: the second changes nothing."""

    def __init__(self, rulebook: Rulebook, *, holdouts: bool) -> None:
        self.rulebook, self.holdouts = rulebook, holdouts
        self.conditions = Conditions.of(rulebook)
        self.directory = DIRECTORY
        self.state = State()
        self.known = Circumstances()
        self._silent: dict[str, int] = {}      # account → for how many days nobody has named it

    def changed(self, rulebook: Rulebook) -> None:
        """From the next day on other rules are in force; who began goes on with the steps of then."""
        self.rulebook = going_on(rulebook, steps_under_way(self.state), self.state.begun)
        self.conditions = Conditions.of(self.rulebook)

    def row(self, account: str = "acme", true: Iterable[str] = (), unknown: Iterable[str] = (), *,
            tier: str | None = "healthy", clear_of: int = 0, silent: int = 0, **facts: object) -> AccountDay:
        """An account: conditions are named `mild` (a trigger), `mild.clear`, `play.goal`, `play.for`, `play.stop`."""
        truths = {self._index(name): Truth.TRUE for name in true} | {
            self._index(name): Truth.UNKNOWN for name in unknown}
        found = packed(truths.get(index, Truth.FALSE) for index in range(len(self.conditions.expressions)))
        known = {"name": account.title(), "contact": f"ann@{account}.example", "csm": "dana", "executive": "robin"}
        self._silent[account] = silent
        return replace(AccountDay(account, FIRST, tier, found, clear_of), **known | facts)

    def _index(self, name: str) -> int:
        what, _, part = name.partition(".")
        wanted = {"": ("trigger", what, "when"), "clear": ("trigger", what, "clear_when"),
                  "for": ("play", what, "applies_to"), "goal": ("play", what, "goal")}.get(part)
        if wanted is not None:
            return self.conditions.index[wanted]
        found = [index for (_, play, kind), index in self.conditions.index.items()
                 if play == what and kind.startswith("done_when" if part == "done" else "stop_if")]
        return found[0]

    def day(self, number: int, *rows: AccountDay) -> Day:
        """Decide a day; `rows` are all accounts that the history has on it."""
        again = self._decide(number, rows)
        decided = self._decide(number, rows)
        assert decided == again, "the same arguments must give the same day"
        self.state = self.state.after(decided.decisions)
        second = self._decide(number, rows).decisions
        nothing = (second.transitions, second.alerts, dict(second.tiers), second.runs, second.deliveries,
                   second.cancelled)
        assert nothing == ((), (), {}, (), (), ()), "a second pass of the same day must change nothing"
        return Day(decided)

    @staticmethod
    def on(number: int) -> date:
        """The day with this number; the first is 1, a Monday."""
        return FIRST + timedelta(days=number - 1)

    def _decide(self, number: int, rows: Iterable[AccountDay]) -> Decided:
        day = self.on(number)
        dated = [replace(row, day=day) for row in rows]
        gone = {account for account, silent in self._silent.items() if silent >= self.rulebook.gone_after}
        return decide_day(self.rulebook, self.conditions, self.directory, self.state,
                          evaluations(day, dated, self.conditions, gone), replace(self.known, holdouts=self.holdouts))

    def run(self, play: str, account: str = "acme") -> PlayRun:
        """The latest run of a play."""
        return [run for run in self.state.runs if (run.account, run.play) == (account, play)][-1]


def evaluations(day: date, rows: Iterable[AccountDay], conditions: Conditions, gone: set[str]) -> DayOfEvaluations:
    """The rows as the evaluator hands them over."""
    listed = sorted(rows, key=lambda row: row.account)
    columns: dict[str, pyarrow.Array] = {
        "account": pyarrow.array([row.account for row in listed], pyarrow.string()),
        "day": pyarrow.array([to_epoch(day)] * len(listed), pyarrow.int64()),
        "tier": pyarrow.array([row.tier for row in listed], pyarrow.string()),
        "clear_of": pyarrow.array([row.clear_of for row in listed], pyarrow.int8()),
        "gone": pyarrow.array([row.account in gone for row in listed], pyarrow.bool_()),
        "renewal": pyarrow.array([to_epoch(row.renewal) if row.renewal else None for row in listed], pyarrow.int64()),
        "revenue": pyarrow.array([row.revenue for row in listed], pyarrow.float64()),
        "opted_out": pyarrow.array([row.opted_out for row in listed], pyarrow.bool_()),
    }
    for role in ("name", "contact", "csm", "executive", "time_zone"):
        columns[role] = pyarrow.array([getattr(row, role) or None for row in listed], pyarrow.string())
    for start in range(0, len(conditions.expressions), TRUTHS_AT_ONCE):
        columns[f"truths{start // TRUTHS_AT_ONCE}"] = pyarrow.array(
            [(row.truths >> 2 * start) % 4**TRUTHS_AT_ONCE for row in listed], pyarrow.int64())
    return DayOfEvaluations(day, pyarrow.table(columns), conditions)


@pytest.fixture
def rules(tmp_path: Path) -> Callable[..., Rulebook]:
    """Rules from texts, through the one loader: rules(plays, triggers=…, limits=…)."""
    count = 0

    def make(plays: str, triggers: str = TRIGGERS, limits: str = "", weights: str = WEIGHTS) -> Rulebook:
        nonlocal count
        count += 1
        folder = tmp_path / f"rules-{count}"
        (folder / "templates").mkdir(parents=True)
        (folder / "templates" / "note.md").write_text("Subject: A note\n\nHello.\n")
        texts: Mapping[str, str] = {"metrics": METRICS, "weights": weights, "triggers": triggers,
                                    "playbook": plays + limits}
        for name, text in texts.items():
            (folder / f"{name}.yaml").write_text(text)
        return load(folder, None)

    return make


@pytest.fixture
def scene(rules: Callable[..., Rulebook]) -> Callable[..., Scene]:
    """A scene with these plays: scene(plays, triggers=…, limits=…, holdouts=True)."""

    def make(plays: str, *, holdouts: bool = False, **texts: str) -> Scene:
        return Scene(rules(plays, **texts), holdouts=holdouts)

    return make
