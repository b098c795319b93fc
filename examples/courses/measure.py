#!/usr/bin/env python3
"""Prints the figures of README.md: how often each trigger of this rulebook foretold that a student left.

It looks at every student once a week, on the days of snapshots.parquet, and counts the weeks in which a trigger
*became* true (an opening). It says the rules again in SQL, on purpose: a second way to the same numbers. Whoever
changes rules/ must change it too. Needs duckdb.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

DATA = Path(__file__).resolve().parent / "data"
ODD_MARKS = "account_id like 'BBB-2014J-%'"      # see the profile `bbb` in rules/weights.yaml
TRIGGERS = {                            # `past.x` is x a week before, `older.x` two weeks before
    "never_started": "now.stuck and past.stuck",
    "two_missed_in_a_row": "now.milestones_missed_in_a_row >= 2 and now.milestones_completed >= 1",
    "silent_past_due": "now.milestones_missed_in_a_row between 1 and 2 and now.milestones_completed >= 1"
                       " and now.days_since_last_due between 14 and 35",
    # the rule looks three days ahead every day; once a week, that is a week ahead
    "deadline_near": "now.milestones_missed_in_a_row = 1 and now.days_to_next_milestone <= 6"
                     " and now.milestones_completed = now.milestones_due - now.milestones_missed",
    "health_score_drop": "now.has = past.has and past.score - now.score >= 15 - 1e-9 and now.score < 70",
    "weak_first_marks": f"not now.{ODD_MARKS} and now.milestones_completed between 1 and 2 and now.avg_score < 50",
    "marks_drop": f"not now.{ODD_MARKS} and now.last_score < 50 and now.score_change <= -20"
                  " and now.submissions_28d >= 1",
    "stays_low": "now.milestones_completed >= 1 and now.score < 50 and past.score < 50 and older.score < 50",
    "(sharp fall, score still 70+)": "now.has = past.has and past.score - now.score >= 15 - 1e-9 and now.score >= 70",
    "(a mark 20 below the others)": f"not now.{ODD_MARKS} and now.score_change <= -20 and now.submissions_28d >= 1",
    "(late again)": "now.milestones_late > past.milestones_late and now.milestones_late >= 2",
}
PERIODS = {
    "2013B-2014B": "presentation <> '2014J'",
    "2014J": "presentation = '2014J'",
    "2014J, 3-17 Dec": "presentation = '2014J' and as_of between '2014-12-03' and '2014-12-17'",
}
MARKS = """case when {0} <= 40 then 0 when {0} <= 60 then ({0} - 40) * 2.5 when {0} <= 75 then 50 + ({0} - 60) * 2
           when {0} <= 90 then 80 + ({0} - 75) * 4 / 3 when {0} > 90 then 100 end"""
WEEKS = f"""
create table weeks as
with rows as (
  select s.* replace (s.avg_score::varchar::double as avg_score, s.last_score::varchar::double as last_score,
                      s.score_change::varchar::double as score_change),
         split_part(account_id, '-', 1) as module, split_part(account_id, '-', 2) as presentation, churned_on, outcome,
         coalesce(churned_on <= as_of + 30, false) as leaves,
         coalesce(churned_on <= as_of + 30, false) or as_of + 30 <= observed_until as judged,
         days_since_last_activity - days_since_last_due as silence,
         milestones_due >= 1 and milestones_completed = 0 as stuck,
         as_of - min(as_of) over (partition by account_id) >= 14 as known_long_enough
  from '{DATA}/snapshots.parquet' s join '{DATA}/churn.parquet' using (account_id)
), points as (
  select *,
         case when milestones_due > 0 then least(100.0, 100.0 * milestones_completed / milestones_due) end as progress,
         case milestones_missed_in_a_row when 0 then 100.0 when 1 then 40 when 2 then 10 else 0 end as momentum,
         case when {ODD_MARKS} then {MARKS.format("last_score")}
              else 0.6 * ({MARKS.format("avg_score")}) + 0.4 * ({MARKS.format("last_score")}) end as results,
         case when silence <= 7 then 100.0 when silence <= 21 then 100 - (silence - 7) * 40 / 14
              when silence <= 56 then 60 - (silence - 21) * 60 / 35 when silence > 56 then 0 end as recency
  from rows
), shares as (
  select *, (progress is null, results is null, recency is null) as has,
         25 + 25 * (progress is not null)::int + 35 * (results is not null)::int
            + 15 * (recency is not null)::int as share
  from points
)
select *, case when share >= 50 and known_long_enough then
    floor(10 * (coalesce(25 * progress, 0) + 25 * momentum + coalesce(35 * results, 0) + coalesce(15 * recency, 0))
          / share + 0.5 + 1e-6) / 10 end as score,
  avg(leaves::int) filter (judged) over (partition by module, presentation, as_of) as leaves_here
from shares
"""
OPENINGS = """
create or replace table openings as
with looks as (
  select now.*, coalesce({condition}, false) as holds
  from weeks now
  left join weeks past on past.account_id = now.account_id and past.as_of = now.as_of - 7
  left join weeks older on older.account_id = now.account_id and older.as_of = now.as_of - 14
)
select *, holds and not coalesce(lag(holds) over (partition by account_id order by as_of), false) as opens from looks
"""
LEAVERS = """
select 100 * avg(caught::int) from (
  select bool_or(opens and as_of + 30 >= churned_on) as caught
  from openings where churned_on is not null and presentation = '2014J' group by account_id)
"""
ALERTED = LEAVERS.replace("opens", "holds")
AUC = """
with ranked as (
  select leaves, rank() over (order by {value}) + (count(*) over (partition by {value}) - 1) / 2.0 as place
  from weeks where judged and course_day >= 28 and {value} is not null and {period}
)
select 1 - (sum(place) filter (leaves) - count(*) filter (leaves) * (count(*) filter (leaves) + 1) / 2.0)
           / (count(*) filter (leaves) * count(*) filter (not leaves)) from ranked
"""
TIER = """case when score >= 80 then '1 healthy' when score >= 60 then '2 monitor' when score >= 40 then '3 at_risk'
          when score >= 20 then '4 critical' when score is not null then '5 churning' else '6 unscored' end"""


def row(*cells: object) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> None:
    """Print the tables."""
    base = duckdb.connect()
    base.execute(WEEKS)

    def ask(sql: str) -> list[tuple[float, ...]]:
        return base.execute(sql).fetchall()

    print("Openings, share that left within 30 days (against all students of the same course and week):\n")
    for name, condition in TRIGGERS.items():
        base.execute(OPENINGS.format(condition=condition))
        cells = []
        for period in PERIODS.values():
            [(count, leave, here, fail)] = ask(
                "select count(*), 100 * avg(leaves::int), 100 * avg(leaves_here), 100 * avg((outcome = 'fail')::int)"
                f" from openings where opens and judged and {period}")
            cells += [f"{count:,.0f}", f"{leave:.1f}%", f"{leave / here:.1f}", f"{fail:.0f}%"]
        print(row(name, *cells, f"{ask(LEAVERS)[0][0]:.0f}%"))

    any_of_them = " or ".join(f"({condition})" for name, condition in TRIGGERS.items() if not name.startswith("("))
    base.execute(OPENINGS.format(condition=any_of_them))
    print("\nAn alert was true in the 30 days before leaving (2014J):", f"{ask(ALERTED)[0][0]:.0f}%")

    print("\nTiers from course day 28: weeks, left within 30 days, failed and passed in the end:\n")
    for period in list(PERIODS.values())[:2]:
        for tier, weeks, leave, fail, passed in ask(
                f"select {TIER}, count(*), 100 * avg(leaves::int), 100 * avg((outcome = 'fail')::int),"
                " 100 * avg((outcome in ('pass', 'distinction'))::int)"
                f" from weeks where judged and course_day >= 28 and {period} group by 1 order by 1"):
            print(row(period, tier, f"{weeks:,}", f"{leave:.1f}%", f"{fail:.0f}%", f"{passed:.0f}%"))

    print("\nArea under the curve for leaving within 30 days, from course day 28:\n")
    for value in ("score", "progress", "momentum", "results", "recency", "avg_score"):
        print(row(value, *(f"{ask(AUC.format(value=value, period=period))[0][0]:.3f}" for period in PERIODS.values())))


if __name__ == "__main__":
    main()
