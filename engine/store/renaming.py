"""A trigger with a new name: what was kept of an account under the old one bears the new one from now on."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from forestall.engine.model.state import Renamed
from forestall.engine.store import tables

_NAMED = ((tables.alerts, "trigger"), (tables.transitions, "trigger"), (tables.runs, "group"),
          (tables.silences, "group"), (tables.outbox, "group"), (tables.answers, "group"), (tables.answers, "trigger"))
_UNIQUE = {tables.transitions: ("day", "kind", "opened_on"), tables.runs: ("play", "occurrence"),
           tables.silences: ("play", "occurrence", "step", "reason"), tables.alerts: ()}


def rename(connection: sa.Connection, renamed: Sequence[Renamed]) -> int:
    """Give the rows of these accounts the new name. How many alerts have it.

    A row that would be the same as one that has the new name already, from long ago, stays as it is; an alert from
    long ago makes way.
    """
    if not renamed:
        return 0
    named = [{"of_account": one.account, "old": one.old, "new": one.new} for one in renamed]
    alerts = tables.alerts
    forgotten = sa.and_(alerts.c.account == sa.bindparam("of_account"), alerts.c.trigger == sa.bindparam("new"))
    connection.execute(sa.delete(alerts).where(forgotten), named)
    for table, column in _NAMED:
        mine = sa.and_(table.c.account == sa.bindparam("of_account"), table.c[column] == sa.bindparam("old"))
        if table in _UNIQUE:
            there = table.alias("there")
            same = [there.c[name] == table.c[name] for name in ("account", *_UNIQUE[table])]
            mine = sa.and_(mine, ~sa.exists().where(there.c[column] == sa.bindparam("new"), *same))
        connection.execute(sa.update(table).where(mine).values({column: sa.bindparam("new")}), named)
    return len(renamed)
