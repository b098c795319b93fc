-- The rules of `eight_triggers/` over every day of a history, as somebody who knows them by heart would write them in SQL:
-- `lag` and ROWS frames per account, which is right because days are consecutive. What comes back are the rows in which
-- a truth, the tier or a role differs from the day before. Truths are packed, two bits each: 2 true, 1 unknown, 0 false.
-- Comparisons carry the same small tolerance as the rules do. $first is the first day that is asked for.
WITH points AS (
  SELECT *,
    CASE WHEN logins_14d <= 0 THEN 0.0 WHEN logins_14d <= 20 THEN logins_14d * 2.5
         WHEN logins_14d <= 80 THEN 50.0 + (logins_14d - 20) * (50.0 / 60) WHEN logins_14d IS NOT NULL THEN 100.0
         END AS logins,
    CASE WHEN key_feature_uses_14d <= 0 THEN 0.0 WHEN key_feature_uses_14d <= 10 THEN key_feature_uses_14d * 6.0
         WHEN key_feature_uses_14d <= 40 THEN 60.0 + (key_feature_uses_14d - 10) * (40.0 / 30)
         WHEN key_feature_uses_14d IS NOT NULL THEN 100.0 END AS uses,
    CASE WHEN features_per_session <= 0 THEN 0.0 WHEN features_per_session <= 2 THEN features_per_session * 25.0
         WHEN features_per_session <= 5 THEN 50.0 + (features_per_session - 2) * (50.0 / 3)
         WHEN features_per_session IS NOT NULL THEN 100.0 END AS engagement,
    CASE WHEN milestones_completed IS NOT NULL
         THEN least(greatest(10.0 * milestones_completed, 0.0), 100.0) END AS milestones,
    CASE WHEN day - last_activity_on >= 30 THEN 0.0 WHEN day - last_activity_on >= 14 THEN 50.0
         WHEN day - last_activity_on >= 7 THEN 80.0 WHEN last_activity_on IS NOT NULL THEN 100.0 END AS recency
  FROM history),
signals AS (
  SELECT *, CASE WHEN uses IS NULL THEN logins WHEN logins IS NULL THEN uses ELSE (logins + uses) / 2 END AS activity,
    (logins IS NOT NULL)::INTEGER AS k1, (uses IS NOT NULL)::INTEGER AS k2, (engagement IS NOT NULL)::INTEGER AS k3,
    (milestones IS NOT NULL)::INTEGER AS k4, (recency IS NOT NULL)::INTEGER AS k5
  FROM points),
scored AS (
  SELECT *, k1 + 2 * k2 + 4 * k3 + 8 * k4 + 16 * k5 AS pattern,
    CASE WHEN 20 * (k1 + k2) + 30 * k3 + 20 * k4 + 10 * k5 >= 50 AND day - first_day >= 14
         THEN floor(10 * (coalesce(40 * activity, 0) + coalesce(30 * engagement, 0) + coalesce(20 * milestones, 0)
                          + coalesce(10 * recency, 0))
                       / (CASE WHEN activity IS NULL THEN 0 ELSE 40 END + 30 * k3 + 20 * k4 + 10 * k5)
                    + 0.5 + 1e-6) / 10 END AS score
  FROM signals),
looked AS (
  SELECT *, lag(score, 7) OVER days AS score_then, lag(pattern, 7) OVER days AS pattern_then,
    lag(logins_7d, 7) OVER days AS logins_week_ago, lag(logins_7d, 14) OVER days AS logins_two_weeks_ago,
    lag(logins_14d, 14) OVER days AS logins_then,
    avg(logins_14d) OVER (days ROWS 27 PRECEDING) AS logins_average,
    max(key_feature_uses_14d) OVER (days ROWS 27 PRECEDING) AS most_uses,
    min(tickets_open) OVER (days ROWS 6 PRECEDING) AS fewest_tickets,
    avg(errors_7d) OVER (days ROWS BETWEEN 62 PRECEDING AND 7 PRECEDING) AS errors_average,
    count(errors_7d) OVER (days ROWS BETWEEN 62 PRECEDING AND 7 PRECEDING) AS errors_known
  FROM scored WINDOW days AS (PARTITION BY account ORDER BY day)),
compared AS (
  SELECT *, CASE WHEN pattern = pattern_then THEN score_then - score END AS fall, day - last_activity_on AS quiet,
    CASE WHEN logins_then <> 0 THEN 100 * (logins_then - logins_14d) / abs(logins_then) END AS logins_fall,
    CASE WHEN errors_known >= 28 THEN errors_average END AS usual_errors
  FROM looked),
judged AS (
  SELECT account, day, first_day, account_name, csm, mrr, renewal_date, day - named_day >= 14 AS gone,
    CASE WHEN score >= 80 THEN 'healthy' WHEN score >= 60 THEN 'monitor' WHEN score >= 40 THEN 'at_risk'
         WHEN score >= 20 THEN 'critical' WHEN score IS NOT NULL THEN 'churning' END AS tier,
    CASE WHEN score >= 82 THEN 4 WHEN score >= 62 THEN 3 WHEN score >= 42 THEN 2 WHEN score >= 22 THEN 1
         ELSE 0 END AS clear_of,
    fall >= 15 - 1e-7 AND score < 70 AS t0,
    quiet BETWEEN 14 AND 60 AS t1,
    logins_7d < 2 AND logins_week_ago < 2 AND logins_two_weeks_ago < 2 AS t2,
    seats_total >= 5 AND CASE WHEN seats_total <> 0 THEN seats_active / seats_total END <= 0.2 + 1e-9 AS t3,
    errors_7d >= 10 AND errors_7d >= 3 * usual_errors - 1e-6 AS t4,
    logins_fall >= 50 - 1e-7 AND logins_average >= 10 - 1e-8 AS t5,
    fewest_tickets >= 3 AS t6,
    key_feature_uses_14d <= 0.4 * most_uses + 1e-7 AND day - first_day >= 27 AS t7
  FROM compared),
packed AS (
  SELECT *,
    CASE WHEN t0 THEN 2 WHEN NOT t0 THEN 0 ELSE 1 END +
    CASE WHEN t1 THEN 8 WHEN NOT t1 THEN 0 ELSE 4 END +
    CASE WHEN t2 THEN 32 WHEN NOT t2 THEN 0 ELSE 16 END +
    CASE WHEN t3 THEN 128 WHEN NOT t3 THEN 0 ELSE 64 END +
    CASE WHEN t4 THEN 512 WHEN NOT t4 THEN 0 ELSE 256 END +
    CASE WHEN t5 THEN 2048 WHEN NOT t5 THEN 0 ELSE 1024 END +
    CASE WHEN t6 THEN 8192 WHEN NOT t6 THEN 0 ELSE 4096 END +
    CASE WHEN t7 THEN 32768 WHEN NOT t7 THEN 0 ELSE 16384 END AS truths
  FROM judged)
SELECT account, day, tier, clear_of, gone, account_name, csm, mrr, renewal_date, truths FROM packed
WHERE day >= $first
QUALIFY day = $first OR day = first_day OR (tier, clear_of, gone, account_name, csm, mrr, renewal_date, truths)
  IS DISTINCT FROM lag((tier, clear_of, gone, account_name, csm, mrr, renewal_date, truths))
  OVER (PARTITION BY account ORDER BY day)
