"""The law of simulation: what running day by day decided, a simulation of the same days decides as well.

Passes run with their real state (SQLite), real files and the folder channel; sources are late, correct themselves and
miss days. A live start that a guard holds waits for a person, and a simulation counts it as approved. So that both can
be compared with guards on, the simulation is asked not to approve either (`approve=False`): then nobody does, anywhere.
The guard against outages asks how facts arrive *today*, of which a history keeps nothing: no source falls silent here.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from forestall.engine.detect.collect import collect
from forestall.engine.intervene.day import Decided, decide_day
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.model.delivery import RunStatus
from forestall.engine.model.state import State
from forestall.engine.runtime import Project, import_history, open_project, passes
from forestall.engine.score.evaluate import Compiled, Evaluator
from forestall.engine.simulate.ledger import Ledger
from forestall.engine.simulate.replay import replay

pytestmark = pytest.mark.xdist_group("same_as_run")      # what is compiled once serves the whole file

BEGIN = date(2026, 3, 2)
CRM6 = Path(__file__).parent / "crm6"
BEFORE = 6      # days that are there before the first pass
ACCOUNTS = [f"a{number:02d}" for number in range(9)]
METRICS = """
account: {name: account_name, contact: contact_email, csm: csm, revenue: mrr, opted_out: quiet_please}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  contact_email: {kind: text, personal: true, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  mrr: {kind: number, stale_after: 90 days}
  quiet_please: {kind: flag, by_hand: true, stale_after: 90 days}
  heat: {kind: number, stale_after: 2 days}
  logins: {kind: number, stale_after: 2 days}
"""
WEIGHTS = """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
tiers: {healthy: 70-100, monitor: 50-69, at_risk: 25-49, critical: 0-24}
"""
CONDITIONS = {
    "falling": '{when: "drop(score, days=3) >= 15", clear_when: score >= 70',
    "idle": "{when: logins < 3",
    "low": '{when: "held(logins < 6, days=2)", severity: monitor',
    "busy": "{when: logins > 14",
}
PLAYS = """
plays:
  rescue:
    tier: critical
    owner: csm
    steps: [{task: {for: csm, to: crm, template: note}}, {email: {to: contact, template: note}}]
    goal: {when: score >= 40, within: 5 days}
  call:
    trigger: [falling, low]
    applies_to: mrr >= 300
    within: 1 day
    HOLDOUT
    steps:
      - task: {for: csm, to: crm, template: note, done_when: logins > 4}
      - email: {to: contact, template: note}
      - wait: 2 days
      - stop_if: score >= 60
      - email: {to: contact, template: note}
    escalate: {webhook: {to: crm, template: note}}
    goal: {when: logins > 8, within: 4 days}
  write:
    trigger: [idle, low, falling]
    owner: csm
    HOLDOUT
    steps: [{slack: {to: csm, template: note}}, {wait: 1 day}, {email: {to: contact, template: note}}]
    goal: {when: logins > 6, within: 6 days}
  beside: {trigger: busy, alongside: true, steps: [{slack: {to: csm, template: note}}]}
  touch:
    tier: at_risk
    EXISTING
    steps: [{email: {to: contact, template: note}}, {wait: 1 day}, {slack: {to: csm, template: note}}]
  welcome_back: {recovered_to: monitor, steps: [{email: {to: contact, template: note}}]}
  nurture: {tier: healthy, every: EVERY, steps: [{email: {to: contact, template: note}}]}
limits: {LIMITS}
"""
SETTINGS = """
sources: {facts: {adapter: csv, path: facts.csv}}
channels:
  email: {adapter: email, server: "smtp.example.com:587", sender: cs@example.com}
  webhook: {adapter: webhook}
destinations: {crm: {channel: webhook, url: "https://crm.example.com/hooks/cs"}}
people:
  dana: {name: Dana Reed, email: dana@example.com, slack: U024BE7LH}
  luis: {name: Luis Prado, email: luis@example.com, slack: U024BE7LJ}
delivery: rehearsal
"""


def on(day: int) -> date:
    return BEGIN + timedelta(days=day)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, str]:
    """Triggers, plays and limits: every key on which something turns that is counted over days or over accounts."""
    triggers = []
    for name, said in CONDITIONS.items():
        keys = [f"cooldown: {draw(st.integers(1, 9))} days", f"lasts: {draw(st.integers(2, 12))} days"]
        keys += [f"repeat: {draw(st.integers(1, 3))} days"] if draw(st.booleans()) else []
        keys += ["existing: record"] if draw(st.booleans()) else []
        triggers.append(f"  {name}: {', '.join([said, *keys])}}}")
    limits = [f"per_play: {draw(st.sampled_from([1, 2, 200]))}", f"tasks_per_csm: {draw(st.integers(1, 3))} per day",
              f"emails_per_account: 1 per {draw(st.integers(1, 4))} days"]
    limits += ["times_usual: 2"] if draw(st.booleans()) else []
    limits += ["messages_per_person: 2 per day"] if draw(st.booleans()) else []
    limits += ["digest: {by: email, template: many}"] if draw(st.booleans()) else []
    limits += ["urgent: [critical]"] if draw(st.booleans()) else []
    plays = PLAYS.replace("EVERY", draw(st.sampled_from(["2 days", "3 days", "1 month"])))
    plays = plays.replace("HOLDOUT", draw(st.sampled_from(["holdout: 40 percent", "holdout: 0 percent"])))
    plays = plays.replace("EXISTING", draw(st.sampled_from(["existing: record", "existing: open"])))
    usual = f"{{cooldown: {draw(st.integers(2, 9))} days, lasts: {draw(st.integers(2, 9))} days}}"
    return {
        "triggers.yaml": f"defaults: {usual}\ntriggers:\n" + "\n".join(triggers),
        "playbook.yaml": plays.replace("LIMITS", ", ".join(limits)),
        "by_hand.csv": "account,metric,value,since,until,by,note\n" + "".join(
            f"{account},quiet_please,yes,{on(draw(st.integers(6, 10)))},{on(30)},dana,they asked\n"
            for account in ACCOUNTS[:draw(st.integers(0, 2))])}


def said(seed: int, days: int) -> list[tuple[int, list[object]]]:
    """(number of the day on which it is said, row): late rows, corrected ones, days and accounts that are missing."""
    draw = Random(seed)
    rows: list[tuple[int, list[object]]] = []
    silent = draw.randrange(BEFORE + 2, days - 2)      # a day of which nobody ever says anything
    for account in ACCOUNTS:
        heat, logins = draw.uniform(20, 95), draw.uniform(0, 15)
        joins, leaves = draw.choice([0, 0, 0, BEFORE + 2]), draw.choice([days, days, days, BEFORE + 3])
        for day in range(joins, leaves):
            heat = min(100.0, max(0.0, heat + draw.choice([0, 0, 0, -25, 20, -8])))
            logins = max(0.0, logins + draw.choice([0, 0, -4, 5, -9, 9]))
            row = [account, on(day), f"Account {account}", f"{account}@customer.example",
                   ["dana", "luis"][int(account[1:]) % 2], 100 * int(account[1:]), round(heat, 1), int(logins)]
            if day == silent or draw.random() < 0.08:
                continue
            rows.append((day + draw.choice([0, 0, 0, 0, 0, 0, 1, 2, 4]), row))
            if draw.random() < 0.1:
                rows.append((day + draw.randrange(1, 5), [*row[:-2], 100 - row[-2], draw.randrange(16)]))
    return rows


def write_facts(folder: Path, rows: list[tuple[int, list[object]]], by: int) -> None:
    """What the source says on one day: of an account and a day the row that was said last."""
    latest = {(row[0], row[1]): row for told_on, row in sorted(rows, key=lambda one: one[0]) if told_on <= by}
    with (folder / "facts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["account", "as_of", "account_name", "contact_email", "csm", "mrr", "heat", "logins"])
        writer.writerows(sorted(latest.values(), key=lambda row: (row[0], row[1])))


def write_project(folder: Path, files: dict[str, str]) -> None:
    (folder / "rules" / "templates").mkdir(parents=True)
    for name, text in ({"metrics.yaml": METRICS, "weights.yaml": WEIGHTS} | files).items():
        (folder / "rules" / name).write_text(text)
    (folder / "rules" / "templates" / "note.md").write_text("Subject: {{ account.name }}\n\nIt is {{ now.heat }}.\n")
    (folder / "rules" / "templates" / "many.md").write_text(
        "Subject: Many\n\n{% for one in tasks %}- {{ one.account.name }}\n{% endfor %}")
    (folder / "forestall.yaml").write_text(SETTINGS)


PLAIN = {
    "triggers.yaml": "triggers:\n" + "\n".join(f"  {name}: {said}}}" for name, said in CONDITIONS.items()),
    "playbook.yaml": PLAYS.replace("EVERY", "3 days").replace("HOLDOUT", "holdout: 20 percent").replace(
        "EXISTING", "existing: open").replace("LIMITS", "per_play: 3, tasks_per_csm: 2 per day"),
}
_FIRST: list[Evaluator] = []


def opened(folder: Path) -> Project:
    """The project. All of these rules have the same conditions, so their queries are compiled once for all."""
    project = open_project(folder)
    if not _FIRST:
        _FIRST.append(project.evaluator)
    first, evaluator = _FIRST[0], project.evaluator
    assert [one.text for one in evaluator.conditions.expressions] == [one.text for one in first.conditions.expressions]
    compiled = Compiled(first._latest, None if first._latest else first._decision, first._details)
    again = Evaluator(project.rulebook, evaluator.engine, compiled)
    again._changes = first._changes
    return replace(project, evaluator=again)


def run(folder: Path, rows: list[tuple[int, list[object]]], days: range) -> list[Decided]:
    """Every day by a pass that sends, as `forestall run --send` does it."""
    decided = []
    for day in days:
        write_facts(folder, rows, day)
        with passes(opened(folder), send=True) as running:
            report = running.one(on(day))
            assert report.delivery is not None
            assert report.delivery.sent == len(report.rows)
            decided.append(report.decided)
    return decided


def told(one: Decided) -> Decided:
    """A day without the order in which things are told."""
    said = one.decisions
    in_order = {name: tuple(sorted(getattr(said, name), key=repr)) for name in
                ("alerts", "cancelled", "runs", "silences", "transitions")}
    return replace(one, decisions=replace(said, heard=0, tiers=dict(said.tiers), **in_order))


def unsilenced(one: Decided) -> Decided:
    """A day without what is not said."""
    return replace(one, decisions=replace(one.decisions, silences=()))


def same(live: list[Decided], again: list[Decided]) -> None:
    """Alerts, deliveries with their keys, silences, counts: day by day."""
    for one, other in zip(live, again, strict=True):
        assert [delivery.key for delivery in one.decisions.deliveries] == \
            [delivery.key for delivery in other.decisions.deliveries], one.decisions.day
        assert told(one) == told(other), one.decisions.day


@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck),
          phases=[Phase.generate])
@given(files=rules(), seed=st.integers(0, 10_000))
def test_running_day_by_day_and_simulating_the_same_days_decide_the_same(files: dict[str, str], seed: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, days = Path(place) / "project", range(BEFORE, BEFORE + 9)
        write_project(folder, files)
        live = run(folder, said(seed, days.stop), days)
        project = opened(folder)
        first, last = on(days.start), on(days.stop - 1)
        again = list(replay(project.evaluator, project.directory, project.history, first, last, approve=False))
        same(live, again)
        assert any(one.decisions.deliveries for one in live)


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck),
          phases=[Phase.generate])
@given(files=rules(), seed=st.integers(0, 10_000), approve=st.booleans(), stretch=st.integers(5, 40))
def test_looking_only_at_accounts_with_news_decides_what_looking_at_everybody_does(
        files: dict[str, str], seed: int, approve: bool, stretch: int) -> None:
    """Over more days than passes could run here: the functions of a pass from the whole state, and the ledger, which
    may say why it is silent or not."""
    with tempfile.TemporaryDirectory() as place:
        folder, days = Path(place) / "project", 40
        write_project(folder, files)
        write_facts(folder, said(seed, days), days)
        import_history(opened(folder))
        project = opened(folder)
        evaluator, known = project.evaluator, Circumstances(approve=approve)
        state, given = State(), (project.rulebook, evaluator.conditions, project.directory, State(), known)
        ledger, unheard = Ledger(*given), Ledger(*given, silences=False)
        for start in range(0, days, stretch):
            first = on(start)
            last = on(min(days, start + stretch) - 1)
            every, changes = evaluator.evaluate(project.history, first, last), \
                evaluator.changes(project.history, first, last)
            for number in range((last - first).days + 1):
                day = first + timedelta(days=number)
                one = decide_day(project.rulebook, evaluator.conditions, project.directory, state, every.on(day), known)
                state = state.after(one.decisions)
                same([one], [ledger.decide(changes.on(day))])
                same([unsilenced(one)], [unsilenced(unheard.decide(changes.on(day)))])
                assert ledger.state() == unheard.state() == state


def test_a_slice_of_churnsim_crm6_decides_the_same(tmp_path: Path) -> None:
    """An import, then passes with guards, caps and a control group; see ORIGIN.md there for the whole of it."""
    folder = Path(shutil.copytree(CRM6, tmp_path / "crm6"))
    live, again = both_ways(folder, date(2023, 9, 18), 8)
    same(live, again)
    assert sum(len(one.decisions.deliveries) for one in live) > 20
    assert any(one.held for one in live), "the guard holds something"
    assert any(run.status is RunStatus.HELD_OUT for one in live for run in one.decisions.runs)


def both_ways(folder: Path, first: date, days: int) -> tuple[list[Decided], list[Decided]]:
    """Everything imported, these days decided by passes, and simulated afterwards."""
    project = open_project(folder)
    import_history(project)
    live = []
    with passes(project, send=True) as running:
        for number in range(days):
            live.append(running.one(first + timedelta(days=number)).decided)
    return live, list(replay(project.evaluator, project.directory, project.history, first,
                             first + timedelta(days=days - 1), approve=False))


def test_nothing_looks_ahead(tmp_path: Path) -> None:
    """What arrives later, about whatever day, changes nothing of a simulation of the days before."""
    write_project(tmp_path / "project", PLAIN)
    rows, days = said(11, 24), range(BEFORE, 16)
    first, last = on(days.start), on(days.stop - 1)
    gather(tmp_path / "project", rows, days)
    before = simulated(tmp_path / "project", first, last)
    arrived = [row for told_on, row in rows if told_on >= days.stop]
    assert any(row[1] <= last for row in arrived), "something late or corrected comes after the last day"
    gather(tmp_path / "project", rows, range(days.stop, 24))
    assert simulated(tmp_path / "project", first, last) == before
    assert simulated(tmp_path / "project", first, last + timedelta(days=8))[:len(before)] == before
    assert any(one.decisions.deliveries for one in before)


def gather(folder: Path, rows: list[tuple[int, list[object]]], days: range) -> None:
    """Take in what the source says on each of these days."""
    project = opened(folder)
    for day in days:
        write_facts(folder, rows, day)
        history = project.history
        collect(history, project.sources(), project.rulebook.catalogue, on(day),
                project.settings.gone_after)
        history.publish()


def simulated(folder: Path, first: date, last: date) -> list[Decided]:
    project = opened(folder)
    return [told(one) for one in replay(project.evaluator, project.directory, project.history, first, last)]


def test_no_channel_is_loaded_while_simulating(tmp_path: Path) -> None:
    """The project's only channel is one that cannot even be imported without leaving a mark."""
    folder, plugins = tmp_path / "project", tmp_path / "plugins"
    write_project(folder, PLAIN)
    (folder / "forestall.yaml").write_text(SETTINGS.replace("adapter: webhook", "adapter: trap"))
    (plugins / "trap-1.dist-info").mkdir(parents=True)
    (plugins / "trap-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: trap\nVersion: 1\n")
    (plugins / "trap-1.dist-info" / "entry_points.txt").write_text("[forestall.channels]\ntrap = trap:Trap\n")
    (plugins / "trap.py").write_text("open('sprung', 'w').close()\nraise ImportError('no channel may be loaded')\n")
    gather_days = range(BEFORE, 14)
    write_facts(folder, said(3, 14), gather_days.stop)
    asked = ["--project", str(folder), "--from", str(on(2)), "--to", str(on(9))]
    program = f"""
import sys
from forestall.engine.cli.main import cli
cli(["history", "import", "--project", {str(folder)!r}], standalone_mode=False)
cli(["simulate", *{asked!r}], standalone_mode=False)
print("loaded:", sorted(name for name in sys.modules if ".adapters.channels." in name or name == "trap"))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": str(plugins)})
    assert done.returncode == 0, done.stderr
    assert "loaded: []" in done.stdout, done.stdout
    assert not (tmp_path / "sprung").exists()
    import_it = subprocess.run([sys.executable, "-c", "from importlib.metadata import entry_points as e; "
                                "e(group='forestall.channels')['trap'].load()"], cwd=tmp_path, capture_output=True,
                               check=False, env=os.environ | {"PYTHONPATH": str(plugins)})
    assert import_it.returncode != 0
    assert (tmp_path / "sprung").exists(), "the trap works"
