"""A small catalogue, rows as sources say them, and the day rules once more in plain Python."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import pyarrow as pa
import pytest

from forestall.engine.detect.history import History
from forestall.engine.errors import Location
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.expression import Kind

HERE = Location("metrics.yaml", 1, 1)
GONE_AFTER = 6
ARROW = {Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.FLAG: pa.bool_(), Kind.DATE: pa.date32()}
METRICS = (Metric("logins", Kind.NUMBER, HERE, stale_after=3), Metric("seats", Kind.NUMBER, HERE, stale_after=20),
           Metric("errors", Kind.NUMBER, HERE, per_day=True), Metric("segment", Kind.TEXT, HERE, stale_after=9),
           Metric("vip", Kind.FLAG, HERE, stale_after=0), Metric("renewal", Kind.DATE, HERE, stale_after=5))


def catalogue_of(*metrics):
    return Catalogue({metric.name: metric for metric in metrics}, Roles())


def as_table(rows, metrics=METRICS):
    """Rows (account, day, {metric: value}) as a source hands them over: only metrics that it supplies are columns."""
    supplied = [metric for metric in metrics if any(metric.name in values for _, _, values in rows)]
    columns = {"account": pa.array([account for account, _, _ in rows], pa.string()),
               "as_of": pa.array([day for _, day, _ in rows], pa.date32())}
    columns |= {metric.name: pa.array([values.get(metric.name) for _, _, values in rows], ARROW[metric.kind])
                for metric in supplied}
    return pa.table(columns)


@dataclass
class Oracle:
    """What the rows per account and day must be, from the words of the design and one row after the other."""

    metrics: tuple = METRICS
    gone_after: int = GONE_AFTER
    arrivals: list = field(default_factory=list)      # (account, as_of, received_on, order, source, values)

    def add(self, source, rows, received_on):
        """The same again says nothing new; of several rows for one day the last one speaks."""
        last = {(account, day): values for account, day, values in rows}
        supplied = {name for _, _, values in rows for name in values}
        new = 0
        for (account, day), values in last.items():
            known = [one for one in self.arrivals if (one[0], one[1], one[4]) == (account, day, source)]
            before = max(known, key=lambda one: (one[2], one[3]))[5] if known else None
            if before is None or any(before.get(name) != values.get(name) for name in supplied):
                said = {name: values.get(name) for name in supplied}
                self.arrivals.append((account, day, max(day, received_on or day), len(self.arrivals), source, said))
                new += 1
        return new

    def rows(self, through):
        """(account, day) → the row: first and last day named, and every value that still holds."""
        found = {}
        for account in {one[0] for one in self.arrivals}:
            own = [one for one in self.arrivals if one[0] == account]
            first, last = (bound(max(one[1], one[2]) for one in own) for bound in (min, max))
            day = first
            while day <= min(through, last + timedelta(days=self.gone_after)):
                heard = [one for one in own if max(one[1], one[2]) <= day]
                named = max(max(one[1], one[2]) for one in heard)
                row = {metric.name: self.value(metric, heard, day) for metric in self.metrics}
                # an account that came back: in between it was gone, and since when exactly is not kept
                found[account, day] = {"first_day": first, **row, "named_day": max(
                    named, day - timedelta(days=self.gone_after + 1))}
                day += timedelta(days=1)
        return found

    @staticmethod
    def value(metric, heard, day):
        said = [one for one in heard if one[5].get(metric.name) is not None]
        if not said:
            return None
        if metric.per_day:
            return Oracle.counted(metric, said, day)
        newest = max(said, key=lambda one: (one[1], one[3]))
        reach = metric.stale_after
        return newest[5][metric.name] if day <= newest[1] + timedelta(days=reach) else None


    @staticmethod
    def counted(metric, said, day):
        """What came on the day, each count less what was said of its own day before; nothing that is too late."""
        total = None
        for of in {one[1] for one in said}:
            versions = sorted((max(one[1], one[2]), one[3], one[5][metric.name]) for one in said if one[1] == of)
            today = [value for came, _, value in versions if came == day and (came - of).days <= GONE_AFTER]
            before = [value for came, _, value in versions if came < day]
            if today:
                total = (total or 0.0) + today[-1] - (before[-1] if before else 0.0)
        return total


def days_of(history, catalogue, first=date(2025, 1, 1), last=date(2027, 12, 31)):
    """(account, day) → the row, as the history has it, with dates for days since 1970."""
    connection = history.open_days(catalogue, first, last)
    listed = connection.sql("SELECT * FROM history ORDER BY account, day").to_arrow_table().to_pylist()
    connection.close()
    dates = {"first_day", "named_day"} | {metric.name for metric in catalogue.supplied() if metric.kind is Kind.DATE}
    found = {}
    for row in listed:
        key = row["account"], date(1970, 1, 1) + timedelta(days=row["day"])
        assert key not in found
        found[key] = {name: date(1970, 1, 1) + timedelta(days=value) if name in dates and value is not None else value
                      for name, value in row.items() if name not in ("account", "day", "back")}
    return found


class Desk:
    """A history in a folder, and the oracle beside it."""

    def __init__(self, root, metrics=METRICS, gone_after=GONE_AFTER):
        self.metrics, self.catalogue, self.gone_after = metrics, catalogue_of(*metrics), gone_after
        self.history, self.oracle = History(root), Oracle(metrics, gone_after)

    def say(self, *rows, source="product", received_on=None):
        """What a source said; both must count the same new rows."""
        arrived = self.history.add(source, [as_table(rows, self.metrics)], self.catalogue, received_on, self.gone_after)
        assert arrived.new == self.oracle.add(source, rows, received_on)
        return arrived

    def build(self, through):
        self.history.build_days(self.catalogue, self.gone_after, through)

    def days(self):
        return days_of(self.history, self.catalogue)

    def agree(self, through):
        self.build(through)
        assert self.days() == self.oracle.rows(through)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "history")


@pytest.fixture
def new_desk(tmp_path):
    """More histories, each in a folder of its own."""
    return lambda name, **more: Desk(tmp_path / name, **more)
