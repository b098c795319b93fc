"""100,000 deliveries planned, written as messages and put into the outbox; and a pass with nothing new."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import fifteen_metrics
import sqlalchemy as sa
from figures import HERE, ROOT, Figures, apart, main, most_memory, timed
from made_up import LAST_DAY, Size, write_history

from forestall.engine.detect.history import History
from forestall.engine.intervene.day import Decided, decide_day
from forestall.engine.intervene.many import second, write_messages
from forestall.engine.model.delivery import OutboxRow
from forestall.engine.model.people import Destination, Directory, Person
from forestall.engine.model.state import State
from forestall.engine.processes import undisturbed
from forestall.engine.rulebook.loader import load
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.store import Store
from forestall.engine.store.tables import metadata

NOW = datetime(2026, 6, 20, 6, tzinfo=UTC)
UNDER = 20

# Every account matches one of the three, and none waits for another: so many deliveries in one pass are never usual.
TRIGGERS = """
triggers:
  large: {when: mrr >= 6000, about: The large ones hear from their CSM.}
  middle: {when: 3000 <= mrr < 6000, about: The CSM of the middle ones hears of it.}
  small: {when: mrr < 3000, about: A task for each of the small ones.}
"""
PLAYBOOK = """
limits: {per_play: 10000000}
plays:
  write: {trigger: large, owner: csm, steps: [email: {to: contact, template: re_engage, from: csm}]}
  tell: {trigger: middle, owner: csm, steps: [slack: {to: csm, template: csm_inactivity}]}
  call: {trigger: small, owner: csm, steps: [task: {for: csm, to: crm, template: rescue_call}]}
"""


def measure(figures: Figures, folder: Path, accounts: int = 100_000, quiet: int = 1_000_000, runs: int = 3) -> bool:
    """From evaluations to rows of the outbox on SQLite, as a pass does it; then many accounts with nothing new."""
    apart(write_history, folder / "many", Size(accounts, 30))
    for line in apart(many_deliveries, folder, runs):
        figures.seconds(*line[:2], *line[2:]) if isinstance(line[1], float) else figures.add(*line)
    apart(fifteen_metrics.write_history, folder / "quiet", quiet, 30)
    lines, same = apart(nothing_new, folder, quiet)
    for what, figure in lines:
        figures.seconds(what, figure) if isinstance(figure, float) else figures.add(what, figure)
    return figures.same("the tables after the pass with nothing new", same)


def many_deliveries(folder: Path, runs: int) -> list[tuple[str, float | str] | tuple[str, float, float]]:
    history, evaluator = History(folder / "many"), Evaluator(load(rules(folder / "rules"), None))
    evaluations = evaluator.evaluate(history, LAST_DAY, LAST_DAY).on(LAST_DAY)

    def decide() -> Decided:
        return decide_day(evaluator.rulebook, evaluator.conditions, people(), State(), evaluations)

    def write(decided: Decided, begun: ProcessPoolExecutor | None) -> Sequence[OutboxRow]:
        return write_messages(evaluator, people(), history, decided.decisions.deliveries, begun=begun)

    best: list[tuple[float, ...]] = []
    for number in range(runs):
        with undisturbed(), Store.open(folder / f"state-{number}.db") as store:
            with second(evaluator.engine, sum(evaluations.alarmed)) as begun:      # as a pass does it
                planning, decided = timed(decide)
                writing, rows = timed(partial(write, decided, begun))
            storing, report = timed(lambda: store.commit(decided.decisions, rows, NOW))      # noqa: B023
        assert report.new == len(rows) == len(decided.decisions.deliveries)
        best.append((planning + writing + storing, planning, writing, storing))
    whole, planning, writing, storing = sorted(best)[len(best) // 2]
    size = (folder / "state-0.db").stat().st_size / 2**20
    return [
        ("deliveries that one pass plans", f"{len(rows):,}"),
        (f"planned, written as messages and stored on SQLite (median of {runs})", whole, UNDER),
        ("of that: alerts and plays", planning), ("of that: facts then and now, and messages", writing),
        ("of that: the transaction", storing), ("size of the state database", f"{size:.0f} MB"),
        ("most memory", f"{most_memory():.1f} GB")]


def nothing_new(folder: Path, accounts: int) -> tuple[list[tuple[str, float | str]], list[str]]:
    """Two passes of a day upon the same evaluations: the second has nothing to say and writes nothing."""
    path = folder / "quiet.db"
    history, evaluator = History(folder / "quiet"), Evaluator(load(HERE / "eight_triggers", None))
    with undisturbed(), Store.open(path) as store:
        state = store.state()
        first, decided = timed(lambda: decide(evaluator, history, state))
        written, _ = timed(lambda: store.commit(decided.decisions, (), NOW, state))
        before = counted(store)
        content = path.read_bytes(), path.with_name(path.name + "-wal").stat().st_size
        reading, state = timed(store.state)
        again, decided = timed(lambda: decide(evaluator, history, state))
        storing, report = timed(lambda: store.commit(decided.decisions, (), NOW + timedelta(hours=1), state))
        after = counted(store)
        same = content == (path.read_bytes(), path.with_name(path.name + "-wal").stat().st_size)
    differences = [f"{name}: {before[name]} rows before, {after[name]} after" for name in before
                   if before[name] != after[name]]
    if report.written or not same:
        differences.append("the file was written to")
    whole = reading + again + storing
    return [
        (f"first pass over {accounts:,} accounts: evaluated and decided", first),
        ("its transaction", written), ("rows that it wrote", f"{sum(before.values()):,}"),
        ("the same day again, nothing new: a whole pass", whole), ("of that: the state read", reading),
        ("of that: evaluated and decided", again), ("of that: the transaction", storing),
        ("rows that it wrote, and bytes that changed in the file", f"{sum(after.values()) - sum(before.values())}"
         if same else "**some**"),
        ("most memory of both", f"{most_memory():.1f} GB")], differences


def decide(evaluator: Evaluator, history: History, state: State) -> Decided:
    evaluations = evaluator.evaluate(history, fifteen_metrics.LAST_DAY, fifteen_metrics.LAST_DAY)
    return decide_day(evaluator.rulebook, evaluator.conditions, Directory({}, {}), state,
                      evaluations.on(fifteen_metrics.LAST_DAY))


def counted(store: Store) -> dict[str, int]:
    with store._database.reading() as connection:
        return {table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables}


def rules(folder: Path) -> Path:
    """The default rulebook, with triggers that match everybody and a play for each."""
    shutil.copytree(ROOT / "rules", folder)
    (folder / "triggers.yaml").write_text(TRIGGERS, encoding="utf-8")
    (folder / "playbook.yaml").write_text(PLAYBOOK, encoding="utf-8")
    return folder


def people() -> Directory:
    found = {f"csm{number}": Person(f"csm{number}", f"Kim {number}", f"csm{number}@example.com", f"U{number}")
             for number in range(200)}
    return Directory(found, {"crm": Destination("crm", "webhook", "https://crm.example.com/hook")})


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
