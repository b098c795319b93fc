"""Where the kit puts its facts for sources that count events."""

from __future__ import annotations

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from forestall.engine.conformance import Stand
from forestall.engine.errors import Location
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind

HERE = Location("rules/metrics.yaml")


class EventsStand(Stand):
    """Logins on each day, half of them just after midnight and half just before it, where days begin in Auckland."""

    adapter = "events"
    metrics = {"logins": Metric("logins", Kind.NUMBER, HERE, per_day=True),
               "last_login_on": Metric("last_login_on", Kind.DATE, HERE)}
    given = ("logins",)
    gaps = False
    says_more = True            # an account that was seen has a row on every day
    many = 20_000               # rows, of five events each
    memory = 512 << 20          # DuckDB counts in memory as far as it has some: 275 MB for a million rows

    def put(self, facts):
        count = facts.column("logins").cast(pyarrow.int64())
        repeated = [row for row, times in enumerate(count.to_pylist()) for _ in range(times)]
        rows = pyarrow.array(repeated, pyarrow.int64())
        days = facts.column("as_of").take(rows).cast(pyarrow.timestamp("s"))
        minutes = pyarrow.array([5 if number % 2 else 23 * 60 + 55 for number in range(len(rows))])
        local = pyarrow.compute.add(days, pyarrow.compute.multiply(minutes, 60).cast(pyarrow.duration("s")))
        at = pyarrow.compute.assume_timezone(local, "Pacific/Auckland")
        pyarrow.parquet.write_table(pyarrow.table({"account": facts.column("account").take(rows), "at": at,
                                                   "name": ["login"] * len(rows)}), self.folder / "log.parquet")
        return facts.append_column("last_login_on", facts.column("as_of"))

    def settings(self):
        return {"path": "log.parquet", "time_zone": "Pacific/Auckland", "metrics": {
            "logins": {"measure": "count", "events": "login"},
            "last_login_on": {"measure": "last_day", "events": ["login"]}}}

    def damage(self):
        whole = (self.folder / "log.parquet").read_bytes()
        (self.folder / "log.parquet").write_bytes(whole[:len(whole) // 2])


STANDS = (EventsStand,)
