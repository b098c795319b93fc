"""Two schedulers by mistake, a database that is locked, a full disk, a clock that steps back: nothing is lost, nothing
is doubled, and people get one sentence."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from engines.postgresql import Server

from forestall.engine.cli.main import cli
from forestall.engine.errors import ForestallError, StoreError
from forestall.engine.model.delivery import Delivery, DeliveryStatus, Message, MessageKind, OutboxRow
from forestall.engine.model.places import PostgresPlace, StatePlace
from forestall.engine.model.state import Decisions
from forestall.engine.store import Store, files
from forestall.engine.store import postgresql as servers
from forestall.engine.store.alone import alone

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
LEASE = timedelta(minutes=10)
HOUR = timedelta(hours=1)
COLD = 10
HERE = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
RUN = "from forestall.engine.cli.main import main; main()"


def rows(count: int, day: date = DAY) -> tuple[OutboxRow, ...]:
    def row(number: int) -> OutboxRow:
        made = Delivery(
            key=f"{day} {number}", account=f"a{number}", play="call", group="cold", occurrence=day, day=day,
            step="mail", kind=MessageKind.EMAIL, channel="email", recipient=f"ann@customer{number}.example",
            template="note", to_customer=True, severity="critical")
        return OutboxRow(made, Message(made.key, made.kind, made.recipient, "Subject", "Text " * 50),
                         DeliveryStatus.QUEUED)
    return tuple(map(row, range(count)))


def decided(sent: tuple[OutboxRow, ...], day: date = DAY) -> Decisions:
    return Decisions(day, "digest", "scoring", tiers={row.delivery.account: "critical" for row in sent},
                     deliveries=tuple(row.delivery for row in sent))


def command(project: Path) -> list[str]:
    return ["run", "--project", str(project), "--day", str(DAY), "--send"]


def run(project: Path) -> int:
    done = CliRunner().invoke(cli, command(project))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code


def refused(project: Path) -> str:
    with pytest.raises(ForestallError) as caught:
        run(project)
    (problem,) = caught.value.problems
    return problem.message


def whole(project: Path) -> None:
    """The pass was made once: every message is in the outbox once, and once in the folder."""
    with Store.open(project / ".forestall" / "rehearsal.db", read_only=True) as store:
        assert [row.status for row in store.outbox()] == [DeliveryStatus.SENT] * COLD
    assert sum(1 for path in (project / "deliveries").iterdir()) == COLD
    assert not (project / ".forestall" / "pass.lock").exists()


# --- two schedulers -------------------------------------------------------------------------------------------------

SCHEDULER = """
import sys
from datetime import date, datetime, UTC
from pathlib import Path
from forestall.engine.errors import ForestallError
from forestall.engine.model.places import PostgresPlace
from forestall.engine.store import Store
sys.path[:0] = {here!r}
from test_trouble import NOW, decided, rows
with Store.open({place!r}) as store:
    state = store.state()
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        report = store.commit(decided(rows(50)), rows(50), NOW, state)
        print("written", report.new)
    except ForestallError as error:
        print(error)
"""


def test_of_two_passes_at_the_same_time_exactly_one_is_written(place: StatePlace) -> None:
    with Store.open(place) as store:
        store.commit(decided((), DAY - timedelta(days=1)), (), NOW)
        code = SCHEDULER.format(here=HERE, place=place).replace("PosixPath(", "Path(")
        both = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                for _ in range(2)]
        for one in both:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"      # both have read the state that they decide upon
        said = sorted(one.communicate("now\n")[0] for one in both)
        assert said[1] == "written 50\n"
        assert "another pass (2026-03-01) was written while this one was deciding" in said[0]
        assert len(list(store.outbox())) == 50
        assert store.state().pass_number == 2


def test_two_commands_at_the_same_time_make_one_pass(project: Path) -> None:
    both = [subprocess.Popen([sys.executable, "-c", RUN, *command(project)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate()[1] for one in both]
    for one, error in zip(both, said, strict=True):
        assert one.returncode == 0 or "another pass or import of this project is under way" in error, error
    assert 0 in [one.returncode for one in both]
    whole(project)


def test_a_pass_beside_another_one_is_refused_and_leaves_no_trace(project: Path) -> None:
    before = sorted(project.rglob("*"))
    with alone(project / ".forestall" / "pass.lock") as is_alone:
        assert is_alone
        assert "under way" in refused(project)
        with pytest.raises(ForestallError, match="under way"):
            CliRunner().invoke(cli, ["history", "import", "--project", str(project)], catch_exceptions=False)
    assert sorted(project.rglob("*")) == before
    assert run(project) == 0
    whole(project)


# --- somebody else holds the database -------------------------------------------------------------------------------


@contextmanager
def held(place: StatePlace, server: Server | None) -> Iterator[None]:
    """Another connection is in the middle of writing."""
    if server is None:
        connection = sqlite3.connect(str(place), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
    else:
        assert isinstance(place, PostgresPlace)
        connection = server.connect()
        connection.autocommit = False
        connection.execute(f"LOCK TABLE {place.schema}.forestall_schema")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def test_a_locked_database_is_a_sentence_and_the_next_pass_goes_on(
    place: StatePlace, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = request.getfixturevalue("postgresql_server") if isinstance(place, PostgresPlace) else None
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(servers, "BUSY_SECONDS", 0.05)
    with Store.open(place) as store:
        with held(place, server), pytest.raises(StoreError, match="another process is writing to the state database"):
            store.commit(decided(rows(5)), rows(5), NOW)
        assert store.state().previous_pass is None
        assert store.commit(decided(rows(5)), rows(5), NOW, store.state()).new == 5


def test_a_pass_that_finds_its_database_locked_is_made_up_for_by_the_next(
    project: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = project / ".forestall" / "rehearsal.db"
    Store.open(path).close()
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.05)
    with held(path, None):
        assert refused(project) == "another process is writing to the state database."
    assert not (project / "deliveries").exists()
    assert run(project) == 0
    whole(project)


# --- the disk is full -----------------------------------------------------------------------------------------------


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process grows beyond it: to whoever writes, that is a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_last_pass_as_it_was(tmp_path: Path) -> None:
    path, next_day = tmp_path / "live.db", DAY + timedelta(days=1)
    many = rows(3000, next_day)
    with Store.open(path) as store:
        store.commit(decided(rows(5)), rows(5), NOW)
        before, waiting = store.state(), list(store.outbox())
        with files_of_at_most(400_000), pytest.raises(StoreError, match="the disk is full or fails") as caught:
            store.commit(decided(many, next_day), many, NOW, before)
        assert len(caught.value.problems) == 1
        assert (store.state(), list(store.outbox())) == (before, waiting)
    with Store.open(path) as store:
        assert (store.state(), list(store.outbox())) == (before, waiting)
        assert store.commit(decided(many, next_day), many, NOW, before).new == 3000


def test_a_pass_on_a_full_disk_is_made_up_for_by_the_next(project: Path) -> None:
    with files_of_at_most(30_000):
        assert "the disk is full" in refused(project)
    assert not (project / "deliveries").exists()
    assert run(project) == 0
    whole(project)


# --- the clock steps back -------------------------------------------------------------------------------------------


def test_leases_and_next_attempts_survive_a_clock_that_steps_back(store: Store) -> None:
    """What was to wait waits an hour longer: to hurry could send twice, and a lease may be of a machine whose clock is
    right."""
    store.commit(decided(rows(1)), rows(1), NOW)
    assert len(store.claim("w", NOW, LEASE, 9, ["email"])) == 1
    assert store.claim("other", NOW - HOUR, LEASE, 9, ["email"]) == ()
    assert store.claim("other", NOW + LEASE / 2, LEASE, 9, ["email"]) == ()
    assert len(store.claim("other", NOW + LEASE, LEASE, 9, ["email"])) == 1
    store.release(["2026-03-01 0"], "other")
    assert len(store.claim("other", NOW - HOUR, LEASE, 9, ["email"])) == 1, "what waits for nothing is not held up"


def test_a_pass_of_the_day_before_is_refused(project: Path) -> None:
    assert run(project) == 0
    with pytest.raises(ForestallError, match="this machine's clock is wrong"):
        CliRunner().invoke(cli, ["run", "--project", str(project), "--day", "2026-02-28", "--send"],
                           catch_exceptions=False)
    whole(project)


@pytest.fixture
def store(place: StatePlace) -> Iterator[Store]:
    with Store.open(place) as opened:
        yield opened
