"""Cut a slice out of churnsim_crm6: `python derive.py SNAPSHOTS TARGET [FIRST LAST EVERY]`, every n-th account."""

from __future__ import annotations

import sys

import duckdb

SLICE = """
COPY (
  SELECT account_id AS account, as_of, account_id AS account_name, account_id || '@customer.example' AS contact_email,
    CASE WHEN hash(account_id) % 2 = 0 THEN 'dana' ELSE 'luis' END AS csm, mrr::DOUBLE AS mrr,
    events_7d::DOUBLE AS events_7d, events_28d::DOUBLE AS events_28d, active_days_14d::DOUBLE AS active_days_14d,
    seat_use_pct::DOUBLE AS seat_use_pct, days_to_renewal::DOUBLE AS days_to_renewal
  FROM $source WHERE as_of BETWEEN DATE '$first' AND DATE '$last'
    AND substr(account_id, 5)::INTEGER % $every = 0 ORDER BY account, as_of
) TO '$target' (FORMAT parquet, COMPRESSION zstd)
"""


def main(source: str, target: str, first: str = "2023-08-01", last: str = "2023-09-25", every: str = "19") -> None:
    said = {"$source": f"'{source}'", "$target": target, "$first": first, "$last": last, "$every": every}
    statement = SLICE
    for name, value in said.items():
        statement = statement.replace(name, value)
    duckdb.execute(statement)


if __name__ == "__main__":
    main(*sys.argv[1:])
