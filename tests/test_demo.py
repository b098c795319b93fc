"""The demo on the Open University's data: decided day by day, replayed, and looked at as its reader would."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass, replace
from datetime import date, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pyarrow.parquet
import pytest

from forestall.engine.intervene.day import Decided
from forestall.engine.intervene.writing import Writer
from forestall.engine.message.templates import render
from forestall.engine.model.delivery import Delivery, MessageKind, OutboxRow, SilenceReason
from forestall.engine.model.play import EmailStep, MessageStep
from forestall.engine.model.state import State
from forestall.engine.runtime import Project, import_history, open_project, passes
from forestall.engine.simulate.replay import replay

pytestmark = pytest.mark.xdist_group("demo")      # one worker, so that the fifteen days are decided once

COURSES = Path(__file__).parents[1] / "examples" / "courses"
FIRST, LAST = date(2014, 12, 3), date(2014, 12, 17)
DAYS = [FIRST + timedelta(days=step) for step in range((LAST - FIRST).days + 1)]
# What these days can know of: the presentation that began in October, and six weeks of what they must not know.
WITHIN = (date(2014, 9, 1), date(2015, 1, 31))


@dataclass(frozen=True)
class Demo:
    project: Project
    decided: list[Decided]
    rows: list[OutboxRow]
    state: State


def cut(place: Path) -> None:
    """Of the files with facts the rows of these months: five of 29, so that building the days is soon done."""
    table = pyarrow.parquet.read_table(place / "snapshots.parquet", filters=[
        ("as_of", ">=", WITHIN[0]), ("as_of", "<=", WITHIN[1])])
    pyarrow.parquet.write_table(table, place / "snapshots.parquet")
    for path in place.glob("*.csv.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            head, *rows = file
        assert head.split(",")[:2] == ["account", "as_of"]
        kept = [row for row in rows if WITHIN[0].isoformat() <= row.split(",")[1] <= WITHIN[1].isoformat()]
        with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
            file.writelines([head, *kept])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo") / "courses"
    shutil.copytree(COURSES, folder, ignore=shutil.ignore_patterns(".forestall", "deliveries"))
    cut(folder / "data")
    project = open_project(folder)
    import_history(project)
    decided, rows = [], []
    with passes(project, send=True) as running:
        for day in DAYS:
            report = running.one(day)
            assert report.delivery is not None
            assert report.delivery.sent == len(report.rows)
            decided.append(report.decided)
            rows.extend(report.rows)
        state = running._store.state()
    return Demo(project, decided, rows, state)


def test_the_sources_have_what_the_record_has() -> None:
    """All of it can be read, and has the kinds that the rules say: the numbers of data/ORIGIN.md."""
    counted = {}
    for source in open_project(COURSES).sources():
        tables = list(source.snapshots(None, date(2015, 12, 31)))
        accounts = pyarrow.chunked_array([chunk for table in tables for chunk in table["account"].chunks])
        counted[source.name] = sum(table.num_rows for table in tables), len(accounts.unique())
    assert counted == {"progress": (923_666, 29_401), "calendar": (116_485, 10_274), "people": (83_097, 10_274),
                       "departures": (6_973, 6_973)}


def test_no_tier_is_ever_empty(demo: Demo) -> None:
    for one in demo.decided:
        tiers = {name: count for name, count in one.tiers.items() if name}
        assert min(tiers.values()) > 0, (one.decisions.day, tiers)


def test_no_trigger_holds_for_over_thirty_percent_of_the_active_students(demo: Demo) -> None:
    for one in demo.decided:
        active = sum(one.tiers.values())
        for trigger, count in one.true.items():
            assert count <= 0.30 * active, (one.decisions.day, trigger, count, active)


def test_no_guard_holds_a_play(demo: Demo) -> None:
    for one in demo.decided:
        assert not one.held, one.decisions.day
        assert one.outage == 0
        assert not any(silence.reason is SilenceReason.GUARD for silence in one.decisions.silences)


def test_the_book_of_business_is_what_the_raw_data_says(demo: Demo) -> None:
    """Counted once in plain SQL over the snapshots, without the engine (examples/courses/measure.py has the score)."""
    counted = {day: sum(one.tiers.values()) for day, one in zip(DAYS, demo.decided, strict=True)}
    assert counted[FIRST] == 8790           # seen on 26 November or later
    assert counted[date(2014, 12, 10)] == 8702
    first = demo.decided[0].tiers
    assert [first[name] for name in ("healthy", "monitor", "at_risk", "critical", "churning", "")] == [
        6217, 1475, 379, 245, 468, 6]


def test_the_demo_shows_what_it_promises(demo: Demo) -> None:
    kinds = {transition.kind.value for one in demo.decided for transition in one.decisions.transitions}
    assert {"opened", "cleared"} <= kinds
    reasons = {silence.reason for one in demo.decided for silence in one.decisions.silences}
    assert {SilenceReason.HOLDOUT, SilenceReason.CAP, SilenceReason.ANOTHER_PLAY, SilenceReason.BUDGET} <= reasons
    assert {row.delivery.kind for row in demo.rows} == set(MessageKind)
    assert all(one.decisions.deliveries for one in demo.decided)


def test_a_simulation_of_the_same_days_decides_the_same(demo: Demo) -> None:
    project = demo.project
    replayed = list(replay(project.evaluator, project.directory, project.history, FIRST, LAST))
    for live, again in zip(map(told, demo.decided), map(told, replayed), strict=True):
        assert live.decisions == again.decisions, live.decisions.day
        assert live == again


def told(one: Decided) -> Decided:
    """A day without the order in which runs and silences are told: who is looked at first says nothing."""
    runs, silences = (tuple(sorted(some, key=repr)) for some in (one.decisions.runs, one.decisions.silences))
    return replace(one, decisions=replace(one.decisions, runs=runs, silences=silences))


def test_a_second_run_of_the_same_day_sends_nothing(demo: Demo) -> None:
    with passes(demo.project, send=True) as running:
        report = running.one(LAST)
        assert report.rows == ()
        assert report.delivery is not None
        assert report.delivery.sent == 0
        assert report.commit is not None
        assert report.commit.new == 0
        assert running._store.state() == demo.state


def test_every_message_is_a_file_that_opens_and_has_no_empty_place(demo: Demo) -> None:
    files = [path for path in (demo.project.settings.deliveries).iterdir() if path.is_file()]
    assert len(files) == len(demo.rows)
    for row in demo.rows:
        for text in (row.message.subject, row.message.text):
            assert text.strip()
            assert "not known yet" not in text
            assert "None" not in text
            assert "{{" not in text
            assert "  ." not in text
    mails = [path for path in files if path.suffix == ".eml"]
    assert mails
    for path in mails[:200]:
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        body, page = mail.get_body(("plain",)), mail.get_body(("html",))
        assert body is not None
        assert page is not None
        assert mail["To"].endswith("example")
        assert body.get_content().strip()


def test_nobody_gets_two_letters_within_three_days_unless_it_is_urgent(demo: Demo) -> None:
    urgent = set(demo.project.rulebook.limits.urgent)
    last: dict[str, date] = {}
    for one in demo.decided:
        for delivery in one.decisions.deliveries:
            if delivery.to_customer and delivery.kind is MessageKind.EMAIL:
                before = last.get(delivery.account)
                if before is not None and delivery.severity not in urgent:
                    assert (delivery.day - before).days >= 3, delivery
                last[delivery.account] = delivery.day


def test_every_template_renders_for_every_kind_of_student_without_an_empty_place(demo: Demo) -> None:
    """All messages of all plays, for every thirtieth active student, whether or not the play is for them."""
    project, rulebook = demo.project, demo.project.rulebook
    accounts = project.evaluator.evaluate(project.history, LAST, LAST).on(LAST).accounts[::30]
    assert len(accounts) > 250
    groups = {play.name: (*play.alert_names(), *([play.name] if play.recurring else []))
              for play in rulebook.plays.values()}
    deliveries = [
        Delivery(key="k", account=account, play=play.name, group=group, occurrence=LAST, day=LAST, step=step.id,
                 kind=MessageKind.EMAIL, channel="email", recipient="x@y.example", template=step.template,
                 to_customer=isinstance(step, EmailStep), severity="at_risk")
        for play in rulebook.plays.values() for group in groups[play.name]
        for step in play.steps if isinstance(step, MessageStep) for account in accounts]
    writer = Writer(project.evaluator, project.directory, project.history, deliveries)
    rendered: set[str] = set()
    for delivery in deliveries:
        message = render(rulebook.templates[delivery.template], writer.story(delivery))
        assert message.subject.strip()
        for text in (message.subject, message.text):
            assert "not known yet" not in text, (delivery.account, delivery.template, text)
            assert "None" not in text
        rendered.add(delivery.template)
    assert rendered == set(rulebook.templates)
