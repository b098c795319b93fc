#!/usr/bin/env python3
"""Writes use.parquet and left.parquet from the daily snapshots of RavenStack: see ORIGIN.md. Needs duckdb.

    python derive.py FOLDER      # with snapshots.parquet and churn.parquet
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

HERE = Path(__file__).resolve().parent
USE = """
COPY (SELECT account_id AS account, as_of, events_30d::SMALLINT AS events_30d,
             days_since_last_activity::SMALLINT AS days_since_last_activity, errors_30d::SMALLINT AS errors_30d,
             tickets_30d::SMALLINT AS tickets_30d, last_satisfaction, downgrades_30d::SMALLINT AS downgrades_30d
      FROM '{0}/snapshots.parquet' ORDER BY account_id, as_of) TO '{1}/use.parquet' (FORMAT parquet, COMPRESSION zstd)
"""
LEFT = """
COPY (SELECT account_id AS account, churned_on AS as_of, churned_on AS left_on FROM '{0}/churn.parquet'
      WHERE churned_on IS NOT NULL AND account_id IN (SELECT account_id FROM '{0}/snapshots.parquet')
      ORDER BY account_id) TO '{1}/left.parquet' (FORMAT parquet, COMPRESSION zstd)
"""

if __name__ == "__main__":
    for statement in (USE, LEFT):
        duckdb.connect().execute(statement.format(sys.argv[1], HERE))
