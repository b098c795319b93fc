-- The floor: the same rules without any look-back, and only counted. What every evaluation must at least do.
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
judged AS (
  SELECT
    CASE WHEN score >= 80 THEN 'healthy' WHEN score >= 60 THEN 'monitor' WHEN score >= 40 THEN 'at_risk'
         WHEN score >= 20 THEN 'critical' WHEN score IS NOT NULL THEN 'churning' END AS tier,
    score < 70 AS t0,
    day - last_activity_on BETWEEN 14 AND 60 AS t1,
    logins_7d < 2 AS t2,
    seats_total >= 5 AND CASE WHEN seats_total <> 0 THEN seats_active / seats_total END <= 0.2 + 1e-9 AS t3,
    errors_7d >= 10 AS t4,
    logins_14d >= 10 AS t5,
    tickets_open >= 3 AS t6,
    key_feature_uses_14d <= 10 AND day - first_day >= 27 AS t7
  FROM scored WHERE day >= $first)
SELECT tier, count(*) AS rows, count(*) FILTER (t0), count(*) FILTER (t1), count(*) FILTER (t2), count(*) FILTER (t3), count(*) FILTER (t4), count(*) FILTER (t5), count(*) FILTER (t6), count(*) FILTER (t7)
FROM judged GROUP BY tier
