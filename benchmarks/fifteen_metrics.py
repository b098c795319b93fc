"""A made-up history of fifteen metrics, of any size, the same for the same seed: for the rules in `eight_triggers/`.

It is written straight into the layout of the history (see engine/detect/history.py). Rows leave in the order in which
they are stored, so that ninety million of them need neither a sort nor much memory.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb

from forestall.engine.detect.history import session
from forestall.engine.detect.history_sql import PARQUET
from forestall.engine.detect.manifest import Manifest, bounds, months_between, write_manifest
from forestall.engine.detect.sql_words import text

LAST_DAY = date(2026, 6, 20)

# A stable random number from 0 to 1 for an account and a purpose.
DRAW = "CREATE MACRO draw(number, purpose) AS hash({seed}::BIGINT * 1000000000000 + number * 100 + purpose) / 2.0**64"

# A number from 0 to 1 out of ten bits of a hash: one hash a row is enough for all its noise.
BITS = "CREATE MACRO bits(number, first) AS ((number >> first) & 1023)::DOUBLE / 1024"

# One row per account: who they are, how they will fare, and since when there are rows about them (1 in 25 is younger
# than the period). `turns` is how many days before the last one things turn, `spiked` and `piled` the same for errors
# and tickets (-1: never).
ACCOUNTS = """
CREATE TABLE accounts AS
WITH drawn AS (
  SELECT i, draw(i, 1) AS u1, draw(i, 2) AS u2, draw(i, 3) AS u3, draw(i, 4) AS u4, draw(i, 5) AS u5,
    draw(i, 6) AS u6, draw(i, 7) AS u7, draw(i, 8) AS u8
  FROM range({accounts}) AS numbers(i))
SELECT printf('account-%07d', i) AS account, i, u1, u2, u3, u4, u5,
  'Account ' || i AS account_name, 'csm' || (i % 200) AS csm,
  CASE WHEN u1 < 0.1 THEN 'enterprise' WHEN u1 < 0.6 THEN 'growth' ELSE 'starter' END AS segment,
  (CASE WHEN u1 < 0.1 THEN 220 WHEN u1 < 0.6 THEN 45 ELSE 12 END * (0.2 + 1.2 * u5))::DOUBLE AS usual,
  floor(100 + u4 * 9000)::DOUBLE AS mrr, DATE '{last}' + (u3 * 300)::INTEGER AS renewal_date,
  CASE WHEN u2 < 0.80 THEN 'steady' WHEN u2 < 0.86 THEN 'fading' WHEN u2 < 0.90 THEN 'falling'
       WHEN u2 < 0.96 THEN 'quiet' ELSE 'unheard' END AS course,
  floor(3 + u4 * 60)::DOUBLE AS seats, (5 + u6 * 0.95 * {span})::INTEGER AS turns,
  CASE WHEN u7 < 0.15 THEN (u7 / 0.15 * {span})::INTEGER ELSE -1 END AS spiked,
  CASE WHEN u8 < 0.20 THEN (u8 / 0.20 * {span})::INTEGER ELSE -1 END AS piled,
  DATE '{last}' - CASE WHEN u3 < 0.04 THEN (u3 * 25 * {span})::INTEGER ELSE {span} END AS first_day
FROM drawn ORDER BY i
"""

# One row per account and day. `back` counts the days until the last one; `share` is what is left of the usual.
DAYS = """
COPY (
WITH days AS (
  SELECT *, unnest(range((greatest(first_day, DATE '{start}') - DATE '1970-01-01')::BIGINT,
                         (DATE '{end}' - DATE '1970-01-01')::BIGINT + 1)) AS day
  FROM accounts WHERE first_day <= DATE '{end}'),
noisy AS (
  SELECT *, {last_number} - day AS back, hash({seed}::BIGINT * 1000000000000 + i * 10000 + {last_number} - day) AS noise
  FROM days),
shares AS (
  SELECT *, CASE course
      WHEN 'fading' THEN greatest(0.1, least(1.0, 0.1 + back / turns::DOUBLE))
      WHEN 'falling' THEN CASE WHEN back <= turns % 15 THEN 0.15 ELSE 1.0 END
      WHEN 'quiet' THEN CASE WHEN back <= turns THEN 0.0 ELSE 1.0 END ELSE 1.0 END::DOUBLE AS share
  FROM noisy)
SELECT account, day, (first_day - DATE '1970-01-01')::BIGINT AS first_day, day AS named_day,
  account_name, csm, segment, mrr, renewal_date,
  CASE WHEN course <> 'unheard' THEN floor(usual * share * (0.35 + 0.3 * bits(noise, 0))) END AS logins_7d,
  CASE WHEN course <> 'unheard' THEN floor(usual * share * (0.85 + 0.3 * bits(noise, 0))) END AS logins_14d,
  CASE WHEN course <> 'unheard' AND bits(noise, 10) > 0.01
       THEN floor(usual * share * (0.3 + 0.3 * u3 + 0.1 * bits(noise, 10))) END AS key_feature_uses_14d,
  CASE WHEN u3 > 0.08 THEN round(share * (0.5 + 5 * u4 + 0.3 * bits(noise, 20)), 1) END AS features_per_session,
  floor(seats * share * (0.3 + 0.7 * u1)) AS seats_active, seats AS seats_total,
  CASE WHEN bits(noise, 30) > 0.02
       THEN floor(3 * u5 + 4 * bits(noise, 30) + CASE WHEN back BETWEEN spiked - 6 AND spiked THEN 25 ELSE 0 END)
       END AS errors_7d,
  floor(2 * u2 + 1.3 * bits(noise, 40) + CASE WHEN back BETWEEN piled - 9 AND piled THEN 3 ELSE 0 END) AS tickets_open,
  DATE '1970-01-01' + (day - CASE WHEN share = 0 THEN turns - back ELSE 3 * bits(noise, 50) END::BIGINT)::INTEGER
    AS last_activity_on,
  CASE WHEN u5 > 0.03 THEN floor(u2 * 10 * least(1.0, 1.2 - back / 400.0)) END AS milestones_completed
FROM shares) TO {path} {parquet}
"""


def write_history(folder: Path, accounts: int, days: int, seed: int = 2026) -> int:
    """Write `days` days up to LAST_DAY into `folder`, and answer how many rows that are."""
    first = LAST_DAY - timedelta(days=days - 1)
    manifest = Manifest(generation=1, through=LAST_DAY)
    (folder / "days").mkdir(parents=True, exist_ok=True)
    for month in months_between(first, LAST_DAY):
        manifest.days[month] = folder / "days" / f"{month}.1.parquet"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = sum(pool.map(lambda month: _write_month(manifest.days[month], month, first, accounts, seed),
                            manifest.days))
    named = folder / "accounts" / "accounts.1.parquet"
    named.parent.mkdir(exist_ok=True)
    with session() as connection:
        _make_accounts(connection, accounts, first, seed)
        connection.execute(f"COPY (SELECT account, first_day, DATE '{LAST_DAY}' AS last_day FROM accounts "
                           f"ORDER BY account) TO {text(str(named))} {PARQUET}")
    write_manifest(folder, replace(manifest, accounts=named))
    return rows


def _write_month(path: Path, month: str, first: date, accounts: int, seed: int) -> int:
    start, end = bounds(month)
    with session() as connection:
        connection.execute("SET threads = 1")      # several would hold gigabytes to keep the rows in order
        connection.execute(BITS)
        _make_accounts(connection, accounts, first, seed)
        written = connection.execute(DAYS.format(
            last_number=(LAST_DAY - date(1970, 1, 1)).days, start=max(start, first), end=min(end, LAST_DAY),
            seed=seed, path=text(str(path)), parquet=PARQUET)).fetchone()
    return written[0] if written else 0


def _make_accounts(connection: duckdb.DuckDBPyConnection, accounts: int, first: date, seed: int) -> None:
    connection.execute(DRAW.format(seed=seed))
    connection.execute(ACCOUNTS.format(accounts=accounts, span=(LAST_DAY - first).days, last=LAST_DAY))
