"""A made-up history for benchmarks: the metrics of the default rulebook, the same for the same seed.

It is written straight into the layout of the history (see engine/detect/history.py), because importing nine million
rows through a source would measure something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from forestall.engine.detect.history import session
from forestall.engine.detect.history_sql import PARQUET
from forestall.engine.detect.manifest import Manifest, bounds, months_between, write_manifest
from forestall.engine.detect.sql_words import text

LAST_DAY = date(2026, 6, 20)


@dataclass(frozen=True, slots=True)
class Size:
    """How many accounts, over how many days up to LAST_DAY, from which seed."""

    accounts: int = 100_000
    days: int = 90
    seed: int = 2026


# A stable random number from 0 to 1 for a number and a purpose.
DRAW = "CREATE MACRO draw(number, purpose) AS hash({seed}::BIGINT * 1000000000000 + number * 10 + purpose) / 2.0**64"

# One row per account: who they are, and how they will fare.
ACCOUNTS = """
CREATE TABLE accounts AS
WITH drawn AS (
  SELECT i, draw(i, 1) AS u1, draw(i, 2) AS u2, draw(i, 3) AS u3, draw(i, 4) AS u4, draw(i, 5) AS u5
  FROM range({accounts}) AS numbers(i))
SELECT printf('account-%06d', i) AS account, i, u1, u2, u3, u4,
  CASE WHEN u1 < 0.1 THEN 'enterprise' WHEN u1 < 0.6 THEN 'growth' ELSE 'starter' END AS segment,
  CASE WHEN u1 < 0.1 THEN 220.0 WHEN u1 < 0.6 THEN 45.0 ELSE 12.0 END * (0.2 + 1.2 * u5) AS usual_logins,
  CASE WHEN u2 < 0.70 THEN 'steady' WHEN u2 < 0.80 THEN 'fading' WHEN u2 < 0.85 THEN 'falling'
       WHEN u2 < 0.95 THEN 'quiet' ELSE 'unheard' END AS course,
  CASE WHEN u3 < 0.05 THEN DATE '{last}' - (u3 * 800)::INTEGER ELSE DATE '{first}' END AS first_day,
  floor(5 + u4 * 60) AS seats,
  (10 + draw(i, 6) * 75)::INTEGER AS turns      -- how many days before the last one things turn
FROM drawn
"""

# One row per account and day. `back` counts the days until the last one; `share` is what is left of the usual.
DAYS = """
COPY (
WITH days AS (
  SELECT accounts.*, on_day, DATE '{last}' - on_day AS back,
    draw(i * 1000 + (DATE '{last}' - on_day), 7) AS noise
  FROM accounts, (SELECT unnest(generate_series(DATE '{start}', DATE '{end}', INTERVAL 1 DAY))::DATE AS on_day)
  WHERE on_day >= first_day),
shares AS (
  SELECT *, CASE course
      WHEN 'fading' THEN greatest(0.1, least(1.0, 0.1 + back / turns::DOUBLE))
      WHEN 'falling' THEN CASE WHEN back <= 5 THEN 0.15 ELSE 1.0 END
      WHEN 'quiet' THEN CASE WHEN back <= turns THEN 0.0 ELSE 1.0 END ELSE 1.0 END AS share
  FROM days)
SELECT account, (on_day - DATE '1970-01-01')::BIGINT AS day, (first_day - DATE '1970-01-01')::BIGINT AS first_day,
  (on_day - DATE '1970-01-01')::BIGINT AS named_day,
  'Account ' || i AS account_name, 'contact' || i || '@customer.example' AS contact_email,
  'csm' || (i % 200) AS csm, 'lead' || (i % 10) AS executive_owner, floor(100 + u4 * 9000) AS mrr,
  DATE '{last}' + (u3 * 300)::INTEGER AS renewal_date, 'Europe/Berlin' AS time_zone,
  first_day - (30 + u1 * 900)::INTEGER AS customer_since, u4 < 0.02 AS email_opt_out, segment,
  CASE WHEN u3 > 0.98 AND back < u1 * 60 THEN 'Robin' ELSE 'Kim' END AS sponsor, seats AS seats_total,
  first_day - 20 AS onboarding_completed_on,
  CASE WHEN u3 > 0.1 THEN on_day - ((back + i) % (5 + i % 56))::INTEGER END AS last_spoken_on,
  CASE WHEN course <> 'unheard' THEN floor(usual_logins * share * (0.85 + 0.3 * noise)) END AS logins_14d,
  CASE WHEN course <> 'unheard' THEN floor(usual_logins * share * (0.3 + 0.4 * u3)) END AS key_feature_uses_14d,
  CASE WHEN u3 > 0.08 THEN round(share * (0.5 + 5 * u4 + 0.3 * noise), 1) END AS features_per_session,
  CASE WHEN u3 > 0.06 THEN round(share * (1 + 24 * u2), 1) END AS session_minutes,
  floor(seats * share * (0.1 + 0.9 * u1)) AS seats_active_14d,
  on_day - (CASE WHEN share = 0 THEN turns - back ELSE noise * 3 END)::INTEGER AS last_activity_on,
  CASE WHEN u4 < 0.03 THEN 0.0 ELSE floor(u4 * 400) END AS core_feature_uses_total,
  floor(u2 * 10 * least(1.0, 1.2 - back / 400.0)) AS milestones_completed, 10.0 AS milestones_total,
  CASE WHEN u1 < 0.9 THEN 'none' WHEN u1 < 0.94 THEN 'onboarding' WHEN u1 < 0.97 THEN 'feature_setup'
       ELSE 'integration' END AS journey,
  CASE WHEN u1 < 0.9 THEN NULL ELSE 'Connect' END AS journey_step,
  CASE WHEN u1 < 0.9 THEN NULL ELSE on_day - ((90 - back) % 25)::INTEGER END AS journey_step_started_on,
  CASE WHEN u1 < 0.9 THEN NULL ELSE 10.0 END AS journey_step_expected_days
FROM shares ORDER BY account, day) TO {path} {parquet}
"""


def write_history(folder: Path, size: Size) -> int:
    """Write the history into `folder` and answer how many rows it has."""
    first = LAST_DAY - timedelta(days=size.days - 1)
    manifest = Manifest(generation=1, through=LAST_DAY)
    (folder / "days").mkdir(parents=True, exist_ok=True)
    rows = 0
    with session() as connection:
        connection.execute(DRAW.format(seed=size.seed))
        connection.execute(ACCOUNTS.format(accounts=size.accounts, first=first, last=LAST_DAY))
        for month in months_between(first, LAST_DAY):
            start, end = bounds(month)
            path = folder / "days" / f"{month}.1.parquet"
            written = connection.execute(DAYS.format(
                last=LAST_DAY, start=max(start, first), end=min(end, LAST_DAY),
                path=text(str(path)), parquet=PARQUET)).fetchone()
            rows += written[0] if written else 0
            manifest.days[month] = path
    write_manifest(folder, manifest)
    return rows
