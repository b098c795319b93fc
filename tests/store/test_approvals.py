"""What people say about held starts: kept for the next pass, and used up by it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from forestall.engine.model.delivery import PlayRun, RunStatus
from forestall.engine.model.state import Approval, Decisions
from forestall.engine.store import Store

DAY = date(2026, 1, 5)
NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)


def held(account: str) -> PlayRun:
    return PlayRun(account, "nudge", "mild", DAY, "at_risk", RunStatus.HELD, "d", since=DAY, reason="too many")


def test_without_anything_held_there_is_nothing_to_approve(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state.db") as store:
        assert store.approve("nudge", DAY, "dana") == 0
        assert store.cancel_held("nudge", DAY, "dana") == 0
        assert (dict(store.state().approvals), store.held()) == ({}, {})


def test_the_last_word_counts_until_a_pass_has_used_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state.db") as store:
        store.commit(Decisions(DAY, "d", "s", runs=(held("a"), held("b"))), (), NOW)
        assert store.held() == {"nudge": 2}
        assert store.approve("nudge", DAY, "dana") == 2
        assert store.cancel_held("nudge", DAY, "robin") == 2
        state = store.state()
        assert state.approvals == {"nudge": Approval("nudge", DAY, "robin", cancelled=True)}
        used = Decisions(DAY + timedelta(days=1), "d", "s", answered=frozenset(state.approvals))
        store.commit(used, (), NOW)
        assert dict(store.state().approvals) == dict(state.after(used).approvals) == {}
        assert store.approve("nudge", DAY, "dana") == 2, "they are held still, and may be approved again"


def test_what_is_held_is_remembered_however_old(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state.db") as store:
        store.commit(Decisions(DAY, "d", "s", runs=(held("a"),)), (), NOW)
        later = PlayRun("a", "nudge", "mild", DAY + timedelta(days=3), "at_risk", RunStatus.STOPPED, "d")
        store.commit(Decisions(DAY + timedelta(days=3), "d", "s", runs=(later,)), (), NOW)
        assert [run.status for run in store.state().runs] == [RunStatus.HELD, RunStatus.STOPPED]
