-- The default rulebook as somebody would write it in SQL by hand, for one day: score, tier, the roles and the truth of
-- every condition (true, false, or null when it cannot be known). $today is the day since 1970. It takes the short way
-- that only a person who knows the rules can take: the score is worked out for two days only, and what looks back over
-- many days is one aggregate. Comparisons carry the same small tolerance as the rules do.
WITH two_days AS (
  SELECT *, $today - last_activity_on AS quiet,
    CASE segment WHEN 'enterprise' THEN 0 WHEN 'starter' THEN 1 ELSE 2 END AS profile,
    CASE segment WHEN 'enterprise' THEN 100.0 WHEN 'starter' THEN 5.0 ELSE 20.0 END AS half_logins,
    CASE segment WHEN 'enterprise' THEN 400.0 WHEN 'starter' THEN 20.0 ELSE 80.0 END AS all_logins,
    CASE segment WHEN 'enterprise' THEN 50.0 WHEN 'starter' THEN 3.0 ELSE 10.0 END AS half_uses,
    CASE segment WHEN 'enterprise' THEN 250.0 WHEN 'starter' THEN 12.0 ELSE 50.0 END AS all_uses,
    day - last_activity_on AS since_activity
  FROM history WHERE day IN ($today, $today - 7)),
points AS (
  SELECT *,
    CASE WHEN logins_14d <= 0 THEN 0.0 WHEN logins_14d <= half_logins THEN logins_14d * (50.0 / half_logins)
         WHEN logins_14d <= all_logins
         THEN 50.0 + (logins_14d - half_logins) * (50.0 / (all_logins - half_logins))
         WHEN logins_14d IS NOT NULL THEN 100.0 END AS logins,
    CASE WHEN key_feature_uses_14d <= 0 THEN 0.0
         WHEN key_feature_uses_14d <= half_uses THEN key_feature_uses_14d * (50.0 / half_uses)
         WHEN key_feature_uses_14d <= all_uses
         THEN 50.0 + (key_feature_uses_14d - half_uses) * (50.0 / (all_uses - half_uses))
         WHEN key_feature_uses_14d IS NOT NULL THEN 100.0 END AS uses,
    CASE WHEN features_per_session <= 0 THEN 0.0
         WHEN features_per_session <= 2 THEN features_per_session * 25.0
         WHEN features_per_session <= 5 THEN 50.0 + (features_per_session - 2) * (50.0 / 3)
         WHEN features_per_session IS NOT NULL THEN 100.0 END AS breadth,
    CASE WHEN session_minutes <= 0 THEN 0.0 WHEN session_minutes <= 5 THEN session_minutes * 10.0
         WHEN session_minutes <= 20 THEN 50.0 + (session_minutes - 5) * (50.0 / 15)
         WHEN session_minutes IS NOT NULL THEN 100.0 END AS minutes,
    CASE WHEN milestones_total > 0
         THEN least(greatest(100.0 * milestones_completed / milestones_total, 0.0), 100.0) END AS milestones,
    CASE WHEN since_activity >= 30 THEN 0.0 WHEN since_activity >= 14 THEN 30.0 WHEN since_activity >= 7 THEN 60.0
         WHEN since_activity >= 4 THEN 80.0 WHEN since_activity IS NOT NULL THEN 100.0 END AS recency
  FROM two_days),
signals AS (
  SELECT *, CASE WHEN uses IS NULL THEN logins WHEN logins IS NULL THEN uses ELSE (logins + uses) / 2 END AS activity,
    CASE WHEN minutes IS NULL THEN breadth WHEN breadth IS NULL THEN minutes ELSE (breadth + minutes) / 2 END
      AS engagement,
    (logins IS NOT NULL)::INTEGER AS k1, (uses IS NOT NULL)::INTEGER AS k2, (breadth IS NOT NULL)::INTEGER AS k3,
    (minutes IS NOT NULL)::INTEGER AS k4, (milestones IS NOT NULL)::INTEGER AS k5,
    (recency IS NOT NULL)::INTEGER AS k6
  FROM points),
scored AS (
  SELECT *, k1 + 2 * k2 + 4 * k3 + 8 * k4 + 16 * k5 + 32 * k6 + 64 * profile AS pattern,
    CASE WHEN 20 * (k1 + k2) + 15 * (k3 + k4) + 20 * k5 + 10 * k6 >= 50
              AND day - coalesce(customer_since, first_day) >= 14
         THEN floor(10 * (coalesce(40 * activity, 0) + coalesce(30 * engagement, 0) + coalesce(20 * milestones, 0)
                          + coalesce(10 * recency, 0))
                       / (CASE WHEN activity IS NULL THEN 0 ELSE 40 END
                          + CASE WHEN engagement IS NULL THEN 0 ELSE 30 END + 20 * k5 + 10 * k6)
                    + 0.5 + 1e-6) / 10 END AS score
  FROM signals),
past AS (
  SELECT account, max(logins_14d) FILTER (day = $today - 14) AS logins_then,
    avg(logins_14d) FILTER (day <= $today - 7) AS logins_usual,
    count(logins_14d) FILTER (day <= $today - 7) AS logins_known,
    min(sponsor) FILTER (day >= $today - 7) AS sponsor_least, max(sponsor) FILTER (day >= $today - 7) AS sponsor_most,
    count(sponsor) FILTER (day >= $today - 7) AS sponsor_known
  FROM history WHERE day BETWEEN $today - 34 AND $today - 1 GROUP BY account),
compared AS (
  SELECT now.*, past.*, now.score AS points_now,
    CASE WHEN now.pattern = week_ago.pattern THEN week_ago.score - now.score END AS fall,
    CASE WHEN logins_then <> 0 THEN 100 * (logins_then - now.logins_14d) / abs(logins_then) END AS logins_fall,
    CASE WHEN 2 * logins_known >= 28 THEN logins_usual END AS usual,
    now.journey_step_started_on IS NULL AS no_step, now.day - now.journey_step_started_on AS in_step,
    CASE WHEN now.seats_total <> 0 THEN now.seats_active_14d / now.seats_total END AS seats_share
  FROM (SELECT * FROM scored WHERE day = $today) AS now
  LEFT JOIN (SELECT account, score, pattern FROM scored WHERE day = $today - 7) AS week_ago USING (account)
  LEFT JOIN past USING (account))
SELECT account, score,
  CASE WHEN score >= 80 THEN 'healthy' WHEN score >= 60 THEN 'monitor' WHEN score >= 40 THEN 'at_risk'
       WHEN score >= 20 THEN 'critical' WHEN score IS NOT NULL THEN 'churning' END AS tier,
  account_name, contact_email, csm, executive_owner, mrr, renewal_date, email_opt_out, time_zone,
  journey = 'onboarding' AND in_step > journey_step_expected_days AS "trigger onboarding_stuck when",
  journey = 'feature_setup' AND in_step > journey_step_expected_days AS "trigger feature_setup_stuck when",
  journey = 'integration' AND in_step > journey_step_expected_days AS "trigger integration_stuck when",
  $today - onboarding_completed_on >= 14 AND core_feature_uses_total = 0 AS "trigger core_feature_unused when",
  fall >= 15 - 1e-7 AND score < 70 AS "trigger health_score_drop when",
  score >= 75 AS "trigger health_score_drop clear_when",
  fall >= 15 - 1e-7 AND score >= 70 AS "trigger sharp_fall when",
  quiet BETWEEN 14 AND 60 AS "trigger inactivity when",
  quiet < 14 AS "trigger inactivity clear_when",
  quiet > 60 AS "trigger gone_silent when",
  logins_fall >= 30 - 1e-7 AND logins_then >= 20 AS "trigger logins_down when",
  logins_fall < 10 - 1e-7 AS "trigger logins_down clear_when",
  seats_total >= 5 AND seats_share <= 0.2 + 1e-9 AS "trigger seats_gone_quiet when",
  seats_share >= 0.4 - 1e-9 AS "trigger seats_gone_quiet clear_when",
  CASE WHEN sponsor_least <> sponsor OR sponsor_most <> sponsor THEN true
       WHEN sponsor IS NOT NULL AND sponsor_known = 7 THEN false END AS "trigger sponsor_changed when",
  quiet <= 7 AS "play win_back goal",
  score >= 40 AS "play executive_save goal",
  score >= 40 AS "play rescue goal",
  $today - last_spoken_on <= 1 AS "play executive_save done_when",
  $today - last_spoken_on <= 1 AS "play rescue done_when",
  journey <> 'onboarding' OR in_step <= journey_step_expected_days AS "play help_onboarding goal",
  journey <> 'feature_setup' OR in_step <= journey_step_expected_days AS "play help_feature_setup goal",
  journey <> 'integration' OR in_step <= journey_step_expected_days AS "play help_integration goal",
  core_feature_uses_total > 0 AS "play first_use goal",
  score >= 70 AS "play check_in goal",
  score >= 70 AS "play check_in stop_if",
  seats_active_14d >= 1 AS "play wake_the_seats applies_to",
  seats_share >= 0.4 - 1e-9 AS "play wake_the_seats goal",
  quiet <= 7 AS "play re_engage goal",
  logins_14d >= 1 AS "play bring_logins_back applies_to",
  logins_14d >= 0.9 * usual - 1e-6 AS "play bring_logins_back goal",
  score >= 60 AS "play personal_touch goal",
  score >= 80 AS "play educate goal",
  tier = 'healthy' AS "play educate stop_if"
FROM compared
ORDER BY account
