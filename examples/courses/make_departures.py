#!/usr/bin/env python3
"""Writes data/departures.csv.gz: who unregistered, and when. Nothing in it is made up.

Hindsight, so that `forestall simulate` can say what each trigger caught. A row stands on the day of the student's last
weekly record (mostly 2 to 6 days before they left): there it makes nobody stay in the book of business longer than the
record does, and no rule reads it. Students without any weekly record are left out. Needs duckdb.
"""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import duckdb

DATA = Path(__file__).resolve().parent / "data"
DEPARTURES = """
    select account_id, max(as_of)::varchar, any_value(churned_on)::varchar
    from read_parquet(?) as weeks join read_parquet(?) as enrolments using (account_id)
    where churned_on is not null group by account_id order by account_id
"""


def main() -> None:
    """Read data/snapshots.parquet and data/churn.parquet, write data/departures.csv.gz."""
    rows = duckdb.connect().execute(
        DEPARTURES, [str(DATA / "snapshots.parquet"), str(DATA / "churn.parquet")]).fetchall()
    text = io.StringIO(newline="")
    write = csv.writer(text, lineterminator="\n").writerow
    write(["account", "as_of", "left_on"])
    for row in rows:
        write(row)
    (DATA / "departures.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    print(f"data/departures.csv.gz: {len(rows)} rows")


if __name__ == "__main__":
    main()
