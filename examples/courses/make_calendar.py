#!/usr/bin/env python3
"""Writes data/calendar.csv.gz: the dates of the course. Nothing in it is made up.

snapshots.parquet counts days ("the next milestone is due in 4 days"), once a week. Rules want the day itself, so that
"two weeks after the due date" can come true on any day of the week. A row is written when one of the dates has changed,
and every four weeks, always on a day on which the student has a snapshot. Needs duckdb.
"""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import duckdb

DATA = Path(__file__).resolve().parent / "data"
PRESENTATION = "2014J"
DATES = """
    with dates as (
      select account_id, as_of, split_part(account_id, '-', 1) as module,
             as_of - days_since_last_due as last_due_on, as_of + days_to_next_milestone as next_due_on
      from read_parquet(?) where split_part(account_id, '-', 2) = ?
    )
    select account_id, as_of::varchar, module, last_due_on::varchar, next_due_on::varchar from dates
    window student as (partition by account_id order by as_of)
    qualify row_number() over student % 4 = 1
         or last_due_on is distinct from lag(last_due_on) over student
         or next_due_on is distinct from lag(next_due_on) over student
    order by account_id, as_of
"""


def main() -> None:
    """Read data/snapshots.parquet, write data/calendar.csv.gz."""
    rows = duckdb.connect().execute(DATES, [str(DATA / "snapshots.parquet"), PRESENTATION]).fetchall()
    text = io.StringIO(newline="")
    write = csv.writer(text, lineterminator="\n").writerow
    write(["account", "as_of", "module", "last_due_on", "next_due_on"])
    for row in rows:
        write(["" if value is None else value for value in row])
    (DATA / "calendar.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    print(f"data/calendar.csv.gz: {len(rows)} rows")


if __name__ == "__main__":
    main()
