-- The rules of `eight_triggers/` as somebody who knows them by heart would write them in SQL, for one day: score, tier,
-- the roles and the truth of every trigger (true, false, or null when it cannot be known). $today is the day since 1970.
-- No windows: the score is worked out for today and the day a week ago, two more days are fetched by name, and what
-- looks over many days is one aggregate per account. Comparisons carry the same small tolerance as the rules do.
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
  FROM history WHERE day IN ($today, $today - 7)),
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
past AS (
  SELECT account,
    max(logins_7d) FILTER (day = $today - 7) AS logins_week_ago,
    max(logins_7d) FILTER (day = $today - 14) AS logins_two_weeks_ago,
    max(logins_14d) FILTER (day = $today - 14) AS logins_then,
    avg(logins_14d) FILTER (day >= $today - 27) AS logins_average,
    max(key_feature_uses_14d) FILTER (day >= $today - 27) AS most_uses,
    min(tickets_open) FILTER (day >= $today - 6) AS fewest_tickets,
    avg(errors_7d) FILTER (day <= $today - 7) AS errors_average,
    count(errors_7d) FILTER (day <= $today - 7) AS errors_known
  FROM history WHERE day BETWEEN $today - 62 AND $today GROUP BY account),
compared AS (
  SELECT now.*, past.*, CASE WHEN now.pattern = week_ago.pattern THEN week_ago.score - now.score END AS fall,
    $today - now.last_activity_on AS quiet,
    CASE WHEN logins_then <> 0 THEN 100 * (logins_then - now.logins_14d) / abs(logins_then) END AS logins_fall,
    CASE WHEN errors_known >= 28 THEN errors_average END AS usual_errors
  FROM (SELECT * FROM scored WHERE day = $today) AS now
  LEFT JOIN (SELECT account, score, pattern FROM scored WHERE day = $today - 7) AS week_ago USING (account)
  LEFT JOIN past USING (account))
SELECT account, score,
  CASE WHEN score >= 80 THEN 'healthy' WHEN score >= 60 THEN 'monitor' WHEN score >= 40 THEN 'at_risk'
       WHEN score >= 20 THEN 'critical' WHEN score IS NOT NULL THEN 'churning' END AS tier,
  account_name, csm, mrr, renewal_date,
  fall >= 15 - 1e-7 AND score < 70 AS "trigger health_score_drop when",
  quiet BETWEEN 14 AND 60 AS "trigger inactivity when",
  logins_7d < 2 AND logins_week_ago < 2 AND logins_two_weeks_ago < 2 AS "trigger fading_logins when",
  seats_total >= 5 AND CASE WHEN seats_total <> 0 THEN seats_active / seats_total END <= 0.2 + 1e-9
    AS "trigger seats_gone_quiet when",
  errors_7d >= 10 AND errors_7d >= 3 * usual_errors - 1e-6 AS "trigger error_spike when",
  logins_fall >= 50 - 1e-7 AND logins_average >= 10 - 1e-8 AS "trigger logins_halved when",
  fewest_tickets >= 3 AS "trigger tickets_piling when",
  key_feature_uses_14d <= 0.4 * most_uses + 1e-7 AND $today - first_day >= 27 AS "trigger feature_loss when"
FROM compared
ORDER BY account
