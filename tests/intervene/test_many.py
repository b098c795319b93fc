"""Many messages are written in two processes: what comes of it is the same to the byte."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from projects import write_shipped

from forestall.engine.intervene import many
from forestall.engine.model.delivery import OutboxRow
from forestall.engine.model.filled import Filled
from forestall.engine.runtime import open_project, passes
from forestall.engine.store import Store

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 2, 23)

pytestmark = pytest.mark.xdist_group("test_many")      # its fixtures serve the whole file


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project before its first pass."""
    return write_shipped(tmp_path_factory.mktemp("sample") / "project", accounts=30, days=50)


def sent(folder: Path) -> tuple[list[OutboxRow], dict[str, bytes]]:
    """One pass: what is in the outbox then, without the moments, and the files of the rehearsal."""
    with passes(open_project(folder), send=True) as running:
        report = running.one(DAY)
    with Store.open(folder / ".forestall" / "rehearsal.db", read_only=True) as store:
        kept = {row.delivery.key: row for row in store.outbox()}
    assert [kept[row.delivery.key].message for row in report.rows] == [row.message for row in report.rows]
    return list(report.rows), {path.name: path.read_bytes() for path in (folder / "deliveries").iterdir()}


@dataclass(frozen=True)
class Alone:
    """What one process makes of it."""

    folder: Path
    rows: list[OutboxRow]
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def alone(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    folder = Path(shutil.copytree(sample, tmp_path_factory.mktemp("alone") / "project"))
    return Alone(folder, *sent(folder))


@pytest.mark.parametrize("ended", [False, True], ids=["both work", "the second one is killed"])
def test_two_processes_write_what_one_writes(
        sample: Path, alone: Alone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: bool) -> None:
    folder = Path(shutil.copytree(sample, tmp_path / "project"))
    monkeypatch.setattr(many, "MANY", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    write, processes = many.write, []

    def written(*given: object) -> object:
        processes.extend(multiprocessing.active_children())
        if ended:
            for one in processes:
                one.kill()
        return write(*given)      # type: ignore[arg-type]

    monkeypatch.setattr(many, "write", written)
    rows, files = sent(folder)
    assert processes, "there was a second process"
    assert len(rows) > 5
    assert (rows, files) == (alone.rows, alone.files)


def test_the_outbox_keeps_what_messages_share_only_once(alone: Alone) -> None:
    with sqlite3.connect(alone.folder / ".forestall" / "rehearsal.db") as connection:
        emails = [row.message for row in alone.rows if row.message.html]
        kept = connection.execute("SELECT message FROM outbox WHERE message LIKE '%\"html\"%'").fetchall()
        shared = dict(connection.execute("SELECT name, texts FROM forms"))
    assert len(kept) == len(emails) > 0
    assert all("<!DOCTYPE" not in message for (message,) in kept)
    assert sum("<!DOCTYPE" in texts for texts in shared.values()) == len({
        message.html.form for message in emails if isinstance(message.html, Filled)})


def test_a_text_knows_of_what_it_was_made_also_in_another_process() -> None:
    text = Filled(("Dear ", ",\nit is ", "."), ("Ann", "late"))
    again = pickle.loads(pickle.dumps(text))
    assert text == again == "Dear Ann,\nit is late."
    assert (again.form, again.own) == (text.form, text.own)
