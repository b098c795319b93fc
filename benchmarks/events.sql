-- Six daily metrics of a log as somebody would write them in SQL: events by day first, a calendar for each account, windows
-- over it, and a join over ranges of days where different values are counted. $log names the files, $last the last day.
WITH e AS (
  SELECT account, CAST("at" AT TIME ZONE 'UTC' AS DATE) AS day, name, "user" FROM read_parquet($log)),
daily AS (
  SELECT account, day, count(*) FILTER (name = 'login') AS logins, count(*) AS events FROM e GROUP BY account, day),
spans AS (
  SELECT account, day, least(lead(day, 1, $last + 1) OVER (PARTITION BY account ORDER BY day) - 1, day + 90, $last) AS until
  FROM daily),
calendar AS (
  SELECT account, CAST(unnest(generate_series(day, until, INTERVAL 1 DAY)) AS DATE) AS day FROM spans),
counted AS (
  SELECT account, day,
    coalesce(sum(logins) OVER two_weeks, 0) AS logins_14d,
    count(events) OVER four_weeks AS active_days_28d,
    day - max(CASE WHEN logins > 0 THEN day END) OVER (PARTITION BY account ORDER BY day) AS days_since_login,
    max(day) FILTER (events IS NOT NULL) OVER (PARTITION BY account ORDER BY day) AS last_activity_on
  FROM calendar LEFT JOIN daily USING (account, day)
  WINDOW two_weeks AS (PARTITION BY account ORDER BY day RANGE BETWEEN INTERVAL 13 DAYS PRECEDING AND CURRENT ROW),
         four_weeks AS (PARTITION BY account ORDER BY day RANGE BETWEEN INTERVAL 27 DAYS PRECEDING AND CURRENT ROW)),
users AS (
  SELECT c.account, c.day, count(DISTINCT u."user") AS users_28d
  FROM calendar c JOIN (SELECT DISTINCT account, day, "user" FROM e) u
    ON u.account = c.account AND u.day BETWEEN c.day - 27 AND c.day GROUP BY c.account, c.day),
features AS (
  SELECT c.account, c.day, count(DISTINCT f.name) AS features_28d
  FROM calendar c JOIN (SELECT DISTINCT account, day, name FROM e) f
    ON f.account = c.account AND f.day BETWEEN c.day - 27 AND c.day GROUP BY c.account, c.day)
SELECT account, day AS as_of, CAST(logins_14d AS DOUBLE) AS logins_14d, CAST(active_days_28d AS DOUBLE) AS active_days_28d,
  CAST(days_since_login AS DOUBLE) AS days_since_login, last_activity_on,
  CAST(coalesce(users_28d, 0) AS DOUBLE) AS users_28d, CAST(coalesce(features_28d, 0) AS DOUBLE) AS features_28d
FROM counted LEFT JOIN users USING (account, day) LEFT JOIN features USING (account, day)
