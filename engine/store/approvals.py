"""What people say about starts that a guard holds, and how many plays usually start."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa

from forestall.engine.model.delivery import RunStatus
from forestall.engine.model.remembered import STARTS_REMEMBERED
from forestall.engine.model.state import Approval, Decisions, starts_by_play
from forestall.engine.store.database import by_column, upsert
from forestall.engine.store.tables import approvals, runs, starts


def answer(connection: sa.Connection, approval: Approval) -> int:
    """Keep what a person said about the held starts of a play, for the next pass. How many are held; 0: not kept."""
    held = connection.scalar(sa.select(sa.func.count()).select_from(runs).where(
        runs.c.play == approval.play, runs.c.status == RunStatus.HELD.value)) or 0
    if held:
        connection.execute(sa.insert(approvals).values(
            play=approval.play, given_on=approval.given_on, given_by=approval.given_by, cancelled=approval.cancelled))
    return held


def held(connection: sa.Connection) -> dict[str, int]:
    """Play → how many of its starts are held."""
    query = sa.select(runs.c.play, sa.func.count()).where(runs.c.status == RunStatus.HELD.value).group_by(runs.c.play)
    return {row[0]: row[1] for row in connection.execute(query.order_by(runs.c.play))}


def given(connection: sa.Connection) -> dict[str, Approval]:
    """Play → what was said last about it, unless a pass has used it up."""
    query = sa.select(approvals).where(approvals.c.used_on.is_(None)).order_by(approvals.c.id)
    return {row.play: Approval(row.play, row.given_on, row.given_by, row.cancelled)
            for row in connection.execute(query)}


def use_up(connection: sa.Connection, decisions: Decisions) -> int:
    """Mark what this pass used. How many."""
    if not decisions.answered:
        return 0
    mine = sa.and_(approvals.c.play.in_(sorted(decisions.answered)), approvals.c.used_on.is_(None))
    return max(connection.execute(sa.update(approvals).where(mine).values(used_on=decisions.day)).rowcount, 0)


def read_starts(connection: sa.Connection, day: date) -> dict[str, tuple[tuple[date, int], ...]]:
    """See State.starts; `day` is the last that was decided."""
    recent = sa.select(starts).where(starts.c.day >= day - timedelta(days=STARTS_REMEMBERED))
    return starts_by_play({(row.play, row.day): row.starts for row in connection.execute(recent)}, day)


def write_starts(connection: sa.Connection, decisions: Decisions) -> int:
    """What started today, play by play. How many rows changed."""
    return upsert(connection, starts, by_column([{"play": play, "day": decisions.day, "starts": count}
                                                 for play, count in sorted(decisions.starts.items())]))
