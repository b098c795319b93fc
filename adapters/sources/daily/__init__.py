"""From a log of happenings to daily metrics: what events, tickets, conversations and invoices have in common.

A source that has a log builds on three things of this package:

- `Daily` (declared.py) is the part of its settings that says which metrics there shall be; forestall.yaml fills it.
- `DailyMetrics(source, daily, metrics)` (metrics.py) checks that part and answers `supplies()`, `columns` and
  `snapshots(log, since, until)`, the rows per account and day.
- `Log` (log.py) is what the source itself brings: a function that gives the rows of the log as Arrow tables.

    class TicketSource:
        Settings = TicketSettings                       # has a field `daily: Daily`, or builds one

        def __init__(self, name, settings, metrics, folder):
            self._daily = DailyMetrics(name, settings.daily, metrics)

        def supplies(self):
            return self._daily.supplies()

        def snapshots(self, since, until):
            return self._daily.snapshots(self._log, since, until)

        def _log(self, wanted: Wanted) -> Iterator[pa.Table]:
            ...                                         # columns of `wanted.columns`, times from `wanted.since` on

Nothing in here reads a file or a network. A clock says only whether a day is over.
"""
