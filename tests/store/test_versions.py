"""A state database of an older Forestall is brought up to date by itself, and loses nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import OutcomeStatus, RunStatus
from forestall.engine.model.state import Decisions
from forestall.engine.store import Store
from forestall.engine.store.tables import VERSION

DAY = date(2026, 1, 5)
NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A database with one pass in it, as version 1 wrote it."""
    path = tmp_path / "live.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((Path(__file__).parent / "version_1.sql").read_text(encoding="utf-8"))
    return path


def shape(path: Path) -> dict[str, object]:
    """The tables with everything by which an old database could differ from a new one, but for the order of columns."""
    found: dict[str, object] = {}
    engine = sa.create_engine(f"sqlite:///{path}")
    looked = sa.inspect(engine)
    for name in looked.get_table_names():
        columns = {column["name"]: (str(column["type"]), column["nullable"]) for column in looked.get_columns(name)}
        indexes = {index["name"]: (index["column_names"], index["unique"]) for index in looked.get_indexes(name)}
        unique = sorted(tuple(each["column_names"]) for each in looked.get_unique_constraints(name))
        found[name] = (columns, looked.get_pk_constraint(name)["constrained_columns"], indexes, unique)
    engine.dispose()
    return found


def read(store: Store) -> None:
    """Everything of the pass is there."""
    state = store.state()
    assert state.tiers == {"a1": "at_risk", "a2": "healthy"}
    assert state.alerts["a1", "inactivity"] == Alert("a1", "inactivity", AlertStatus.OPEN, DAY, "at_risk")
    assert [(run.account, run.status, run.outcome) for run in state.runs] == [
        ("a1", RunStatus.RUNNING, OutcomeStatus.WATCHING), ("a2", RunStatus.HELD_OUT, OutcomeStatus.WATCHING)]
    assert [row.message.text for row in store.outbox()] == ["Text ü", "Text ü"]
    assert [silence.detail for silence in store.silences(DAY)] == ["one a week"]


def test_an_older_database_gets_what_is_missing_and_keeps_what_it_has(older: Path, tmp_path: Path) -> None:
    with Store.open(older) as store:
        read(store)
        assert [row.delivery.account for row in store.claim("w", NOW, timedelta(minutes=1), 9, ["email"])] == ["a1"]
    with Store.open(older) as store:
        store.commit(Decisions(DAY + timedelta(days=1), "digest", "scoring"), (), NOW)
        assert store.state().previous_pass == DAY + timedelta(days=1)
    with Store.open(tmp_path / "new.db"):
        assert shape(older) == shape(tmp_path / "new.db"), "a new column needs a server_default; keys cannot change"
    with closing(sqlite3.connect(older)) as connection:
        assert connection.execute("SELECT version FROM forestall_schema ORDER BY 1").fetchall() == [(1,), (VERSION,)]


def test_a_reader_of_an_older_database_leaves_it_as_it_is(older: Path) -> None:
    before = older.read_bytes()
    with Store.open(older, read_only=True) as store:
        read(store)
    assert older.read_bytes() == before
    assert [found.name for found in older.parent.iterdir()] == [older.name]
