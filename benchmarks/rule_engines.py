"""The same conditions in Forestall and in engines that decide one row at a time; nothing looks back in time.

All are given the same text. What favours the others: their rows are ready in memory, in the form that they read
fastest, with `days_since_last_activity` worked out, and without missing values, which they cannot answer. Ours includes
reading the Parquet files and handing out the truths of all conditions by account and day as an Arrow table.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import rule_engine
import zen
from answers import our_truth
from compile_rules import write_rules
from fifteen_metrics import LAST_DAY, write_history
from figures import Figures, apart, in_turns, main
from simpleeval import SimpleEval

from forestall.engine.detect.history import History
from forestall.engine.rulebook.loader import load
from forestall.engine.score import queries
from forestall.engine.score.account import Account
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import to_epoch

METRICS = ("logins_7d", "logins_14d", "key_feature_uses_14d", "seats_active", "seats_total", "errors_7d",
           "tickets_open", "segment")
AT_LEAST = {8: 30, 100: 100}      # times as fast as the fastest of the others, by number of triggers
ENOUGH = 1.5                      # seconds that each engine is watched for
CHUNK = 200                       # rows between two looks at the clock

Row = Any
Decide = Callable[[Sequence[Row]], list[list[bool]]]


def conditions(count: int) -> list[str]:
    """So many conditions of eight kinds, in the words that all engines share; variants differ in their numbers."""
    found = []
    for number in range(count):
        kind, step = number % 8, number // 8
        found.append((
            f"logins_14d < {10 + step} and key_feature_uses_14d < {5 + step}",
            f"days_since_last_activity >= {14 + step} and days_since_last_activity <= {60 - step}",
            f"logins_7d < {2 + step}",
            f"seats_total >= {5 + step} and seats_active / seats_total <= 0.25",
            f"errors_7d >= {10 - step / 4}",
            f"logins_7d <= 0.375 * logins_14d and logins_14d >= {10 + step}",
            f"tickets_open >= {3 - step / 8}",
            f'key_feature_uses_14d < {8 + step} and segment == "enterprise"',
        )[kind])
    return found


def plain_python(texts: Sequence[str]) -> Decide:
    """What nobody can do with rules that others write: the conditions as code."""
    code = re.sub(r"\b(days_since_last_activity|" + "|".join(METRICS) + r")\b", r'row["\1"]', ", ".join(texts))
    decide = eval(f"lambda row: [{code}]")
    return lambda rows: [decide(row) for row in rows]


def simpleeval_parsed(texts: Sequence[str]) -> Decide:
    """Each condition parsed once; one evaluator, given one row after the other."""
    evaluator = SimpleEval()
    parsed = [(text, evaluator.parse(text)) for text in texts]

    def decide(rows: Sequence[Row]) -> list[list[bool]]:
        answers = []
        for row in rows:
            evaluator.names = row
            answers.append([evaluator.eval(text, previously_parsed=tree) for text, tree in parsed])
        return answers

    return decide


def rule_engine_rules(texts: Sequence[str]) -> Decide:
    """Each condition a Rule, made once."""
    rules = [rule_engine.Rule(text) for text in texts]
    return lambda rows: [[rule.matches(row) for rule in rules] for row in rows]


def zen_expressions(texts: Sequence[str]) -> Decide:
    """Each condition compiled once. A decision graph with an expression node takes several times as long."""
    compiled = [zen.compile_expression(text) for text in texts]
    return lambda rows: [[one.evaluate(row) for one in compiled] for row in rows]


def zen_list(texts: Sequence[str]) -> Decide:
    """All conditions as one compiled expression, a list, so that a row goes in once: as a dict, or as JSON."""
    compiled = zen.compile_expression(f"[{', '.join(texts)}]")
    return lambda rows: [compiled.evaluate(row) for row in rows]


OTHERS: dict[str, tuple[Callable[[Sequence[str]], Decide], Callable[[Row], Row]]] = {
    "simpleeval, parsed before": (simpleeval_parsed, dict),
    "rule-engine": (rule_engine_rules, dict),
    "zen-engine, an expression for each": (zen_expressions, dict),
    "zen-engine, one expression for all": (zen_list, dict),
    "zen-engine, one for all, rows as JSON": (zen_list, json.dumps),
}


def measure(figures: Figures, folder: Path, accounts: int = 70_000, days: int = 30, runs: int = 3) -> bool:
    """Conditions without look-backs beside other rule engines: eight, then a hundred."""
    rows = apart(write_history, folder / "history", accounts, days)
    same = [beside(figures, folder, count, rows, days, runs) for count in AT_LEAST]
    return all(same)


def beside(figures: Figures, folder: Path, count: int, rows: int, days: int, runs: int) -> bool:
    """All engines under so many triggers."""
    texts, rules, history = conditions(count), folder / f"{count}-triggers", folder / "history"
    write_rules(rules, {f"trigger_{number:03d}": text for number, text in enumerate(texts)})
    conditions_only, everything, truths = ours(rules, history, days, runs)
    alone = apart(ours_on_one_core, rules, history, days, runs)[0] / rows
    both = conditions_only / rows
    figures.add(f"{count} triggers: Forestall, {rows:,} account-days (median of {runs})", micro(both))
    figures.add(f"{count} triggers: Forestall, held to one core", micro(alone))
    figures.add(f"{count} triggers: Forestall, with scores, tiers and roles, sorted", micro(everything / rows))
    known = known_rows(rules, history)
    expected = [truths[row["account"]] for row in known]
    plain = [{name: row[name] for name in (*METRICS, "days_since_last_activity")} for row in known]
    took: dict[str, float] = {}
    differ: list[str] = []
    ways = {name: (prepare(texts), [shape(row) for row in plain]) for name, (prepare, shape) in OTHERS.items()}
    ways["plain Python functions"] = (plain_python(texts), plain)
    ways["Forestall's evaluator for one account"] = (for_one_account(rules), known)
    for name, (decide, given) in ways.items():
        took[name], answers = rate(decide, given)
        figures.add(f"{count} triggers: {name}", micro(took[name]))
        wrong = sum(one != other for one, other in zip(answers, expected, strict=False))
        differ += [f"{name}: {wrong:,} of {len(answers):,} rows"] if wrong else []
    fastest = min(OTHERS, key=lambda name: took[name])
    figures.ratio(f"{count} triggers: {fastest}, the fastest of the others / Forestall", took[fastest] / both,
                  at_least=AT_LEAST[count])
    figures.ratio(f"{count} triggers: the same / Forestall, held to one core", took[fastest] / alone)
    figures.ratio(f"{count} triggers: plain Python functions / Forestall", took["plain Python functions"] / both)
    return figures.same(f"{count} triggers: the answers of all", differ)


def ours(rules: Path, history: Path, days: int, runs: int) -> tuple[float, float, dict[str, list[bool]]]:
    """Median seconds for the conditions of all rows, and for a whole evaluation; the truths of the last day by account.

    The rules are compiled before the clock starts, as those of the others are.
    """
    evaluator, first, past = Evaluator(load(rules, None)), LAST_DAY - timedelta(days=days - 1), History(history)
    statement = queries.decisions(evaluator.rulebook, evaluator.conditions, "duckdb",
                                  streaming=evaluator.engine.in_order).statement
    count = len(evaluator.conditions.expressions)
    packs = ", ".join(f"truths{number}" for number in range(-(-count // queries.TRUTHS_AT_ONCE)))

    def conditions_only() -> pyarrow.Table:
        with evaluator.engine.reading(past, evaluator.rulebook.catalogue, first, LAST_DAY) as reading:
            return reading.rows(f"SELECT account, day, {packs} FROM ({statement}) AS answer")

    evaluator.evaluate(past, first, first + timedelta(days=1))
    (seconds, rows), (everything, _) = in_turns(
        runs, conditions_only, lambda: evaluator.evaluate(past, first, LAST_DAY))
    flags = ", ".join(f"{our_truth(number)} = 2" for number in range(count))
    with duckdb.connect() as connection:
        connection.register("our_rows", rows)
        answers = connection.execute(
            f"SELECT account, [{flags}] FROM our_rows AS ours WHERE day = {to_epoch(LAST_DAY)}").fetchall()
    return seconds, everything, dict(answers)


def ours_on_one_core(rules: Path, history: Path, days: int, runs: int) -> tuple[float, float]:
    """The same seconds where the process may use one core only, as the others do."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return ours(rules, history, days, runs)[:2]


def known_rows(rules: Path, history: Path) -> list[Row]:
    """The rows of the last day in which nothing is missing that the conditions look at."""
    known = " AND ".join(f"{name} IS NOT NULL" for name in METRICS)
    with History(history).reading(load(rules, None).catalogue, LAST_DAY, LAST_DAY) as connection:
        rows: pyarrow.Table = connection.sql(
            "SELECT *, (day - last_activity_on)::DOUBLE AS days_since_last_activity FROM history "
            f"WHERE {known} ORDER BY account").to_arrow_table()
    return list(rows.to_pylist())


def for_one_account(rules: Path) -> Decide:
    """The evaluator behind `explain`, which is the judge of the other one and not made for speed."""
    rulebook = load(rules, None)
    whens = [trigger.when for trigger in rulebook.triggers.values()]

    def decide(rows: Sequence[Row]) -> list[list[bool]]:
        answers = []
        for row in rows:
            account = Account(rulebook, {row["day"]: row}, row["first_day"])
            answers.append([account.value(when, row["day"]) is True for when in whens])
        return answers

    return decide


def rate(decide: Decide, rows: Sequence[Row]) -> tuple[float, list[list[bool]]]:
    """Seconds per row, and the answers: as many rows as it does in ENOUGH seconds, unless there are fewer."""
    answers: list[list[bool]] = []
    start = time.perf_counter()
    while len(answers) < len(rows) and time.perf_counter() - start < ENOUGH:
        answers += decide(rows[len(answers):len(answers) + CHUNK])
    return (time.perf_counter() - start) / len(answers), answers


def micro(seconds: float) -> str:
    """Seconds as millionths."""
    return f"{seconds * 1e6:.2f} µs"


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
